# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults is whole, and the troubleshooting page is made of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._checks import CHECKS
from tests.lab import fault_page
from tests.lab.asking import Mesh
from tests.lab.fault_rounds import expected
from tests.lab.fault_table import BY_NAME, FAULTS, GATEWAY_ONLY, ROUNDS, WAN
from tests.lab.lab import Lab


def test_the_page_is_what_the_table_says() -> None:
    made = fault_page.page()
    assert fault_page.PAGE.read_text(encoding="utf-8") == made, "run python -m tests.lab.fault_page"


def test_every_check_is_turned_by_a_fault() -> None:
    turned = {check for fault in FAULTS for check in (*fault.turns, *fault.elsewhere)}
    assert turned == set(CHECKS)


def test_every_fault_is_made_once() -> None:
    made = Counter(name for round_ in ROUNDS for name in (round_.first, round_.second, round_.primary) if name)
    assert made + Counter(fault.name for fault in (*WAN, *GATEWAY_ONLY)) == Counter(fault.name for fault in FAULTS)


def test_what_turns_can_be_told_apart_by_site_or_is_said_twice() -> None:
    for round_ in ROUNDS:
        for own, other in ((round_.first, round_.second), (round_.second, round_.first)):
            if own and other:
                both = BY_NAME[own].turns.keys() & BY_NAME[other].elsewhere.keys()
                assert both <= {"join.endpoints"}, f"{own} hides what {other} does elsewhere"


def test_a_sites_own_fault_counts_more_there_than_anothers(tmp_path: Path) -> None:
    mesh = Mesh(Lab(tmp_path), "m", "centre", ("one", "two"))
    made = {"one": BY_NAME["gateway_without_address"], "two": BY_NAME["rights_taken"]}
    found = expected(mesh, made)
    assert found["centre", "join.endpoints"] == "failed"
    assert found["two", "join.endpoints"] == "unknown"
    assert ("one", "join.endpoints") not in found
