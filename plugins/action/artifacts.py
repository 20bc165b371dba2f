# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.artifacts`: binaries and images on the controller, with progress on the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache, cache_root
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.engine import BuildFailed
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Event, line
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.service import Request, Result, Service

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "facts", "choice", "unloaded", "absent"], "default": "present"},
    "source": {"type": "str", "choices": ["auto", "upstream", "build", "bundle"], "default": "auto"},
    "istio_version": {"type": "str", "default": ""},
    "state_dir": {"type": "path", "required": True},
    "bin_dir": {"type": "path"},
    "components": {"type": "str", "choices": ["all", "host-only"], "default": "all"},
    "archives": {"type": "bool", "default": False},
    "cache_dir": {"type": "path"},
    "jobs": {"type": "int", "default": 0},
}
# Recipes and pins lie in the role that this action serves.
FILES = Path(__file__).resolve().parents[2] / "roles" / "artifacts" / "files"


class ActionModule(ActionBase):
    """Everything happens in the worker's own process on the controller: no connection is used."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``facts``, ``made`` and ``todo``, or a failure of one line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENTS)
        try:
            outcome = _perform(options, check=self._task.check_mode)
        except BuildFailed as error:
            for text in error.tail:
                Display().display(f"  {error.component}: {text}", color="red")
            return {**result, "failed": True, "msg": error.message, "build_log": str(error.log)}
        except MeshError as error:
            return {**result, "failed": True, "msg": error.message}
        if self._task.check_mode and outcome.todo:
            said = "would be removed" if options["state"] in ("absent", "unloaded") else "missing"
            Display().display(f"{said}: {', '.join(outcome.todo)}")
        for warning in outcome.warnings:
            Display().warning(warning)
        result.update(changed=outcome.changed, facts=outcome.facts, made=outcome.made, todo=outcome.todo)
        return result


def _perform(options: dict[str, Any], *, check: bool) -> Result:
    cache = Cache(cache_root(os.environ, options["cache_dir"] or ""))
    service = Service(cache=cache, files=FILES, report=_show)
    request = Request(
        state_dir=Path(options["state_dir"]),
        source=options["source"],
        istio_version=options["istio_version"],
        bin_dir=Path(options["bin_dir"]) if options["bin_dir"] else None,
        host_only=options["components"] == "host-only",
        archives=options["archives"],
        jobs=options["jobs"],
    )
    if options["state"] == "absent":
        return service.remove(request, check=check)
    if options["state"] == "unloaded":
        return service.unload(check=check)
    if options["state"] == "choice":
        return service.choice(request)
    if options["state"] == "facts":
        return service.look(request)
    return service.ensure(request, check=check)


def _show(event: Event) -> None:
    Display().display(line(event), color="red" if event.what == "failed" else None)
