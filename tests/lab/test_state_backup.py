# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state directory goes to another controller in one sealed file, and the mesh goes on there."""

from __future__ import annotations

import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.lab import VENV, Lab, Played

PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class Elsewhere:
    """Another controller: the same inventory in another directory, with nothing remembered, and the archive."""

    lab: Lab
    archive: Path
    password_file: Path

    def play(self, lab: Lab, playbook: str) -> Played:
        """Run one of the two playbooks; the passphrase is the run's vault password."""
        words = ("--vault-password-file", str(self.password_file), "-e", f"edge_mesh_backup_file={self.archive}")
        return lab.play(f"playbooks/{playbook}.yml", *words)


@pytest.fixture(scope="module")
def elsewhere(lab: Lab, second_run: Played, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    assert second_run.rc == 0
    directory = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(lab.inventory, directory / "inventory", ignore=shutil.ignore_patterns(".state", "*.log"))
    password_file = directory / "password"
    password_file.write_text(PASSPHRASE)
    return Elsewhere(Lab(directory / "inventory"), directory / "mesh.vault", password_file)


@pytest.fixture(scope="module")
def backed_up(lab: Lab, elsewhere: Elsewhere) -> Played:
    return elsewhere.play(lab, "backup")


def test_a_backup_is_sealed_and_private(lab: Lab, elsewhere: Elsewhere, backed_up: Played) -> None:
    assert (backed_up.rc, backed_up.changed) == (0, 1), backed_up.output[-4000:]
    assert PASSPHRASE not in backed_up.output
    assert stat.S_IMODE(elsewhere.archive.stat().st_mode) == 0o600
    sealed = elsewhere.archive.read_text()
    assert sealed.startswith("$ANSIBLE_VAULT;1.1;AES256\n")


def test_ansibles_own_tools_open_it_without_the_collection(lab: Lab, elsewhere: Elsewhere, backed_up: Played) -> None:
    assert backed_up.rc == 0
    command = [VENV / "bin/ansible-vault", "decrypt", "--vault-password-file", elsewhere.password_file]
    plain = subprocess.run([*command, "--output", "-", elsewhere.archive], capture_output=True, check=True, timeout=60)
    key = subprocess.run(
        ["tar", "-xO", "ca/root/root-key.pem"], input=plain.stdout, capture_output=True, check=True, timeout=60
    )
    assert key.stdout == (lab.state / "ca/root/root-key.pem").read_bytes()


def test_another_passphrase_is_refused_before_anything_is_written(elsewhere: Elsewhere, backed_up: Played) -> None:
    assert backed_up.rc == 0
    elsewhere.password_file.write_text("another one")
    try:
        refused = elsewhere.play(elsewhere.lab, "restore")
    finally:
        elsewhere.password_file.write_text(PASSPHRASE)
    assert refused.rc != 0
    assert "the passphrase is another one than it was made with" in " ".join(refused.output.split())
    assert not elsewhere.lab.state.exists()


def test_the_mesh_goes_on_from_there_without_a_new_root_and_without_a_change(
    lab: Lab, elsewhere: Elsewhere, backed_up: Played
) -> None:
    assert backed_up.rc == 0
    restored = elsewhere.play(elsewhere.lab, "restore")
    assert (restored.rc, restored.changed) == (0, 1), restored.output[-4000:]
    run = elsewhere.lab.play("site.yml")
    assert (run.rc, run.changed) == (0, 0), run.output[-6000:]
    for name in ("ca/root/root-cert.pem", "ca/root/root-key.pem"):
        assert (elsewhere.lab.state / name).read_bytes() == (lab.state / name).read_bytes()
