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

from typing import Any

from ansible.plugins.callback import CallbackBase

from ansible_collections.edge.mesh.plugins.plugin_utils.report.shown import Reports


class CallbackModule(CallbackBase):
    """Remembers the files that reports were written to, and shows them at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "edge.mesh.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._reports = Reports()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Remember a report."""
        self._reports.remember(result.task.action, result.result)

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """Show the table of each."""
        for line in self._reports.lines():
            self._display.display(line.text, color=line.colour)
