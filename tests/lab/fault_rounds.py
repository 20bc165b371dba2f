# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A round of faults: break, ask until exactly the expected checks have turned, put back, ask until all is well."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from tests.lab import faults
from tests.lab.asking import Mesh, Records
from tests.lab.fault_table import BY_NAME, Fault, Round
from tests.lab.faults import Place

# seconds: for one site to answer all questions, for a fault to show, and for a mesh to be well again
_ASK = 6
_SHOWS = 60
_HEALS = 120
_PAUSE = 0.5

Verdicts = dict[tuple[str, str], str]


def play(mesh: Mesh, round_: Round) -> list[Records]:
    """The records that turned, of each look; fails unless they are exactly those expected and the mesh heals."""
    made, broken, found = _made(mesh, round_), ExitStack(), []
    try:
        if round_.fresh:
            down = {mesh.primary: made.pop(mesh.primary)}
            with _stopped(mesh):
                found.append(_wait_for(mesh, expected(mesh, down), set(), _SHOWS, f"while {round_} is made"))
                _break(mesh, made, broken)
        else:
            _break(mesh, made, broken)
        found.append(
            _wait_for(mesh, expected(mesh, made), _may(made), _SHOWS, f"after {round_}", round_.traffic, round_.routes)
        )
    finally:
        with _stopped(mesh) if round_.fresh else nullcontext():
            broken.close()
        _wait_for(mesh, {}, set(), _HEALS, f"after {round_} was put back")
    return found


def _break(mesh: Mesh, made: Mapping[str, Fault], broken: ExitStack) -> None:
    for site, fault in made.items():
        broken.callback(fault.make(Place(mesh, site)))


def expected(mesh: Mesh, made: Mapping[str, Fault]) -> Verdicts:
    """The verdicts that must turn: a site's own fault counts more there than what another site's does to it."""
    found: Verdicts = {}
    for site, fault in made.items():
        for other in mesh.sites:
            if other != site:
                found.update({(other, check): verdict for check, verdict in fault.elsewhere.items()})
    for site, fault in made.items():
        found.update({(site, check): verdict for check, verdict in fault.turns.items()})
    return found


def _made(mesh: Mesh, round_: Round) -> dict[str, Fault]:
    names = dict(zip((mesh.primary, *mesh.edges), (round_.primary, round_.first, round_.second), strict=False))
    return {site: BY_NAME[name] for site, name in names.items() if name}


def _may(made: Mapping[str, Fault]) -> set[tuple[str, str]]:
    return {(site, check) for site, fault in made.items() for check in fault.may}


def _wait_for(
    mesh: Mesh, wanted: Verdicts, may: set[tuple[str, str]], seconds: float, when: str, traffic: bool = False,
    routes: bool = False,
) -> Records:  # fmt: skip
    end = time.monotonic() + seconds
    while True:
        records = mesh.ask(_ASK, traffic=traffic, routes=routes)
        found = {key: items[0]["verdict"] for key, items in records.items() if key not in may}
        if found == wanted:
            return records
        assert time.monotonic() < end, _difference(wanted, found, records, when)
        time.sleep(_PAUSE)


def _difference(wanted: Verdicts, found: Verdicts, records: Records, when: str) -> str:
    lines = [f"{when}, after the time that it may take:"]
    lines += [f"  stayed ok: {site} {check}" for site, check in sorted(wanted.keys() - found.keys())]
    for site, check in sorted(key for key in found if found[key] != wanted.get(key)):
        record: dict[str, Any] = records[site, check][0]
        lines.append(
            f"  {site} {check} is {record['verdict']}, not {wanted.get((site, check), 'ok')}: {record['evidence']}"
        )
    return "\n".join(lines)


@contextmanager
def _stopped(mesh: Mesh) -> Iterator[None]:
    """istiod stopped, and started again at the end; what is on its way out takes in nothing any more."""
    start = faults.istiod_down(Place(mesh, mesh.primary))
    try:
        yield
    finally:
        start()
