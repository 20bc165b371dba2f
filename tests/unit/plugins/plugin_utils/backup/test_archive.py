# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tar in memory: what goes in comes back, and what must not be restored is refused by name."""

from __future__ import annotations

import io
import json
import string
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup import archive
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.archive import Snapshot, Stored, pack, unpack

KEY = Stored(b"key", 0o600, 1_700_000_000)
SNAPSHOT = Snapshot("mesh1", "2026-11-25T14:00:00Z", "AA:BB", {"ca/root/root-key.pem": KEY})
NOTHING_TOUCHED = "the archive is refused; nothing was touched: "

parts = st.text(string.ascii_letters + string.digits + "_- äß漢.", min_size=1, max_size=120).filter(
    lambda part: not part.startswith(".")
)
names = st.lists(parts, min_size=1, max_size=4).map("/".join).filter(lambda name: archive.wrong_name(name) is None)
stored = st.builds(Stored, st.binary(max_size=2000), st.just(0o600), st.integers(0, 2**40))


def without_clashes(files: dict[str, Stored]) -> bool:
    return not any(other.startswith(f"{name}/") for name in files for other in files)


@given(st.text(string.ascii_lowercase, min_size=1), st.dictionaries(names, stored, max_size=8).filter(without_clashes))
def test_what_is_packed_comes_back(mesh: str, files: dict[str, Stored]) -> None:
    snapshot = Snapshot(mesh, "2026-11-25T14:00:00Z", "AA", files)
    assert unpack(pack(snapshot)) == snapshot
    assert pack(snapshot) == pack(replace(snapshot, files=dict(reversed(files.items()))))


def test_the_lock_file_may_be_read_by_others_and_nothing_else() -> None:
    files = {"artifacts.lock": Stored(b"{}", 0o644, 1)}
    assert unpack(pack(replace(SNAPSHOT, files=files))).files == files
    assert [archive.mode_for("artifacts.lock", mode) for mode in (0o644, 0o600, 0o666)] == [0o644, 0o600, 0o600]
    assert archive.mode_for("kubeconfig/shop.yaml", 0o644) == 0o600


@given(st.data())
def test_a_tar_that_is_cut_off_anywhere_is_refused(data: st.DataObject) -> None:
    whole = pack(SNAPSHOT)
    end = whole.rindex(b"key") + len(b"key")
    with pytest.raises(MeshError, match="the archive is refused; nothing was touched"):
        unpack(whole[: data.draw(st.integers(0, end - 1))])


GOOD = {"schema": 1, "mesh": "m", "made_at": "t", "root": "r", "files": 0}


def made(*members: tuple[str, dict[str, Any]], manifest: object = None) -> bytes:
    """A tar with a manifest and members of any kind."""
    told = {**GOOD, "files": len(members)} if manifest is None else manifest
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, wishes in ((".backup.json", {"content": json.dumps(told).encode()}), *members):
            member = tarfile.TarInfo(name)
            content = wishes.get("content", b"")
            member.mode, member.size = 0o600, len(content)
            for key, value in wishes.items():
                if key != "content":
                    setattr(member, key, value)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
REFUSED: list[tuple[list[tuple[str, dict[str, Any]]], str]] = [
    ([("/etc/passwd", {})], "'/etc/passwd': its path is absolute"),
    ([("ca/../../x", {})], "'ca/../../x': its path leads out of the state directory"),
    ([("..", {})], "'..': its path leads out of the state directory"),
    ([("./ca/x", {})], "'./ca/x': its path is hidden or has an empty part"),
    ([("ca//x", {})], "'ca//x': its path is hidden or has an empty part"),
    ([("ca/.old-centre", {})], "'ca/.old-centre': its path is hidden or has an empty part"),
    ([("ca/a\nb", {})], "'ca/a\\nb': its path holds letters that no file of a state directory has"),
    ([("ca\\x", {})], "'ca\\\\x': its path holds letters that no file of a state directory has"),
    ([("replaced/x", {})], "'replaced/x': replaced is where a restore puts what it replaces"),
    ([("ca/x", LINK)], "'ca/x': it is a symbolic link"),
    ([("ca/x", {**LINK, "type": tarfile.LNKTYPE})], "'ca/x': it is a hard link"),
    ([("ca", {"type": tarfile.DIRTYPE, "mode": 0o700})], "'ca': it is a directory"),
    ([("ca/x", {"type": tarfile.CHRTYPE})], "'ca/x': it is a device"),
    ([("ca/x", {"type": tarfile.FIFOTYPE})], "'ca/x': it is a pipe"),
    ([("ca/x", {"mode": 0o644})], "'ca/x': its mode is 0644, and 0600 is wanted"),
    ([("ca/x", {"mode": 0o4600})], "'ca/x': its mode is 4600, and 0600 is wanted"),
    ([("artifacts.lock", {"mode": 0o666})], "'artifacts.lock': its mode is 0666, and 0600 or 0644 is wanted"),
    ([("ca/x", {}), ("ca/x", {})], "'ca/x': it is there twice"),
    ([("ca", {}), ("ca/x", {})], "'ca' is a file and a directory"),
]


@pytest.mark.parametrize(("members", "why"), REFUSED, ids=[why for _members, why in REFUSED])
def test_what_must_not_be_restored_is_refused_by_name(members: list[tuple[str, dict[str, Any]]], why: str) -> None:
    with pytest.raises(MeshError) as caught:
        unpack(made(*members))
    assert caught.value.message == NOTHING_TOUCHED + why


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ({}, "its .backup.json is missing or of another version of this collection"),
        ({**GOOD, "schema": 2}, "its .backup.json is missing or of another version of this collection"),
        ({**GOOD, "mesh": ["m"]}, "its .backup.json is damaged"),
        ({**GOOD, "files": "0"}, "its .backup.json is damaged"),
        ({**GOOD, "files": 1}, "it holds 0 files of 1"),
    ],
)
def test_a_tar_that_is_none_of_ours_is_refused(manifest: object, why: str) -> None:
    with pytest.raises(MeshError) as caught:
        unpack(made(manifest=manifest))
    assert caught.value.message == NOTHING_TOUCHED + why


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\0" * 10_240])
def test_what_is_no_tar_is_refused(data: bytes) -> None:
    with pytest.raises(MeshError, match="the archive is refused; nothing was touched"):
        unpack(data)


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_BYTES"])
def test_more_than_a_state_directory_may_hold_is_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, limit, 2)
    with pytest.raises(MeshError, match="it holds more than"):
        unpack(made(("a", {"content": b"xy"}), ("b", {"content": b"z"}), ("c", {})))


@pytest.mark.parametrize("show", [repr, str])
def test_a_file_in_memory_does_not_show_its_content(show: Callable[[object], str]) -> None:
    assert "key'" not in show(KEY)
