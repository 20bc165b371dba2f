# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only file that knows AnsibleModule: parameters in, an outcome out (used by every module).

A module is a :class:`Module`: its argument spec and a handler. The handler gets a frozen :class:`Call` and returns an
:class:`Outcome`; a :class:`MeshError` that it raises becomes a failure with one line, anything else a failure whose
traceback stands in ``exception`` only. :func:`answer` is what both ways to run it have in common: :func:`run` as a
process of its own, and an action in the controller's worker (plugin_utils/in_worker.py).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["Call", "Module", "Outcome", "answer", "run"]

# Ansible would add the arguments to a failure where that is switched on; they may hold manifests with secrets.
_UNSAID = {"invocation": {"module_args": "left out"}}


@dataclass(frozen=True)
class Call:
    """What a handler gets: validated parameters, how Ansible wants it to run, and AnsibleModule's ``run_command``."""

    params: Mapping[str, Any]
    check_mode: bool
    diff_mode: bool
    run_command: Callable[..., tuple[int, str, str]] = field(
        repr=False, compare=False, default=lambda *_args: (127, "", "")
    )


@dataclass(frozen=True)
class Outcome:
    """What a handler returns: ``result`` holds the documented return values beside ``changed``.

    ``diff`` is Ansible's ``{"before": str, "after": str}`` (or a list of such) and must not hold secrets.
    """

    changed: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    diff: Mapping[str, Any] | list[Mapping[str, Any]] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Module:
    """A module: what it takes and what it does; ``constraints`` are AnsibleModule's own (``required_if`` and so on)."""

    argument_spec: Mapping[str, Any]
    handler: Callable[[Call], Outcome]
    constraints: Mapping[str, Any] = field(default_factory=dict)


def answer(module: Module, call: Call) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a task gives back, ``failed`` where it failed, and warnings; raises nothing."""
    try:
        outcome = module.handler(call)
    except MeshError as error:
        told = {"site": error.site, "why": error.why, "hint": error.hint, "unanswered": error.unanswered}
        return {"failed": True, "msg": error.message, **told, **_UNSAID}, ()
    except OSError as error:
        if error.filename is None:
            return _unexpected(error)
        # A full disk or a directory that can't be written isn't a bug of ours.
        return {"failed": True, "msg": f"{error.filename} can't be used: {error.strerror}", **_UNSAID}, ()
    except Exception as error:  # a bug of ours: the line names it, the traceback goes to `exception` only
        return _unexpected(error)
    values: dict[str, Any] = {"changed": outcome.changed, **outcome.result}
    if call.diff_mode and outcome.diff is not None:
        values["diff"] = outcome.diff
    return values, outcome.warnings


def _unexpected(error: Exception) -> tuple[dict[str, Any], tuple[str, ...]]:
    why = f"unexpected {type(error).__name__}: {error}"
    return {"failed": True, "msg": why, "exception": traceback.format_exc(), **_UNSAID}, ()


def run(module: Module) -> None:
    """Run it as an Ansible module: parameters from its standard input, the answer to its standard output."""
    ansible = AnsibleModule(argument_spec=dict(module.argument_spec), supports_check_mode=True, **module.constraints)
    call = Call(
        params=ansible.params, check_mode=ansible.check_mode, diff_mode=ansible._diff, run_command=ansible.run_command
    )
    values, warnings = answer(module, call)
    for warning in warnings:
        ansible.warn(warning)
    if values.pop("failed", False):
        ansible.fail_json(**values)
    ansible.exit_json(**values)
