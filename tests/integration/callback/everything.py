# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes every result that a callback plugin gets to see, as JSON by the task's name."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: everything
type: notification
short_description: Writes all results to the file that EVERYTHING_PATH names
description: As the JSON callbacks do, with nothing left out.
"""


class CallbackModule(CallbackBase):
    """Collects in memory and writes at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "everything"

    def __init__(self):
        super().__init__()
        self.results = {}

    def _keep(self, result, failed=False):
        # whether it failed isn't in the result itself
        self.results[result.task.get_name()] = {**result.result, "failed": failed}

    def v2_runner_on_ok(self, result):
        self._keep(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._keep(result, failed=True)

    def v2_runner_item_on_ok(self, result):
        self._keep(result)

    def v2_runner_item_on_failed(self, result):
        self._keep(result, failed=True)

    def v2_playbook_on_stats(self, stats):
        with open(os.environ["EVERYTHING_PATH"], "w", encoding="utf-8") as stream:
            json.dump(self.results, stream, default=str)
