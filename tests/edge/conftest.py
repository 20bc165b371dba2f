# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two KinD clusters for the tests of one edge: made once, taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.pair import MESH, Pair
from tests.lab import lifetime
from tests.lab.lab import ROOT, Played

# For people who work on one of these files: the mesh of an earlier call is taken as it is, and stays.
# First with sidecars, then without, until it leaves; then it joins again and injects by itself.
ORDER = ("test_cut_off", "test_gateway_only", "test_local_injector")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in their order."""
    items.sort(key=lambda item: ORDER.index(item.path.stem))


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """The pair; what an earlier run left is removed first, what this one made at the end."""
    found = Pair(ROOT / "tests/output/edge/inventory")
    with lifetime.of(found, MESH, lambda: found.describe("sidecar")):
        yield found


@pytest.fixture(scope="session")
def with_sidecars(pair: Pair) -> Played:
    """The edge as most are."""
    pair.describe("sidecar")
    played = pair.play("site.yml")
    assert played.rc == 0, played.output[-4000:]
    return played
