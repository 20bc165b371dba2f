# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault of the table is made for real, and exactly the checks that the table names turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.lab.asking import Mesh, Records
from tests.lab.fault_rounds import play
from tests.lab.fault_table import ROUNDS, Round
from tests.lab.lab import EDGES, MESH, NAMES, PRIMARY, Lab, Played


@pytest.fixture(scope="module")
def mesh(lab: Lab, second_run: Played) -> Iterator[Mesh]:
    """The mesh of this folder; what was put back by other hands is made anew at the end, so that it is ours again."""
    assert second_run.rc == 0
    yield Mesh(lab, MESH, PRIMARY, tuple(EDGES))
    for site in NAMES:
        for kind, name in _of_other_hands(lab, site):
            lab.kubectl(site, "delete", kind, name, "-n", "istio-system", "--ignore-not-found")
    mended = lab.play("site.yml")
    assert mended.rc == 0, mended.output[-4000:]


def _of_other_hands(lab: Lab, site: str) -> list[tuple[str, str]]:
    """Objects that carry our mark, and no field of which is ours."""
    kinds = "services,endpointslices,secrets,configmaps,destinationrules"
    labelled = lab.objects(site, kinds, "-n", "istio-system", "-l", "edge.mesh/set", "--show-managed-fields")
    return [
        (item["kind"].lower(), item["metadata"]["name"])
        for item in labelled
        if "edge.mesh" not in {entry["manager"] for entry in item["metadata"]["managedFields"]}
    ]


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
