# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers a routed request, and how often (used by the site model, to judge routes and to say what is expected).

Pure: a route and the places of a host's instances in, shares of requests out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import LOCAL, Match, Route, Rule, Target

__all__ = ["Instance", "candidates", "of_rule", "of_sites", "of_versions", "rule_for"]


@dataclass(frozen=True)
class Instance:
    """An instance of a host: the site where it runs, and its version."""

    site: str
    version: str


def candidates(target: Target, caller: str, instances: Iterable[Instance]) -> list[Instance]:
    """The instances that answer a caller's requests to ``target`` while all are healthy."""
    fitting = [each for each in instances if target.version in ("", each.version)]
    place = caller if target.site == LOCAL else target.site
    first = [each for each in fitting if place in ("", each.site)]
    return first or (fitting if target.fails_over else [])


def rule_for(route: Route, caller: str, headers: Mapping[str, str]) -> Rule | None:
    """The rule that a request of a caller with these headers, to any path, falls under."""
    return next((rule for rule in route.rules if _fits(rule, caller, headers)), None)


def of_rule(rule: Rule, caller: str, instances: Sequence[Instance]) -> dict[Instance, float]:
    """The percentage of a caller's requests that each instance answers; what nobody answers is missing."""
    found: dict[Instance, float] = {}
    whole = 100 if len(rule.targets) == 1 else 0
    for target in rule.targets:
        chosen = candidates(target, caller, instances)
        for each in chosen:
            found[each] = found.get(each, 0.0) + (whole or target.weight) / len(chosen)
    return found


def of_sites(shares: Mapping[Instance, float]) -> dict[str, float]:
    """The shares by site."""
    return _by({each: (each.site, share) for each, share in shares.items()})


def of_versions(shares: Mapping[Instance, float]) -> dict[str, float]:
    """The shares by version."""
    return _by({each: (each.version, share) for each, share in shares.items()})


def _by(named: Mapping[Instance, tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, share in named.values():
        found[name] = found.get(name, 0.0) + share
    return {name: round(found[name], 3) for name in sorted(found)}


def _fits(rule: Rule, caller: str, headers: Mapping[str, str]) -> bool:
    return not rule.matches or any(_matches(match, caller, headers) for match in rule.matches)


def _matches(match: Match, caller: str, headers: Mapping[str, str]) -> bool:
    """Whether a request fits for sure; paths, namespaces, labels and patterns aren't known here, so they don't."""
    if match.path or match.namespace or match.labels or match.site not in ("", caller):
        return False
    return all("exact" in value and headers.get(name) == value["exact"] for name, value in match.headers.items())
