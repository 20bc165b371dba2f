# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two KinD clusters for the tests of one edge: made once, taken away at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.edge.pair import EDGE, MESH, PRIMARY, Pair, node, unused_volumes
from tests.lab.lab import ROOT, Played, docker

# For people who work on one of these files: the mesh of an earlier call is taken as it is, and stays.
KEEP = bool(os.environ.get("EDGE_MESH_KEEP_LAB"))
# First with sidecars, then without; the last test takes the edge out of the mesh.
ORDER = ("test_cut_off", "test_gateway_only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in their order."""
    items.sort(key=lambda item: ORDER.index(item.path.stem))


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """The pair; what an earlier run left is removed first, what this one made at the end."""
    found = Pair(ROOT / "tests/output/edge/inventory")
    if KEEP:
        yield found
        return
    _remove_leftovers()
    volumes = unused_volumes()
    shutil.rmtree(found.inventory, ignore_errors=True)
    found.describe("sidecar")
    yield found
    assert found.play("playbooks/destroy.yml").rc == 0, "the pair could not be taken away"
    left = docker("ps", "--all", "--quiet", "--filter", f"name=^{MESH}-")
    left += docker("network", "ls", "--quiet", "--filter", f"label=edge.mesh/mesh={MESH}")
    left += " ".join(unused_volumes() - volumes)
    assert left == "", f"the pair left something in Docker: {left}"


def _remove_leftovers() -> None:
    """Remove what an earlier run left, by its names, of whatever checkout it was."""
    for site in (PRIMARY, EDGE):
        if docker("ps", "--all", "--quiet", "--filter", f"name=^{node(site)}$"):
            docker("rm", "--force", "--volumes", node(site))
    networks = docker("network", "ls", "--quiet", "--filter", f"label=edge.mesh/mesh={MESH}")
    if networks:
        docker("network", "rm", *networks.split())


@pytest.fixture(scope="session")
def with_sidecars(pair: Pair) -> Played:
    """The edge as most are."""
    pair.describe("sidecar")
    played = pair.play("site.yml")
    assert played.rc == 0, played.output[-4000:]
    return played
