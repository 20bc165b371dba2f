# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WAN links and rules in an inventory: what is refused, with which words, and what playbooks get."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._wan.dscp import CLASSES, value_of
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import link_from, rule_from
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import read
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.wan import arrange
from tests.unit.plugins.plugin_utils.inventory.test_model import inventory

PLAIN = {"name": "plain", "default": True}
EXPRESS = {"name": "express", "dscp": "EF"}
LINKS = [PLAIN, EXPRESS]
BOSS = {"host": "till.sales", "match": {"headers": {"User": "boss"}}, "link": "express"}


def model(provider: str = "kind", **shop: Any) -> tuple[dict[str, Any], list[str]]:
    """The model and the complaints of a mesh whose two sites have the same links and rules."""
    values = {"edge_mesh_wan_links": LINKS, **shop}
    found, problems = read(inventory({"centre": values, "shop": values}, edge_mesh_provider=provider))
    return found, [str(problem) for problem in problems]


def test_links_and_rules_come_in_order_with_what_the_run_makes() -> None:
    found, problems = model(edge_mesh_wan_rules=[BOSS])
    assert problems == []
    assert found["wan"] is True
    shop = found["sites"]["shop"]
    assert [(link["name"], link["dscp"], link["made"], link["ends"]) for link in shop["wan_links"]] == [
        ("plain", 0, False, []), ("express", 46, True, ["centre"]),
    ]  # fmt: skip
    assert shop["wan_rules"] == [
        {
            "service": "till", "namespace": "sales", "host": "till.sales.svc.cluster.local", "link": "express",
            "conditions": [{"kind": "header", "key": "user", "way": "exact", "value": "boss"}],
        }
    ]  # fmt: skip
    assert link_from(shop["wan_links"][1]).dscp == 46
    assert rule_from(shop["wan_rules"][0]).as_dict() == shop["wan_rules"][0]


def test_a_mesh_without_links_has_none() -> None:
    found, problems = read(inventory({"centre": {}, "shop": {}}))
    assert problems == []
    assert found["wan"] is False
    assert found["sites"]["shop"]["wan_links"] == []


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ([PLAIN, {**EXPRESS, "default": True, "dscp": None}], "plain and express are both the default one"),
        ([EXPRESS], "none is the default one"),
        ([PLAIN, {**EXPRESS, "dscp": 64}], "dscp is 64; write a number from 0 to 63 or a class"),
        ([PLAIN, {**EXPRESS, "dscp": "AF44"}], "dscp is 'AF44'"),
        ([PLAIN, {"name": "express"}], "it needs a dscp above 0"),
        ([{**PLAIN, "dscp": "EF"}, {"name": "b", "dscp": 1}], "the default link's traffic isn't marked"),
        ([PLAIN, EXPRESS, {"name": "other", "dscp": 46}], "two links have the dscp 46"),
        ([PLAIN, EXPRESS, {"name": "express", "dscp": 8}], "two links are called express"),
        ([PLAIN, {"name": "No good", "dscp": 8}], "needs a name: lower case letters"),
        ([PLAIN, "express"], "entry 2 of edge_mesh_wan_links is no mapping"),
        ([PLAIN, {**EXPRESS, "speed": 9}], "entry 2 of edge_mesh_wan_links has speed"),
        ([PLAIN, {**EXPRESS, "next_hop": "::1"}], "write an IPv4 address"),
        ([PLAIN, {**EXPRESS, "interface": "a name too long for one"}], "is no name of an interface"),
        ([PLAIN, {**EXPRESS, "next_hop": "192.0.2.1", "to": ["192.0.2.1/24"]}], "write a list of IPv4 networks"),
        ([PLAIN, {**EXPRESS, "to": ["192.0.2.0/24"]}], "has to, but neither interface nor next_hop"),
        ([{**PLAIN, "next_hop": "192.0.2.1"}, EXPRESS], "the node's own default route"),
        ([PLAIN, *({"name": f"l{n}", "dscp": n} for n in range(1, 17))], "a site can have 15 beside the default one"),
    ],
)  # fmt: skip
def test_links_that_cannot_be_are_refused(links: list[Any], words: str) -> None:
    _found, problems = model(edge_mesh_wan_links=links)
    assert any(words in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{**BOSS, "link": "expres"}], "names the link expres, which isn't there; did you mean express?"),
        ([{**BOSS, "host": "https://till"}], "write <service>.<namespace>"),
        ([{**BOSS, "hosts": []}], "entry 1 of edge_mesh_wan_rules has hosts"),
        ([{**BOSS, "match": {"header": {}}}], "match has header"),
        ([{**BOSS, "match": {"headers": {"user": {"is": "boss"}}}}], "one of exact, prefix and regex"),
        ([{**BOSS, "match": {"headers": ["user"]}}], "headers is no mapping"),
        ([{**BOSS, "match": {"port": 70000}}], "port is 70000"),
        ([{**BOSS, "link": None}], "names no link"),
        (["boss"], "is no mapping with host, match and link"),
        ([BOSS, {**BOSS, "link": "plain"}], "entries 1 and 2 of edge_mesh_wan_rules contradict each other"),
        ([{"host": "till.sales", "link": "plain"}, BOSS], "plain has all of till.sales.svc.cluster.local that express"),
    ],
)
def test_rules_that_cannot_be_are_refused(rules: list[Any], words: str) -> None:
    _found, problems = model(edge_mesh_wan_rules=rules)
    assert any(words in problem for problem in problems), problems


def test_a_narrower_rule_before_a_wider_one_contradicts_nothing() -> None:
    rules = [BOSS, {"host": "till.sales", "link": "plain"}, {"host": "other.sales", "link": "express"}]
    assert model(edge_mesh_wan_rules=rules)[1] == []


def test_machines_that_nothing_connects_to_have_no_interfaces() -> None:
    named = [PLAIN, {**EXPRESS, "interface": "eth1"}]
    assert any("nothing connects to machines" in problem for problem in model("existing", edge_mesh_wan_links=named)[1])
    assert model("existing")[1] == []
    assert any("needs an interface or a next_hop" in problem for problem in model("k3s")[1])
    assert model("k3s", edge_mesh_wan_links=named)[1] == []


def test_links_of_one_name_belong_together() -> None:
    swapped = [{"name": "express", "default": True}, {"name": "plain", "dscp": 8}]
    sites = {"centre": {"edge_mesh_wan_links": LINKS}, "shop": {"edge_mesh_wan_links": swapped}}
    problems = [str(problem) for problem in read(inventory(sites, edge_mesh_provider="kind"))[1]]
    assert any("the WAN link express is the default one at shop, but not at centre" in each for each in problems)
    sites["shop"] = {"edge_mesh_wan_links": [PLAIN, {"name": "expres", "dscp": 46}]}
    problems = [str(problem) for problem in read(inventory(sites, edge_mesh_provider="kind"))[1]]
    assert problems == [
        "centre: the WAN link express has no other end: no other site of provider kind has it",
        "shop: the WAN link expres has no other end: no other site of provider kind has it",
    ]


def test_a_host_that_is_routed_for_another_reason_has_no_wan_rule() -> None:
    sites: dict[str, dict[str, Any]] = {"shop": {"provider": "existing", "wan_links": LINKS, "wan_rules": [BOSS, BOSS]}}
    assert [str(problem) for problem in arrange(sites, ["till.sales.svc.cluster.local"])] == [
        "shop: till.sales.svc.cluster.local has a route and a WAN rule, which can't be joined yet; drop one"
    ]


def test_the_site_model_knows_what_is_routed() -> None:
    site = {"edge_mesh_wan_links": LINKS, "edge_mesh_wan_rules": [BOSS]}
    route = {"host": "till.sales", "rules": [{"to": [{"version": "v1", "weight": 100}]}]}
    given = inventory({"centre": {}, "shop": site}, edge_mesh_provider="existing", edge_mesh_routes=[route])
    problems = [str(problem) for problem in read(given)[1]]
    assert any("shop: till.sales.svc.cluster.local has a route and a WAN rule" in problem for problem in problems)


@given(st.integers() | st.text(max_size=6) | st.booleans() | st.none() | st.floats())
def test_a_dscp_is_a_class_or_a_number_of_six_bits(value: Any) -> None:
    found = value_of(value)
    assert found is None or 0 <= found <= 63
    if found is not None:
        assert str(value).strip().upper() in {*CLASSES, *map(str, range(64)), *(str(value).strip(),)}


def test_classes_have_the_values_of_their_rfcs() -> None:
    assert {name: value_of(name) for name in ("EF", "cs5", "AF41", "AF13", "LE", "VA", "BE")} == {
        "EF": 46, "cs5": 40, "AF41": 34, "AF13": 14, "LE": 1, "VA": 44, "BE": 0,
    }  # fmt: skip
