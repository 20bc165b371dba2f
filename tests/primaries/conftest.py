# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two primaries and an edge of one of them: a mesh of its own, made once, and taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import lifetime
from tests.lab.lab import ROOT, Lab, Played, docker, write_inventory
from tests.lab.lifetime import KEEP

MESH = "twin"
NORTH, SOUTH, KIOSK = "north", "south", "kiosk"
PRIMARIES = (NORTH, SOUTH)
OWNER = {NORTH: NORTH, SOUTH: SOUTH, KIOSK: NORTH}
SITES = tuple(OWNER)


def node(site: str) -> str:
    """The container that is a site's node."""
    return f"{MESH}-{site}-control-plane"


def inventory(lab: Lab, **common: Any) -> None:
    """Write the inventory with ``common`` variables beside those that it needs."""
    sites: dict[str, dict[str, Any]] = {
        name: {"sample_apps_helloworld_version": f"v{number}"} for number, name in enumerate(SITES, 4)
    }
    sites[KIOSK]["edge_mesh_primary"] = OWNER[KIOSK]
    for name, more in common.pop("sites", {}).items():
        sites[name] |= more
    wanted = {"edge_mesh_provider": "kind", "edge_mesh_sample_apps": True, "edge_mesh_waves": ["100%"], **common}
    write_inventory(lab.inventory, MESH, sites, PRIMARIES, wanted)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The mesh's inventory; what an earlier run left is removed first, what this one made at the end."""
    found = Lab(ROOT / "tests/output/primaries/inventory")
    if KEEP:
        inventory(found)
    with lifetime.of(found, MESH, lambda: inventory(found)):
        yield found
        stopped = docker("ps", "--all", "--quiet", "--filter", f"name=^{MESH}-", "--filter", "status=exited").split()
        if stopped:
            docker("start", *stopped)


@pytest.fixture(scope="session")
def first_run(lab: Lab) -> Played:
    """The main job, from nothing; a mesh that is kept is taken as it is."""
    if KEEP:
        return Played(0, "", 0.0)
    played = lab.play("site.yml")
    assert played.rc == 0, played.output[-4000:]
    return played
