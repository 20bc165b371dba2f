# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that cut through a site's machines."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.limits import cut_sites


def model(part: str = "") -> dict[str, Any]:
    sites = {
        name: {"name": name, "group": f"site_{name}", "host": hosts[0], "hosts": hosts}
        for name, hosts in (("centre", ["c-1"]), ("shop", ["s-1", "s-2", "s-3"]))
    }
    return {"mesh": {"slice": part}, "sites": sites}


@pytest.mark.parametrize("playing", [["c-1"], ["s-1"], ["s-1", "s-3"], ["c-1", "s-1", "s-2", "s-3"], []])
def test_a_limit_with_a_sites_first_machine_or_none_of_it_is_no_problem(playing: list[str]) -> None:
    assert cut_sites(model(), playing) == []


def test_a_limit_to_further_machines_is_refused_with_the_sites_group() -> None:
    [problem] = cut_sites(model(), ["c-1", "s-2", "s-3"])
    assert str(problem) == (
        "shop: the run's limit names s-2, s-3 of it, and a site is worked on as a whole; use --limit site_shop, "
        "or leave it out with '!site_shop'"
    )


def test_a_workers_slice_may_cut_through_a_site() -> None:
    assert cut_sites(model("2"), ["s-2"]) == []
