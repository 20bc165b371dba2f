# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the suites of tests/suites.yml: ``python -m tests.runner [--all | --only SUITE ...] [--list]``.

Says beforehand what it runs and what it leaves out, keeps each step's log and JUnit below tests/output, goes on after
a failure, and ends with one line: ``N passed, N failed`` and, if any were, ``, N skipped``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parents[1]
SUITES = ROOT / "tests" / "suites.yml"
OUTPUT = ROOT / "tests" / "output"
TAIL_LINES = 60  # of a failed step's log, when the log wasn't shown as it ran


@dataclass(frozen=True)
class Step:
    """One command of a suite."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Suite:
    """One entry of suites.yml; costs are minutes on two cores."""

    name: str
    about: str
    rank: int
    ci: bool
    warm: float
    cold: float
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


@dataclass(frozen=True)
class Budget:
    """Minutes that the chosen suites may cost together."""

    warm: float
    cold: float


def load(text: str) -> tuple[Budget, list[Suite]]:
    """The budget and the suites by rank; raises ValueError where suites.yml is wrong."""
    document = yaml.safe_load(text)
    suites = [_suite(entry) for entry in document["suites"]]
    for key in ("name", "rank"):
        values = [getattr(suite, key) for suite in suites]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise ValueError(f"suites.yml gives the {key} {sorted(twice)[0]} twice")
    return Budget(**document["budget"]), sorted(suites, key=lambda suite: suite.rank)


def _suite(entry: Mapping[str, Any]) -> Suite:
    try:
        return Suite(
            name=entry["name"],
            about=entry["about"],
            rank=entry["rank"],
            ci=entry["ci"],
            warm=entry["cost"]["warm"],
            cold=entry["cost"]["cold"],
            steps=tuple(Step(step["name"], tuple(shlex.split(step["command"]))) for step in entry["steps"]),
            needs=tuple(entry.get("needs", ())),
        )
    except KeyError as error:
        raise ValueError(f"the suite {entry.get('name', entry)} of suites.yml lacks {error}") from None


Mode = Literal["ci", "all"]


def choose(
    suites: Iterable[Suite], budget: Budget, *, mode: Mode, only: Sequence[str] = ()
) -> tuple[list[Suite], list[tuple[Suite, str]]]:
    """The suites to run, and the others with the reason why not; raises ValueError for an unknown name in ``only``.

    Budgets bind CI only, and from the end: a suite of a lower rank never makes way for one of a higher.
    """
    suites = list(suites)
    unknown = sorted(set(only) - {suite.name for suite in suites})
    if unknown:
        raise ValueError(f"there is no suite {unknown[0]}; there are {', '.join(suite.name for suite in suites)}")
    chosen: list[Suite] = []
    left_out: list[tuple[Suite, str]] = []
    full = False
    for suite in suites:
        reason = None
        if only:
            reason = None if suite.name in only else "not asked for"
        elif mode == "ci":
            spent = [*chosen, suite]
            full = full or _over(spent, budget)
            if not suite.ci:
                reason = "make test-all only"
            elif full:
                reason = f"no room in {budget.warm:g} minutes warm, {budget.cold:g} cold"
        if reason is None:
            chosen.append(suite)
        else:
            left_out.append((suite, reason))
    return chosen, left_out


def _over(suites: Sequence[Suite], budget: Budget) -> bool:
    counted = [suite for suite in suites if suite.ci]
    return sum(suite.warm for suite in counted) > budget.warm or sum(suite.cold for suite in counted) > budget.cold


def count(junit: Path, exit_code: int) -> Counts:
    """What a step's JUnit file says; without one the step counts as one test, by its exit code.

    A step that failed although no test of its file did (it crashed, or found nothing to run) adds one failure.
    """
    counts = Counts()
    if junit.exists():
        for case in ElementTree.parse(junit).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                counts += Counts(failed=1)
            elif case.find("skipped") is not None:
                counts += Counts(skipped=1)
            else:
                counts += Counts(passed=1)
    if exit_code == 0 and counts == Counts():
        return Counts(passed=1)
    if exit_code != 0 and counts.failed == 0:
        return counts + Counts(failed=1)
    return counts


class Terminated(Exception):
    """Somebody asked this run to stop."""


class Runner:
    """Runs suites one after another; every step is a process group of its own, ended with us."""

    def __init__(self, output: Path, *, live: bool) -> None:
        self._output = output
        self._live = live

    def run(self, suite: Suite) -> Counts:
        """Run a suite's steps; a failed step doesn't keep the next from running."""
        directory = self._output / suite.name
        directory.mkdir(parents=True, exist_ok=True)
        total = Counts()
        for step in suite.steps:
            label = suite.name if len(suite.steps) == 1 else f"{suite.name}: {step.name}"
            slug = step.name.replace(" ", "-")
            junit, log = directory / f"{slug}.xml", directory / f"{slug}.log"
            print(f"--- {label}", flush=True)
            started = time.monotonic()
            code = self._execute([word.replace("{junit}", str(junit)) for word in step.command], log)
            counts = count(junit, code)
            total += counts
            if code != 0 and not self._live:
                print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]))
            verdict = "ok" if code == 0 and not counts.failed else f"FAILED (exit code {code}, log {log})"
            print(f"    {label}: {counts} in {_duration(time.monotonic() - started)}: {verdict}", flush=True)
        return total

    def _execute(self, command: Sequence[str], log: Path) -> int:
        """Run a command with its output in ``log`` and, if live, on the screen; returns its exit code."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PATH"] = os.pathsep.join([str(Path(sys.prefix, "bin")), environment.get("PATH", os.defpath)])
        environment.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
        with log.open("wb") as sink:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,  # a file, no pipe: a daemon that the step leaves behind can't hold us up
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                sink.write(f"{command[0]} can't be run: {error}\n".encode())
                return 127
        try:
            with log.open("rb") as source:
                return self._follow(process, source)
        except BaseException:
            _end_group(process)
            raise

    def _follow(self, process: subprocess.Popen[bytes], log: BinaryIO) -> int:
        """Wait for a step and, if live, show its log as it grows."""
        line = b""
        while True:
            code = process.poll()
            for part in log.readlines() if self._live else ():
                line += part
                if line.endswith(b"\n") or code is not None:
                    sys.stdout.buffer.write(b"    " + line.rstrip(b"\n") + b"\n")
                    line = b""
            sys.stdout.flush()
            if code is not None:
                return code
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a step and what it started: politely, then by force."""
    for sign, patience in ((signal.SIGINT, 20), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _announce(chosen: Sequence[Suite], left_out: Sequence[tuple[Suite, str]]) -> None:
    warm, cold = sum(suite.warm for suite in chosen), sum(suite.cold for suite in chosen)
    print(f"Running (about {warm:g} minutes with warm caches, {cold:g} with cold ones):")
    for suite in chosen:
        needs = f"; needs: {', '.join(suite.needs)}" if suite.needs else ""
        print(f"  {suite.name:<14} {suite.about}{needs}")
    for suite, reason in left_out:
        print(f"  {suite.name:<14} left out: {reason}")
    sys.stdout.flush()


def _terminate(_number: int, _frame: object) -> None:
    raise Terminated


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if everything that ran passed, 1 if something failed, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m tests.runner", description="Runs the suites of tests/suites.yml.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every suite, not only CI's")
    which.add_argument("--only", action="append", default=[], metavar="SUITE", help="this suite only (may be repeated)")
    parser.add_argument("--list", action="store_true", help="say what would run, and stop")
    parser.add_argument("--quiet", action="store_true", help="show a step's output only if it fails")
    options = parser.parse_args(arguments)
    try:
        budget, suites = load(SUITES.read_text(encoding="utf-8"))
        chosen, left_out = choose(suites, budget, mode="all" if options.all else "ci", only=options.only)
    except ValueError as error:
        parser.error(str(error))
    _announce(chosen, left_out)
    if options.list:
        return 0
    for suite in chosen:  # what an earlier run left would pass for this run's results
        shutil.rmtree(OUTPUT / suite.name, ignore_errors=True)
    signal.signal(signal.SIGTERM, _terminate)
    runner = Runner(OUTPUT, live=not options.quiet)
    total = Counts()
    lines: list[str] = []
    try:
        for suite in chosen:
            started = time.monotonic()
            counts = runner.run(suite)
            total += counts
            verdict = "FAILED" if counts.failed else "ok"
            lines.append(f"  {suite.name:<14} {verdict:<7} {_duration(time.monotonic() - started):>9}  {counts}")
    except (KeyboardInterrupt, Terminated):
        total += Counts(failed=1)
        lines.append("  stopped before the end")
    print("\n".join(["", "Results:", *lines, f"  logs and JUnit files: {OUTPUT.relative_to(ROOT)}", "", str(total)]))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
