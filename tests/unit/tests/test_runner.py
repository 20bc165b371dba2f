# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test runner: what it chooses, how it counts, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import runner
from tests.runner import Budget, Counts, Runner, Step, Suite, choose, count, load

BUDGET = Budget(warm=10, cold=20)


def suite(name: str, rank: int, *, warm: float = 1, cold: float = 1, ci: bool = True, command: str = "true") -> Suite:
    return Suite(name, f"about {name}", rank, ci, warm, cold, (Step("step", ("sh", "-c", command)),))


def names(suites: list[Suite]) -> list[str]:
    return [each.name for each in suites]


def test_ci_leaves_out_what_is_for_test_all_only() -> None:
    chosen, left_out = choose([suite("a", 1), suite("b", 2, ci=False)], BUDGET, mode="ci")
    assert names(chosen) == ["a"]
    assert [(each.name, reason) for each, reason in left_out] == [("b", "make test-all only")]


def test_test_all_leaves_out_nothing() -> None:
    chosen, left_out = choose([suite("a", 1, warm=50), suite("b", 2, ci=False)], BUDGET, mode="all")
    assert names(chosen) == ["a", "b"]
    assert left_out == []


@pytest.mark.parametrize("cost", [{"warm": 8}, {"cold": 18}])
def test_a_suite_without_room_is_left_out_with_all_that_rank_behind_it(cost: dict[str, float]) -> None:
    suites = [suite("first", 1, warm=5, cold=5), suite("big", 2, **cost), suite("small", 3)]
    chosen, left_out = choose(suites, BUDGET, mode="ci")
    assert names(chosen) == ["first"]
    assert [each.name for each, _reason in left_out] == ["big", "small"]
    assert left_out[0][1] == "no room in 10 minutes warm, 20 cold"


def test_only_runs_what_is_asked_for_whatever_it_costs() -> None:
    chosen, _left_out = choose([suite("a", 1), suite("b", 2, warm=99, ci=False)], BUDGET, mode="ci", only=["b"])
    assert names(chosen) == ["b"]


def test_an_unknown_suite_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no suite c; there are a, b"):
        choose([suite("a", 1), suite("b", 2)], BUDGET, mode="ci", only=["c"])


def test_suites_come_by_rank() -> None:
    entry = (
        "{{name: {0}, about: x, rank: {1}, ci: true, cost: {{warm: 1, cold: 2}}, steps: [{{name: s, command: a b}}]}}"
    )
    text = f"budget: {{warm: 1, cold: 2}}\nsuites: [{entry.format('late', 2)}, {entry.format('early', 1)}]"
    budget, suites = load(text)
    assert budget == Budget(1, 2)
    assert names(suites) == ["early", "late"]
    assert suites[0].steps == (Step("s", ("a", "b")),)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [(("a", 1), ("a", 2), "name a twice"), (("a", 1), ("b", 1), "rank 1 twice")],
)
def test_a_name_or_rank_given_twice_is_refused(first: tuple[str, int], second: tuple[str, int], message: str) -> None:
    entry = "{{name: {0}, about: x, rank: {1}, ci: true, cost: {{warm: 1, cold: 2}}, steps: []}}"
    with pytest.raises(ValueError, match=message):
        load(f"budget: {{warm: 1, cold: 2}}\nsuites: [{entry.format(*first)}, {entry.format(*second)}]")


def test_a_suite_without_a_cost_is_refused() -> None:
    with pytest.raises(ValueError, match=r"suite a of suites\.yml lacks 'cost'"):
        load("budget: {warm: 1, cold: 2}\nsuites: [{name: a, about: x, rank: 1, ci: true, steps: []}]")


JUNIT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><skipped/></testcase>{0}
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("cases", "code", "expected"),
    [
        ("", 0, Counts(1, 0, 1)),
        ('<testcase name="c"><failure/></testcase>', 1, Counts(1, 1, 1)),
        ('<testcase name="c"><error/></testcase>', 1, Counts(1, 1, 1)),
        pytest.param("", 1, Counts(1, 1, 1), id="a crash after the last test is a failure"),
    ],
)
def test_junit_is_counted_test_by_test(tmp_path: Path, cases: str, code: int, expected: Counts) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(JUNIT.format(cases), encoding="utf-8")
    assert count(junit, code) == expected


@pytest.mark.parametrize(("code", "expected"), [(0, Counts(1, 0, 0)), (3, Counts(0, 1, 0))])
def test_a_step_without_junit_counts_as_one(tmp_path: Path, code: int, expected: Counts) -> None:
    assert count(tmp_path / "none.xml", code) == expected


def test_the_closing_line_names_skipped_tests_only_if_there_are_any() -> None:
    assert str(Counts(3, 0, 0)) == "3 passed, 0 failed"
    assert str(Counts(3, 1, 2)) == "3 passed, 1 failed, 2 skipped"


def test_a_failed_step_is_shown_and_the_next_one_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps = (Step("bad one", ("sh", "-c", "echo why; exit 3")), Step("good", ("sh", "-c", "echo fine")))
    counts = Runner(tmp_path, live=False).run(Suite("two", "x", 1, True, 1, 1, steps))
    assert counts == Counts(1, 1, 0)
    shown = capfd.readouterr().out
    assert "why" in shown
    assert "fine" not in shown
    assert (tmp_path / "two" / "bad-one.log").read_text(encoding="utf-8") == "why\n"


def test_a_program_that_is_missing_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    missing = Suite("s", "x", 1, True, 1, 1, (Step("gone", ("no-such-program-anywhere",)),))
    assert Runner(tmp_path, live=False).run(missing) == Counts(0, 1, 0)
    assert "can't be run" in capfd.readouterr().out


def test_steps_get_no_input_and_the_programs_of_the_virtual_environment(tmp_path: Path) -> None:
    command = "read line && exit 9; command -v python"
    Runner(tmp_path, live=False).run(suite("s", 1, command=command))
    assert (tmp_path / "s" / "step.log").read_text(encoding="utf-8").strip() == f"{sys.prefix}/bin/python"


def test_a_daemon_that_a_step_leaves_does_not_hold_the_run(tmp_path: Path) -> None:
    daemon = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid)"
    step = Step("daemon", (sys.executable, "-c", daemon))
    assert Runner(tmp_path, live=False).run(Suite("s", "x", 1, True, 1, 1, (step,))) == Counts(1, 0, 0)
    pid = (tmp_path / "s" / "daemon.log").read_text(encoding="utf-8").strip()
    subprocess.run(["kill", pid], check=True)


def run_main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str) -> int:
    suites = tmp_path / "suites.yml"
    suites.write_text(
        "budget: {warm: 1, cold: 1}\nsuites:\n- {name: s, about: x, rank: 1, ci: true, cost: {warm: 1, cold: 1},"
        f" steps: [{{name: one, command: '{command}'}}]}}\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(runner, "SUITES", suites)
    monkeypatch.setattr(runner, "OUTPUT", tmp_path / "output")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    return runner.main([])


@pytest.mark.parametrize(("command", "line"), [("true", "1 passed, 0 failed"), ("false", "0 passed, 1 failed")])
def test_the_run_ends_with_the_closing_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str, line: str
) -> None:
    code = run_main(monkeypatch, tmp_path, command)
    assert capfd.readouterr().out.splitlines()[-1] == line
    assert code == (command == "false")


def test_results_of_an_earlier_run_do_not_pass_for_this_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "output" / "s" / "one.xml"
    old.parent.mkdir(parents=True)
    old.write_text(JUNIT.format('<testcase name="old"><failure/></testcase>'), encoding="utf-8")
    assert run_main(monkeypatch, tmp_path, "true") == 0
