# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sample apps and routes of an inventory, judged together before there is any cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import read
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.traffic import read_traffic
from tests.unit.plugins.plugin_utils.inventory.test_model import inventory

ROOT = Path(__file__).parents[5]
PLACED = {
    "hub": ["details-v1", "ratings-v1", "reviews-v1", "stock-v1"],
    "paris": ["productpage-v1", "reviews-v2", "reviews-v3", "stock-v1"],
    "oslo": [],
}
REVIEWS = {"host": "reviews.sample", "rules": [
    {"match": [{"headers": {"end-user": "banzai"}}], "to": [{"version": "v2"}]},
    {"to": [{"version": "v1", "weight": 20}, {"version": "v3", "weight": 80}]}]}  # fmt: skip
STOCK = {"host": "stock.sample", "rules": [{"to": [{"site": "local", "weight": 50}, {"site": "hub", "weight": 50}]}]}


def traffic(
    *routes: Any, placed: dict[str, list[str]] | None = None, sample_apps: bool = True
) -> tuple[dict[str, Any], list[str]]:
    sites = {
        name: {"role": "primary" if name == "hub" else "edge", "sample_parts": parts}
        for name, parts in (PLACED if placed is None else placed).items()
    }
    found, problems = read_traffic({"sample_apps": sample_apps, "routes": list(routes)}, sites, {"oslo": "v3"})
    return found, [str(problem) for problem in problems]


def test_what_must_be_seen_follows_from_routes_and_places() -> None:
    found, problems = traffic(REVIEWS, STOCK)
    assert problems == []
    assert found["services"] == ["productpage", "details", "ratings", "reviews", "stock"]
    assert found["named"] == ["hub"]
    assert found["pages"] == {
        "shares": {"v1": 20.0, "v3": 80.0},
        "users": [{"header": "end-user", "value": "banzai", "shares": {"v2": 100.0}}],
    }
    (split,) = found["splits"]
    assert split["shares"] == {
        "hub": {"hub": 100.0}, "paris": {"hub": 50.0, "paris": 50.0}, "oslo": {"hub": 75.0, "paris": 25.0},
    }  # fmt: skip


def test_without_routes_all_instances_share_and_nobody_splits() -> None:
    found, problems = traffic()
    assert problems == []
    assert found["pages"]["shares"] == pytest.approx({"v1": 33.333, "v2": 33.333, "v3": 33.333}, abs=0.01)
    assert found["pages"]["users"] == []
    assert found["splits"] == []


def test_without_sample_apps_every_host_is_looked_for() -> None:
    found, problems = traffic(REVIEWS, sample_apps=False)
    assert problems == []
    assert found["services"] == []
    assert found["foreign"] == ["reviews.sample.svc.cluster.local"]
    assert found["pages"] == {}


def test_routed_sample_hosts_without_sample_apps_are_hosts_like_others() -> None:
    found, problems = traffic(REVIEWS, STOCK, sample_apps=False)
    assert problems == []
    assert found["foreign"] == ["reviews.sample.svc.cluster.local", "stock.sample.svc.cluster.local"]
    assert (found["pages"], found["splits"]) == ({}, [])


def test_a_page_without_reviews_has_no_shares_to_see() -> None:
    found, _problems = traffic(placed={"hub": ["productpage-v1"], "paris": [], "oslo": []})
    assert found["pages"] == {}


def test_helloworld_is_known_by_the_versions_that_it_is_given() -> None:
    to = [{"version": "v3", "weight": 50}, {"version": "v1", "weight": 50}]
    assert traffic({"host": "helloworld.sample", "rules": [{"to": to}]})[1] == []
    wrong = traffic({"host": "helloworld.sample", "rules": [{"to": [{"version": "v7"}]}]})[1]
    assert "there is no version 'v7'; there is v1, v2, v3" in wrong[0]


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ([{"site": "rome"}], "there is no site 'rome'"),
        ([{"site": "oslo"}], "oslo has no instance of it; hub, paris have"),
        ([{"version": "v9"}], "there is no version 'v9'; there is v1"),
        ([{"site": "hub", "failover": "hub"}], "hub fails over to itself"),
        ([{"site": "hub", "weight": 60}, {"site": "paris", "weight": 60}], "the weights make 120 (60 + 60), not 100"),
    ],
)
def test_bad_input_is_refused_before_there_is_a_cluster(to: list[dict[str, Any]], expected: str) -> None:
    found, problems = traffic({"host": "stock.sample", "rules": [{"to": to}]})
    assert any(expected in problem for problem in problems), problems
    assert found["splits"] == []


@pytest.mark.parametrize(
    ("placed", "expected"),
    [
        ({"hub": ["reviws-v1"]}, "hub: edge_mesh_sample_parts holds 'reviws-v1'; did you mean reviews-v1?"),
        ({"hub": ["stock-v1", "stock-v1"]}, "hub: edge_mesh_sample_parts lists stock-v1 twice"),
        ({"hub": ["reviews-v2"]}, "lists reviews-v2, which calls ratings; no site runs that"),
        ({"hub": [], "paris": ["productpage-v1"]}, "lists productpage-v1, which calls details and reviews"),
    ],
)
def test_bad_places_are_refused(placed: dict[str, list[str]], expected: str) -> None:
    problems = traffic(placed=placed)[1]
    assert any(expected in problem for problem in problems), problems


def test_a_site_named_like_a_word_of_routes_cant_be_routed() -> None:
    placed = {"hub": ["stock-v1"], "local": ["stock-v1"]}
    assert any("can't be told from the word local" in problem for problem in traffic(STOCK, placed=placed)[1])


def test_the_site_model_refuses_them_with_everything_else() -> None:
    bad = {"host": "stock.sample", "rules": [{"to": [{"site": "hub", "weight": 10}]}]}
    sites = {"hub": {"edge_mesh_sample_parts": ["stock-v1"]}, "paris": {"edge_mesh_mode": "never"}}
    given = inventory(sites, primaries=("hub",), edge_mesh_sample_apps=True, edge_mesh_routes=[bad])
    problems = [str(problem) for problem in read(given)[1]]
    assert any("the weights make 10" in problem for problem in problems)
    assert any("edge_mesh_mode is 'never'" in problem for problem in problems)


def test_the_labs_inventory_is_sound_and_as_the_examples_say() -> None:
    hosts = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())["all"]["vars"]
    sites = {}
    for name in ("hub", "paris", "oslo"):
        own = yaml.safe_load((ROOT / f"inventories/lab/group_vars/site_{name}.yml").read_text())
        sites[name] = {key: value for key, value in own.items() if key.startswith("edge_mesh_")}
    common = {key: value for key, value in hosts.items() if key != "edge_mesh_id"}
    model, problems = read(inventory(sites, primaries=("hub",), **common))
    assert problems == []
    assert model["traffic"]["pages"]["shares"] == {"v1": 33.0, "v2": 33.0, "v3": 34.0}
    assert model["traffic"]["splits"][0]["shares"]["paris"] == {"hub": 50.0, "paris": 50.0}
