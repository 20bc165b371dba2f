# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of sites' clusters, read from their APIs, one site or many at once (used by `site_cluster_info`)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    EAST_WEST,
    EGRESS,
    INGRESS,
    ISTIOD_GATEWAY,
    LOCAL_INJECTOR,
    SYSTEM_NAMESPACE,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s import client, errors, kubeconfig, ownership
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._site import facts, network
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel

__all__ = ["Asked", "all_of", "facts_of", "unknown"]

Facts = dict[str, Any]

_SERVICES = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/services"
_GATEWAYS = (EAST_WEST, ISTIOD_GATEWAY, INGRESS)
_RECORD = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/edge-mesh"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@dataclass(frozen=True)
class Asked:
    """A site to ask, and what its inventory fixes; ``context`` and ``api_server`` may be None."""

    site: str
    provider: str
    kubeconfig: str
    context: str | None = None
    api_server: str | None = None
    gateway_addresses: tuple[str, ...] = ()


def unknown(asked: Asked) -> Facts:
    """The facts of a cluster that isn't there yet or can't be asked: what the inventory says, and nothing else."""
    return {
        "site": asked.site,
        "provider": asked.provider,
        "kubeconfig": asked.kubeconfig,
        "context": asked.context,
        "api_server": asked.api_server,
        "api_server_reachable": False,
        "ca_digest": None,
        "gateway_addresses": list(asked.gateway_addresses),
        "gateway_ips": [],
        "istiod_ips": [],
        "ingress_ips": [],
        "istiod_sources": [],
        "publish_addresses": asked.provider == "kind" or bool(asked.gateway_addresses),
        "node_addresses": [],
        "kubernetes_version": None,
        "created_by_us": asked.provider != "existing",
        "controller_address": None,
        "mesh_record": None,
        "joined_at": None,
        "gateway_only": False,
        "local_injector": False,
        "credential_expires_at": None,
    }


def facts_of(asked: Asked, *, wait: float, optional: bool, seconds: float) -> Facts | None:
    """The facts of one cluster, None with ``optional`` and without a kubeconfig; ``wait`` is for load balancers.

    Raises MeshError if the kubeconfig or the API can't be used.
    """
    found = unknown(asked)
    if optional and not Path(asked.kubeconfig).exists():
        return None
    endpoint = kubeconfig.load(asked.kubeconfig, asked.context)
    with client.Client(endpoint, timeout=seconds, site=asked.site) as api:
        version = api.get("/version") or {}
        if not isinstance(version.get("gitVersion"), str):  # a portal or another service may answer in JSON, too
            raise errors.strange("GET", "/version", server=endpoint.server, site=asked.site)
        nodes = facts.node_addresses(api.list("/api/v1/nodes"))
        slices = api.list(_SLICES, labelSelector="kubernetes.io/service-name=kubernetes")
        server = asked.api_server or facts.api_server(slices, endpoint.server)
        fixed = list(asked.gateway_addresses) or (nodes if asked.provider == "kind" else [])
        services, given = _balanced(api, 0 if fixed else wait)
        addresses, istiod, ingress = [fixed] * 3 if fixed else given
        recorded = api.get(_RECORD)
        injector = api.get(f"/api/v1/namespaces/{LOCAL_INJECTOR}")
    found.update(
        context=endpoint.context,
        api_server=server,
        api_server_reachable=not facts.is_loopback(server),
        ca_digest="sha256:" + hashlib.sha256((endpoint.ca_pem or "").encode()).hexdigest(),
        gateway_addresses=addresses,
        gateway_ips=network.resolve(addresses),
        istiod_ips=network.resolve(istiod),
        ingress_ips=network.resolve(ingress),
        istiod_sources=services.get(_GATEWAYS[1], {}).get("spec", {}).get("loadBalancerSourceRanges") or [],
        controller_address=network.source_address(nodes[0]) if nodes else None,
        mesh_record=(recorded or {}).get("data"),
        node_addresses=nodes,
        kubernetes_version=version.get("gitVersion"),
        # one that was made anew makes the site no younger
        joined_at=min(
            (services[name]["metadata"]["creationTimestamp"] for name in _GATEWAYS if name in services), default=None
        ),
        credential_expires_at=_end(endpoint.client_cert_pem),
        gateway_only=ownership.origin_of(services[EGRESS]) == "created" if EGRESS in services else False,
        local_injector=injector is not None and ownership.origin_of(injector) is not None,
    )
    return found


def all_of(sites: Iterable[Asked], *, wait: float, optional: bool, seconds: float) -> dict[str, Facts]:
    """The facts of all sites by name, asked at the same time, each with ``known``.

    One that isn't known says ``why``, and ``unanswered`` if its API gave no answer; both are missing with ``optional``
    for a cluster that isn't there yet.
    """

    def job(asked: Asked) -> Callable[[], Facts]:
        def ask() -> Facts:
            try:
                found = facts_of(asked, wait=wait, optional=optional, seconds=seconds)
            except MeshError as error:
                return _failed(asked, error.at(asked.site))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # What one site answers must not end the run of all the others.
                return _failed(asked, _unread(asked, error))
            return {**(found or unknown(asked)), "known": found is not None}

        return ask

    by_name = {asked.site: asked for asked in sites}

    def late(name: str) -> Facts:
        error = MeshError("its API wasn't asked to the end", site=name, why=f"{seconds + wait:g} s weren't enough")
        error.unanswered = True
        return _failed(by_name[name], error)

    return parallel.each({name: job(asked) for name, asked in by_name.items()}, seconds + wait, late)


def _end(pem: str | None) -> str | None:
    """When a client certificate ends, as the API writes times; None without one that can be read."""
    try:
        return workload.inspect(pem)[0].not_after.strftime("%Y-%m-%dT%H:%M:%SZ") if pem else None
    except MeshError:
        return None


def _unread(asked: Asked, error: Exception) -> MeshError:
    why = f"its API's answers have a shape that isn't known here ({type(error).__name__}: {error})"
    hint = f"check that the kubeconfig {asked.kubeconfig} leads to a Kubernetes API; if it does, please report this"
    return MeshError("it can't be read", site=asked.site, why=why, hint=hint)


def _failed(asked: Asked, error: MeshError) -> Facts:
    return {**unknown(asked), "known": False, "why": error.message, "unanswered": error.unanswered}


def _balanced(api: client.Client, wait: float) -> tuple[dict[str, Any], list[list[str]]]:
    """The Services of the mesh by name, and what load balancers gave each of ``_GATEWAYS`` within ``wait`` seconds."""
    end = time.monotonic() + wait
    while True:
        services = {item["metadata"]["name"]: item for item in api.list(_SERVICES)}
        addresses = [facts.gateway_addresses(services.get(name)) for name in _GATEWAYS]
        pending = any(name in services and not found for name, found in zip(_GATEWAYS, addresses, strict=True))
        if not pending or time.monotonic() >= end:
            return services, addresses
        time.sleep(min(1.0, max(0.0, end - time.monotonic())))
