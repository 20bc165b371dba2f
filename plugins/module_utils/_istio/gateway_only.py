# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site without sidecars: how the mesh reaches its Services through its gateway, and its pods the mesh.

Pure: what a site shows and calls in, Kubernetes objects out (used by the filters `gateway_only_*` and by `_verify`).

In: each port that a site shows is a port of its east-west gateway, where mutual TLS ends (``ISTIO_MUTUAL``); from there
it is plain text. A WorkloadEntry at the site, selected by the site's own Service, makes every proxy of the mesh call
that port. Out: each host that its pods call is a plain port of its egress gateway, which calls it with mutual TLS.

Facts that this builds on (Istio's pilot, 1.32 development tree):

* Split-horizon EDS drops endpoints of another network that don't speak mutual TLS (`EndpointsByNetworkFilter`), so the
  site's pods themselves are seen by the site's own gateways only.
* An endpoint in a network without a gateway is called directly. A proxy that asks for one network's view, as east-west
  gateways do, doesn't see it, so the gateway never calls itself.
* A Service of a remote cluster selects the WorkloadEntries of that cluster by labels and named ports, if their address
  is an IP. The endpoint counts as one of that cluster, so routes by site find it.
* What a caller accepts as the server's identity are the accounts of a host's endpoints (a WorkloadEntry's is one of
  its own namespace), and those in the annotation ``canonical-serviceaccounts`` of its Services in all clusters.
* A Gateway is programmed into the proxies that have its selector's labels; istiod gives each the label of its cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    CLUSTER_LABEL,
    EAST_WEST,
    EGRESS,
    INGRESS,
    SYSTEM_NAMESPACE,
    full_name,
)

__all__ = [
    "ACCOUNTS_ANNOTATION", "GATEWAYS", "NETWORK", "PROBE_IN", "PROBE_OUT", "SET", "Called",
    "Shown", "alias", "at_primary", "at_site", "called_as", "helper", "in_identity", "narrowed", "out_identity",
    "problems", "set_of", "target_name",
]  # fmt: skip

Json = dict[str, Any]
Protocol = Literal["http", "tcp"]

GATEWAYS = (INGRESS, EAST_WEST, EGRESS)
SET = "gateway-only"  # the set of objects at the site
NETWORK = "gateway-only"  # of the gateways' ports; no gateway leads there, so they are called directly
PROBE_IN, PROBE_OUT = 15499, 15599  # what `verify` shows and calls where no sample app does
ACCOUNTS_ANNOTATION = "alpha.istio.io/canonical-serviceaccounts"
_TLS_MODE = "security.istio.io/tlsMode"
_UNSEEN = {"networking.istio.io/exportTo": "~"}
_API = "networking.istio.io/v1"


@dataclass(frozen=True)
class Called:
    """A port of a host of the mesh that the site's pods reach through ``gateway_port`` of its egress gateway."""

    service: str
    namespace: str
    port: int
    gateway_port: int
    protocol: Protocol = "http"

    @property
    def host(self) -> str:
        """The full name."""
        return full_name(self.service, self.namespace)


@dataclass(frozen=True)
class Shown(Called):
    """A port of a Service of the site that the mesh reaches at ``gateway_port`` of its east-west gateway.

    ``labels`` are what routes know its instances by, beside those that the Service selects.
    """

    labels: Mapping[str, str] = field(default_factory=dict)


def in_identity(trust_domain: str) -> str:
    """Whom callers of a site without sidecars talk to, whichever Service they call."""
    return f"spiffe://{trust_domain}/ns/{SYSTEM_NAMESPACE}/sa/{EAST_WEST}"


def out_identity(trust_domain: str) -> str:
    """As whom all pods of such a site call."""
    return f"spiffe://{trust_domain}/ns/{SYSTEM_NAMESPACE}/sa/{EGRESS}"


def alias(service: str) -> str:
    """The name, in the host's own namespace, by which the site's pods call a host of the whole mesh."""
    return f"{service}-mesh"


def called_as(host: str) -> str:
    """``<service>.<namespace>[...]`` as the site's pods call it: ``<service>-mesh.<namespace>[...]``."""
    service, dot, rest = host.partition(".")
    return f"{alias(service)}{dot}{rest}"


def helper(service: str, namespace: str) -> str:
    """The Service in Istio's namespace that the alias leads to; it alone can select the gateway."""
    return f"mesh-{service}-{namespace}"


def set_of(site: str, *, probe: bool = False) -> str:
    """The set, and the beginning of the names, of a site's objects at its primary."""
    return f"{SET}-verify-{site}" if probe else f"{SET}-{site}"


def target_name(port: Mapping[str, Any]) -> str:
    """By which name istiod looks a Service's port up in a WorkloadEntry; empty if it has none."""
    target = port.get("targetPort")
    return target if isinstance(target, str) else str(port.get("name") or "")


def at_site(
    shown: Sequence[Shown],
    called: Sequence[Called],
    services: Mapping[str, Mapping[str, Any]],
    addresses: Sequence[str],
    identity: str,
) -> list[Json]:
    """The objects at the site itself.

    ``services`` are the shown hosts' Services there by full name, each ``{selector, ports, set}`` as in `service_info`.
    Those of another set than ours carry the ``identity`` that callers must accept already; the others get it here.
    ``addresses`` are the gateway's IPs.
    """
    found: list[Json] = []
    for (service, namespace), ports in _grouped(shown).items():
        live = services[ports[0].host]
        found += _entries(service, namespace, ports, live, addresses)
        if live.get("set") in (None, "", SET):
            metadata = {"name": service, "namespace": namespace, "annotations": {ACCOUNTS_ANNOTATION: identity}}
            found.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata})
    for (service, namespace), ports in _grouped(called).items():
        found += _names(service, namespace, ports)
    return found


def at_primary(name: str, site: str, shown: Sequence[Shown], called: Sequence[Called]) -> list[Json]:
    """The objects at the site's primary, all called ``name-...``: what the site's gateways listen for and route."""
    inner, outer = f"{name}-in", f"{name}-out"
    found: list[Json] = []
    if shown:
        servers = [
            {"port": {"number": each.gateway_port, "name": f"in-{each.gateway_port}",
                      "protocol": "HTTPS" if each.protocol == "http" else "TLS"},
             "tls": {"mode": "ISTIO_MUTUAL"}, "hosts": ["*"]}
            for each in shown
        ]  # fmt: skip
        found.append(_object("Gateway", inner, {"selector": _selector("eastwestgateway", site), "servers": servers}))
        found += [_route(inner, each, rewrite=False) for each in shown]
    if called:
        servers = [
            {"port": {"number": each.gateway_port, "name": f"out-{each.gateway_port}",
                      "protocol": "HTTP" if each.protocol == "http" else "TCP"}, "hosts": ["*"]}
            for each in called
        ]  # fmt: skip
        found.append(_object("Gateway", outer, {"selector": _selector("egressgateway", site), "servers": servers}))
        found += [_route(outer, each, rewrite=True) for each in called]
    return found


def narrowed(objects: Iterable[Json]) -> list[Json]:
    """The objects with their injection webhooks for the gateways alone: nothing else of the cluster is injected."""
    return [_narrow(each) if each.get("kind") == "MutatingWebhookConfiguration" else each for each in objects]


def _narrow(configuration: Json) -> Json:
    webhooks = []
    for hook in configuration.get("webhooks") or []:
        where = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [SYSTEM_NAMESPACE]}
        what = {"key": "app", "operator": "In", "values": list(GATEWAYS)}
        webhooks.append(
            {**hook, "namespaceSelector": _and(hook, "namespaceSelector", where),
             "objectSelector": _and(hook, "objectSelector", what)}
        )  # fmt: skip
    return {**configuration, "webhooks": webhooks}


def _and(hook: Json, selector: str, expression: Json) -> Json:
    given = dict(hook.get(selector) or {})
    return {**given, "matchExpressions": [*(given.get("matchExpressions") or []), expression]}


def _grouped(ports: Sequence[Any]) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for each in ports:
        found.setdefault((each.service, each.namespace), []).append(each)
    return found


def _entries(
    service: str, namespace: str, ports: Sequence[Shown], spec: Mapping[str, Any], addresses: Sequence[str]
) -> list[Json]:
    """One WorkloadEntry for each address: it stands for all instances of the Service at the site."""
    by_number = {port["port"]: port for port in spec.get("ports") or []}
    labels = dict(spec.get("selector") or {})
    for each in ports:
        labels |= each.labels
    wanted = {target_name(by_number[each.port]): each.gateway_port for each in ports}
    return [
        {
            "apiVersion": _API, "kind": "WorkloadEntry",
            "metadata": {"name": f"gateway-only-{service}-{number}", "namespace": namespace},
            "spec": {"address": address, "ports": wanted, "network": NETWORK, "labels": {**labels, _TLS_MODE: "istio"}},
        }
        for number, address in enumerate(addresses, 1)
    ]  # fmt: skip


def _names(service: str, namespace: str, ports: Sequence[Called]) -> list[Json]:
    """The alias in the host's namespace, and the Service of the egress gateway that it leads to."""
    name = helper(service, namespace)
    listed = [
        {"name": f"{each.protocol}-{each.port}", "port": each.port, "targetPort": each.gateway_port} for each in ports
    ]
    return [
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE, "annotations": dict(_UNSEEN)},
            "spec": {"selector": {"app": EGRESS, "istio": "egressgateway"}, "ports": listed},
        },
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": alias(service), "namespace": namespace, "annotations": dict(_UNSEEN)},
            "spec": {"type": "ExternalName", "externalName": full_name(name, SYSTEM_NAMESPACE)},
        },
    ]  # fmt: skip


def _selector(gateway: str, site: str) -> Json:
    return {"istio": gateway, CLUSTER_LABEL: site}


def _route(gateway: str, each: Called, *, rewrite: bool) -> Json:
    """All that comes in at a port goes to the one host that it stands for."""
    route: Json = {
        "match": [{"port": each.gateway_port}],
        "route": [{"destination": {"host": each.host, "port": {"number": each.port}}}],
    }
    if rewrite and each.protocol == "http":
        route["rewrite"] = {"authority": each.host}  # the pods know it by its alias
    spec: Json = {"hosts": ["*"], "gateways": [gateway], each.protocol: [route]}
    return _object("VirtualService", f"{gateway}-{each.gateway_port}", spec)


def _object(kind: str, name: str, spec: Json) -> Json:
    metadata = {"name": name, "namespace": SYSTEM_NAMESPACE}
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}


def problems(shown: Sequence[Shown], services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why Services can't be shown: ``services`` as for :func:`at_site`, those that aren't there are missing."""
    found = []
    for (service, namespace), ports in _grouped(shown).items():
        name, live = f"{service}.{namespace}", services.get(ports[0].host)
        if live is None:
            found.append(f"{name}: there is no such Service at the site; deploy it and run again")
            continue
        has = {int(port["port"]): port for port in live.get("ports") or []}
        wanted = [each.port for each in ports]
        if not live.get("selector"):
            found.append(f"{name}: its Service selects no pods, so istiod finds no instance by it")
        if strange := [port for port in wanted if port not in has]:
            found.append(f"{name}: its Service has no port {_numbers(strange)}; it has {_numbers(has)}")
        # istiod would send calls to the gateway for them, too
        if missing := [port for port in has if port not in wanted]:
            found.append(f"{name}: its Service has port {_numbers(missing)}, too; list all ports of a Service")
        if nameless := [port for port in wanted if port in has and not target_name(has[port])]:
            found.append(
                f"{name}: port {_numbers(nameless)} has no name, by which istiod would find the gateway's port"
            )
    return found


def _numbers(ports: Iterable[int]) -> str:
    return ", ".join(str(port) for port in ports)
