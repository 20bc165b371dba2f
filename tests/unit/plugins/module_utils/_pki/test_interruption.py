# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs that are killed anywhere, meet each other, or find the disk full: what was there stays usable."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import store as store_module
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import ensure_absent, ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import read_certificates
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from tests.unit.plugins.module_utils._pki.conftest import NOW

NAMES = ("centre", "second")
DUE = NOW + timedelta(days=600)
# Every call by which a run leaves traces; with the exchange of two directories, which is a call of our own.
CALLS = ("open", "fsync", "rename", "mkdir", "rmdir", "unlink", "chmod")
FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=["exchange", "two renames"])
def swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to put a bundle in its place: Linux has a system call, others don't."""
    if request.param == "two renames":
        monkeypatch.setattr(store_module, "exchange", lambda one, other: False)
    return str(request.param)


def killed_at(nth: int, act: Callable[[], object], exchanging: Any = store_module) -> bool:
    """Do ``act`` in a process that is killed right before its ``nth`` call of CALLS; whether it came to that."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = iter(range(1, 10_000))
            for place, name in [*((os, call) for call in CALLS), (exchanging, "exchange")]:
                setattr(place, name, dying(getattr(place, name), count, nth))
            act()
            code = 0
        finally:
            os._exit(code)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def dying(real: Any, count: Iterator[int], nth: int) -> Any:
    def call(*arguments: object, **more: object) -> object:
        if next(count) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **more)

    return call


def run(ca: Path, **options: Any) -> object:
    now = options.pop("now", NOW)
    entries = [{"name": name} for name in options.pop("names", NAMES)]
    return ensure_present(request_from({"path": str(ca), "intermediates": entries, **options}), now=now, check=False)


def seen(ca: Path) -> dict[str, dict[str, bytes]]:
    """What a reader sees at this moment, each bundle and the root."""
    store = Store(str(ca))
    with store.locked(write=False):
        return {name: files for name in ("root", *store.names()) if (files := store.read(name)) is not None}


def assert_whole(ca: Path, root: bytes | None = None) -> None:
    """Root and bundles are whole and fit together, whichever of them there are; ``root`` is the one that must be."""
    found = seen(ca)
    assert found or root is None
    if not found:
        return
    files = found.pop("root")
    assert set(files) == {"root-cert.pem", "root-key.pem"}
    assert root in (None, files["root-cert.pem"])
    (certificate,) = read_certificates(files["root-cert.pem"], "root-cert.pem")
    for name, bundle in found.items():
        assert bundle_problems(bundle, NOW if root is None else None, certificate)[1] == [], name


def restore(copy: Path, ca: Path) -> None:
    shutil.rmtree(ca, ignore_errors=True)
    if copy.exists():
        shutil.copytree(copy, ca)


SCENARIOS = [
    pytest.param({}, False, id="first run"),
    pytest.param({"now": DUE}, True, id="renewal"),
    pytest.param({"passphrase": "secret words"}, True, id="encrypting the root key"),
]


@pytest.mark.parametrize(("options", "made_before"), SCENARIOS)
def test_a_run_that_is_killed_anywhere_leaves_all_whole_and_the_next_one_ends_it(
    ca: Path, tmp_path: Path, swap: str, options: dict[str, Any], made_before: bool
) -> None:
    copy = tmp_path / "copy"
    if made_before:
        run(ca)
        shutil.copytree(ca, copy)
    root = (ca / "root" / "root-cert.pem").read_bytes() if made_before else None
    for nth in range(1, 400):
        restore(copy, ca)
        died = killed_at(nth, lambda: run(ca, **options))
        assert_whole(ca, root)
        kept = seen(ca).get("root", {}).get("root-cert.pem")
        run(ca, **options)
        assert_whole(ca, root or kept)
        assert sorted(os.listdir(ca)) == [".lock", "centre", "root", "second"]
        assert not run(ca, **options).changed
        if not died:
            assert nth > 10
            return
    pytest.fail("the run makes more calls than expected")


def changed_by(ca: Path, options: dict[str, Any], queue: Any) -> None:
    queue.put(run(ca, **options).changed)


def test_two_at_once_issue_once(ca: Path) -> None:
    run(ca)
    root = (ca / "root" / "root-cert.pem").read_bytes()
    queue = FORK.Queue()
    runs = [FORK.Process(target=changed_by, args=(ca, {"now": DUE}, queue)) for _number in range(4)]
    for process in runs:
        process.start()
    changed = [queue.get(timeout=60) for _process in runs]
    for process in runs:
        process.join(60)
    assert sorted(changed) == [False, False, False, True]
    assert_whole(ca, root)


def remove(ca: Path) -> None:
    ensure_absent(request_from({"path": str(ca)}), check=False)


def test_making_and_removing_at_once_never_mix(ca: Path) -> None:
    for _round in range(5):
        run(ca)
        makers = [FORK.Process(target=run, args=(ca,), kwargs={"names": [f"new-{n}"]}) for n in range(2)]
        all_of_them = [FORK.Process(target=remove, args=(ca,)), *makers]
        for process in all_of_them:
            process.start()
        for process in all_of_them:
            process.join(60)
        assert [process.exitcode for process in all_of_them] == [0, 0, 0]
        assert_whole(ca)
        remove(ca)
        assert not ca.exists()


@pytest.mark.parametrize("options", [{"now": DUE}, {"passphrase": "secret words"}, {"names": ("third", "fourth")}])
def test_a_full_disk_leaves_all_whole_and_a_run_with_room_ends_it(small_disk: Path, options: dict[str, Any]) -> None:
    ca = small_disk / "ca"
    run(ca)
    before = seen(ca)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left on device"):
        filler.write_bytes(b"x" * (1 << 20))
    with pytest.raises(MeshError, match="No space left on device"):
        run(ca, **options)
    assert seen(ca) == before
    filler.unlink()
    assert run(ca, **options).changed
    assert_whole(ca, before["root"]["root-cert.pem"])


def test_a_full_disk_at_the_first_run_leaves_no_half_root(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left on device"):
        filler.write_bytes(b"x" * (1 << 20))
    with pytest.raises(MeshError, match="No space left on device"):
        run(small_disk / "ca")
    assert_whole(small_disk / "ca")
    filler.unlink()
    run(small_disk / "ca")
    assert sorted(seen(small_disk / "ca")) == ["centre", "root", "second"]


def test_modes_hold_whatever_the_umask(ca: Path) -> None:
    before = os.umask(0)
    try:
        run(ca, passphrase="secret words")
        run(ca, passphrase="secret words", now=DUE)
    finally:
        os.umask(before)
    for path in [ca.parent, *ca.parent.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    serialization.load_pem_private_key((ca / "root" / "root-key.pem").read_bytes(), b"secret words")
