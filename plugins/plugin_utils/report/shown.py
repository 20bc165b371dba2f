# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports of a run, to be shown at its end (used by the callbacks `edge.mesh.report` and `edge.mesh.fleet`)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.report import table

__all__ = ["CALLBACK", "FLEET", "Reports"]

CALLBACK, FLEET = "edge.mesh.report", "edge.mesh.fleet"  # either shows tables at the end
_ACTION = "edge.mesh.report"
_NARROWEST, _WIDEST, _WIDTH_OF_A_LOG = 80, 140, 110


class Reports:
    """Remembers the files of a run's reports."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._paths)

    def remember(self, action: str, result: Mapping[str, Any]) -> bool:
        """Take up the JSON file of a task that made a report, if it is whole; whether it was such a task."""
        if action != _ACTION or not result.get("finished", True):
            return False
        self._paths |= {path: None for path in result.get("paths", []) if path.endswith(".json")}
        return True

    def lines(self) -> Iterator[table.Line]:
        """The table of each, within the width of the terminal."""
        width = shutil.get_terminal_size((_WIDTH_OF_A_LOG, 24)).columns
        for path in self._paths:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            yield from table.whole(document, min(max(width, _NARROWEST), _WIDEST))
