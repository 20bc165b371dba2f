# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault of the table is made for real, and exactly the checks that the table names turn."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.asking import Mesh, Records
from tests.lab.fault_rounds import play
from tests.lab.fault_table import ROUNDS, Round
from tests.lab.lab import EDGES, MESH, PRIMARY, Lab, Played


@pytest.fixture(scope="module")
def mesh(lab: Lab, second_run: Played) -> Mesh:
    """The mesh of this folder."""
    assert second_run.rc == 0
    return Mesh(lab, MESH, PRIMARY, tuple(EDGES))


@pytest.mark.parametrize("round_", ROUNDS, ids=str)
def test_exactly_the_expected_checks_turn_and_heal(mesh: Mesh, round_: Round) -> None:
    for found in play(mesh, round_):
        assert_it_helps(found)


def assert_it_helps(found: Records) -> None:
    """What turned says what was seen and what to do, and tells no secret."""
    records = [record for records in found.values() for record in records]
    assert records
    assert not [record for record in records if not record["evidence"] or not record["hint"]]
    text = json.dumps(records)
    assert not re.search(r"eyJ[A-Za-z0-9_-]{20,}", text)  # a token
    assert "PRIVATE KEY" not in text
