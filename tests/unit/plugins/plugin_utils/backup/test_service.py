# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backup and restore of real directories: round trips, refusals, full disks, and who is killed in the middle."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup import service, tree
from tests.unit.plugins.module_utils._pki.test_interruption import killed_at
from tests.unit.plugins.plugin_utils.backup.conftest import NOW, OTHERS, SECRETS, make_state

Backup = Callable[..., service.Made]
Restore = Callable[..., service.Restored]
KEY = "ca/root/root-key.pem"


def held(state: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file that isn't hidden, with its mode and time."""
    return {
        str(path.relative_to(state)): (path.read_bytes(), path.stat().st_mode & 0o777, int(path.stat().st_mtime))
        for path in sorted(state.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(state).parts)
    }


def error_of(act: Callable[[], object]) -> str:
    with pytest.raises(MeshError) as caught:
        act()
    return caught.value.message


def test_a_backup_comes_back_on_another_controller(
    state: Path, tmp_path: Path, backup: Backup, restore: Restore
) -> None:
    made = backup()
    assert (made.changed, made.outside) == (True, ())
    other = tmp_path / "other" / ".state"
    done = restore(other)
    assert held(other) == held(state)
    assert list(done.written) == sorted(held(state))
    assert (done.changed, done.kept, done.replaced) == (True, (), None)
    again = restore(other)
    assert (again.changed, again.written, again.replaced) == (False, (), None)
    assert sorted(path.name for path in other.iterdir()) == ["artifacts.lock", "ca", "kubeconfig", "reports"]


def test_modes_hold_whatever_the_umask(tmp_path: Path, archive: Path, backup: Backup, restore: Restore) -> None:
    before = os.umask(0)
    try:
        backup()
        restore(tmp_path / "other")
    finally:
        os.umask(before)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    for path in [tmp_path / "other", *(tmp_path / "other").rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o644 if path.name == "artifacts.lock" else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_the_plain_archive_touches_no_disk(
    state: Path, archive: Path, tmp_path: Path, backup: Backup, restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (state / KEY).read_bytes()
    written: list[bytes] = []
    real = os.fsync

    def watching(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_file():
            written.append(path.read_bytes())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watching)
    backup()
    assert written
    assert not [content for content in written if key in content or b"ustar" in content]
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == [archive.name]
    written.clear()
    restore(tmp_path / "other")
    assert [content for content in written if key in content] == [key]  # the file itself, and nothing with more in it


def test_the_same_state_makes_no_new_archive_and_another_one_does(state: Path, archive: Path, backup: Backup) -> None:
    backup()
    first = archive.read_bytes()
    assert not backup().changed
    assert archive.read_bytes() == first
    (state / "kubeconfig/new.yaml").write_text("new")
    assert backup(check=True).changed
    assert archive.read_bytes() == first
    assert backup().changed
    assert archive.read_bytes() != first


def test_check_mode_restores_nothing(state: Path, tmp_path: Path, backup: Backup, restore: Restore) -> None:
    backup()
    done = restore(tmp_path / "other", check=True)
    assert (done.changed, list(done.written)) == (True, sorted(held(state)))
    assert not (tmp_path / "other").exists()


def test_what_is_outside_the_state_directory_is_said(state: Path, backup: Backup) -> None:
    (state / KEY).unlink()
    paths = {"shop": f"{state}/kubeconfig/shop.yaml", "mall": "/home/me/mall.yaml"}
    assert backup(kubeconfigs=paths).outside == (
        "the root's private key",
        "the kubeconfig of mall, /home/me/mall.yaml",
    )


def test_a_backup_is_not_written_where_it_makes_no_sense(
    state: Path, tmp_path: Path, backup: Backup, archive: Path
) -> None:
    assert (
        error_of(lambda: backup(path=tmp_path))
        == f"{tmp_path} is a directory (name the file that the archive is to be)"
    )
    assert "doesn't exist (make it, or mount what belongs there)" in error_of(lambda: backup(path=tmp_path / "a/b"))
    assert "is inside the state directory" in error_of(lambda: backup(path=state / "x.vault"))
    assert error_of(lambda: backup(state=tmp_path / "none")) == (
        f"there is nothing to back up: {tmp_path}/none/ca/root/root-cert.pem doesn't exist (site.yml makes it; or is "
        "it another directory?)"
    )
    assert not archive.exists()


def test_a_backup_overwrites_only_an_archive_of_its_mesh(tmp_path: Path, backup: Backup, archive: Path) -> None:
    backup()
    first = archive.read_bytes()
    said = error_of(lambda: backup(state=make_state(tmp_path / "another")))
    assert said.startswith(
        f"{archive} is the backup of another mesh; nothing was touched: it is of the mesh mesh1 with"
    )
    assert "can't be opened" in error_of(lambda: backup(secrets=OTHERS))
    assert archive.read_bytes() == first
    archive.write_text("my novel")
    assert error_of(backup).startswith(f"{archive} is there already: {archive} is no archive: ")
    assert archive.read_text() == "my novel"


def test_links_in_the_state_directory_are_refused(state: Path, tmp_path: Path, backup: Backup, archive: Path) -> None:
    (state / "kubeconfig/linked.yaml").symlink_to(tmp_path / "elsewhere")
    assert error_of(backup) == (
        f"{state}/kubeconfig/linked.yaml can't be kept in an archive: it is a link (put a file there instead)"
    )
    assert not archive.exists()


@pytest.mark.parametrize("cut", [0.001, 0.5, 0.999])
def test_an_archive_that_is_cut_off_is_refused(
    cut: float, tmp_path: Path, backup: Backup, restore: Restore, archive: Path
) -> None:
    backup()
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * cut)])
    said = error_of(lambda: restore(tmp_path / "other"))
    assert said == f"{archive} is cut off: its end is missing (take another copy of it)"
    assert not (tmp_path / "other").exists()


def test_a_wrong_passphrase_another_mesh_and_no_archive_are_refused(
    tmp_path: Path, backup: Backup, restore: Restore, archive: Path
) -> None:
    backup()
    other = tmp_path / "other"
    assert f"{archive} can't be opened: the passphrase is another one" in error_of(
        lambda: restore(other, secrets=OTHERS)
    )
    assert error_of(lambda: restore(other, mesh="mesh2")) == (
        f"{archive} is of the mesh mesh1; nothing was touched: the inventory is of mesh2"
    )
    assert error_of(lambda: restore(other, path=tmp_path / "x")) == (
        f"{tmp_path}/x can't be read: No such file or directory"
    )
    assert not other.exists()


def test_another_root_is_refused_and_put_aside_on_demand(
    state: Path, tmp_path: Path, backup: Backup, restore: Restore
) -> None:
    backup()
    other = make_state(tmp_path / "other", "centre", "second")
    (other / "kubeconfig/only-here.yaml").write_text("x")
    before = held(other)
    assert f"{other} holds another root than the archive of 2026-11-25T14:00:00Z" in error_of(lambda: restore(other))
    assert held(other) == before
    done = restore(other, replace=True)
    assert done.replaced is not None
    assert done.replaced.name.startswith("20261125T140000Z-")
    assert held(done.replaced).items() >= {name: before[name] for name in before if name.startswith("ca/")}.items()
    assert (done.replaced / "kubeconfig/only-here.yaml").exists()
    shutil.rmtree(other / "replaced")
    assert held(other) == held(state)


def test_newer_state_is_refused(state: Path, backup: Backup, restore: Restore) -> None:
    backup()
    path = state / "kubeconfig/shop.yaml"
    path.write_text("renewed")
    os.utime(path, (NOW.timestamp() * 2, NOW.timestamp() * 2))
    assert (
        "holds newer state than the archive of 2026-11-25T14:00:00Z; nothing was touched: changed since: "
        in error_of(lambda: restore(state))
    )
    assert path.read_text() == "renewed"


def test_what_is_overwritten_or_only_here_is_never_lost(
    state: Path, tmp_path: Path, backup: Backup, restore: Restore
) -> None:
    backup()
    older, extra = state / "kubeconfig/shop.yaml", state / "kubeconfig/extra.yaml"
    older.write_text("older")
    os.utime(older, (1, 1))
    extra.write_text("extra")
    waiting = (state / "ca/.lock").stat().st_ino
    done = restore(state)
    assert done.kept == ("kubeconfig/extra.yaml", "reports/run.json")
    assert older.read_text() == "content of kubeconfig/shop.yaml"
    assert extra.read_text() == "extra"
    assert done.replaced is not None
    assert (done.replaced / "kubeconfig/shop.yaml").read_text() == "older"
    assert (state / "ca/.lock").stat().st_ino == waiting  # whoever waits for the CA still waits at the right door
    assert backup(path=tmp_path / "second.vault").snapshot.files.keys() == held(state).keys() - {
        name for name in held(state) if name.startswith("replaced/")
    }


def test_two_restores_at_once_do_not_mix(state: Path, tmp_path: Path, backup: Backup, restore: Restore) -> None:
    backup()
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    descriptor = os.open(other, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert error_of(lambda: restore(other)) == f"another restore into {other} is at work (wait for its end)"
    os.close(descriptor)
    assert restore(other).changed


@pytest.fixture(params=["exchange", "two renames"])
def swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to put an entry in its place: Linux has a system call, others don't."""
    if request.param == "two renames":
        monkeypatch.setattr(tree, "exchange", lambda one, other: False)


@pytest.mark.usefixtures("swap")
@pytest.mark.parametrize("replace", [False, True], ids=["into nothing", "over another root"])
def test_a_restore_that_is_killed_anywhere_is_finished_by_another_one(
    replace: bool, state: Path, tmp_path: Path, archive: Path, backup: Backup, restore: Restore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    backup()
    plain = service.unseal(archive.read_bytes(), SECRETS, "archive")
    monkeypatch.setattr(service, "unseal", lambda *_arguments: plain)  # this and the disk cost more than all the rest
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    template = make_state(tmp_path / "template", "centre", "second")
    foreign = (template / KEY).read_bytes()
    other = tmp_path / "other"
    for nth in range(1, 500):
        shutil.rmtree(other, ignore_errors=True)
        if replace:
            shutil.copytree(template, other)
        died = killed_at(nth, lambda: restore(other, replace=replace), exchanging=tree)
        assert not replace or foreign in [path.read_bytes() for path in other.rglob(Path(KEY).name)]
        restore(other, replace=replace)
        if replace:
            assert foreign in [path.read_bytes() for path in other.glob(f"replaced/2026*/{KEY}")]
        else:
            assert not (other / "replaced").exists()
        shutil.rmtree(other / "replaced", ignore_errors=True)
        assert held(other) == held(state)
        assert not restore(other).changed
        if not died:
            assert nth > 20
            return
    pytest.fail("the restore makes more calls than expected")


def test_a_backup_that_is_killed_anywhere_leaves_the_old_archive_or_the_new_one(
    state: Path, archive: Path, backup: Backup, restore: Restore, tmp_path: Path
) -> None:
    backup()
    old = archive.read_bytes()
    (state / "kubeconfig/new.yaml").write_text("new")
    for nth in range(1, 100):
        archive.write_bytes(old)
        died = killed_at(nth, backup, exchanging=tree)
        shutil.rmtree(tmp_path / "other", ignore_errors=True)
        assert restore(tmp_path / "other").changed
        if not died:
            assert (tmp_path / "other/kubeconfig/new.yaml").exists()
            return
    pytest.fail("the backup makes more calls than expected")


def fill(where: Path, leave: int) -> Path:
    """Take the room on a small disk but for ``leave`` bytes."""
    filler = where / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    os.truncate(filler, filler.stat().st_size - leave)
    return filler


def test_a_full_disk_leaves_the_archive_that_was_there(
    small_disk: Path, state: Path, backup: Backup, restore: Restore, tmp_path: Path
) -> None:
    path = small_disk / "mesh1.vault"
    backup(path=path)
    old = path.read_bytes()
    filler = fill(small_disk, 8192)
    (state / "kubeconfig/new.yaml").write_text("new")
    assert error_of(lambda: backup(path=path)) == (
        f"the archive {path} can't be written: No space left on device (what was there is untouched)"
    )
    assert path.read_bytes() == old
    assert sorted(os.listdir(small_disk)) == ["filler", "mesh1.vault"]
    filler.unlink()
    assert backup(path=path).changed


@pytest.mark.parametrize("leave", [0, 4096, 16384])
def test_a_full_disk_leaves_the_state_that_was_there(
    leave: int, small_disk: Path, tmp_path: Path, state: Path, backup: Backup, restore: Restore
) -> None:
    backup()
    other = make_state(small_disk / "other", "centre", "second")
    before = held(other)
    filler = fill(small_disk, leave)
    assert error_of(lambda: restore(other, replace=True)) == (
        f"{other} can't be restored: No space left on device (whatever stands there is whole; run again when the cause "
        "is gone)"
    )
    assert held(other) == before
    assert not (other / "replaced").exists()
    filler.unlink()
    assert restore(other, replace=True).changed


def test_a_write_that_fails_between_two_entries_is_finished_later(
    state: Path, tmp_path: Path, backup: Backup, restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup()
    other = make_state(tmp_path / "other")
    real, count = tree.exchange, iter(range(10))

    def failing(one: Path, two: Path) -> bool:
        if next(count) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(one, two)

    monkeypatch.setattr(tree, "exchange", failing)
    (other / "kubeconfig/shop.yaml").write_text("other")
    assert "can't be restored: Input/output error" in error_of(lambda: restore(other, replace=True))
    done = restore(other, replace=True)
    assert done.replaced is not None
    assert len(list((other / "replaced").iterdir())) == 2
    shutil.rmtree(other / "replaced")
    assert held(other) == held(state)
