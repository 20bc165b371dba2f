# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mesh's part of WAN association: for each host with rules, what makes a site's proxies mark its traffic.

A rule is an HTTP route (or one for plain TCP) to a subset of the host. A subset without labels has all endpoints, and
is a cluster of its own in each proxy, with connections of its own. That cluster binds its sockets with the link's DSCP.

Pure: sites with links and rules in, Kubernetes objects out (used by the filter `edge.mesh.wan_objects`).
:func:`http_routes`, :func:`tcp_routes` and :func:`subsets` are what other makers of a host's VirtualService and
DestinationRule would merge. Sources: Istio's API reference of VirtualService, DestinationRule and EnvoyFilter, Envoy's
of `core.v3.BindConfig`, and ip(7) and tcp(7) for the socket options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import Condition, Link, Rule

__all__ = ["DEAD_AFTER_MS", "Site", "hosts", "http_routes", "marks", "objects", "subset_name", "subsets", "tcp_routes"]

# A connection over a link that died ends when its data has been unanswered for so long (TCP_USER_TIMEOUT).
DEAD_AFTER_MS = 5000
_CLUSTER_LABEL = "topology.istio.io/cluster"  # istiod gives it to every proxy
_SOL_IP, _IP_TOS = 0, 1
_SOL_TCP, _TCP_USER_TIMEOUT = 6, 18
_ANY = str(IPv4Address(0))  # whichever the route asks for
_API, _FILTER_API = "networking.istio.io/v1", "networking.istio.io/v1alpha3"

Json = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A site of one primary, with its links and its rules in order."""

    name: str
    links: tuple[Link, ...]
    rules: tuple[Rule, ...]

    def of(self, host: str) -> tuple[Rule, ...]:
        """The rules for one host."""
        return tuple(rule for rule in self.rules if rule.host == host)

    def dscp(self, link: str) -> int:
        """The DSCP of a link; 0 for the default one."""
        return next(each.dscp for each in self.links if each.name == link)


def subset_name(link: str) -> str:
    """The subset whose cluster marks for a link."""
    return f"wan-{link}"


def hosts(sites: Iterable[Site]) -> list[str]:
    """All hosts that have rules, in the order of their first one."""
    return list(dict.fromkeys(rule.host for site in sites for rule in site.rules))


def objects(sites: Sequence[Site]) -> list[Json]:
    """All objects for one primary; ``sites`` are all sites that belong to it."""
    found = []
    for host in hosts(sites):
        rule = next(rule for site in sites for rule in site.rules if rule.host == host)
        name = f"edge-mesh-wan-{rule.service}"
        spec: Json = {"hosts": [host], "http": http_routes(host, sites)}
        if tcp := tcp_routes(host, sites):
            spec["tcp"] = tcp
        found.append(_object(_API, "VirtualService", rule.namespace, name, spec))
        if marked := subsets(host, sites):
            spec = {"host": host, "subsets": marked}
            found.append(_object(_API, "DestinationRule", rule.namespace, name, spec))
            # Only one in Istio's root namespace applies to callers of every namespace.
            patches = {"configPatches": _patches(host, sites)}
            name = f"{name}.{rule.namespace}"
            found.append(_object(_FILTER_API, "EnvoyFilter", SYSTEM_NAMESPACE, name, patches))
    return found


def http_routes(host: str, sites: Sequence[Site]) -> list[Json]:
    """The entries of ``VirtualService.spec.http``, ending with one for everything else."""
    routes = []
    for rules, callers in _groups(host, sites):
        for rule in rules:
            matches = _matches(rule.conditions, callers)
            routes.append({**({"match": matches} if matches else {}), "route": [_destination(host, rule, sites)]})
    if "match" in routes[-1]:
        routes.append({"route": [_destination(host, None, sites)]})
    return routes


def tcp_routes(host: str, sites: Sequence[Site]) -> list[Json]:
    """The entries of ``VirtualService.spec.tcp``: the rules that need nothing of HTTP; none if there are none."""
    routes = []
    for rules, callers in _groups(host, sites):
        for rule in rules:
            if _needs_http(rule):
                continue
            matches = _matches(rule.conditions, callers)
            routes.append({**({"match": matches} if matches else {}), "route": [_destination(host, rule, sites)]})
    if routes and "match" in routes[-1]:
        routes.append({"route": [_destination(host, None, sites)]})
    return routes


def subsets(host: str, sites: Iterable[Site]) -> list[Json]:
    """The entries of ``DestinationRule.spec.subsets``: one for each link that is marked."""
    return [{"name": subset_name(link)} for link in _marked(host, sites)]


def marks(site: Site) -> list[Json]:
    """What the site's proxies must mark: ``[{host, subset, dscp, http}]``, none for the default link.

    ``http`` says that all rules for it need HTTP, so that an HTTP route must lead there.
    """
    found: dict[tuple[str, str], list[Rule]] = {}
    for rule in site.rules:
        if site.dscp(rule.link):
            found.setdefault((rule.host, rule.link), []).append(rule)
    return [
        {"host": host, "subset": subset_name(link), "dscp": site.dscp(link), "http": all(map(_needs_http, rules))}
        for (host, link), rules in found.items()
    ]


def _needs_http(rule: Rule) -> bool:
    return any(condition.kind in ("header", "path") for condition in rule.conditions)


def _object(version: str, kind: str, namespace: str, name: str, spec: Json) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _groups(host: str, sites: Sequence[Site]) -> list[tuple[tuple[Rule, ...], list[str]]]:
    """The different lists of rules for a host, each with the callers' sites; none where all sites have the same."""
    groups: dict[tuple[Rule, ...], list[str]] = {}
    for site in sites:
        if site.of(host):
            groups.setdefault(site.of(host), []).append(site.name)
    return [(rules, [] if len(names) == len(sites) else names) for rules, names in groups.items()]


def _marked(host: str, sites: Iterable[Site]) -> dict[str, dict[int, list[str]]]:
    """Link -> DSCP -> the sites that mark with it."""
    found: dict[str, dict[int, list[str]]] = {}
    for site in sites:
        for link in dict.fromkeys(rule.link for rule in site.of(host)):
            if dscp := site.dscp(link):
                found.setdefault(link, {}).setdefault(dscp, []).append(site.name)
    return found


def _destination(host: str, rule: Rule | None, sites: Iterable[Site]) -> Json:
    destination = {"host": host}
    if rule is not None and rule.link in _marked(host, sites):
        destination["subset"] = subset_name(rule.link)
    return {"destination": destination}


def _matches(conditions: Iterable[Condition], callers: Sequence[str]) -> list[Json]:
    """The alternatives of ``match``: the rule's conditions, once for each site that calls."""
    match: Json = {}
    for condition in sorted(conditions):
        if condition.kind == "header":
            match.setdefault("headers", {})[condition.key] = {condition.way: condition.value}
        elif condition.kind == "path":
            match["uri"] = {condition.way: condition.value}
        elif condition.kind == "port":
            match["port"] = int(condition.value)
        else:
            match.setdefault("sourceLabels", {})[condition.key] = condition.value
    if not callers:
        return [match] if match else []
    labels: Mapping[str, str] = match.get("sourceLabels", {})
    return [{**match, "sourceLabels": {**labels, _CLUSTER_LABEL: caller}} for caller in callers]


def _patches(host: str, sites: Sequence[Site]) -> list[Json]:
    patches = []
    for link, by_dscp in _marked(host, sites).items():
        for dscp, names in by_dscp.items():
            # One patch for all callers, unless sites mark the same link in different ways.
            for caller in names if len(by_dscp) > 1 else [""]:
                match: Json = {"context": "SIDECAR_OUTBOUND", "cluster": {"service": host, "subset": subset_name(link)}}
                if caller:
                    match["proxy"] = {"metadata": {"CLUSTER_ID": caller}}
                patch = {"operation": "MERGE", "value": {"upstream_bind_config": _bind(link, dscp)}}
                patches.append({"applyTo": "CLUSTER", "match": match, "patch": patch})
    return patches


def _bind(link: str, dscp: int) -> Json:
    def option(description: str, level: int, name: int, value: int) -> Json:
        return {"description": description, "level": level, "name": name, "int_value": value, "state": "STATE_PREBIND"}

    return {
        "source_address": {"address": _ANY, "port_value": 0},
        "socket_options": [
            option(f"DSCP of the WAN link {link}", _SOL_IP, _IP_TOS, dscp << 2),
            option("end connections over a dead link", _SOL_TCP, _TCP_USER_TIMEOUT, DEAD_AFTER_MS),
        ],
    }
