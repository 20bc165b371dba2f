# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alternating runs, medians and spread, CSV and tables (used by every benchmark; the standard library only).

A *row* is a piece of work ("nothing to do"), a *contender* a way to do it. Contenders take turns in every round, so
that what the machine does beside it hits all of them alike; compared are medians of one run, never of two runs.
"""

from __future__ import annotations

import csv
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Contender", "Sample", "Summary", "alternate", "machine", "read_csv", "summarise", "table", "write_csv",
    "write_section",
]  # fmt: skip

_FIELDS = ("row", "contender", "round", "seconds", "requests")


@dataclass(frozen=True)
class Sample:
    """One timed run; ``requests`` is the number of API requests it sent, None where there are none to count."""

    row: str
    contender: str
    round: int
    seconds: float
    requests: int | None = None


@dataclass(frozen=True)
class Contender:
    """A way to do the work: ``prepare`` isn't timed, ``work`` is; ``requests`` tells a running total of requests."""

    name: str
    work: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    requests: Callable[[], int] | None = None


@dataclass(frozen=True)
class Summary:
    """What the samples of one contender in one row say: seconds, and the median number of requests."""

    row: str
    contender: str
    runs: int
    median: float
    lowest: float
    highest: float
    requests: float | None

    @property
    def spread(self) -> float:
        """From the fastest to the slowest run, as a share of the median."""
        return (self.highest - self.lowest) / self.median if self.median else 0.0


def alternate(
    row: str, contenders: Sequence[Contender], rounds: int, *, clock: Callable[[], float] = time.perf_counter
) -> list[Sample]:
    """Time every contender once a round, each round beginning with another one; a failing run is the caller's error."""
    samples = []
    for turn in range(rounds):
        first = turn % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            contender.prepare()
            before = contender.requests() if contender.requests else 0
            started = clock()
            contender.work()
            seconds = clock() - started
            sent = contender.requests() - before if contender.requests else None
            samples.append(Sample(row, contender.name, turn + 1, seconds, sent))
    return samples


def summarise(samples: Iterable[Sample]) -> list[Summary]:
    """A summary of each contender in each row, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.row, sample.contender), []).append(sample)
    result = []
    for (row, contender), group in groups.items():
        seconds = [sample.seconds for sample in group]
        sent = [sample.requests for sample in group if sample.requests is not None]
        result.append(
            Summary(
                row,
                contender,
                len(group),
                statistics.median(seconds),
                min(seconds),
                max(seconds),
                statistics.median(sent) if sent else None,
            )
        )
    return result


def write_csv(path: Path, samples: Iterable[Sample]) -> None:
    """Every single run, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_FIELDS)
        for sample in samples:
            sent = "" if sample.requests is None else sample.requests
            writer.writerow((sample.row, sample.contender, sample.round, f"{sample.seconds:.6f}", sent))


def read_csv(path: Path) -> list[Sample]:
    """What :func:`write_csv` wrote."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            Sample(
                line["row"],
                line["contender"],
                int(line["round"]),
                float(line["seconds"]),
                int(line["requests"]) if line["requests"] else None,
            )
            for line in csv.DictReader(stream)
        ]


def table(
    summaries: Iterable[Summary], ours: str, *, over: Mapping[str, float] | None = None, costs: str = "cost"
) -> list[str]:
    """Lines of a Markdown table; ``ours`` is the contender that the others are set against.

    ``over`` gives each row's cost that all contenders have in common (an empty task); ``costs`` names what is left.
    """
    summaries = list(summaries)
    base = over or {}
    own = {each.row: each.median - base.get(each.row, 0.0) for each in summaries if each.contender == ours}
    lines = [
        f"| work | way | median | fastest to slowest | {costs} | times ours | API requests |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in summaries:
        cost = each.median - base.get(each.row, 0.0)
        ratio = f"{cost / own[each.row]:.1f}" if cost > 0 and own.get(each.row, 0.0) > 0 else ""
        sent = "" if each.requests is None else f"{each.requests:g}"
        spread = f"{_spell(each.lowest)} to {_spell(each.highest)}"
        cells = (each.row, each.contender, _spell(each.median), spread, _spell(cost), ratio, sent)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def write_section(path: Path, name: str, lines: Iterable[str]) -> None:
    """Replace what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` in a Markdown file.

    Raises ValueError if the file lacks the marks: a generated table never lands in a place that nobody chose.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    text = path.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{path} must hold {begin} and {end} once each")
    head, _begin, rest = text.partition(begin)
    _old, _end, tail = rest.partition(end)
    path.write_text("\n".join([head + begin, "", *lines, "", end + tail]), encoding="utf-8")


def machine() -> str:
    """What was measured on, in a few words that name no host."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} on {platform.machine()}"
    return f"{cores} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def _spell(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.2f} s"
