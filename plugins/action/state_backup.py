# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.state_backup`: the state directory as one sealed file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.parsing.vault import VaultSecretsContext
from ansible.plugins.action import ActionBase

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.secrets import for_backup
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.service import backup

ARGUMENTS: dict[str, dict[str, Any]] = {
    "mesh": {"type": "str", "required": True},
    "state_dir": {"type": "path", "required": True},
    "path": {"type": "path", "required": True},
    "passphrase": {"type": "str", "no_log": True},
    "kubeconfigs": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Everything happens in the worker's own process on the controller: no connection, no module's argument file."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was backed up, or a failure of one line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENTS)
        vault = VaultSecretsContext.current(optional=True)
        try:
            made = backup(
                state=Path(options["state_dir"]),
                mesh=options["mesh"],
                path=Path(options["path"]),
                secrets=for_backup(
                    options["passphrase"],
                    (vault and vault.secrets) or [],
                    context.CLIARGS.get("extra_vars", ()),
                    constants.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY"),
                ),
                kubeconfigs=options["kubeconfigs"],
                now=datetime.now(UTC),
                check=self._task.check_mode,
            )
        except MeshError as error:
            return {**result, "failed": True, "msg": error.message}
        result.update(
            changed=made.changed,
            path=options["path"],
            made_at=made.snapshot.made_at,
            root=made.snapshot.root,
            files=sorted(made.snapshot.files),
            outside=list(made.outside),
        )
        return result
