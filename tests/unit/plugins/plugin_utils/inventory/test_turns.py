# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which plays have work at a site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.turns import of_sites, wan_note


def site(name: str, **values: Any) -> dict[str, Any]:
    plain = {"role": "edge", "provider": "kind", "mode": "sidecar", "wan_links": []}
    return {"name": name, "host": f"{name}-box", **plain, **values}


def groups(
    directory: Path, *sites: dict[str, Any], playing: set[str] | None = None, **values: Any
) -> dict[str, set[str]]:
    model = {
        "mesh": {"sample_apps": False, "state_dir": str(directory)}, "sites": {each["name"]: each for each in sites},
        "chosen": [each["name"] for each in sites], "primaries": ["hub"], "exports": False, "wan": False,
        "traffic": {"foreign": []}, **values,
    }  # fmt: skip
    return {each["site"]: set(each["groups"]) for each in of_sites(model, playing or {each["host"] for each in sites})}


def test_a_plain_edge_has_no_turn_but_that_of_all(tmp_path: Path) -> None:
    assert groups(tmp_path, site("paris")) == {"paris": {"run_edge"}}


@pytest.mark.parametrize(
    ("values", "model", "group"),
    [
        ({"provider": "existing"}, {}, "run_judged"),
        ({"provider": "k3s"}, {}, "run_judged"),
        ({"mode": "gateway_only"}, {}, "run_judged"),
        ({"mode": "gateway_only"}, {}, "run_apps"),
        ({"wan_links": [{"name": "lte"}]}, {}, "run_wan"),
        ({}, {"wan": True}, "run_judged"),
        ({}, {"exports": True}, "run_judged"),
        ({}, {"exports": True}, "run_exports"),
        ({}, {"traffic": {"foreign": ["a.b"]}}, "run_judged"),
        ({}, {"primaries": ["hub", "lab"]}, "run_peers"),
    ],
)
def test_a_turn_for_each_reason(tmp_path: Path, values: dict[str, Any], model: dict[str, Any], group: str) -> None:
    assert group in groups(tmp_path, site("paris", **values), **model)["paris"]


def test_a_primary_is_judged_and_has_the_routes(tmp_path: Path) -> None:
    assert groups(tmp_path, site("hub", role="primary"))["hub"] == {"run_primary", "run_apps", "run_judged"}


def test_links_that_the_inventory_names_no_more_are_cleaned(tmp_path: Path) -> None:
    wan_note(str(tmp_path), "paris").touch()
    found = groups(tmp_path, site("paris"), site("oslo"))
    assert "run_wan" in found["paris"]
    assert "run_wan" not in found["oslo"]


def test_a_site_outside_the_limit_has_no_turn(tmp_path: Path) -> None:
    paris = site("paris", host="elsewhere")
    assert list(groups(tmp_path, paris, playing={"oslo-box"})) == []
