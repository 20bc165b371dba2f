# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module of ours in the worker process that Ansible has forked for the task (the base of actions of its name).

A module's own process costs half a second of CPU for Python and its imports, more than most of its work. The imports of
an action are made once, in the controller's main process, and every worker that it forks has them. Options, answers and
texts are the module's: both go through :func:`module_utils._module.answer`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, answer

__all__ = ["InWorker", "plain"]


class InWorker(ActionBase):
    """An action that does what ``MODULE`` does, without a process of its own where the task runs on the controller.

    Anything that makes the worker's process another one than the task asks for (another machine, user, interpreter or
    environment, or the background) leaves it to the module, as do options with secrets: only AnsibleModule hides those.
    """

    MODULE: ClassVar[Module]
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if not self._is_here(task_vars or {}):
            return {**result, **self._execute_module(task_vars=task_vars, wrap_async=bool(self._task.async_val))}
        validator = ArgumentSpecValidator(dict(self.MODULE.argument_spec), **self.MODULE.constraints)
        checked = validator.validate(plain(self._task.args))
        if checked.error_messages:
            return {**result, "failed": True, "msg": "; ".join(checked.error_messages)}
        call = Call(
            params=checked.validated_parameters,
            check_mode=bool(self._task.check_mode),
            diff_mode=bool(self._task.diff),
        )
        values, warnings = answer(self.MODULE, call)
        for warning in warnings:
            Display().warning(warning)
        return {**result, "invocation": {"module_args": checked.validated_parameters}, **values}

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the module's process would be like this one."""
        task = self._task
        if task.become or task.async_val or any(task.environment or ()) or self._connection.transport != "local":
            return False
        wanted = task_vars.get("ansible_python_interpreter")
        interpreter = self._templar.template(wanted) if wanted else ""
        return not interpreter or os.path.realpath(interpreter) == os.path.realpath(sys.executable)


def plain(value: Any) -> Any:
    """Arguments as a module gets them, through JSON: Ansible's own kinds of text and containers are gone."""
    return json.loads(json.dumps(value, default=_spelt))


def _spelt(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value.isoformat() if isinstance(value, date) else str(value)
