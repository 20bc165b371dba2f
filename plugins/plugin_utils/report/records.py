# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check records as a report sees them: checked, ordered, counted (used by the action `edge.mesh.report`).

Pure. Records come from several modules as plain dicts in the contract's shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import CHECKS, is_healthy
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report import told

__all__ = [
    "UNDONE",
    "WELL",
    "Json",
    "bad",
    "figures_document",
    "fleet_summary",
    "in_order",
    "run_document",
    "run_summary",
    "seen",
    "status_document",
    "summary",
    "validated",
    "verify_document",
]

Json = Mapping[str, Any]

SCHEMA = 1
# results of a run that make it unhealthy
UNDONE = frozenset({"failed", "unreachable", "not started", "running"})
WELL = frozenset({"healthy", "warning"})  # statuses of a site that need nobody now
VERDICTS = ("failed", "unknown", "warning", "skipped", "ok")  # worst first

_KEYS = frozenset({"id", "site", "peer", "title", "verdict", "evidence", "hint", "from", "took_ms"})


def validated(records: Iterable[Json]) -> list[dict[str, Any]]:
    """The records, once each has the contract's keys, a known id and verdict; raises MeshError for one that hasn't."""
    found = []
    for record in records:
        wrong = _KEYS.symmetric_difference(record)
        if wrong:
            raise MeshError("a check record can't be reported", why=f"its keys differ in {', '.join(sorted(wrong))}")
        if record["id"] not in CHECKS or record["verdict"] not in VERDICTS:
            raise MeshError("a check record can't be reported", why=f"{record['id']}: {record['verdict']} isn't known")
        found.append(dict(record))
    return found


def verify_document(mesh: str, records: Sequence[Json]) -> dict[str, Any]:
    """The content of ``verify.json``."""
    healthy = is_healthy([record["verdict"] for record in records])
    return {"schema": SCHEMA, "mesh": mesh, "healthy": healthy, "checks": list(records)}


def in_order(records: Iterable[Json]) -> list[Json]:
    """Worst first; then by site in the order of appearance, by check in the order of the list of checks, by peer."""
    listed = list(records)
    sites = list(dict.fromkeys(record["site"] for record in listed))
    checks = list(CHECKS)

    def place(record: Json) -> tuple[int, int, int, str]:
        # what is well isn't split by verdict, so that a site's lines stay together
        worst = min(VERDICTS.index(record["verdict"]), VERDICTS.index("skipped"))
        return (worst, sites.index(record["site"]), checks.index(record["id"]), record["peer"] or "")

    return sorted(listed, key=place)


def bad(records: Iterable[Json]) -> list[Json]:
    """The records that make a mesh unhealthy."""
    return [record for record in records if record["verdict"] in ("failed", "unknown")]


def seen(record: Json) -> str:
    """What was seen, in one clause."""
    return told.told(record["id"], record["verdict"], record["evidence"] or {})


def summary(mesh: str, records: Sequence[Json]) -> str:
    """``mesh1: 3 sites, 47 checks: 46 ok, 1 failed``."""
    counts = Counter(record["verdict"] for record in records)
    sites = len({record["site"] for record in records})
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in reversed(VERDICTS) if counts[verdict])
    return f"{mesh}: {_count(sites, 'site')}, {_count(len(records), 'check')}: {told or 'nothing was checked'}"


def status_document(mesh: str, sites: Sequence[Json], records: Sequence[Json], at: str) -> dict[str, Any]:
    """The content of ``status.json``: ``sites`` as ``status.rows`` gives them, ``at`` the time that they tell of."""
    healthy = bool(sites) and all(row["status"] in WELL for row in sites)
    return {"schema": SCHEMA, "mesh": mesh, "at": at, "healthy": healthy, "sites": list(sites), "checks": list(records)}


def fleet_summary(mesh: str, sites: Sequence[Json]) -> str:
    """``mesh1: 3 sites: 2 healthy, 1 failed``."""
    counts = Counter(row["status"] for row in sites)
    told_counts = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return f"{mesh}: {_count(len(sites), 'site')}: {told_counts or 'nothing was looked at'}"


def figures_document(mesh: str, figures: Sequence[Json], machine: str, at: str) -> dict[str, Any]:
    """The content of ``measure.json``; ``machine`` are words, ``at`` is the time that it tells of."""
    measured = any(figure["numbers"] for figure in figures)
    return {"schema": SCHEMA, "mesh": mesh, "at": at, "healthy": measured, "machine": machine, "figures": list(figures)}


def run_document(mesh: str, results: Sequence[Json], **more: Any) -> dict[str, Any]:
    """The content of ``run.json``; ``more`` are further members."""
    healthy = all(row["result"] not in UNDONE for row in results)
    return {"schema": SCHEMA, "mesh": mesh, "healthy": healthy, "results": list(results), **more}


def run_summary(mesh: str, results: Sequence[Json]) -> str:
    """``mesh1: 3 sites: 2 done, 1 failed; 12 created, 1 changed``."""
    counts = Counter(row["result"] for row in results)
    told_counts = ", ".join(f"{number} {result}" for result, number in sorted(counts.items()))
    sites = len({row["site"] for row in results})
    made = Counter(dict.fromkeys(("created", "changed", "removed"), 0))
    for row in results:
        made.update({kind: len(names) for kind, names in (row.get("changes") or {}).items()})
    what = ", ".join(f"{number} {kind}" for kind, number in made.items() if number)
    said = f"; {what}" if what else "; nothing changes" if any("changes" in row for row in results) else ""
    return f"{mesh}: {_count(sites, 'site')}: {told_counts or 'nothing was done'}{said}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
