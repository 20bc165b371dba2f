# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sites export: what an inventory may say, what is hidden from whom, and what can't be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.filter.export_plan import export_plan
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.exports import arrange_exports


def sites(**exports: Any) -> dict[str, dict[str, Any]]:
    """Three sites of two primaries, with what some of them export."""
    owners = {"centre": "centre", "south": "south", "shop": "centre"}
    return {
        name: {"name": name, "primary": primary, "exports": exports.get(name), "sample_parts": []}
        for name, primary in owners.items()
    }


def judged(found: dict[str, dict[str, Any]], *, samples: bool = False, routed: tuple[str, ...] = ()) -> list[str]:
    return [str(problem) for problem in arrange_exports({"sample_apps": samples}, found, routed)]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("till.shop", "entry 1 is no mapping"),
        ({"service": "till"}, "till is no <service>.<namespace>"),
        ({"service": "*.shop"}, "*.shop is no <service>.<namespace>"),
        ({}, "no service is no <service>.<namespace>"),
        ({"service": "till.shop", "too": ["centre"]}, "has too, which means nothing; did you mean to?"),
        ({"service": "till.shop", "to": "centre"}, "to is a list of sites"),
        ({"service": "till.shop", "to": []}, "leave it out for all"),
        ({"service": "till.shop", "to": ["centr"]}, "there is no site 'centr'; did you mean centre?"),
        ({"service": "till.shop", "to": ["shop"]}, "a site always sees its own services"),
    ],
)
def test_what_an_entry_cannot_say_is_refused_by_name(entry, why):
    [told] = judged(sites(shop=[entry]))
    assert told.startswith("shop: edge_mesh_exports: entry 1")
    assert why in told


def test_a_service_has_one_entry():
    entries = [{"service": "till.shop"}, {"service": "till.shop.svc.cluster.local", "to": ["south"]}]
    assert judged(sites(shop=entries)) == [
        "shop: edge_mesh_exports: till.shop stands there twice; give one entry all its sites"
    ]


def test_what_verify_proves_over_all_sites_must_be_shown_to_all():
    found = sites(shop=[{"service": "till.shop", "to": ["centre"]}])
    found["shop"]["sample_parts"] = ["stock-v1"]
    told = judged(found, samples=True, routed=("till.shop.svc.cluster.local",))
    assert [each.partition("exports: ")[2].partition(" must")[0] for each in told] == ["stock.sample", "till.shop"]
    found = sites(shop=[{"service": "till.shop"}, {"service": "stock.sample"}])
    found["shop"]["sample_parts"] = ["stock-v1"]
    assert judged(found, samples=True, routed=("till.shop.svc.cluster.local",)) == []


def test_a_site_expects_the_answers_that_it_may_see():
    found = sites(shop=[{"service": "helloworld.sample", "to": ["centre"]}], south=[])
    assert judged(found, samples=True) == []
    assert {name: site["hears"] for name, site in found.items()} == {
        "centre": ["centre", "shop"],
        "south": ["centre", "south"],
        "shop": ["centre", "shop"],
    }


def seen(**services: list[str]) -> dict[str, Any]:
    """What was found at each site; a site that isn't given gave no answer."""
    return {
        name: (
            {"known": True, "services": services[name], "namespaces": ["shop", "kube-system", "istio-system"]}
            if name in services
            else {"known": False, "services": [], "namespaces": []}
        )
        for name in ("centre", "south", "shop")
    }


def shown(plan: dict[str, Any], site: str) -> list[str]:
    """The ServiceExports of a site."""
    found = [item["metadata"] for item in plan["sites"][site] if item["kind"] == "ServiceExport"]
    return [f"{each['name']}.{each['namespace']}" for each in found]


def taken(plan: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    """(site, service) of all clusters that are taken out of a site's proxies; both kinds of patch go together."""
    patches = [
        (patch["match"], patch["applyTo"])
        for items in plan[kind].values()
        for item in items
        for patch in item["spec"]["configPatches"]
    ]
    clusters, hosts = set(), set()
    for match, what in patches:
        site = match["proxy"]["metadata"]["CLUSTER_ID"]
        if what == "CLUSTER":
            clusters.add((site, match["cluster"]["service"].removesuffix(".svc.cluster.local")))
        else:
            hosts.add((site, match["routeConfiguration"]["vhost"]["domainName"].removesuffix(".svc.cluster.local")))
    assert clusters == hosts
    return clusters


def planned(model: dict[str, dict[str, Any]], found: dict[str, Any]) -> dict[str, Any]:
    assert judged(model) == []
    return export_plan(model, found)


def test_without_exports_nothing_is_made():
    plan = planned(sites(), seen(centre=[], south=[], shop=["till.shop"]))
    assert plan == {"problems": [], "sites": {}, "rules": {}, "names": {}, "complete": True}


def test_a_site_shows_what_it_lists_and_its_other_names_are_hidden():
    there = seen(centre=["web.shop", "dns.kube-system"], south=[], shop=["till.shop", "safe.shop"])
    plan = planned(sites(shop=[{"service": "till.shop"}, {"service": "later.elsewhere"}]), there)
    assert shown(plan, "shop") == ["till.shop"]  # a ServiceExport needs its namespace
    assert shown(plan, "centre") == ["web.shop"]
    assert taken(plan, "names") == {("centre", "safe.shop"), ("south", "safe.shop")}
    assert taken(plan, "rules") == set()
    assert set(plan["names"]) == {"centre", "south"}


def test_to_hides_a_name_from_the_others_before_it_is_there():
    plan = planned(sites(shop=[{"service": "till.shop", "to": ["centre"]}]), seen(centre=[], south=[], shop=[]))
    assert taken(plan, "rules") == {("south", "till.shop")}
    assert shown(plan, "shop") == ["till.shop"]
    assert set(plan["rules"]) == {"south"}  # its own primary's istiod hides it


def test_a_one_way_link_shows_nothing_one_way_and_all_the_other():
    plan = planned(sites(shop=[]), seen(centre=["web.shop"], south=[], shop=["till.shop"]))
    assert (shown(plan, "shop"), shown(plan, "centre")) == ([], ["web.shop"])
    assert taken(plan, "names") == {("centre", "till.shop"), ("south", "till.shop")}


def test_a_name_that_a_site_has_itself_stays_there():
    plan = planned(sites(shop=[]), seen(centre=["till.shop"], south=[], shop=["till.shop"]))
    assert taken(plan, "names") == set()  # centre shows its own to south


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ({"south": ["till.shop"]}, "south has a service of that name itself"),
        ({"centre": ["till.shop"]}, "centre shows south its own"),
    ],
)
def test_equal_names_that_istio_joins_are_refused(there, why):
    found = seen(**{"centre": [], "south": [], "shop": ["till.shop"], **there})
    plan = planned(sites(shop=[{"service": "till.shop", "to": ["centre"]}]), found)
    assert plan["problems"] == [f"till.shop of shop can't be hidden from south alone: {why}"]


def test_two_sites_that_hide_one_name_from_a_third_can():
    entry = [{"service": "till.shop", "to": ["shop"]}]
    there = seen(centre=["till.shop"], south=[], shop=[])
    plan = planned(sites(centre=entry, shop=[{"service": "till.shop", "to": ["centre"]}]), there)
    assert plan["problems"] == []
    assert taken(plan, "rules") == {("south", "till.shop")}


def test_a_site_that_gives_no_answer_makes_the_plan_incomplete_and_loses_nothing():
    plan = planned(sites(shop=[{"service": "till.shop", "to": ["centre"]}]), seen(centre=[], south=[]))
    assert plan["complete"] is False
    assert "shop" not in plan["sites"]
    assert taken(plan, "rules") == {("south", "till.shop")}
