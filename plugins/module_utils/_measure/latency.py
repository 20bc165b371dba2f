# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long calls take, with the mesh and without (used by `_measure.survey`); pure.

One curl makes all calls one after the other over a kept connection and times each itself, so that no start of a process
is measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.edge.mesh.plugins.module_utils._measure.figures import Figure, percentiles

__all__ = ["command", "figures", "times"]

_CALL_SECONDS = 5
_SEPARATOR = "\\n--\\n"
_SITE = re.compile(r"\bsite=(\S+)")
_OK = "200"


def command(url: str, calls: int) -> list[str]:
    """The command of ``calls`` timed calls."""
    told = "\\n%{http_code} %{time_total}" + _SEPARATOR
    return ["curl", "-sS", "--max-time", str(_CALL_SECONDS), "-w", told, f"{url}?call=[1-{calls}]"]


def times(output: str) -> dict[str, list[float]]:
    """Answering site -> milliseconds of its calls; failed ones are left out."""
    found: dict[str, list[float]] = {}
    for block in output.split("\n--\n"):
        body, _newline, told = block.strip().rpartition("\n")
        status, _space, seconds = told.partition(" ")
        site = _SITE.search(body)
        if status == _OK and site:
            found.setdefault(site[1], []).append(float(seconds) * 1000)
    return found


def figures(
    site: str, meshed: Mapping[str, Sequence[float]], bare: Mapping[str, Sequence[float]], sites: Sequence[str],
    how: str = "with sidecars",
) -> list[Figure]:  # fmt: skip
    """For each answering site: milliseconds in the mesh (``how`` calls are part of it), without, and what it adds."""
    found = []
    for peer in sites:
        where = "at the own site" if peer == site else "across sites"
        with_it, without = percentiles(meshed.get(peer, [])), percentiles(bare.get(peer, []))
        for what, values, count in (
            (how, with_it, len(meshed.get(peer, []))),
            ("without", without, len(bare.get(peer, []))),
        ):
            about = f"{count} calls, {where}" if count else f"not measured: no call was answered, {where}"
            found.append(Figure(site, peer, f"latency {what}", values, "ms", about))
        added = {name: round(with_it[name] - without[name], 2) for name in with_it if name in without}
        if added:
            found.append(Figure(site, peer, "latency added", added, "ms", where))
    return found
