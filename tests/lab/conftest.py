# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One mesh for all tests of this folder: made once, taken away at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.lab.lab import ROOT, Lab, Played


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab with its inventory; what an earlier run left is removed first, what this one made at the end."""
    found = Lab(ROOT / "tests/output/lab/inventory")
    if (found.inventory / "hosts.yml").exists():
        found.play("playbooks/destroy.yml")
    shutil.rmtree(found.inventory, ignore_errors=True)
    found.write_inventory()
    yield found
    removed = found.play("playbooks/destroy.yml")
    assert removed.rc == 0, "the lab could not be taken away"


@pytest.fixture(scope="session")
def plan(lab: Lab) -> Played:
    """The main job in check mode, before anything exists."""
    return lab.play("site.yml", "--check", "--diff")


@pytest.fixture(scope="session")
def first_run(lab: Lab, plan: Played) -> Played:
    """The first run of the main job."""
    assert plan.output
    return lab.play("site.yml")


@pytest.fixture(scope="session")
def second_run(lab: Lab, first_run: Played) -> Played:
    """The second run, with nothing to do."""
    assert first_run.rc == 0
    return lab.play("site.yml")


@pytest.fixture(scope="session")
def verified(lab: Lab, first_run: Played) -> Played:
    """A run of verify.yml on the mesh."""
    assert first_run.rc == 0
    return lab.play("verify.yml")
