# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports of several workers, each on a slice of the inventory, as one (used by the action `edge.mesh.report`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report import records, resume, steps

__all__ = ["file_name", "merged", "read"]

Json = Mapping[str, Any]

_WHAT = "the workers' reports can't be put together"


def file_name(name: str, part: str) -> str:
    """``run`` for a run over all sites, ``run-2`` for the slice 2."""
    return f"{name}-{part}" if part else name


def read(directory: Path, parts: Iterable[str], mesh: str) -> dict[str, Json]:
    """The report of each slice; raises MeshError, naming the slice, if one is missing or isn't of this mesh."""
    found: dict[str, Json] = {}
    wanted = [str(part) for part in parts]
    if not wanted:
        raise MeshError(_WHAT, why="no slice is named", hint='-e \'{"edge_mesh_slices": ["1", "2"]}\'')
    for part in wanted:
        path = directory / f"{file_name('run', part)}.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            why = f"there is no {path}"
            raise MeshError(_WHAT, why=why, hint=f"did the worker with edge_mesh_slice={part} run?") from error
        except (OSError, ValueError) as error:
            raise MeshError(_WHAT, why=f"{path}: {error}") from error
        if not resume.is_report(document, mesh):
            raise MeshError(_WHAT, why=f"{path} is no report of a run of mesh {mesh}")
        found[part] = document
    return found


def merged(mesh: str, parts: Mapping[str, Json], before: Iterable[str], expected: Iterable[str] = ()) -> dict[str, Any]:
    """One ``run.json`` of the slices' reports; ``before`` are the sites that earlier runs have left.

    A site of ``expected`` that no slice holds is a row, too: a worker that nobody named, or that had fewer sites than
    it should, is seen. Raises MeshError if two slices hold the same site: then their workers weren't kept apart.
    """
    rows: dict[str, Json] = {}
    owner: dict[str, str] = {}
    for part, document in parts.items():
        for row in document["results"]:
            site = str(row["site"])
            if site in rows:
                why = f"{site} is in the slices {owner[site]} and {part}"
                raise MeshError(_WHAT, why=why, hint="give every site to one worker")
            rows[site], owner[site] = {"step": "", "reason": "", **row, "slice": part}, part
    absent = f"it is in none of the slices {', '.join(parts)}; name the slice that has it, or run it"
    for site in expected:
        rows.setdefault(site, {"site": site, "step": "", "result": "not started", "reason": absent})
    check = any(document.get("check") for document in parts.values())
    return records.run_document(
        mesh, list(rows.values()), check=check, finished=all(each.get("finished", True) for each in parts.values()),
        left=steps.left(rows.values(), before, check=check), slices=list(parts),
    )  # fmt: skip
