# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers a routed request, and how often."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import Match, Route, Rule, Target
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import shares, targets
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.shares import Instance

HUB, PARIS = Instance("hub", "v1"), Instance("paris", "v1")
OSLO = Instance("oslo", "v2")


@pytest.mark.parametrize(
    ("target", "caller", "expected"),
    [
        (Target(), "oslo", [HUB, PARIS, OSLO]),
        (Target(version="v2"), "hub", [OSLO]),
        (Target(site="hub"), "paris", [HUB]),
        (Target(site="nowhere"), "paris", []),
        (Target(site="nowhere", failover="any"), "paris", [HUB, PARIS, OSLO]),
        (Target(site="local"), "paris", [PARIS]),
        (Target(site="local", version="v1"), "oslo", [HUB, PARIS]),
    ],
)
def test_a_target_means_these_instances(target: Target, caller: str, expected: list[Instance]) -> None:
    assert shares.candidates(target, caller, [HUB, PARIS, OSLO]) == expected


def test_a_split_between_the_own_site_and_the_centre_is_another_one_for_each_caller() -> None:
    rule = Rule([Target(50, site="local"), Target(50, site="hub")])
    found = {caller: shares.of_sites(shares.of_rule(rule, caller, [HUB, PARIS])) for caller in ("hub", "paris", "oslo")}
    assert found == {"hub": {"hub": 100}, "paris": {"hub": 50, "paris": 50}, "oslo": {"hub": 75, "paris": 25}}


def test_the_first_rule_that_surely_fits_has_the_request() -> None:
    special = Rule([Target(version="v2")], [Match({"end-user": {"exact": "banzai"}}), Match(site="oslo")])
    pattern = Rule([Target(version="v1")], [Match({"end-user": {"prefix": "b"}}), Match(path={"exact": "/"})])
    rest = Rule([Target()])
    route = Route("h", [pattern, special, rest])
    assert shares.rule_for(route, "hub", {"end-user": "banzai"}) is special
    assert shares.rule_for(route, "oslo", {}) is special
    assert shares.rule_for(route, "hub", {}) is rest


INSTANCES = st.lists(
    st.builds(Instance, st.sampled_from(["hub", "paris", "oslo"]), st.sampled_from(["v1", "v2"])),
    min_size=1,
    unique=True,
)
SITES = st.sampled_from(["", "local", "hub", "paris", "oslo"])


@given(
    st.lists(st.tuples(st.sampled_from(["", "v1", "v2"]), SITES, st.sampled_from(["", "any"])), min_size=1, max_size=4),
    INSTANCES,
    st.sampled_from(["hub", "paris", "oslo"]),
    st.data(),
)
def test_what_is_not_refused_is_answered_whole(
    wanted: list[tuple[str, str, str]], instances: list[Instance], caller: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, 100), min_size=len(wanted) - 1, max_size=len(wanted) - 1)))
    weights = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    chosen = [
        Target(weight, version, site, failover if site not in ("", "local") else "")
        for weight, (version, site, failover) in zip(weights, wanted, strict=True)
    ]
    route = Route("h.n.svc.cluster.local", [Rule(chosen)])
    assume(not targets.bad_instances(route, instances))
    found = shares.of_rule(route.rules[0], caller, instances)
    assert abs(sum(found.values()) - 100) < 0.01
    assert set(found) <= set(instances)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(version="v22"), "there is no version 'v22'; did you mean v2?"),
        (Target(version="v2", site="hub"), "hub has no version v2 of it; oslo has"),
        (Target(site="rome"), "rome has no instance of it; hub, oslo, paris have"),
        (Target(version="v2", site="oslo", failover="hub"), "hub has no version v2 of it; oslo has"),
        (Target(version="v2", site="oslo", failover="any"), "only oslo has it, so there is nothing to fail over to"),
        (Target(site="hub", failover="paris"), "failover to paris can't be promised"),
        (Target(version="v1", site="hub", failover="paris"), ""),
        (Target(version="v1", site="local", failover="hub"), ""),
        (Target(site="local", failover="hub"), "failover to hub can't be promised"),
        (Target(site="hub", failover="any"), ""),
    ],
)
def test_what_a_host_cant_give_is_said(target: Target, expected: str) -> None:
    route = Route("stock.shop.svc.cluster.local", [Rule([target])])
    problems = [str(problem) for problem in targets.bad_instances(route, [HUB, PARIS, OSLO])]
    assert [expected in problem for problem in problems] == ([True] if expected else []), problems


def test_a_host_that_doesnt_exist_and_one_that_runs_nowhere_are_told_apart() -> None:
    route = Route("stock.shop.svc.cluster.local", [Rule([Target()])])
    assert "there is no such host" in str(targets.bad_instances(route, [], exists=False)[0])
    assert "nothing of this host runs at any site" in str(targets.bad_instances(route, [])[0])


def test_sites_are_named_by_targets_failovers_and_matches() -> None:
    rule = Rule([Target(50, site="local", failover="any"), Target(50, site="hub", failover="rome")], [Match(site="x")])
    assert targets.sites_of(Route("h", [rule])) == ["hub", "rome", "x"]
    (problem,) = targets.bad_sites([Route("h", [rule])], ["hub", "x", "roma"])
    assert "there is no site 'rome'; did you mean roma?" in str(problem)
