# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who reads whom beside a site's own primary: each pair belongs to one host of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.filter.readings import readings

SITES: dict[str, Any] = {
    "centre": {"role": "primary", "primary": "centre"},
    "south": {"role": "primary", "primary": "south"},
    "shop": {"role": "edge", "primary": "centre"},
    "kiosk": {"role": "edge", "primary": "south"},
}
FACTS: dict[str, Any] = {name: {"kubeconfig": f"/{name}", "context": None} for name in SITES}
ALL = tuple(SITES)


def pairs(site: str, inside: Sequence[str] = ALL, facts: Mapping[str, Any] | None = None) -> set[tuple[str, str]]:
    """(primary, site that it reads) of all that the site's host has to see to."""
    return {
        (primary["name"], entry["site"])
        for entry in readings(SITES, site, FACTS if facts is None else facts, inside)
        for primary in entry["primaries"]
    }


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("centre", {("south", "centre")}),
        ("south", {("centre", "south")}),
        ("shop", {("south", "shop")}),
        ("kiosk", {("centre", "kiosk")}),
    ],
)
def test_a_site_is_read_by_every_primary_but_its_own(site, expected):
    assert pairs(site) == expected


def test_in_a_whole_run_every_pair_has_one_host():
    seen = [pair for site in SITES for pair in pairs(site)]
    wanted = {(p, s) for p in ("centre", "south") for s in SITES if s != p and SITES[s]["primary"] != p}
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted


def test_a_primary_alone_in_a_run_sees_to_both_directions():
    assert pairs("south", ["south"]) == {("centre", "south"), ("south", "centre"), ("south", "shop")}


def test_an_edge_alone_in_a_run_sees_to_its_own():
    assert pairs("shop", ["shop"]) == {("south", "shop")}


@pytest.mark.parametrize("lost", ["centre", "south"])
def test_what_cannot_be_read_is_left_out(lost):
    facts = {name: FACTS[name] for name in SITES if name != lost}
    seen = {pair for site in SITES for pair in pairs(site, ["shop", "kiosk", lost], facts)}
    assert not [pair for pair in seen if lost in pair]


def test_with_one_primary_nobody_else_reads():
    sites = {"hub": {"role": "primary", "primary": "hub"}, "paris": {"role": "edge", "primary": "hub"}}
    facts = {name: {"kubeconfig": "/x"} for name in sites}
    assert [readings(sites, name, facts, list(sites)) for name in sites] == [[], []]


def test_the_access_to_each_side_is_told():
    sites = {**SITES, "shop": {**SITES["shop"], "token_ttl": "30d", "token_renew_before": "7d"}}
    assert readings(sites, "shop", FACTS, ALL) == [
        {
            "site": "shop",
            "cluster": FACTS["shop"],
            "primaries": [{"name": "south", "kubeconfig": "/south", "context": None}],
            "token_ttl": "30d",
            "token_renew_before": "7d",
        }
    ]
