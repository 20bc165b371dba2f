# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an archive is sealed with (used by the actions `edge.mesh.state_backup` and `edge.mesh.state_restore`).

A passphrase of its own, or the vault passwords that the run was given. The first secret of what is returned seals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible.parsing.vault import VaultSecret

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.sealing import Secrets

__all__ = ["PASSPHRASE", "for_backup", "for_restore"]

PASSPHRASE = "edge_mesh_backup_passphrase"
_HINT = f"set {PASSPHRASE} (from a vaulted file, or a lookup), or give the run a vault password file"


def for_restore(passphrase: str | None, vault: Secrets, words: Iterable[str]) -> Secrets:
    """The secrets to try: the passphrase, or else those of the run's ``vault``; MeshError if there is none.

    ``words`` are the command line's own variables: a passphrase that stands there is refused.
    """
    if passphrase is None:
        if not vault:
            raise MeshError("there is no passphrase for the archive", hint=_HINT)
        return vault
    if not passphrase:
        raise MeshError("the passphrase for the archive is empty", hint=_HINT)
    if any(passphrase in word for word in words):
        why = "every process of this machine can read it there"
        raise MeshError("the passphrase for the archive stands on the command line", why=why, hint=_HINT)
    return [("default", VaultSecret(passphrase.encode()))]


def for_backup(passphrase: str | None, vault: Secrets, words: Sequence[str], identity: str | None) -> Secrets:
    """As for a restore, the one to seal with first; ``identity`` names it where the run has several vault passwords."""
    secrets = for_restore(passphrase, vault, words)
    if len(secrets) == 1:
        return secrets
    chosen = [secret for secret in secrets if secret[0] == identity]
    if not chosen:
        known = ", ".join(name for name, _secret in secrets)
        raise MeshError(
            "the run has several vault passwords, and none is chosen for the archive",
            why=f"there are {known}",
            hint=f"set {PASSPHRASE}, or name one in ANSIBLE_VAULT_ENCRYPT_IDENTITY",
        )
    return [*chosen, *(secret for secret in secrets if secret not in chosen)]
