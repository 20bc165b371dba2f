# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only file that knows AnsibleModule: parameters in, an outcome out (used by every module).

A module hands over its argument spec and a handler. The handler gets a frozen :class:`Call` and returns an
:class:`Outcome`; a :class:`MeshError` that it raises becomes ``fail_json`` with one line, anything else a failure whose
traceback stands in ``exception`` only.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["Call", "Outcome", "run"]

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


def run(
    argument_spec: Mapping[str, Any],
    handler: Callable[[Call], Outcome],
    *,
    supports_check_mode: bool = True,
    **constraints: Any,
) -> None:
    """Run ``handler`` as an Ansible module; ``constraints`` are AnsibleModule's own (``required_if`` and so on)."""
    module = AnsibleModule(argument_spec=dict(argument_spec), supports_check_mode=supports_check_mode, **constraints)
    call = Call(
        params=module.params, check_mode=module.check_mode, diff_mode=module._diff, run_command=module.run_command
    )
    try:
        outcome = handler(call)
    except MeshError as error:
        told = {"site": error.site, "why": error.why, "hint": error.hint, "unanswered": error.unanswered}
        module.fail_json(msg=error.message, **told, **_UNSAID)
    except Exception as error:  # a bug of ours: the line names it, the traceback goes to `exception` only
        module.fail_json(msg=f"unexpected {type(error).__name__}: {error}", exception=traceback.format_exc(), **_UNSAID)
    for warning in outcome.warnings:
        module.warn(warning)
    values: dict[str, Any] = {"changed": outcome.changed, **outcome.result}
    if call.diff_mode and outcome.diff is not None:
        values["diff"] = outcome.diff
    module.exit_json(**values)
