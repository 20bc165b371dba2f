# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes against what there is: sites of the inventory, and the instances of a host (used by the site model and by the
filter `edge.mesh.bad_targets`).

Pure: routes and places in, problems out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX
from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import ANY, LOCAL, Route, Target
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem, near
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.shares import Instance

__all__ = ["bad_instances", "bad_sites", "sites_of"]


def bad_sites(routes: Iterable[Route], sites: Sequence[str]) -> list[Problem]:
    """Sites that a route names and the inventory doesn't have."""
    problems = []
    for route in routes:
        for name in dict.fromkeys(sites_of(route)):
            if name not in sites:
                problems.append(Problem(None, f"{_where(route)}: there is no site {name!r}{near(name, sites)}"))
    return problems


def sites_of(route: Route) -> list[str]:
    """The sites that a route names, in its targets and in its matches."""
    named = [target.site for target in route.targets if target.site != LOCAL]
    named += [target.failover for target in route.targets if target.failover != ANY]
    named += [match.site for rule in route.rules for match in rule.matches]
    return [name for name in named if name]


def bad_instances(route: Route, instances: Sequence[Instance], *, exists: bool = True) -> list[Problem]:
    """What a route wants of its host and nobody offers; ``exists``: whether any site has a Service of that name."""
    if not exists:
        return [Problem(None, f"{_where(route)}: there is no such host: no site has a Service of that name")]
    if not instances:
        return [Problem(None, f"{_where(route)}: nothing of this host runs at any site")]
    found = []
    for target in dict.fromkeys(route.targets):
        why = _unanswered(target, instances) or _inexact(target, instances)
        if why:
            found.append(Problem(None, f"{_where(route)}: {why}"))
    return found


def _unanswered(target: Target, instances: Sequence[Instance]) -> str:
    """Why nobody would answer, or nothing."""
    versions = sorted({each.version for each in instances if each.version})
    fitting = [each for each in instances if target.version in ("", each.version)]
    what = f"version {target.version}" if target.version else "an instance"
    if not fitting:
        return f"there is no version {target.version!r}{near(target.version, versions)}"
    at = sorted({each.site for each in fitting})
    for site in (target.site, target.failover):
        if site not in ("", LOCAL, ANY) and site not in at:
            return (
                f"{site} has no {what.removeprefix('an ')} of it; {', '.join(at)} {'has' if len(at) == 1 else 'have'}"
            )
    return ""


def _inexact(target: Target, instances: Sequence[Instance]) -> str:
    """Why a failover wouldn't go where it should, or nothing: Istio knows who comes first, and no order of the rest."""
    at = sorted({each.site for each in instances if target.version in ("", each.version)})
    if target.failover and len(at) == 1:
        return f"only {at[0]} has it, so there is nothing to fail over to"
    first = {target.site} if target.site != LOCAL else {site for site in at if site != target.failover}
    others = [site for site in at if site not in (*first, target.failover)]
    if target.failover not in ("", ANY) and (others or len(first) > 1):
        return (
            f"failover to {target.failover} can't be promised, because {', '.join(at)} all have it and Istio knows no "
            "order among those that don't come first; write failover: any"
        )
    return ""


def _where(route: Route) -> str:
    return f"edge_mesh_routes, {route.host.removesuffix(SERVICE_SUFFIX)}"
