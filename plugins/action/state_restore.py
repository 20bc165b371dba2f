# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.state_restore`: a state directory out of a sealed file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import context
from ansible.parsing.vault import VaultSecretsContext
from ansible.plugins.action import ActionBase

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.secrets import for_restore
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.service import restore

ARGUMENTS: dict[str, dict[str, Any]] = {
    "mesh": {"type": "str", "required": True},
    "state_dir": {"type": "path", "required": True},
    "path": {"type": "path", "required": True},
    "passphrase": {"type": "str", "no_log": True},
    "replace": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Everything happens in the worker's own process on the controller: no connection, no module's argument file."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was restored, or a failure of one line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENTS)
        vault = VaultSecretsContext.current(optional=True)
        try:
            done = restore(
                state=Path(options["state_dir"]),
                mesh=options["mesh"],
                path=Path(options["path"]),
                secrets=for_restore(
                    options["passphrase"], (vault and vault.secrets) or [], context.CLIARGS.get("extra_vars", ())
                ),
                replace=options["replace"],
                now=datetime.now(UTC),
                check=self._task.check_mode,
            )
        except MeshError as error:
            return {**result, "failed": True, "msg": error.message}
        result.update(
            changed=done.changed,
            made_at=done.snapshot.made_at,
            root=done.snapshot.root,
            written=list(done.written),
            kept=list(done.kept),
            replaced=str(done.replaced or ""),
        )
        return result
