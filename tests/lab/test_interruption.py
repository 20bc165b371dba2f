# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that were killed: nothing is half afterwards, and the next run ends what they began."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import interrupt
from tests.lab.conftest import SPOTS
from tests.lab.lab import Lab, Played


def at(playbook: str) -> list[Any]:
    """The spots in a playbook; CI has room for the middle of each role, whose start is the end of the one before."""
    return [
        pytest.param(spot, id=str(spot), marks=[] if spot.where == "middle" else [pytest.mark.deep])
        for spot in SPOTS
        if spot.playbook == playbook
    ]


@pytest.mark.parametrize("spot", at("site.yml"))
def test_no_file_is_half_after_a_kill(interrupted: dict[str, tuple[int, list[str]]], spot: interrupt.Spot) -> None:
    killed, half = interrupted[str(spot)]
    assert killed > 0
    assert half == []


def test_the_next_run_ends_well_and_the_one_after_it_has_nothing_to_do(first_run: Played, second_run: Played) -> None:
    assert first_run.rc == second_run.rc == 0
    assert second_run.changed == 0


@pytest.mark.parametrize("spot", at("verify.yml"))
def test_a_killed_proof_leaves_the_mesh_as_it_was(lab: Lab, second_run: Played, spot: interrupt.Spot) -> None:
    assert second_run.rc == 0
    assert interrupt.cut_off(lab, spot) > 0
    assert interrupt.half_files(lab.state) == []


def test_the_mesh_is_proven_after_all_that(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    assert lab.play("verify.yml").rc == 0
