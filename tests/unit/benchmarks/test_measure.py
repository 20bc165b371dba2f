# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from benchmarks.measure import (
    Contender,
    Sample,
    alternate,
    machine,
    read_csv,
    summarise,
    table,
    write_csv,
    write_section,
)


class Clock:
    """Time that only work moves."""

    def __init__(self):
        self.now = 0.0
        self.log = []

    def work(self, name, seconds):
        def work():
            self.log.append(name)
            self.now += seconds

        return work


def test_contenders_take_turns_and_preparation_isnt_timed():
    clock = Clock()
    contenders = [
        Contender("ours", clock.work("ours", 1.0), prepare=clock.work("prepare", 9.0)),
        Contender("theirs", clock.work("theirs", 5.0)),
    ]
    samples = alternate("again", contenders, 2, clock=lambda: clock.now)
    assert clock.log == ["prepare", "ours", "theirs", "theirs", "prepare", "ours"]
    assert samples == [
        Sample("again", "ours", 1, 1.0),
        Sample("again", "theirs", 1, 5.0),
        Sample("again", "theirs", 2, 5.0),
        Sample("again", "ours", 2, 1.0),
    ]


def test_requests_are_what_the_running_total_grew_by():
    sent = [10]
    contender = Contender("ours", lambda: sent.__setitem__(0, sent[0] + 3), requests=lambda: sent[0])
    assert [sample.requests for sample in alternate("r", [contender], 2)] == [3, 3]


def test_a_failing_run_isnt_a_sample():
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        alternate("r", [Contender("x", fail)], 1)


SAMPLES = [
    Sample("again", "empty", 1, 0.4), Sample("again", "ours", 1, 0.6, 4), Sample("again", "theirs", 1, 2.4, 40),
    Sample("again", "empty", 2, 0.4), Sample("again", "ours", 2, 0.6, 4), Sample("again", "theirs", 2, 2.6, 40),
    Sample("again", "theirs", 3, 9.0, 40),
]  # fmt: skip


def test_medians_and_spread():
    theirs = summarise(SAMPLES)[2]
    assert (theirs.contender, theirs.runs, theirs.median, theirs.lowest, theirs.highest) == ("theirs", 3, 2.6, 2.4, 9.0)
    assert theirs.requests == 40
    assert theirs.spread == pytest.approx(6.6 / 2.6)


def test_ratios_are_taken_over_the_common_cost():
    lines = table(summarise(SAMPLES), "ours", over={"again": 0.4}, costs="over an empty task")
    assert lines[0].split(" | ")[4] == "over an empty task"
    assert lines[3] == "| again | ours | 600 ms | 600 ms to 600 ms | 200 ms | 1.0 | 4 |"
    assert lines[4] == "| again | theirs | 2.60 s | 2.40 s to 9.00 s | 2.20 s | 11.0 | 40 |"


def test_what_is_written_can_be_read(tmp_path):
    write_csv(tmp_path / "results" / "x.csv", SAMPLES)
    assert read_csv(tmp_path / "results" / "x.csv") == SAMPLES


def test_a_table_lands_between_its_marks_only(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin t -->\nold\n<!-- end t -->\nafter\n")
    for _turn in range(2):
        write_section(page, "t", ["new"])
        assert page.read_text() == "before\n<!-- begin t -->\n\nnew\n\n<!-- end t -->\nafter\n"
    with pytest.raises(ValueError, match="must hold"):
        write_section(page, "other", ["new"])
    assert "old" not in page.read_text()


def test_the_machine_is_told_without_its_name():
    assert "cores" in machine()
