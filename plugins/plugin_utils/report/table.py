# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of fixed width for people (used by the action `edge.mesh.report`).

Pure: rows in, lines with the name of a colour out. One column wraps to what the others leave of the width.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ansible_collections.edge.mesh.plugins.plugin_utils.report import status
from ansible_collections.edge.mesh.plugins.plugin_utils.report.records import (
    UNDONE,
    Json,
    fleet_summary,
    in_order,
    run_summary,
    seen,
    summary,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.report.told import plain

__all__ = ["Column", "Line", "checks", "figures", "fleet", "layout", "plan", "results", "whole"]

GAP = "  "
NARROWEST = 24

COLOURS = {
    "failed": "red",
    "unreachable": "red",
    "unknown": "bright purple",
    "warning": "yellow",
    "skipped": "cyan",
    "not started": "yellow",
    "running": "yellow",
    "healthy": None,
    "done": None,
    "ok": None,
}


@dataclass(frozen=True)
class Line:
    """One line of output; ``colour`` is a name that Ansible's display knows, or None."""

    text: str
    colour: str | None = None


@dataclass(frozen=True)
class Column:
    """A heading, whether its text wraps (the others are as wide as their widest cell), and whether it stands right."""

    heading: str
    wraps: bool = False
    right: bool = False


@dataclass(frozen=True)
class Row:
    """The cells of one row, a note below it, and the colour of both."""

    cells: Sequence[str]
    note: str = ""
    colour: str | None = None


_CHECKS = (
    Column("SITE"),
    Column("CHECK"),
    Column("PEER"),
    Column("VERDICT"),
    Column("WHAT WAS SEEN", wraps=True),
    Column("TOOK", right=True),
)
_STATUS = (
    Column("SITE"), Column("STATUS"), Column("REASON", wraps=True), Column("GATEWAYS"), Column("ISTIO"),
    Column("CERT EXPIRES"), Column("TOKEN EXPIRES"), Column("AGE"),
)  # fmt: skip
_FIGURES = (
    Column("SITE"), Column("PEER"), Column("WHAT"), Column("FIGURE", right=True), Column("MORE", wraps=True),
)  # fmt: skip
_PLAN = (Column("SITE"), Column("WOULD BE"), Column("OBJECTS", wraps=True))
_RESULTS = (Column("SITE"), Column("STEP"), Column("RESULT"), Column("REASON", wraps=True))


def whole(document: Json, width: int) -> list[Line]:
    """A report's document as the table that people see: what was checked or done, and the summary as the last line."""
    colour = "green" if document["healthy"] else "red"
    if "figures" in document:
        lines, last = figures(document["figures"], width), f"{document['mesh']}, measured on {document['machine']}"
    elif "sites" in document:
        lines, last = fleet(document, width), fleet_summary(document["mesh"], document["sites"])
    elif "checks" in document:
        lines, last = checks(document["checks"], width), summary(document["mesh"], document["checks"])
    else:
        lines, last = results(document["results"], width), run_summary(document["mesh"], document["results"])
        if document.get("check"):
            lines += plan(document["results"], width)
    return [Line(""), *lines, Line(""), Line(last, colour)]


def checks(records: Sequence[Json], width: int) -> list[Line]:
    """The table of check records, the failed ones first and with their hints."""
    rows: list[Row] = []
    ordered = in_order(records)
    for record, following in zip_longest(ordered, ordered[1:]):
        verdict = record["verdict"]
        # one hint for lines that share it: a site that doesn't answer needs no ten
        last = following is None or any(record[key] != following[key] for key in ("site", "hint", "verdict"))
        cells = [record["site"], record["id"], record["peer"] or "", verdict, seen(record), f"{record['took_ms']} ms"]
        rows.append(Row(cells, plain(record["hint"]) if verdict != "ok" and last else "", COLOURS[verdict]))
    return layout(_CHECKS, rows, width)


def results(rows: Sequence[Json], width: int) -> list[Line]:
    """The table of a run: ``{site, step, result, reason}`` each, failed sites first."""
    ordered = sorted(rows, key=lambda row: row["result"] not in UNDONE)
    cells = [[plain(str(row[name])) for name in ("site", "step", "result", "reason")] for row in ordered]
    return layout(_RESULTS, [Row(each, colour=COLOURS.get(each[2])) for each in cells], width)


def figures(rows: Sequence[Json], width: int) -> list[Line]:
    """The table of what was measured, in the order given: ``{site, peer, what, values, unit, about}`` each."""
    cells = [
        [row["site"], row["peer"], plain(row["what"]), _figure(row), plain(row["about"])]
        for row in rows
    ]  # fmt: skip
    return layout(_FIGURES, [Row(each) for each in cells], width)


def _figure(row: Json) -> str:
    """``p50 2.1, p95 4.0 ms``, or ``63.4 MiB`` of a sum."""
    values = row["numbers"]
    if not values:
        return "-"
    told = ", ".join(f"{value:g}" if name == "sum" else f"{name} {value:g}" for name, value in values.items())
    return f"{told} {row['unit']}"


def fleet(document: Json, width: int) -> list[Line]:
    """The table of the fleet as it is, sites that need a person first; times are from or since the report's own."""
    now = status.moment(document["at"])
    rows = []
    for site in sorted(document["sites"], key=lambda row: (row["status"] == "healthy", row["status"] == "warning")):
        ends = [status.short(site[f"{name}_expires_at"], now) for name in ("certificate", "token")]
        age = status.short(site["joined_at"], now).removeprefix("-") or "-"
        cells = [
            site["site"],
            site["status"],
            plain(site["reason"]),
            site["gateways"],
            plain(site["istio"]),
            *ends,
            age,
        ]
        rows.append(Row(cells, colour=COLOURS.get(site["status"])))
    return layout(_STATUS, rows, width)


def plan(rows: Sequence[Json], width: int) -> list[Line]:
    """The table of what would be done where, by name; nothing where nothing would be."""
    cells = [
        Row([row["site"], kind, _grouped(names)])
        for row in rows
        for kind, names in (row.get("changes") or {}).items()
        if names
    ]
    return [Line(""), *layout(_PLAN, cells, width)] if cells else []


def _grouped(names: Sequence[str]) -> str:
    """``Service a/x, a/y; ConfigMap a/z``: each kind said once."""
    by_kind: dict[str, list[str]] = {}
    for name in names:
        kind, _space, rest = name.partition(" ")
        by_kind.setdefault(kind, []).append(rest)
    return "; ".join(f"{kind} {', '.join(each)}".rstrip() for kind, each in by_kind.items())


def layout(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Line]:
    """Heading and rows within ``width`` columns, as far as the fixed columns leave room for the wrapping one."""
    widths = [
        0 if column.wraps else max(len(column.heading), *(len(row.cells[index]) for row in rows), 0)
        for index, column in enumerate(columns)
    ]
    rest = max(NARROWEST, width - sum(widths) - len(GAP) * (len(columns) - 1))
    widest = max([len(row.cells[index]) for row in rows for index, column in enumerate(columns) if column.wraps] + [13])
    widths = [min(rest, widest) if column.wraps else widths[index] for index, column in enumerate(columns)]
    lines = [Line(_join(columns, [column.heading for column in columns], widths))]
    indent = _before_wrapped(columns, widths)
    for row in rows:
        wrapped = [
            textwrap.wrap(cell, widths[index], break_on_hyphens=False) or [""] if columns[index].wraps else [cell]
            for index, cell in enumerate(row.cells)
        ]
        for number in range(max(len(parts) for parts in wrapped)):
            cells = [parts[number] if number < len(parts) else "" for parts in wrapped]
            lines.append(Line(_join(columns, cells, widths), row.colour))
        if row.note:
            first, further = " " * indent + "-> ", " " * (indent + 3)
            note = textwrap.wrap(
                row.note,
                max(indent + NARROWEST, width),
                initial_indent=first,
                subsequent_indent=further,
                break_on_hyphens=False,
            )
            lines += [Line(part, row.colour) for part in note]
    return lines


def _join(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, cell, width in zip(columns, cells, widths, strict=True)
    ]
    return GAP.join(padded).rstrip()


def _before_wrapped(columns: Sequence[Column], widths: Sequence[int]) -> int:
    """Where the wrapping column begins."""
    before = [width for column, width in zip(columns, widths, strict=True) if not column.wraps]
    first = next(index for index, column in enumerate(columns) if column.wraps)
    return sum(before[:first]) + len(GAP) * first
