# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state directory's files, read as a whole and put back as a whole (used by ``service``).

What is put back is written beside the state directory's entries first and synced; then each entry is swapped in by one
rename. Whoever is killed in between leaves entries that are whole, old ones or new ones, and the next restore goes on.
Nothing that differs is deleted: it is in ``replaced`` afterwards.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import ensure_directory, exchange, sync
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.archive import (
    ASIDE,
    MOST_BYTES,
    MOST_FILES,
    Stored,
    mode_for,
    wrong_name,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.plan import Plan

__all__ = ["put", "read_state", "unfinished"]

_UNFINISHED, _SWAPPING, _OLD = ".new-", ".swap-", ".old-"


def read_state(state: Path) -> dict[str, Stored]:
    """Every file by its path below ``state``; none if there is no such directory.

    Hidden files (locks, and what a killed run left half) are no state. Raises MeshError for links and for what can't
    be read.
    """
    files: dict[str, Stored] = {}
    left = MOST_BYTES
    try:
        for name in _walk(state, ""):
            files[name] = _read(state / name, name)
            left -= len(files[name].content)
            if len(files) > MOST_FILES or left < 0:
                raise MeshError(
                    f"{state} holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB",
                    hint="move away what isn't the mesh's",
                )
    except FileNotFoundError as error:
        raise MeshError(f"{error.filename} went away while it was read", hint="run again when no other run is at work")
    except OSError as error:
        raise MeshError(f"{error.filename or state} can't be read", why=error.strerror)
    return files


def _walk(state: Path, below: str) -> Iterator[str]:
    """The paths of all files; raises OSError, and MeshError for what is neither file nor directory."""
    if not below and not state.is_dir():
        return
    for entry in sorted(os.scandir(state / below), key=lambda entry: entry.name):
        name = f"{below}{entry.name}"
        if entry.name.startswith(".") or name == ASIDE:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(state, f"{name}/")
            continue
        wrong = wrong_name(name)
        if wrong is None and not entry.is_file(follow_symlinks=False):
            wrong = "it is a link" if entry.is_symlink() else "it is no file"
        if wrong:
            raise MeshError(f"{state}/{name} can't be kept in an archive", why=wrong, hint="put a file there instead")
        yield name


def _read(path: Path, name: str) -> Stored:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        about = os.fstat(stream.fileno())
        content = stream.read(MOST_BYTES + 1)
    return Stored(content, mode_for(name, stat.S_IMODE(about.st_mode)), int(about.st_mtime))


def unfinished(state: Path) -> bool:
    """Whether a restore was killed here and left something to clear up; :func:`put` does that."""
    aside = state / ASIDE
    names = [entry.name for entry in aside.iterdir()] if aside.is_dir() else ["none"]
    return not names or any(name.startswith((_UNFINISHED, _SWAPPING)) for name in names)


def put(state: Path, plan: Plan, stamp: str) -> Path | None:
    """Carry a plan out; where that is which was replaced, None if nothing was lost. ``stamp`` names that directory.

    Raises MeshError if another restore is at work, and OSError; then each entry is as it was or as it is to be.
    """
    ensure_directory(state)
    with _alone(state), Store(str(state / "ca")).locked(write=True):
        aside = state / ASIDE
        ensure_directory(aside)
        try:
            for left in aside.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left)
            fresh = _build(state, aside, plan)
            for entry in plan.entries:
                _swap(fresh / entry, state / entry)
            sync(fresh)
            sync(state)
            return _settle(state, aside, stamp)
        finally:
            with suppress(OSError):  # something is in it
                aside.rmdir()


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MeshError(f"another restore into {state} is at work", hint="wait for its end")
        yield
    finally:
        os.close(descriptor)


def _build(state: Path, aside: Path, plan: Plan) -> Path:
    """The new entries, whole and on the disk, in a directory beside the old ones."""
    building = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=aside))  # 0700 by its contract
    try:
        for name, stored in plan.write.items():
            if name.split("/")[0] in plan.entries:
                _write(building / name, stored)
        for entry in plan.entries:
            _carry_over(state, building, entry, plan.keep)
        for folder, _folders, _files in os.walk(building):
            sync(folder)
        fresh = aside / building.name.replace(_UNFINISHED, _SWAPPING)
        building.rename(fresh)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(building)
        raise
    return fresh


def _write(path: Path, stored: Stored) -> None:
    ensure_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, stored.mode)
        stream.write(stored.content)
        stream.flush()
        os.utime(descriptor, (stored.modified, stored.modified))  # a later restore asks which is newer
        os.fsync(descriptor)


def _carry_over(state: Path, building: Path, entry: str, keep: frozenset[str]) -> None:
    """Files that stay as they are, and the lock files that somebody may be waiting at, as further names of the same."""
    locks = {str(path.relative_to(state)) for path in (state / entry).rglob(".*lock") if path.is_file()}
    for name in sorted(locks | {kept for kept in keep if kept.split("/")[0] == entry}):
        ensure_directory((building / name).parent)
        os.link(state / name, building / name, follow_symlinks=False)


def _swap(fresh: Path, target: Path) -> None:
    """Put ``fresh`` in the place of ``target``, or nothing if there is none; ``fresh`` is the old one afterwards."""
    if not os.path.lexists(fresh):
        target.rename(fresh)
    elif not os.path.lexists(target):
        fresh.rename(target)
    elif not exchange(fresh, target):
        old = fresh.with_name(f"{_OLD}{fresh.name}")
        target.rename(old)
        fresh.rename(target)
        old.rename(fresh)


def _settle(state: Path, aside: Path, stamp: str) -> Path | None:
    """Drop old entries of which nothing is lost, of this restore and of killed ones, and give the others their name."""
    lost = None
    for swapped in sorted(aside.glob(f"{_SWAPPING}*")):
        for entry in list(swapped.iterdir()):
            if _is_within(entry, state / entry.name.removeprefix(_OLD)):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for entry in swapped.glob(f"{_OLD}*"):
            if not os.path.lexists(place := entry.with_name(entry.name.removeprefix(_OLD))):
                entry.rename(place)
        if any(swapped.iterdir()):
            lost = aside / f"{stamp}-{swapped.name.removeprefix(_SWAPPING)}"
            swapped.rename(lost)
        else:
            swapped.rmdir()
    sync(aside)
    return lost


def _is_within(old: Path, now: Path) -> bool:
    """Whether each file of ``old`` is in ``now``, too, but for hidden ones."""
    if old.is_dir() != now.is_dir() or not now.exists():
        return False
    if old.is_file():
        return old.read_bytes() == now.read_bytes()
    there, here = read_state(now), read_state(old)
    return all(name in there and there[name].content == stored.content for name, stored in here.items())
