# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback `edge.mesh.report`: the tables of a run's reports, as the last thing on the screen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: aggregate
short_description: Show the tables of reports as the last thing on the screen
version_added: 0.1.0
description:
  - Where it is enabled, the table of M(edge.mesh.report) is shown below the recap of the run instead of where its task
    is, so that nothing pushes it off the screen.
author: edge.mesh contributors (@edge-mesh)
requirements:
  - enable in configuration (C(callbacks_enabled = edge.mesh.report))
"""

import json
import shutil
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from ansible_collections.edge.mesh.plugins.plugin_utils.report import table

_NARROWEST = 80
_WIDEST = 140
_WIDTH_OF_A_LOG = 110


class CallbackModule(CallbackBase):
    """Remembers the files that reports were written to, and shows them at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "edge.mesh.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._paths: dict[str, None] = {}

    def v2_runner_on_ok(self, result: Any) -> None:
        """Remember the JSON file of a report."""
        if result.task.action == self.CALLBACK_NAME and result.result.get("finished", True):
            self._paths |= {path: None for path in result.result.get("paths", []) if path.endswith(".json")}

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """Show the table of each."""
        width = shutil.get_terminal_size((_WIDTH_OF_A_LOG, 24)).columns
        for path in self._paths:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            for line in table.whole(document, min(max(width, _NARROWEST), _WIDEST)):
                self._display.display(line.text, color=line.colour)
