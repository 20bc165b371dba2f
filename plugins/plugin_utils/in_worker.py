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
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, answer

__all__ = ["InWorker", "plain", "run_command", "secrets"]


class InWorker(ActionBase):
    """An action that does what ``MODULE`` does, without a process of its own where the task runs on the controller.

    Anything that makes the worker's process another one than the task asks for (another machine, user, interpreter or
    environment, or the background) leaves it to the module. Values of options with ``no_log`` are hidden in the result.
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
            run_command=run_command,
        )
        values, warnings = answer(self.MODULE, call)
        for warning in warnings:
            Display().warning(warning)
        told = {"invocation": {"module_args": checked.validated_parameters}, **values}
        hidden = secrets(self.MODULE.argument_spec, checked.validated_parameters)
        return {**result, **(remove_values(told, hidden) if hidden else told)}

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the module's process would be like this one."""
        task = self._task
        if task.become or task.async_val or any(task.environment or ()) or self._connection.transport != "local":
            return False
        wanted = task_vars.get("ansible_python_interpreter")
        interpreter = self._templar.template(wanted) if wanted else ""
        return not interpreter or os.path.realpath(interpreter) == os.path.realpath(sys.executable)


def secrets(spec: Mapping[str, Any], params: Mapping[str, Any]) -> set[str]:
    """The values of options with ``no_log``, which is true or false at every option that could need it."""
    found: set[str] = set()
    for name, each in spec.items():
        value = params.get(name)
        if each.get("no_log") and value:
            found.add(str(value))
        below = each.get("options") or {}
        for entry in value if isinstance(value, list) else [value]:
            if below and isinstance(entry, Mapping):
                found |= secrets(below, entry)
    return found


def plain(value: Any) -> Any:
    """Arguments as a module gets them, through JSON: Ansible's own kinds of text and containers are gone."""
    return json.loads(json.dumps(value, default=_spelt))


def _spelt(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def run_command(
    command: Sequence[str], *, data: str | None = None, environ_update: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """As AnsibleModule's, for what our modules use of it; a program that can't be started ends with 127."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(environ_update or {})}
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False, **source
        )
    except OSError as error:
        return 127, "", f"{command[0]}: {error.strerror}"
    return done.returncode, done.stdout, done.stderr
