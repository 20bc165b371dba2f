# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.k3s_release`: K3s's program and images on the controller, checked against K3s's sums."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache, cache_root
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.fetch import Fetcher
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Event, line
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.release import Request, ensure

ARGUMENTS: dict[str, dict[str, Any]] = {
    "version": {"type": "str", "required": True},
    "architectures": {"type": "list", "elements": "str", "default": ["amd64"]},
    "url": {"type": "str", "default": "https://github.com/k3s-io/k3s/releases/download"},
    "directory": {"type": "path"},
    "airgap": {"type": "bool", "default": False},
    "images": {"type": "list", "elements": "path", "default": []},
    "archives": {"type": "dict", "default": {}},
    "state_dir": {"type": "path", "required": True},
    "cache_dir": {"type": "path"},
}


class ActionModule(ActionBase):
    """Everything happens in the worker's own process on the controller: no connection is used."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``release`` and ``images``, or a failure of one line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENTS)
        cache = Cache(cache_root(os.environ, options["cache_dir"] or ""))
        archives = [(Path(path).name, Path(path)) for path in options["images"]]
        request = Request(
            version=options["version"],
            architectures=sorted(set(options["architectures"])),
            url=options["url"],
            state_dir=Path(options["state_dir"]),
            directory=Path(options["directory"]) if options["directory"] else None,
            airgap=options["airgap"],
            archives=[*archives, *((name, Path(path)) for name, path in sorted(options["archives"].items()))],
        )
        try:
            outcome = ensure(request, cache, Fetcher(), _show, check=self._task.check_mode)
        except MeshError as error:
            return {**result, "failed": True, "msg": error.message}
        found = {"release": outcome.release, "images": outcome.images, "made": outcome.made, "todo": outcome.todo}
        return {**result, "changed": outcome.changed, **found}


def _show(event: Event) -> None:
    Display().display(line(event), color="red" if event.what == "failed" else None)
