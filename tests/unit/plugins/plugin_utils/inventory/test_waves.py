# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waves: sizes, limits and what holds a wave back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.waves import (
    Wave,
    as_dicts,
    bad_waves,
    cut,
    from_dicts,
    held_back,
    left_out,
)


def sizes(count: int, waves: list[object]) -> list[int]:
    return [len(wave.sites) for wave in cut([(f"s{n}", 100) for n in range(count)], waves, [0])]


@pytest.mark.parametrize(
    ("count", "waves", "expected"),
    [
        (0, [1, "25%", "100%"], []),
        (1, [1, "25%", "100%"], [1]),
        (2, [1, "25%", "100%"], [1, 1]),
        (10, [1, "25%", "100%"], [1, 3, 6]),
        (7, [2], [2, 2, 2, 1]),
        (9, ["34%"], [4, 4, 1]),
        (3, ["1%"], [1, 1, 1]),
        (3, ["2", "100%"], [2, 1]),
        (4, [100], [4]),
    ],
)
def test_percentages_are_of_all_sites_and_rounded_up_and_the_last_size_repeats(
    count: int, waves: list[object], expected: list[int]
) -> None:
    assert sizes(count, waves) == expected


def test_lower_priorities_come_first_and_equal_ones_keep_their_order() -> None:
    found = cut([("c", 100), ("a", 100), ("z", 1), ("m", -5)], [2, "100%"], [0])
    assert [wave.sites for wave in found] == [("m", "z"), ("c", "a")]


def test_failures_allowed_are_rounded_down_and_of_their_own_wave() -> None:
    found = cut([(f"s{n}", 0) for n in range(12)], [1, 4, "100%"], [0, "25%"])
    assert [(len(wave.sites), wave.allowed) for wave in found] == [(1, 0), (4, 1), (7, 1)]


WAVES = [Wave(1, ("a",), 0), Wave(2, ("b", "c", "d", "e"), 1), Wave(3, ("f",), 0)]


@pytest.mark.parametrize(
    ("number", "failed", "reason"),
    [
        (1, ["a"], ""),
        (2, [], ""),
        (2, ["a"], "a failed in wave 1, where none may"),
        (3, ["b"], ""),
        (3, ["b", "e"], "b, e failed in wave 2, where 1 may"),
        (3, ["a"], "a failed in wave 1, where none may"),
        (2, ["f", "z"], ""),
    ],
)
def test_a_wave_is_held_back_by_those_before_it_only(number: int, failed: list[str], reason: str) -> None:
    assert held_back(number, WAVES, failed) == reason


@pytest.mark.parametrize(
    ("waves", "max_failed", "words"),
    [
        ([0], [0], "edge_mesh_waves holds 0"),
        (["0%"], [0], "edge_mesh_waves holds '0%'"),
        (["101%"], [0], "edge_mesh_waves holds '101%'"),
        (["half"], [0], "edge_mesh_waves holds 'half'"),
        ([True], [0], "edge_mesh_waves holds True"),
        ([1.5], [0], "edge_mesh_waves holds 1.5"),
        ([-1], [0], "edge_mesh_waves holds -1"),
        ([], [0], "edge_mesh_waves is an empty list"),
        ([1], ["x%"], "edge_mesh_max_failed holds 'x%'"),
        ([1], [-1], "edge_mesh_max_failed holds -1"),
    ],
)
def test_what_is_neither_a_number_nor_a_percentage_is_refused(
    waves: list[object], max_failed: list[object], words: str
) -> None:
    problems = [str(problem) for problem in bad_waves(waves, max_failed)]
    assert len(problems) == 1
    assert words in problems[0]


def test_the_defaults_are_fine() -> None:
    assert bad_waves([1, "25%", "100%"], [0, "25%"]) == []


shares = st.one_of(st.integers(1, 60), st.integers(1, 100).map(lambda number: f"{number}%"))


@given(st.integers(0, 60), st.lists(shares, min_size=1, max_size=5), st.lists(shares, min_size=1, max_size=5))
def test_every_site_is_in_exactly_one_wave(count: int, waves: list[object], max_failed: list[object]) -> None:
    found = cut([(f"s{n}", n % 3) for n in range(count)], waves, max_failed)
    assert sorted(site for wave in found for site in wave.sites) == sorted(f"s{n}" for n in range(count))
    assert [wave.number for wave in found] == list(range(1, len(found) + 1))
    assert all(wave.sites for wave in found)
    assert from_dicts(as_dicts(found)) == found


# -- who must wait -----------------------------------------------------------------------------------------------------

EDGE = {"name": "s1", "role": "edge", "primary": "hub"}
AGAIN = "run again, with -e edge_mesh_only=failed for the rest alone"


@pytest.mark.parametrize(("result", "how"), [("failed", "failed"), ("unreachable", "gives no answer")])
def test_an_edge_waits_for_its_primary_and_that_is_no_failure(result: str, how: str) -> None:
    faults = {"hub": {"stage": "trust", "result": result}}
    found = left_out([EDGE, {**EDGE, "name": "hub", "role": "primary"}], faults, WAVES)
    reason = f"its primary hub {how} at the stage trust; mend that one and {AGAIN}"
    assert found == {"s1": {"stage": "its primary", "result": "not started", "reason": reason}}


def test_a_site_whose_own_fault_is_known_is_not_told_again() -> None:
    faults = {name: {"stage": "trust", "result": "failed"} for name in ("hub", "s1")}
    assert left_out([EDGE], faults, WAVES) == {}


def test_a_site_in_a_wave_that_is_held_back_waits() -> None:
    last = WAVES[-1]
    first = WAVES[0].sites[0]
    found = left_out([{**EDGE, "name": last.sites[0]}], {first: {"stage": "enrolment", "result": "failed"}}, WAVES)
    assert found[last.sites[0]]["stage"] == f"wave {last.number}"
    assert found[last.sites[0]]["reason"] == f"{first} failed in wave 1, where none may; mend that and {AGAIN}"
    assert left_out([{**EDGE, "name": last.sites[0]}], {first: {"stage": "x", "result": "unreachable"}}, WAVES) == {}
