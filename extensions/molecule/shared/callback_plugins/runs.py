# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback `runs`: what the last run of each playbook changed, for the scenarios' assertions.

Writes ``<Molecule's ephemeral directory>/runs/<playbook>.json``: ``{check_mode, tasks, changes: [{host, task}]}``, with
the number of results that were ok. Molecule itself sees whether a repeated converge changed something, but neither
whether a run in check mode would, nor what.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: runs
type: aggregate
short_description: Remember what the last run of each playbook changed
version_added: 0.1.0
description:
  - Serves the collection's Molecule scenarios only.
author: edge.mesh contributors (@edge-mesh)
"""


class CallbackModule(CallbackBase):
    """Collects changed results and writes them when the run ends, failed or not."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "runs"

    def __init__(self) -> None:
        super().__init__()
        self._playbook = ""
        self._tasks = 0
        self._changes: list[dict[str, str]] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Remember which playbook it is."""
        self._playbook = Path(playbook._file_name).stem

    def v2_runner_on_ok(self, result: Any) -> None:
        """Count a result, and remember it if it changed something."""
        self._tasks += 1
        if result.is_changed():
            self._changes.append({"host": result.host.get_name(), "task": result.task.get_name()})

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """Write what was seen."""
        directory = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "runs")
        directory.mkdir(exist_ok=True)
        seen = {"check_mode": context.CLIARGS["check"], "tasks": self._tasks, "changes": self._changes}
        (directory / f"{self._playbook}.json").write_text(json.dumps(seen, indent=2) + "\n", encoding="utf-8")
