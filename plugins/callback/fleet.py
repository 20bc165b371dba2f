# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback `edge.mesh.fleet`: a run as one line per site and stage, for fleets whose every task nobody reads."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
type: stdout
short_description: Show a run as one line for each site and stage
version_added: 0.1.0
description:
  - A stage is what a play names directly, such as an import of tasks. When it has ended at a site, its line says the
    time of day, site, stage, how long it took, and what became of it.
  - Tasks that fail are shown in full, and so are M(ansible.builtin.debug) messages, warnings and diffs. What is well or
    was skipped isn't shown task by task, nor is a M(ansible.builtin.fail) after a report, whose table says it.
  - With C(-v) and more everything is shown as P(ansible.builtin.default#callback) does, and these lines beside it.
  - The table of M(edge.mesh.report) comes last, and stands in for the recap.
  - Lines are plain and never overwritten, so output into a file or a log looks the same.
author: edge.mesh contributors (@edge-mesh)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration (C(stdout_callback = edge.mesh.fleet))
"""

import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible import constants
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default

from ansible_collections.edge.mesh.plugins.plugin_utils.report.shown import CALLBACK, Reports
from ansible_collections.edge.mesh.plugins.plugin_utils.report.told import plain

# What only remembers or judges something doesn't make a stage worth a line.
_BOOKKEEPING = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "ansible.builtin.", "ansible.legacy.")
    for name in (
        "add_host", "assert", "debug", "group_by", "include_role", "include_tasks", "meta", "set_fact",
        "validate_argument_spec",
    )
) | {"edge.mesh.report"}  # fmt: skip
_FAIL = frozenset({"fail", "ansible.builtin.fail", "ansible.legacy.fail"})
_EVERYBODY = "(all)"  # stands for the site where a stage is done once for all
# Widths of the columns, and of a reason.
_NARROWEST = 12
_STAGE = 34
_LONGEST = 60


@dataclass
class _Stage:
    """What is known of a stage at one host; times in seconds of the monotonic clock."""

    name: str
    began: float
    ended: float
    once: bool = True
    worked: bool = False
    changed: int = 0
    wrong: str = ""


def _stage_of(task: Any) -> str:
    """The name of the outermost import or include that a task came by, or its own."""
    outermost, above = task, task._parent
    while above is not None:
        if isinstance(above, TaskInclude):
            outermost = above
        above = above._parent
    return str(outermost.name or outermost.action)


def _sites_in(result: Mapping[str, Any]) -> dict[str, str]:
    """Host -> name of its site, of a task that gives hosts theirs by `add_host`, as our playbooks do."""
    found: dict[str, str] = {}
    for each in [result, *(result.get("results") or [])]:
        added = (each.get("add_host") if isinstance(each, Mapping) else None) or {}
        site = (added.get("host_vars") or {}).get("__edge_mesh_site")
        if isinstance(site, Mapping) and "name" in site:
            found[str(added["host_name"])] = str(site["name"])
    return found


def _is_rescued(task: Any) -> bool:
    """Whether its host goes on after a failure: a block around the task has a rescue."""
    above = task._parent
    while above is not None:
        if getattr(above, "rescue", None):
            return True
        above = above._parent
    return False


class CallbackModule(Default):
    """Ansible's default output without what is well, and a line wherever a stage ends at a site."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "edge.mesh.fleet"

    def __init__(self) -> None:
        super().__init__()
        self._reports = Reports()
        self._stages: dict[str, _Stage] = {}
        self._sites: dict[str, str] = {}
        self._heading = ""
        self._table_to_come = False

    @property
    def _brief(self) -> bool:
        return bool(self._display.verbosity == 0)

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Take the default's options; without -v, banners come only with what is shown below them."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        if self._brief:
            self.set_option("display_skipped_hosts", False)

    # -- what the default shows ----------------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """End the stages of the play before; its name waits for the first line below it."""
        self._end_all()
        self._heading, self._table_to_come = play.get_name().strip(), False
        if self._brief:
            self._play = play
        else:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Say nothing of includes, but with -v."""
        if not self._brief:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Say nothing of a play that has nothing to do in this run, but with -v."""
        if not self._brief:
            super().v2_playbook_on_no_hosts_matched()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Begin a stage at a host, which ends the one before."""
        super().v2_runner_on_start(host, task)
        name, now = _stage_of(task), time.monotonic()
        known = self._stages.get(host.name)
        if known is None or known.name != name:
            self._end(host.name)
            self._stages[host.name] = _Stage(name, now, now)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Count it; show it with -v, or if it is a message."""
        self._table_to_come |= self._reports.remember(result.task.action, result.result)
        self._sites |= _sites_in(result.result)
        self._note(result, changed=result.result.get("changed", False))
        if self._brief and not self._run_is_verbose(result):
            self._handle_warnings_and_exception(result)
        else:
            self._show_heading()
            super().v2_runner_on_ok(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Show it with -v, or if it is a message."""
        if not self._brief or self._run_is_verbose(result):
            self._show_heading()
            super().v2_runner_item_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Show it in full; what only makes the exit code after a report, by its table."""
        if self._brief and self._table_to_come and result.task.action in _FAIL:
            return
        if not ignore_errors:
            self._note(result, wrong="no answer" if result.result.get("unanswered") else "failed")
        self._show_heading()
        super().v2_runner_on_failed(result, ignore_errors=ignore_errors)
        if not ignore_errors and not _is_rescued(result.task):
            self._end(result.host.name)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Show it in full."""
        self._show_heading()
        super().v2_runner_item_on_failed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Show it in full."""
        self._note(result, wrong="unreachable")
        self._show_heading()
        super().v2_runner_on_unreachable(result)
        self._end(result.host.name)

    def v2_on_file_diff(self, result: Any) -> None:
        """Show a difference below the name of its play."""
        if any(each.get("diff") for each in [result.result, *result.result.get("results", [])]):
            self._show_heading()
        super().v2_on_file_diff(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """End with the tables; the recap is left to runs without one, and to -v."""
        self._end_all()
        if not (self._brief and self._reports):
            super().v2_playbook_on_stats(stats)
        if CALLBACK not in constants.CALLBACKS_ENABLED:
            for line in self._reports.lines():
                self._display.display(line.text, color=line.colour)

    # -- stages --------------------------------------------------------------------------------------------------------

    def _note(self, result: Any, *, changed: bool = False, wrong: str = "") -> None:
        """Take up a result into the stage of its host."""
        stage = self._stages.get(result.host.name)
        if stage is None:
            return
        stage.ended = time.monotonic()
        stage.changed += changed
        if wrong and not stage.wrong:
            why = result.result.get("why") or result.result.get("msg") or result.task.get_name()
            stage.wrong = textwrap.shorten(f"{wrong}: {plain(str(why))}", _LONGEST, placeholder=" ...")
        if result.task.action not in _BOOKKEEPING or wrong:
            stage.worked = True
            stage.once = stage.once and bool(result.task.run_once)

    def _end_all(self) -> None:
        for host in list(self._stages):
            self._end(host)

    def _end(self, host: str) -> None:
        """Show the line of a host's stage, if there was one and anything was done in it."""
        stage = self._stages.pop(host, None)
        if stage is None or not stage.worked:
            return
        self._show_heading()
        site = _EVERYBODY if stage.once and not stage.wrong else self._sites.get(host, host)
        width = max(_NARROWEST, *(len(name) for name in self._sites.values()), len(site))
        took = f"{stage.ended - stage.began:.1f} s"
        told, colour = "ok", constants.COLOR_OK
        if stage.changed:
            told, colour = f"changed {stage.changed}", constants.COLOR_CHANGED
        if stage.wrong:
            told, colour = stage.wrong, constants.COLOR_ERROR
        day_time = time.strftime("%H:%M:%S")
        self._display.display(f"{day_time}  {site:<{width}}  {stage.name:<{_STAGE}} {took:>9}  {told}", color=colour)

    def _show_heading(self) -> None:
        """Show the play's name before the first line in it; with -v the default has done that."""
        if self._brief and self._heading:
            self._display.display(f"\n{self._heading}", color=constants.COLOR_HIGHLIGHT)
        self._heading = ""
