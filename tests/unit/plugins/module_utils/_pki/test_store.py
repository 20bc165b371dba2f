# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory: whole bundles whatever happens, modes from the start, one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import store as store_module
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store

OLD = {"a.pem": b"old a", "b.pem": b"old b"}
NEW = {"a.pem": b"new a", "b.pem": b"new b"}


@pytest.fixture
def store(ca: Path) -> Store:
    made = Store(str(ca))
    with made.locked(write=True):
        made.write("centre", OLD)
    return made


@pytest.fixture(params=["exchange", "two renames"])
def swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to put a bundle in its place: Linux has a system call, others don't."""
    if request.param == "two renames":
        monkeypatch.setattr(store_module, "exchange", lambda one, other: False)
    return str(request.param)


def test_a_bundle_is_replaced_and_nothing_is_left_over(store: Store, ca: Path, swap: str) -> None:
    with store.locked(write=True):
        store.write("centre", NEW)
    assert store.read("centre") == NEW
    assert sorted(os.listdir(ca)) == [".lock", "centre"]


def test_other_files_of_a_bundle_stay_with_it(store: Store, ca: Path) -> None:
    (ca / "centre" / "ca-crl.pem").write_bytes(b"crl")
    store.write("centre", NEW)
    assert store.read("centre") == {**NEW, "ca-crl.pem": b"crl"}


def test_modes_are_right_from_the_first_moment(ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real_open, real_mkdir = os.open, os.mkdir

    def watching_open(path: str, flags: int, mode: int = 0o777, **more: object) -> int:
        if flags & os.O_CREAT:
            seen.append((str(path), mode))
        return real_open(path, flags, mode, **more)

    def watching_mkdir(path: str, mode: int = 0o777, **more: object) -> None:
        seen.append((str(path), mode))
        real_mkdir(path, mode, **more)

    monkeypatch.setattr(os, "open", watching_open)
    monkeypatch.setattr(os, "mkdir", watching_mkdir)
    umask = os.umask(0)
    try:
        made = Store(str(ca))
        with made.locked(write=True):
            made.write("centre", NEW)
    finally:
        os.umask(umask)
    assert len(seen) >= 6
    assert {mode for _path, mode in seen} <= {0o600, 0o700}
    for path in [ca.parent, *ca.parent.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_loose_modes_are_found_and_tightened(store: Store, ca: Path) -> None:
    (ca / "centre").chmod(0o755)
    (ca / "centre" / "a.pem").chmod(0o644)
    assert store.loose("centre") == [(str(ca / "centre"), 0o755), (str(ca / "centre" / "a.pem"), 0o644)]
    for path, _mode in store.loose("centre"):
        store.tighten(path)
    assert store.loose("centre") == []


CALLS = ["open", "fsync", "rename", "mkdir", "rmdir", "unlink"]


def killed_at(call: str, nth: int, act: Callable[[], None]) -> bool:
    """Do ``act`` in a process that is killed at its ``nth`` call of a function of `os`; whether it came to that."""
    child = os.fork()
    if child == 0:
        real, count = getattr(os, call), iter(range(1, 1000))

        def dying(*arguments: object, **more: object) -> object:
            if next(count) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        setattr(os, call, dying)
        try:
            act()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("call", CALLS)
def test_whoever_is_killed_anywhere_leaves_a_whole_bundle(store: Store, ca: Path, call: str, swap: str) -> None:
    for nth in range(1, 20):
        store.write("centre", OLD)
        died = killed_at(call, nth, lambda: store.write("centre", NEW))
        if swap == "exchange":  # whole at this very moment, for readers too
            assert store.read("centre") in (OLD, NEW)
        with store.locked(write=True):  # and in any case for the next writer, who also clears up
            assert store.read("centre") in (OLD, NEW)
            assert sorted(os.listdir(ca)) == [".lock", "centre"]
        if not died:
            assert store.read("centre") == NEW
            break
    else:
        pytest.fail(f"{call} was called more often than expected")


def test_a_reader_needs_no_directory_and_makes_none(ca: Path) -> None:
    made = Store(str(ca))
    with made.locked(write=False):
        assert made.read("centre") is None
        assert made.names() == []
    assert not ca.exists()


def test_a_second_writer_waits_for_the_first(store: Store, ca: Path) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with store.locked(write=True):
            order.append("second")

    with store.locked(write=True):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait(5)
        thread.join(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_the_lock_is_one_that_the_kernel_frees(store: Store, ca: Path) -> None:
    with store.locked(write=True):
        descriptor = os.open(ca / ".lock", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; skipped where it can't be mounted."""
    where = tmp_path / "small"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a tmpfs can't be mounted here")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_a_full_disk_leaves_the_old_bundle_whole(small_disk: Path) -> None:
    made = Store(str(small_disk / "ca"))
    with made.locked(write=True):
        made.write("centre", OLD)
        with pytest.raises(MeshError, match=r"No space left on device \(every bundle is whole"):
            made.write("centre", {"a.pem": b"x" * 40_000, "b.pem": b"y" * 40_000})
        assert made.read("centre") == OLD
        assert sorted(os.listdir(small_disk / "ca")) == [".lock", "centre"]
        made.write("centre", NEW)
    assert made.read("centre") == NEW


def test_a_write_that_fails_says_where_and_keeps_the_old_bundle(
    store: Store, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(MeshError, match=rf"the files of {ca}/centre can't be written: Input/output error"):
        store.write("centre", NEW)
    assert store.read("centre") == OLD
    assert sorted(os.listdir(ca)) == [".lock", "centre"]


def test_a_directory_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MeshError, match="can't be used"), Store(str(tmp_path / "file" / "ca")).locked(write=True):
        pass


def test_what_is_removed_is_gone_whole(store: Store, ca: Path) -> None:
    store.remove("centre")
    assert store.read("centre") is None
    assert os.listdir(ca) == [".lock"]
    store.remove_all()
    assert not ca.exists()


def test_a_directory_with_foreign_files_stays(store: Store, ca: Path) -> None:
    (ca / "notes.txt").write_text("mine")
    store.remove("centre")
    store.remove_all()
    assert os.listdir(ca) == ["notes.txt"]
