# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secret seals and opens an archive."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultSecret

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.secrets import for_backup, for_restore

ONE, TWO = ("default", VaultSecret(b"one")), ("backup", VaultSecret(b"two"))


def test_a_passphrase_of_its_own_goes_before_the_vaults_passwords() -> None:
    ((_name, secret),) = for_backup("a passphrase", [ONE, TWO], [], None)
    assert secret.bytes == b"a passphrase"


def test_without_one_the_runs_vault_password_is_taken() -> None:
    assert for_backup(None, [ONE], [], None) == [ONE]
    assert for_restore(None, [ONE, TWO], []) == [ONE, TWO]


def test_of_several_the_named_one_seals() -> None:
    assert for_backup(None, [ONE, TWO], [], "backup") == [TWO, ONE]
    with pytest.raises(MeshError, match=r"none is chosen for the archive: there are default, backup \(set edge_mesh_"):
        for_backup(None, [ONE, TWO], [], None)


def test_none_and_an_empty_one_are_refused() -> None:
    with pytest.raises(MeshError, match=r"there is no passphrase for the archive \(set edge_mesh_backup_passphrase"):
        for_restore(None, [], [])
    with pytest.raises(MeshError, match="is empty"):
        for_restore("", [ONE], [])


def test_one_on_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(MeshError, match="stands on the command line: every process of this machine") as caught:
        for_restore("hush-hush", [], ["edge_mesh_backup_passphrase=hush-hush"])
    assert "hush-hush" not in caught.value.message
    assert for_restore("hush-hush", [], ["edge_mesh_backup_passphrase={{ lookup('env', 'X') }}"])
