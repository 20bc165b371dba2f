# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes become Istio's objects: what each word of a route is in them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._istio import routing
from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import Match, Outlier, Route, Rule, Target

HOST = "stock.shop.svc.cluster.local"
CLUSTER = "topology.istio.io/cluster"


def made(route: Route) -> dict[str, dict]:
    return {each["kind"]: each for each in routing.objects([route])}


def subsets(route: Route) -> dict[str, dict]:
    return {each["name"]: each for each in made(route)["DestinationRule"]["spec"]["subsets"]}


def test_a_host_without_a_choice_needs_no_destination_rule() -> None:
    found = made(Route(HOST, [Rule([Target()], timeout="3s")]))
    assert found.keys() == {"VirtualService"}
    service = found["VirtualService"]
    assert service["metadata"] == {"name": "route-stock-shop", "namespace": "istio-system"}
    assert service["spec"] == {
        "hosts": [HOST], "gateways": ["mesh"], "http": [{"route": [{"destination": {"host": HOST}}], "timeout": "3s"}],
    }  # fmt: skip


def test_versions_are_subsets_by_their_label_and_weights_are_kept() -> None:
    route = Route(HOST, [Rule([Target(20, "v1"), Target(80, "v2")])])
    assert subsets(route) == {
        "v1": {"name": "v1", "labels": {"version": "v1"}}, "v2": {"name": "v2", "labels": {"version": "v2"}},
    }  # fmt: skip
    routed = made(route)["VirtualService"]["spec"]["http"][0]["route"]
    assert [(each["destination"]["subset"], each["weight"]) for each in routed] == [("v1", 20), ("v2", 80)]


def test_a_site_is_a_subset_by_the_cluster_of_its_endpoints() -> None:
    found = subsets(Route(HOST, [Rule([Target(site="centre", version="v2")])]))
    assert found == {"v2-at-centre": {"name": "v2-at-centre", "labels": {CLUSTER: "centre", "version": "v2"}}}


def test_who_fails_over_prefers_its_site_and_leaves_nobody_out() -> None:
    found = subsets(Route(HOST, [Rule([Target(50, site="local"), Target(50, site="centre", failover="any")])]))
    assert found.keys() == {"local-first", "centre-first"}
    for name, first in (("local-first", CLUSTER), ("centre-first", f"{CLUSTER}=centre")):
        assert "labels" not in found[name]
        policy = found[name]["trafficPolicy"]
        assert policy["loadBalancer"]["localityLbSetting"] == {"enabled": True, "failoverPriority": [first]}
        assert policy["outlierDetection"]["consecutiveGatewayErrors"] == Outlier().errors


def test_an_outlier_policy_leaves_localities_out_and_is_said_of_the_whole_host() -> None:
    policy = made(Route(HOST, [Rule([Target()])], Outlier(5, "1s", "30s")))["DestinationRule"]["spec"]["trafficPolicy"]
    assert policy["loadBalancer"]["localityLbSetting"] == {"enabled": False}
    assert policy["outlierDetection"] == {
        "consecutive5xxErrors": 0, "consecutiveGatewayErrors": 5, "interval": "1s", "baseEjectionTime": "30s",
        "maxEjectionPercent": 100,
    }  # fmt: skip


def test_a_match_is_all_of_header_path_and_source() -> None:
    match = Match({"end-user": {"exact": "x"}}, {"prefix": "/api"}, "paris", "shop", {"app": "till"})
    found = made(Route(HOST, [Rule([Target(version="v1")], [match]), Rule([Target()])]))["VirtualService"]
    assert found["spec"]["http"][0]["match"] == [{
        "headers": {"end-user": {"exact": "x"}}, "uri": {"prefix": "/api"}, "sourceNamespace": "shop",
        "sourceLabels": {"app": "till", CLUSTER: "paris"},
    }]  # fmt: skip
    assert "match" not in found["spec"]["http"][1]


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
TARGETS = st.builds(
    Target,
    st.integers(0, 100),
    st.sampled_from(["", "v1", "v2"]),
    st.one_of(st.just(""), st.just("local"), NAMES),
    st.sampled_from(["", "any"]),
)


@given(st.lists(st.builds(Rule, st.lists(TARGETS, min_size=1, max_size=4)), min_size=1, max_size=3))
def test_every_subset_that_is_named_is_there_once_and_has_a_name_that_istio_takes(rules: list[Rule]) -> None:
    route = Route(HOST, rules)
    named = {
        each["destination"]["subset"]
        for http in routing.http_routes(route)
        for each in http["route"]
        if "subset" in each["destination"]
    }
    there = [each["name"] for each in routing.subsets(route)]
    assert sorted(named) == there
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in there)
