# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mesh's objects for WAN rules: route, subset and marked cluster for exactly the traffic of a rule."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.filter.wan_objects import wan_objects
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import Condition, Link, Rule
from ansible_collections.edge.mesh.plugins.module_utils._wan.objects import (
    Site,
    http_routes,
    marks,
    objects,
    subsets,
    tcp_routes,
)

HOST = "till.sales.svc.cluster.local"
PLAIN, EXPRESS, SLOW = Link("plain", True, 0), Link("express", False, 46), Link("slow", False, 8)
BOSS = frozenset({Condition("header", "user", "exact", "boss")})


def rule(link: str = "express", conditions: frozenset[Condition] = BOSS) -> Rule:
    return Rule("till", "sales", link, conditions)


def site(name: str, *rules: Rule, links: tuple[Link, ...] = (PLAIN, EXPRESS, SLOW)) -> Site:
    return Site(name, links, rules)


def only(kind: str, sites: list[Site]) -> dict[str, Any]:
    found = [item for item in objects(sites) if item["kind"] == kind]
    assert len(found) == 1
    return found[0]


def test_no_rules_make_no_objects() -> None:
    assert objects([site("shop"), site("centre")]) == []


def test_a_rule_is_a_route_to_a_subset_whose_cluster_marks() -> None:
    sites = [site("shop", rule()), site("centre")]
    assert [(item["kind"], item["metadata"]) for item in objects(sites)] == [
        ("VirtualService", {"name": "edge-mesh-wan-till", "namespace": "sales"}),
        ("DestinationRule", {"name": "edge-mesh-wan-till", "namespace": "sales"}),
        ("EnvoyFilter", {"name": "edge-mesh-wan-till.sales", "namespace": "istio-system"}),
    ]
    assert only("VirtualService", sites)["spec"] == {
        "hosts": [HOST],
        "http": [
            {
                "match": [
                    {"headers": {"user": {"exact": "boss"}}, "sourceLabels": {"topology.istio.io/cluster": "shop"}}
                ],
                "route": [{"destination": {"host": HOST, "subset": "wan-express"}}],
            },
            {"route": [{"destination": {"host": HOST}}]},
        ],
    }
    assert only("DestinationRule", sites)["spec"] == {"host": HOST, "subsets": [{"name": "wan-express"}]}
    patch = only("EnvoyFilter", sites)["spec"]["configPatches"]
    assert [entry["match"] for entry in patch] == [
        {"context": "SIDECAR_OUTBOUND", "cluster": {"service": HOST, "subset": "wan-express"}}
    ]
    bind = patch[0]["patch"]["value"]["upstream_bind_config"]
    assert bind["source_address"] == {"address": "0.0.0.0", "port_value": 0}
    assert [(each["level"], each["name"], each["int_value"]) for each in bind["socket_options"]] == [
        (0, 1, 46 << 2), (6, 18, 5000),
    ]  # fmt: skip


def test_a_rule_of_all_sites_names_none_of_them() -> None:
    sites = [site("shop", rule()), site("centre", rule())]
    assert http_routes(HOST, sites)[0]["match"] == [{"headers": {"user": {"exact": "boss"}}}]


def test_sites_with_other_rules_have_routes_of_their_own() -> None:
    sites = [site("shop", rule()), site("north", rule("slow")), site("centre")]
    routes = http_routes(HOST, sites)
    assert [
        (route["match"][0]["sourceLabels"]["topology.istio.io/cluster"], route["route"][0]["destination"]["subset"])
        for route in routes[:-1]
    ] == [("shop", "wan-express"), ("north", "wan-slow")]
    assert subsets(HOST, sites) == [{"name": "wan-express"}, {"name": "wan-slow"}]


def test_sites_that_mark_one_link_differently_have_patches_of_their_own() -> None:
    other = (PLAIN, Link("express", False, 34))
    sites = [site("shop", rule()), site("north", rule(), links=other)]
    patches = only("EnvoyFilter", sites)["spec"]["configPatches"]
    assert [
        (each["match"]["proxy"]["metadata"]["CLUSTER_ID"],
         each["patch"]["value"]["upstream_bind_config"]["socket_options"][0]["int_value"]) for each in patches
    ] == [("shop", 46 << 2), ("north", 34 << 2)]  # fmt: skip


def test_a_rule_for_the_default_link_is_an_exception_and_marks_nothing() -> None:
    wide = rule("express", frozenset())
    sites = [site("shop", rule("plain"), wide)]
    routes = http_routes(HOST, sites)
    assert [route["route"][0]["destination"].get("subset") for route in routes] == [None, "wan-express"]
    assert "match" not in routes[-1]
    assert marks(sites[0]) == [{"host": HOST, "subset": "wan-express", "dscp": 46, "http": False}]
    assert [item["kind"] for item in objects([site("shop", rule("plain"))])] == ["VirtualService"]


def test_what_needs_no_http_is_a_rule_for_plain_tcp_too() -> None:
    port = frozenset({Condition("port", "", "exact", "5432"), Condition("label", "app", "exact", "report")})
    sites = [site("shop", rule(), rule("slow", port))]
    match = {"port": 5432, "sourceLabels": {"app": "report"}}
    assert tcp_routes(HOST, sites) == [
        {"match": [match], "route": [{"destination": {"host": HOST, "subset": "wan-slow"}}]},
        {"route": [{"destination": {"host": HOST}}]},
    ]
    assert http_routes(HOST, sites)[1]["match"] == [match]
    assert tcp_routes(HOST, [site("shop", rule())]) == []


def test_every_condition_is_spelled_as_istio_wants_it() -> None:
    every = frozenset({
        Condition("header", "user", "regex", "b.*"), Condition("path", "", "prefix", "/pay"),
        Condition("port", "", "exact", "80"), Condition("label", "app", "exact", "web"),
    })  # fmt: skip
    assert http_routes(HOST, [site("shop", rule("express", every))])[0]["match"] == [
        {"headers": {"user": {"regex": "b.*"}}, "uri": {"prefix": "/pay"}, "port": 80, "sourceLabels": {"app": "web"}}
    ]


RULES = st.lists(
    st.builds(
        Rule, st.sampled_from(["till", "stock"]), st.just("sales"), st.sampled_from(["plain", "express", "slow"]),
        st.frozensets(st.sampled_from([Condition("header", "u", "exact", v) for v in "abc"]), max_size=2),
    ),
    max_size=5,
)  # fmt: skip


@given(st.lists(RULES, min_size=1, max_size=4))
def test_every_route_leads_to_a_subset_that_exists_and_all_else_is_unmarked(lists: list[list[Rule]]) -> None:
    sites = [site(f"s{number}", *rules) for number, rules in enumerate(lists)]
    found = objects(sites)
    known = {
        (item["spec"]["host"], subset["name"])
        for item in found if item["kind"] == "DestinationRule" for subset in item["spec"]["subsets"]
    }  # fmt: skip
    patched = {
        (entry["match"]["cluster"]["service"], entry["match"]["cluster"]["subset"])
        for item in found if item["kind"] == "EnvoyFilter" for entry in item["spec"]["configPatches"]
    }  # fmt: skip
    used = set()
    for item in found:
        if item["kind"] == "VirtualService":
            for route in item["spec"]["http"]:
                destination = route["route"][0]["destination"]
                used |= {(destination["host"], destination["subset"])} if "subset" in destination else set()
            last = item["spec"]["http"][-1]
            assert "match" not in last
    assert used == known == patched


def test_the_filter_takes_what_the_site_model_carries() -> None:
    carried = [{"name": "shop", "links": [PLAIN.as_dict(), EXPRESS.as_dict() | {"made": True, "ends": ["x"]}],
                "rules": [rule().as_dict()]}]  # fmt: skip
    assert wan_objects(carried) == objects([site("shop", rule(), links=(PLAIN, EXPRESS))])
