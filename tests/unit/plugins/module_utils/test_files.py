# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files written whole or not at all, and what is said where they can't be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils import _files
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, answer
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.lockfile import LockFile


def full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_old_text_and_is_told_with_the_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    _files.write_text(path, "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        _files.write_text(path, "new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_a_module_that_cant_write_says_where_and_why_and_calls_it_no_bug(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    def handle(_call: Call) -> Outcome:
        _files.write_text(tmp_path / "state" / "kubeconfig" / "shop.yaml", "x")
        return Outcome(True)

    values, _warnings = answer(Module({}, handle), Call({}, check_mode=False, diff_mode=False))
    assert values["failed"] is True
    assert values["msg"] == f"{tmp_path}/state/kubeconfig/shop.yaml can't be used: Not a directory"
    assert "exception" not in values


def test_a_lock_file_that_cant_be_written_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = LockFile(tmp_path / "artifacts.lock", dry=False)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MeshError, match=r"artifacts.lock can't be written: No space left on device \(make room there"):
        lock.record_file("https://example.test/k3s", "0" * 64, "https://example.test/sums")
