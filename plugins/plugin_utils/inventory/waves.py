# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waves: edge sites one batch after the other, and how many may fail before the next one isn't begun.

Pure; used by the filters `edge.mesh.waves` and `edge.mesh.left_out`, and by the site model for its checks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["Wave", "as_dicts", "bad_waves", "cut", "from_dicts", "held_back", "left_out"]

_PERCENT = re.compile(r"(\d{1,3})%")
_WHOLE = 100


@dataclass(frozen=True)
class Wave:
    """The sites of one batch, in order, and how many of them may fail."""

    number: int
    sites: tuple[str, ...]
    allowed: int


def bad_waves(waves: Any, max_failed: Any) -> list[Problem]:
    """What is wrong with ``edge_mesh_waves`` and ``edge_mesh_max_failed``."""
    problems = []
    for name, entries, least in (("edge_mesh_waves", waves, 1), ("edge_mesh_max_failed", max_failed, 0)):
        if not isinstance(entries, list):
            continue  # the check of types says so
        if not entries:
            problems.append(Problem(None, f"{name} is an empty list; leave it out for the default"))
        for entry in entries:
            share = _share(entry)
            if share is None or share[0] < least or (share[1] and share[0] > _WHOLE):
                wanted = f"a whole number from {least} nor a percentage from {least}% to 100%"
                problems.append(Problem(None, f"{name} holds {entry!r}, which is neither {wanted}"))
    return problems


def cut(sites: Iterable[tuple[str, int]], waves: Sequence[Any], max_failed: Sequence[Any]) -> list[Wave]:
    """The waves of ``(name, priority)`` sites: lower priorities first, else as given; last entries repeat.

    A percentage of ``waves`` is one of all sites, rounded up; one of ``max_failed`` is one of its wave, rounded down.
    Both lists have passed :func:`bad_waves`.
    """
    ordered = [name for name, _priority in sorted(sites, key=lambda site: site[1])]
    found: list[Wave] = []
    begin = 0
    while begin < len(ordered):
        number = len(found)
        size = max(1, math.ceil(_count(_entry(waves, number), len(ordered))))
        members = tuple(ordered[begin : begin + size])
        allowed = math.floor(_count(_entry(max_failed, number), len(members)))
        found.append(Wave(number + 1, members, allowed))
        begin += size
    return found


def held_back(number: int, waves: Iterable[Wave], failed: Collection[str]) -> str:
    """Why the wave of this number must not begin, or nothing; ``failed`` holds the names of the sites that failed."""
    for wave in waves:
        names = [name for name in wave.sites if name in failed]
        if wave.number < number and len(names) > wave.allowed:
            return f"{', '.join(names)} failed in wave {wave.number}, where {wave.allowed or 'none'} may"
    return ""


def left_out(
    sites: Iterable[Mapping[str, Any]], faults: Mapping[str, Mapping[str, Any]], waves: Sequence[Wave]
) -> dict[str, dict[str, str]]:
    """Which of these sites must not begin: name -> ``{stage, result: not started, reason}``.

    ``faults`` are the records of the sites that go no further; who has one isn't told again.
    """
    failed = {name for name, fault in faults.items() if fault["result"] == "failed"}
    found = {}
    for site in sites:
        name = site["name"]
        lead = faults.get(site["primary"]) if site["role"] == "edge" else None
        wave = next((wave for wave in waves if name in wave.sites), None)
        if name in faults:
            continue
        if lead is not None:
            how = "gives no answer" if lead["result"] == "unreachable" else "failed"
            stage = "its primary"
            why = f"its primary {site['primary']} {how} at the stage {lead['stage']}; mend that one"
        elif wave is not None and (held := held_back(wave.number, waves, failed)):
            stage, why = f"wave {wave.number}", f"{held}; mend that"
        else:
            continue
        reason = f"{why} and run again, with -e edge_mesh_only=failed for the rest alone"
        found[name] = {"stage": stage, "result": "not started", "reason": reason}
    return found


def _entry(entries: Sequence[Any], number: int) -> tuple[int, bool]:
    share = _share(entries[min(number, len(entries) - 1)])
    if share is None:
        raise ValueError(f"{entries[min(number, len(entries) - 1)]!r} is neither a number nor a percentage")
    return share


def _share(entry: Any) -> tuple[int, bool] | None:
    """A number and whether it is a percentage; None for what is neither."""
    if isinstance(entry, bool):
        return None
    text = str(entry).strip()
    percent = _PERCENT.fullmatch(text)
    if percent:
        return int(percent[1]), True
    return (int(text), False) if text.isascii() and text.isdigit() else None


def _count(share: tuple[int, bool], total: int) -> float:
    number, is_percent = share
    return number * total / _WHOLE if is_percent else number


def as_dicts(waves: Iterable[Wave]) -> list[dict[str, Any]]:
    """The waves as a playbook carries them."""
    return [{"number": wave.number, "sites": list(wave.sites), "allowed": wave.allowed} for wave in waves]


def from_dicts(waves: Iterable[Mapping[str, Any]]) -> list[Wave]:
    """What :func:`as_dicts` gave."""
    return [Wave(wave["number"], tuple(wave["sites"]), wave["allowed"]) for wave in waves]
