# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes as data, and Istio's objects made of them (used by the filter `edge.mesh.route_objects` and the site model).

Pure. Per host there is one VirtualService and, where a rule chooses among instances, one DestinationRule. Both lie in
Istio's root namespace, where istiod finds them for every caller and no other namespace has to exist.
:func:`http_routes` and :func:`subsets` are apart, so that routes of another origin can be put before a host's own.

Facts that this builds on (Istio's pilot, 1.31 line, tried on the lab):

* Endpoints and callers both carry the label ``topology.istio.io/cluster``, so a subset can choose a site, and
  ``sourceLabels`` the site of the caller.
* ``failoverPriority: [<label>]`` puts endpoints whose label has the caller's value first and all others second,
  ``[<label>=<value>]`` those with that value. It works only with outlier detection.
* With outlier detection and without such a list, localities of nodes decide: that is switched off by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import CLUSTER_LABEL, SYSTEM_NAMESPACE

__all__ = [
    "ANY", "LOCAL", "Match", "Outlier", "Route", "Rule", "Target", "destination_rule", "http_routes", "objects",
    "subsets", "virtual_service",
]  # fmt: skip

Json = dict[str, Any]

LOCAL = "local"  # instead of a site's name: the caller's own site
ANY = "any"  # instead of a site's name: every other site
_API = "networking.istio.io/v1"
_CONNECT_SECONDS = 2  # Envoy's own 10 s would cost a caller that much for each endpoint that is cut off


@dataclass(frozen=True)
class Target:
    """Where a share of the requests goes; empty ``version`` and ``site`` mean any.

    ``failover`` lets other sites take over while ``site`` has no healthy instance. :data:`LOCAL` always does.
    """

    weight: int = 100
    version: str = ""
    site: str = ""
    failover: str = ""

    @property
    def fails_over(self) -> bool:
        """Whether other sites may answer for its own."""
        return self.site == LOCAL or bool(self.failover)

    @property
    def subset(self) -> str:
        """Name of the instances that it means; empty for all of them."""
        named = f"{self.site}-first" if self.fails_over else f"at-{self.site}"
        return "-".join(part for part in (self.version, named if self.site else "") if part)


@dataclass(frozen=True)
class Match:
    """What a request must have, all of it: header or path -> ``{exact|prefix|regex: text}``, and who sent it."""

    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    site: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Requests that fit one of ``matches`` (none: all requests) go to ``targets``; ``timeout`` as Istio writes it."""

    targets: Sequence[Target]
    matches: Sequence[Match] = ()
    timeout: str = ""


@dataclass(frozen=True)
class Outlier:
    """An instance is left out for ``ejection`` after ``errors`` gateway errors in a row, judged each ``interval``."""

    errors: int = 3
    interval: str = "2s"
    ejection: str = "15s"


@dataclass(frozen=True)
class Route:
    """The rules of one host, a full name; the first rule that fits a request has it."""

    host: str
    rules: Sequence[Rule]
    outlier: Outlier | None = None

    @property
    def targets(self) -> list[Target]:
        """All targets of all rules."""
        return [target for rule in self.rules for target in rule.targets]


def objects(routes: Iterable[Route]) -> list[Json]:
    """The objects of all routes: a host's DestinationRule comes before the VirtualService that names its subsets."""
    found = []
    for route in routes:
        policy = destination_rule(route.host, subsets(route), route.outlier)
        found += [*([policy] if policy else []), virtual_service(route.host, http_routes(route))]
    return found


def http_routes(route: Route) -> list[Json]:
    """The entries of ``spec.http`` for the route's rules, in their order."""
    return [_http(route.host, rule) for rule in route.rules]


def subsets(route: Route) -> list[Json]:
    """The entries of ``spec.subsets`` that the route's targets need, each once, by name."""
    named = {target.subset: target for target in route.targets if target.subset}
    return [_subset(named[name], route.outlier) for name in sorted(named)]


def virtual_service(host: str, http: Sequence[Json]) -> Json:
    """The VirtualService of a host for all sidecars of the mesh."""
    return {"apiVersion": _API, "kind": "VirtualService", "metadata": _metadata(host), "spec": {
        "hosts": [host], "gateways": ["mesh"], "http": list(http)}}  # fmt: skip


def destination_rule(host: str, named: Sequence[Json], outlier: Outlier | None) -> Json | None:
    """The DestinationRule of a host, or None where nothing needs one."""
    if not named and outlier is None:
        return None
    spec: Json = {"host": host}
    if outlier is not None:
        spec["trafficPolicy"] = _policy(outlier, [])
    if named:
        spec["subsets"] = list(named)
    return {"apiVersion": _API, "kind": "DestinationRule", "metadata": _metadata(host), "spec": spec}


def _metadata(host: str) -> Json:
    return {"name": f"route-{host.removesuffix('.svc.cluster.local').replace('.', '-')}", "namespace": SYSTEM_NAMESPACE}


def _http(host: str, rule: Rule) -> Json:
    found: Json = {}
    if rule.matches:
        found["match"] = [_match(each) for each in rule.matches]
    single = len(rule.targets) == 1
    found["route"] = [
        {"destination": {"host": host, **({"subset": target.subset} if target.subset else {})},
         **({} if single else {"weight": target.weight})}
        for target in rule.targets
    ]  # fmt: skip
    if rule.timeout:
        found["timeout"] = rule.timeout
    return found


def _match(match: Match) -> Json:
    found: Json = {}
    if match.headers:
        found["headers"] = {name: dict(value) for name, value in match.headers.items()}
    if match.path:
        found["uri"] = dict(match.path)
    labels = {**match.labels, **({CLUSTER_LABEL: match.site} if match.site else {})}
    if labels:
        found["sourceLabels"] = labels
    if match.namespace:
        found["sourceNamespace"] = match.namespace
    return found


def _subset(target: Target, outlier: Outlier | None) -> Json:
    labels = {"version": target.version} if target.version else {}
    found: Json = {"name": target.subset}
    if target.site and not target.fails_over:
        labels[CLUSTER_LABEL] = target.site
    if labels:
        found["labels"] = labels
    if target.fails_over:
        first = CLUSTER_LABEL if target.site == LOCAL else f"{CLUSTER_LABEL}={target.site}"
        found["trafficPolicy"] = _policy(outlier or Outlier(), [first])
    return found


def _policy(outlier: Outlier, priority: Sequence[str]) -> Json:
    """The traffic policy that leaves sick instances out; ``priority`` are the labels that say who comes first."""
    locality: Json = {"enabled": True, "failoverPriority": list(priority)} if priority else {"enabled": False}
    return {
        "connectionPool": {"tcp": {"connectTimeout": f"{_CONNECT_SECONDS}s"}},
        "loadBalancer": {"simple": "ROUND_ROBIN", "localityLbSetting": locality},
        # an application's own errors (500) say nothing of its health; a share of 100 lets the last instance go, too
        "outlierDetection": {
            "consecutive5xxErrors": 0, "consecutiveGatewayErrors": outlier.errors, "interval": outlier.interval,
            "baseEjectionTime": outlier.ejection, "maxEjectionPercent": 100,
        },
    }  # fmt: skip
