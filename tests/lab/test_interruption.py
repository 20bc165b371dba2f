# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that were killed: nothing is half afterwards, and the next run ends what they began."""

from __future__ import annotations

import pytest

from tests.lab import interrupt
from tests.lab.conftest import SPOTS
from tests.lab.lab import Lab, Played

KILLED = [str(spot) for spot in SPOTS if spot.playbook == "site.yml"]


@pytest.mark.parametrize("spot", KILLED)
def test_no_file_is_half_after_a_kill(interrupted: dict[str, tuple[int, list[str]]], spot: str) -> None:
    killed, half = interrupted[spot]
    assert killed > 0
    assert half == []


def test_the_next_run_ends_well_and_the_one_after_it_has_nothing_to_do(first_run: Played, second_run: Played) -> None:
    assert first_run.rc == second_run.rc == 0
    assert second_run.changed == 0


@pytest.mark.parametrize("spot", [spot for spot in SPOTS if spot.playbook == "verify.yml"], ids=str)
def test_a_killed_proof_leaves_the_mesh_as_it_was(lab: Lab, second_run: Played, spot: interrupt.Spot) -> None:
    assert second_run.rc == 0
    assert interrupt.cut_off(lab, spot) > 0
    assert interrupt.half_files(lab.state) == []


def test_the_mesh_is_proven_after_all_that(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    assert lab.play("verify.yml").rc == 0
