# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times tasks and counts the API requests that an audit log gained meanwhile.

A task that is called ``<row> | <contender> | <round>`` becomes a line of STOPWATCH_PATH; other tasks are preparation.
STOPWATCH_AUDITS is JSON, from a contender to the audit log of the API server that it works with.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: stopwatch
type: notification
short_description: Times the tasks of a benchmark
description: One line of JSON for each timed task.
"""

# what the control plane does by itself is nobody's request
_UPKEEP = tuple(b'"userAgent":"kube-' + name + b"/" for name in (b"apiserver", b"controller-manager", b"scheduler"))


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible publishes no types
    """One task at a time: the playbooks of benchmarks have one host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "stopwatch"

    def __init__(self) -> None:
        super().__init__()
        self._audits = {name: Path(path) for name, path in json.loads(os.environ["STOPWATCH_AUDITS"]).items()}
        self._out = Path(os.environ["STOPWATCH_PATH"])
        self._started = 0.0
        self._size = 0
        self._name: list[str] = []

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002 - Ansible names it
        """Remember what is known before the task, the time last."""
        self._name = task.get_name().split(" | ")
        if len(self._name) == 3 and (log := self._audits.get(self._name[1])):
            self._size = log.stat().st_size
        self._started = time.perf_counter()

    def v2_runner_on_ok(self, result: Any) -> None:
        """The task (with all items of its loop) is done."""
        seconds = time.perf_counter() - self._started
        if len(self._name) != 3:
            return
        row, contender, turn = self._name
        line = {"row": row, "contender": contender, "round": int(turn), "seconds": seconds, "requests": None}
        if log := self._audits.get(contender):
            with log.open("rb") as stream:
                stream.seek(self._size)
                entries = stream.read().splitlines()
            line["requests"] = sum(not any(agent in entry for agent in _UPKEEP) for entry in entries)
        line["changed"] = bool(result.result.get("changed"))
        with self._out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
