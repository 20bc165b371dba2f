# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs before have left, read from ``reports/run.json`` (used by the actions `report` and `sites`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report.records import SCHEMA

__all__ = ["is_report", "left", "left_before"]

_HINT = "run site.yml without edge_mesh_only"


def left(state_dir: str, mesh: str) -> list[str]:
    """The names of the sites that a run should take up again; raises MeshError if that can't be known."""
    path = Path(state_dir, "reports", "run.json")
    why = "what was left can't be told"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MeshError(why, why=f"no run has written {path} yet", hint=_HINT) from error
    except (OSError, ValueError) as error:
        raise MeshError(why, why=f"{path} can't be read ({error})", hint=_HINT) from error
    if not is_report(document, mesh):
        raise MeshError(why, why=f"{path} is no report of a run of mesh {mesh}", hint=_HINT)
    return _names(document)


def is_report(document: Any, mesh: str) -> bool:
    """Whether this is what a run of the mesh writes: a file that was cut off or edited by hand may be anything."""
    if not isinstance(document, dict) or document.get("mesh") != mesh or document.get("schema", SCHEMA) != SCHEMA:
        return False
    rows, names = document.get("results"), document.get("left", [])
    whole = isinstance(rows, list) and all(isinstance(row, dict) and {"site", "result"} <= row.keys() for row in rows)
    return whole and isinstance(names, list) and all(isinstance(name, str) for name in names)


def left_before(state_dir: str, mesh: str) -> list[str]:
    """As :func:`left`, but a report that isn't there or can't be read has left nothing: a new run makes a new one."""
    try:
        return left(state_dir, mesh)
    except MeshError:
        return []


def _names(document: dict[str, Any]) -> list[str]:
    """``left``; of a report that was written before there was one, the sites that weren't done."""
    if "left" in document:
        return list(document["left"])
    return [str(row["site"]) for row in document["results"] if row["result"] not in ("done", "skipped")]
