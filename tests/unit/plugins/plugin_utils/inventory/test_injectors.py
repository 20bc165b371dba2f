# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites that inject by themselves: only edges with sidecars can."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import read
from tests.unit.plugins.plugin_utils.inventory.test_model import inventory, messages

ON = {"edge_mesh_local_injector": True}


def test_an_edge_with_sidecars_may_and_none_does_unless_it_says_so() -> None:
    model, problems = read(inventory({"centre": {}, "shop": ON, "kiosk": {}}))
    assert problems == []
    assert {name: site["local_injector"] for name, site in model["sites"].items()} == {
        "centre": False, "shop": True, "kiosk": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sites", "expected"),
    [
        ({"centre": ON, "shop": {}}, "centre: edge_mesh_local_injector is for edges"),
        (
            {"centre": {}, "shop": {**ON, "edge_mesh_mode": "gateway_only"}},
            "shop: edge_mesh_local_injector brings sidecars, and a site with edge_mesh_mode: gateway_only has none",
        ),
        ({"centre": {}, "shop": {"edge_mesh_local_injector": "maybe"}}, "shop: edge_mesh_local_injector is 'maybe'"),
    ],
)
def test_another_site_is_refused_with_the_reason(sites: dict[str, dict[str, Any]], expected: str) -> None:
    (message,) = messages(inventory(sites))
    assert message.startswith(expected)
