# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache on disk: entries by content key, one lock a component, nothing half done (used by the engine).

Layout below the root::

    components/<name>/<key>/          a finished entry: its files and entry.json; never changed, only removed
    components/<name>/.building-*     a build under way, or what a killed one left; swept by the next holder of the lock
    locks/<name>.lock                 flock; held while the component is looked for or built
    logs/<name>-<key12>.log           output of the last build of that key
    upstream/<sha256>/<file>          release files, by their checksum
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.keys import short

__all__ = ["Cache", "Staging", "cache_root", "fsync_tree"]

_ENTRY = "entry.json"
_BUILDING = ".building-"
# Entries that weren't used for so long go when the same component is built anew, in seconds.
_UNUSED = 14 * 24 * 3600.0
# Between two looks at a lock that somebody else holds, in seconds.
_LOCK_POLL = 0.5


def cache_root(environ: Mapping[str, str], given: str = "") -> Path:
    """Where the cache is: as given, ``$EDGE_MESH_CACHE``, or ``edge-mesh`` in the user's cache directory."""
    if chosen := given or environ.get("EDGE_MESH_CACHE", ""):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.cache").expanduser()) / "edge-mesh"


@dataclass(frozen=True)
class Staging:
    """The directories of a build under way: ``work`` is thrown away, ``out`` becomes the entry."""

    top: Path

    @property
    def work(self) -> Path:
        return self.top / "work"

    @property
    def out(self) -> Path:
        return self.top / "out"


class Cache:
    """The cache below ``root``; nothing is created before it's needed (check mode writes nothing)."""

    def __init__(
        self, root: Path, *, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.time
    ) -> None:
        self.root = root
        self._sleep = sleep
        self._now = now

    def entry(self, name: str, key: str) -> Path:
        """Where the entry of that key is or would be."""
        return self.root / "components" / name / key

    def log(self, name: str, key: str) -> Path:
        """The build log of that key."""
        return self.root / "logs" / f"{name}-{short(key)}.log"

    def has(self, name: str, key: str) -> bool:
        """Whether a finished entry is there, with every file of it in its full size."""
        top = self.entry(name, key)
        try:
            files: dict[str, list[object]] = json.loads((top / _ENTRY).read_text(encoding="utf-8"))["files"]
            return all((top / file).stat().st_size == record[0] for file, record in files.items())
        except (OSError, ValueError, KeyError):
            return False

    def used(self, name: str, key: str) -> None:
        """Note that the entry was used now, so that it's kept."""
        with contextlib.suppress(OSError):
            stamp = self._now()
            os.utime(self.entry(name, key), (stamp, stamp))

    @contextlib.contextmanager
    def lock(
        self, name: str, *, waiting: Callable[[str], None] | None = None, check: Callable[[], None] | None = None
    ) -> Iterator[int]:
        """Hold the component's lock, yielding its file descriptor.

        ``waiting`` is told once who holds it ("process 123"), ``check`` is asked between two tries and may raise.
        The descriptor may be inherited: the lock lives until the last process that has it ends.
        """
        path = self.root / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            told = False
            while not _try_lock(handle):
                if waiting and not told:
                    waiting(_holder(handle))
                    told = True
                if check:
                    check()
                self._sleep(_LOCK_POLL)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield handle
        finally:
            os.close(handle)

    def locked(self) -> list[str]:
        """Names of components whose lock somebody holds at this moment."""
        held = []
        for path in sorted((self.root / "locks").glob("*.lock")):
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if not _try_lock(handle):
                    held.append(path.stem)
            finally:
                os.close(handle)
        return held

    @contextlib.contextmanager
    def staging(self, name: str) -> Iterator[Staging]:
        """Fresh directories for a build; only to be used by the holder of the lock."""
        self.sweep(name)
        stage = Staging(self.root / "components" / name / f"{_BUILDING}{uuid.uuid4().hex[:8]}")
        try:
            stage.work.mkdir(parents=True)
            stage.out.mkdir()
            yield stage
        finally:
            _remove_tree(stage.top)

    def sweep(self, name: str) -> None:
        """Remove what killed builds left; only to be used by the holder of the lock."""
        for stale in (self.root / "components" / name).glob(f"{_BUILDING}*"):
            _remove_tree(stale)

    def publish(self, stage: Staging, name: str, key: str, *, about: Mapping[str, object]) -> Path:
        """Make ``stage.out`` the finished entry of that key, in one step; then drop entries unused for long."""
        files = {
            str(path.relative_to(stage.out)): [path.stat().st_size, _sha256(path)]
            for path in sorted(stage.out.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        record = {"name": name, "key": key, "files": files, **about}
        (stage.out / _ENTRY).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        fsync_tree(stage.out)
        target = self.entry(name, key)
        if target.exists():  # a damaged entry: has() said no
            _remove_tree(target)
        stage.out.rename(target)
        _fsync(target.parent)
        self.used(name, key)
        self._prune(name, key)
        return target

    def _prune(self, name: str, key: str) -> None:
        for entry in (self.root / "components" / name).iterdir():
            if entry.name != key and not entry.name.startswith(_BUILDING):
                with contextlib.suppress(FileNotFoundError):
                    if self._now() - entry.stat().st_mtime > _UNUSED:
                        _remove_tree(entry)

    def remove(self) -> bool:
        """Remove everything of the cache; False if there was nothing. Raises MeshError while a build runs."""
        if held := self.locked():
            raise MeshError("the cache can't be cleaned", why=f"another run is building {', '.join(held)}")
        parts = [self.root / part for part in ("components", "upstream", "logs", "locks")]
        found = [part for part in parts if part.exists()]
        for part in found:
            _remove_tree(part)
        with contextlib.suppress(OSError):  # somebody else's files in it: it stays
            self.root.rmdir()
        return bool(found)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    text = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
    return f"process {text}" if text.isdigit() else "another run"


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def fsync_tree(top: Path) -> None:
    """Bring all files and directories below ``top`` to the disk."""
    for directory, _subdirectories, files in os.walk(top):
        for name in files:
            path = Path(directory, name)
            if not path.is_symlink():
                _fsync(path)
        _fsync(Path(directory))


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_tree(top: Path) -> None:
    """Remove a tree even if it holds directories without write permission."""

    def writable_again(function: Callable[[str], object], path: str, error: BaseException) -> None:
        if isinstance(error, FileNotFoundError):
            return
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, 0o700)
        function(path)

    if top.is_dir() and not top.is_symlink():
        shutil.rmtree(top, onexc=writable_again)
    else:
        top.unlink(missing_ok=True)
