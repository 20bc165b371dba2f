# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.istio_manifest`: Istio's objects as istioctl renders them, on the controller."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils import rendering
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import cache_root

ARGUMENTS: dict[str, dict[str, Any]] = {
    "istioctl": {"type": "path", "required": True},
    "values": {"type": "str", "required": True},
    "cache_dir": {"type": "path", "default": ""},
}


class ActionModule(ActionBase):
    """Changes nothing anywhere, in check mode neither, so the action works without any connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``manifest`` and whether it was ``kept``, or a failure of one line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, params = self.validate_argument_spec(ARGUMENTS)
        directory = cache_root(os.environ, params["cache_dir"]) / "rendered"
        try:
            manifest, kept = rendering.render(Path(params["istioctl"]), str(params["values"]), directory)
        except MeshError as error:
            return {**result, "failed": True, "msg": error.message}
        return {**result, "changed": False, "manifest": manifest, "kept": kept}
