# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA with many intermediates: `mesh_ca` beside openssl, step and community.crypto.

``python -m benchmarks.mesh_ca`` runs all rows, writes every single run to results/mesh_ca.csv and the tables of
docs/benchmarks/mesh_ca.md; ``--rows`` measures some of them anew, also those that are too slow for every time.
``--quick`` tries one small row and writes nothing.

What is timed is the processor time of all processes of a run, not the clock on the wall: all ways do one thing after
the other, so on an idle machine the two differ little, and on a busy one only the former means anything. It hides that
`mesh_ca` makes RSA keys on all cores at once.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ca_peers import WAYS, Way, check
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

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "mesh_ca.csv"
PAGE = HERE.parent / "docs" / "benchmarks" / "mesh_ca.md"


@dataclass(frozen=True)
class Row:
    """Two rows of the result: a CA of ``count`` intermediates from nothing, and the same again with nothing to do."""

    key_type: str
    count: int
    rounds: int
    ways: tuple[str, ...]
    slow: bool = False  # minutes to an hour, and measured only when asked for

    def __str__(self) -> str:
        return f"{self.key_type}, {self.count}"


PROGRAMS = ("mesh_ca", "openssl", "openssl in three steps", "step")
TASKS = ("mesh_ca as a task", "community.crypto")
# A thousand certificates are five thousand tasks with community.crypto, which is most of an hour: not measured.
ROWS = (
    Row("ecdsa-p256", 1, 3, PROGRAMS),
    Row("ecdsa-p256", 10, 3, PROGRAMS),
    Row("ecdsa-p256", 100, 3, PROGRAMS),
    Row("ecdsa-p256", 1000, 1, PROGRAMS),
    Row("rsa-4096", 1, 3, PROGRAMS),
    Row("rsa-4096", 10, 2, PROGRAMS),
    Row("rsa-4096", 100, 1, PROGRAMS, slow=True),
    Row("rsa-4096", 1000, 1, ("mesh_ca", "openssl"), slow=True),
    Row("ecdsa-p256", 1, 2, TASKS),
    Row("ecdsa-p256", 10, 1, TASKS),
    Row("ecdsa-p256", 100, 1, TASKS, slow=True),
)
QUICK = (Row("ecdsa-p256", 3, 1, (*PROGRAMS, *TASKS)),)


def chosen_rows(names: Sequence[str] | None) -> list[Row]:
    """The rows of these names, or all that are quick enough to be measured each time."""
    return [row for row in ROWS if str(row) in names] if names else [row for row in ROWS if not row.slow]


def processor_seconds() -> float:
    """What all programs that were started and have ended took of the processors so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(row: Row, ways: Sequence[Way], top: Path) -> list[Sample]:
    """All rounds of a row. The second run of each way is on what its last first run left."""
    homes = {way.name: top / way.name.replace(" ", "-") for way in ways}

    def emptied(way: Way) -> Callable[[], None]:
        def empty() -> None:
            shutil.rmtree(homes[way.name], ignore_errors=True)
            homes[way.name].mkdir(mode=0o700)

        return empty

    def first(way: Way) -> Contender:
        return Contender(way.name, lambda: way.make(homes[way.name], row.key_type, row.count), prepare=emptied(way))

    def second(way: Way) -> Contender:
        return Contender(way.name, lambda: way.again(homes[way.name], row.key_type, row.count))

    samples = alternate(f"{row}: from nothing", [first(way) for way in ways], row.rounds, clock=processor_seconds)
    for way in ways:
        check(homes[way.name], row.count)
    samples += alternate(f"{row}: nothing to do", [second(way) for way in ways], row.rounds, clock=processor_seconds)
    for home in homes.values():
        shutil.rmtree(home)
    return samples


def main() -> int:
    """Run, write, and say where."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mesh_ca", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small row, nothing written")
    parser.add_argument("--rows", nargs="*", help="only these, as 'rsa-4096, 10'; what is known of others stays")
    parser.add_argument("--directory", type=Path, help="where the CAs are made (default: in memory, /dev/shm)")
    options = parser.parse_args()
    where = options.directory or (Path("/dev/shm") if os.path.isdir("/dev/shm") else None)
    ready = {}
    for way in WAYS:
        missing = way.missing()
        if missing:
            print(f"left out: {way.name}: {missing}", file=sys.stderr)
        else:
            ready[way.name] = way
    chosen = QUICK if options.quick else chosen_rows(options.rows)
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(dir=where, prefix="edge-mesh-bench-") as top:
        for row in chosen:
            samples += run(row, [ready[name] for name in row.ways if name in ready], Path(top))
            print(f"{row}: done", file=sys.stderr, flush=True)
            if not options.quick:
                write(merged(samples), "in memory" if str(where) == "/dev/shm" else "on disk")
    if options.quick:
        print("\n".join(table(summarise(samples), "mesh_ca")))
    return 0


def merged(samples: Sequence[Sample]) -> list[Sample]:
    """The new samples, and of the old ones those of other rows and ways, in the order of ROWS."""
    new = {(sample.row, sample.contender) for sample in samples}
    old = read_csv(RESULTS) if RESULTS.exists() else []
    found = [*(sample for sample in old if (sample.row, sample.contender) not in new), *samples]
    rows = [f"{row}: {part}" for row in ROWS for part in ("from nothing", "nothing to do")]
    return sorted(found, key=lambda sample: rows.index(sample.row))


def write(samples: Sequence[Sample], where: str) -> None:
    """All that is known so far: every run, and the tables of the page."""
    write_csv(RESULTS, samples)
    said = f"{machine()}; the CAs were made {where}. Times are processor time, of all processes of a run together."
    write_section(PAGE, "machine", [said])
    summaries = summarise(samples)
    write_section(PAGE, "programs", table((each for each in summaries if each.contender not in TASKS), "mesh_ca"))
    write_section(PAGE, "tasks", table((each for each in summaries if each.contender in TASKS), "mesh_ca as a task"))


if __name__ == "__main__":
    sys.exit(main())
