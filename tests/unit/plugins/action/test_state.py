# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions `edge.mesh.state_backup` and `edge.mesh.state_restore`: what Ansible gives them and gets from them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultSecret

from ansible_collections.edge.mesh.plugins.action import state_backup, state_restore
from ansible_collections.edge.mesh.plugins.modules import state_backup as backup_doc
from ansible_collections.edge.mesh.plugins.modules import state_restore as restore_doc
from tests.unit.plugins.modules.test_site_checks import assert_same
from tests.unit.plugins.plugin_utils.backup.conftest import make_state

PASSPHRASE = "correct horse battery staple"


def run(plugin: ModuleType, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """The action's result; what Ansible would hand in is faked."""
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=check_mode, diff=False, action=plugin.__name__)
    context = SimpleNamespace(check_mode=check_mode, diff=False, verbosity=0)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    return dict(plugin.ActionModule(task, connection, context, None, None, None).run(task_vars={}))


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    make_state(tmp_path / "state")
    return {"mesh": "mesh1", "state_dir": str(tmp_path / "state"), "path": str(tmp_path / "x.vault")}


def test_there_and_back(options: dict[str, Any], tmp_path: Path) -> None:
    assert run(state_backup, True, **options, passphrase=PASSPHRASE)["changed"]
    assert not Path(options["path"]).exists()
    made = run(state_backup, **options, passphrase=PASSPHRASE, kubeconfigs={"shop": "/elsewhere/shop.yaml"})
    assert made["outside"] == ["the kubeconfig of shop, /elsewhere/shop.yaml"]
    assert not run(state_backup, **options, passphrase=PASSPHRASE)["changed"]
    other = {**options, "state_dir": str(tmp_path / "other"), "passphrase": PASSPHRASE}
    done = run(state_restore, **other)
    assert (done["changed"], done["root"], done["written"]) == (True, made["root"], made["files"])
    assert not run(state_restore, **other)["changed"]
    for result, documentation in ((made, backup_doc), (done, restore_doc)):
        assert set(result) - {"changed"} == set(yaml.safe_load(documentation.RETURN))


@pytest.mark.parametrize("plugin", [state_backup, state_restore])
def test_without_any_passphrase_it_fails_in_one_line(plugin: ModuleType, options: dict[str, Any]) -> None:
    result = run(plugin, **options)
    assert result["failed"]
    assert result["msg"] == (
        "there is no passphrase for the archive (set edge_mesh_backup_passphrase (from a vaulted file, or a lookup), "
        "or give the run a vault password file)"
    )


def test_the_runs_vault_password_seals(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    vault = SimpleNamespace(secrets=[("default", VaultSecret(PASSPHRASE.encode()))])
    current = SimpleNamespace(current=lambda optional: vault)
    monkeypatch.setattr(state_backup, "VaultSecretsContext", current)
    assert run(state_backup, **options)["changed"]
    assert not run(state_restore, **options, passphrase=PASSPHRASE)["changed"]


@pytest.mark.parametrize("plugin", [state_backup, state_restore])
def test_a_passphrase_on_the_command_line_is_refused(
    plugin: ModuleType, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (f"edge_mesh_backup_passphrase={PASSPHRASE}",)
    monkeypatch.setattr(plugin, "context", SimpleNamespace(CLIARGS={"extra_vars": words}))
    result = run(plugin, **options, passphrase=PASSPHRASE)
    assert "stands on the command line" in result["msg"]
    assert not Path(options["path"]).exists()


@pytest.mark.parametrize(("plugin", "documentation"), [(state_backup, backup_doc), (state_restore, restore_doc)])
def test_options_are_documented(plugin: ModuleType, documentation: ModuleType) -> None:
    documented = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    arguments = {name: {k: v for k, v in spec.items() if k != "no_log"} for name, spec in plugin.ARGUMENTS.items()}
    assert_same(documented, arguments)
