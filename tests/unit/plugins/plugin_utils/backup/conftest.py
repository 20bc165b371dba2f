# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two state directories of real certificate authorities, and the calls of ``service`` on them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultSecret

from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from
from ansible_collections.edge.mesh.plugins.plugin_utils.backup import service

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
SECRETS = [("default", VaultSecret(b"correct horse battery staple"))]
OTHERS = [("default", VaultSecret(b"tr0ub4dor&3"))]


def make_state(state: Path, *names: str) -> Path:
    """A state directory with a CA of its own, a kubeconfig, a lock file and a report."""
    entries = [{"name": name} for name in names or ("centre",)]
    ensure_present(request_from({"path": str(state / "ca"), "intermediates": entries}), now=NOW, check=False)
    for name, mode in (("kubeconfig/shop.yaml", 0o600), ("artifacts.lock", 0o644), ("reports/run.json", 0o600)):
        path = state / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(f"content of {name}")
        path.chmod(mode)
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return state


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return make_state(tmp_path / "state")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "mesh1.vault"


@pytest.fixture
def backup(state: Path, archive: Path) -> Callable[..., service.Made]:
    def call(**wishes: Any) -> service.Made:
        usual = {"state": state, "mesh": "mesh1", "path": archive, "secrets": SECRETS, "kubeconfigs": {}}
        return service.backup(**{**usual, "now": NOW, "check": False, **wishes})

    return call


@pytest.fixture
def restore(archive: Path) -> Callable[..., service.Restored]:
    def call(state: Path, **wishes: Any) -> service.Restored:
        usual = {"mesh": "mesh1", "path": archive, "secrets": SECRETS, "replace": False, "now": NOW, "check": False}
        return service.restore(state=state, **{**usual, **wishes})

    return call
