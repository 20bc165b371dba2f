# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on the mesh: sample apps and routes, judged together, and what their traffic must look like (used by the
site model).

Pure. The hosts of the sample apps are known from the inventory, before any cluster is there; those of others are listed
in ``foreign`` and looked up in the clusters before anything is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import full_name
from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import ANY, LOCAL, Route, Rule, Target
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import samples, shares, targets
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.routes import read_routes
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.shares import Instance

__all__ = ["helloworld_versions", "read_traffic"]

Sites = Mapping[str, Mapping[str, Any]]

_USER = "end-user"  # of the headers that bookinfo passes on, the one that people match
_EVERYBODY = Rule((Target(),))


def read_traffic(
    mesh: Mapping[str, Any], sites: Sites, greeters: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """``{services, hosts, foreign, named, pages, splits}`` and what is wrong; ``greeters`` are helloworld's versions.

    ``services`` are the sample apps with parts, ``hosts`` the full names of routed hosts, ``foreign`` those
    that aren't sample apps, and ``named`` the sites that routes name.
    ``pages`` is empty, or what bookinfo's pages must show: the ``shares`` (version -> percent) of reviews, and those of
    requests with a ``header`` (`users`). ``splits`` are hosts that answer with their site, each with the shares
    (caller -> site -> percent) that its route gives.
    """
    running: Sites = sites if mesh["sample_apps"] else {}
    routes, problems = read_routes(mesh["routes"] if isinstance(mesh["routes"], list) else [])
    problems = [*samples.bad_parts(running), *problems, *targets.bad_sites(routes, list(sites))]
    problems += [Problem(name, f"a site of that name can't be told from the word {name} of routes; rename it")
                 for name in (LOCAL, ANY) if routes and name in sites]  # fmt: skip
    known = _places(running, greeters)
    for route in routes:
        # a site that doesn't exist has been told already
        if route.host in known and not targets.bad_sites([route], list(sites)):
            problems += targets.bad_instances(route, known[route.host])
    found = {
        "services": samples.services(running),
        "hosts": [route.host for route in routes],
        "foreign": [route.host for route in routes if route.host not in known],
        "named": sorted({name for route in routes for name in targets.sites_of(route)}),
        "pages": {} if problems else _pages(routes, known),
        "splits": [] if problems else _splits(routes, known, _callers(sites)),
    }
    return found, problems


def _callers(sites: Sites) -> list[str]:
    """The sites whose calls follow routes. Without sidecars it is a gateway that calls, and routes are for sidecars."""
    return [name for name, site in sites.items() if site.get("mode") != "gateway_only"]


def _host(app: str) -> str:
    return full_name(app, samples.NAMESPACE)


def _places(sites: Sites, greeters: Mapping[str, Any]) -> dict[str, list[Instance]]:
    """Full host name -> instances, of all sample apps."""
    found = {_host(app): samples.instances(sites, app) for app in samples.services(sites)}
    if sites:
        found[_host("helloworld")] = [
            Instance(name, version) for name, version in helloworld_versions(sites, greeters).items()
        ]
    return found


def helloworld_versions(sites: Sites, greeters: Mapping[str, Any]) -> dict[str, str]:
    """Site -> the version that helloworld is there."""
    return {
        name: str(greeters.get(name) or ("v1" if site["role"] == "primary" else "v2")) for name, site in sites.items()
    }


def _pages(routes: Sequence[Route], known: Mapping[str, list[Instance]]) -> dict[str, Any]:
    callers = [each.site for each in known.get(_host("productpage"), [])]
    if not callers:
        return {}
    reviews = _host("reviews")
    if reviews not in known:  # pages without reviews have no versions to tell apart
        return {}
    route = next((each for each in routes if each.host == reviews), Route(reviews, [_EVERYBODY]))
    users = {
        value["exact"]: None
        for rule in route.rules
        for match in rule.matches
        for name, value in match.headers.items()
        if name == _USER and "exact" in value
    }
    return {
        "shares": _versions(route, callers, {}, known[reviews]),
        "users": [
            {"header": _USER, "value": user, "shares": _versions(route, callers, {_USER: user}, known[reviews])}
            for user in users
        ],
    }


def _versions(
    route: Route, callers: Sequence[str], headers: Mapping[str, str], instances: Sequence[Instance]
) -> dict[str, float]:
    """The shares by version, over all callers, who are asked equally often."""
    found: dict[str, float] = {}
    for caller in callers:
        rule = shares.rule_for(route, caller, headers) or _EVERYBODY
        for version, share in shares.of_versions(shares.of_rule(rule, caller, instances)).items():
            found[version] = round(found.get(version, 0.0) + share / len(callers), 3)
    return found


def _splits(routes: Sequence[Route], known: Mapping[str, list[Instance]], sites: Sequence[str]) -> list[dict[str, Any]]:
    """Only `stock` is there for it: helloworld must be answered by all sites."""
    host = _host("stock")
    found = []
    for route in routes:
        if route.host == host and host in known and any(target.site for target in route.targets):
            by_caller = {}
            for caller in sites:
                rule = shares.rule_for(route, caller, {}) or _EVERYBODY
                by_caller[caller] = shares.of_sites(shares.of_rule(rule, caller, known[host]))
            found.append({"host": host, "url": f"http://{host}:5000/hello", "shares": by_caller})
    return found
