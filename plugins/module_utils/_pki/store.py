# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA's directory: read, locked, and changed so that every bundle is whole at any moment (used by ``authority``).

A bundle is a directory of a few files that have to fit together. A new one is written beside the old one, synced, and
swapped in by one rename; whoever is killed in between leaves the old one, and the next writer clears what is left over.
Directories are 0700 and files 0600 from the moment they exist.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import ensure_directory, exchange, sync
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import MAX_BYTES

__all__ = ["Store"]

_LOCK = ".lock"
_NEW = ".new-"
_OLD = ".old-"
_MANY = 8
_WHOLE = "every bundle is whole, as before or as wanted; run again when the cause is gone"


@dataclass(frozen=True)
class Store:
    """The directory ``path``; ``name`` is always a bundle's path below it ("root", "centre", "requests/centre")."""

    path: str

    def _at(self, *parts: str) -> str:
        return os.path.join(self.path, *parts)

    @contextmanager
    def locked(self, *, write: bool) -> Iterator[None]:
        """Hold the directory's lock, waiting for whoever has it; ``write`` makes the directory and clears left-overs.

        A reader creates nothing: where there is no lock yet, it goes without.
        """
        try:
            descriptor = self._lock(write)
        except OSError as error:
            if not write and isinstance(error, (FileNotFoundError, NotADirectoryError)):
                yield
                return
            raise MeshError(f"the state directory {self.path} can't be used", why=error.strerror) from None
        try:
            if write:
                with self._said(f"what was left over in {self.path} can't be cleared"):
                    self._recover()
            yield
        finally:
            os.close(descriptor)

    def _lock(self, write: bool) -> int:
        """The descriptor of the lock file, locked; raises OSError."""
        while True:
            if write:
                ensure_directory(Path(self.path))
            try:
                descriptor = os.open(self._at(_LOCK), os.O_RDWR | os.O_CREAT if write else os.O_RDONLY, 0o600)
            except FileNotFoundError:
                if not write or os.path.lexists(self.path):
                    raise
                continue  # the whole directory was removed between the two calls
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
                if os.path.samestat(os.fstat(descriptor), os.stat(self._at(_LOCK))):
                    return descriptor
            except FileNotFoundError:
                if not write:
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            # Whoever we waited for removed the file with the whole CA: a lock on it would keep nobody out.
            os.close(descriptor)

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """An OSError of the block as a MeshError."""
        try:
            yield
        except OSError as error:
            raise MeshError(what, why=error.strerror, hint=_WHOLE) from None

    def _recover(self) -> None:
        """Put back what a killed writer had moved aside, and remove what it hadn't finished."""
        for entry in os.listdir(self.path):
            if entry.startswith(_OLD):
                target = self._at(*entry.removeprefix(_OLD).split("."))  # names have no point: they are DNS labels
                if not os.path.lexists(target):
                    os.rename(self._at(entry), target)
                    continue
            if entry.startswith((_NEW, _OLD)):
                _clear(self._at(entry))

    def names(self) -> list[str]:
        """The primaries that have a bundle, sorted."""
        try:
            entries = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise MeshError(f"the state directory {self.path} can't be read", why=error.strerror) from None
        aside = {entry.removeprefix(_OLD) for entry in entries if entry.startswith(_OLD)}
        found = {entry for entry in {*entries, *aside} if entry[0] != "." and "." not in entry}
        return sorted(name for name in found - {"root", "requests"} if os.path.isdir(self._folder(name)))

    def _folder(self, name: str) -> str:
        """Where a bundle is: in its place, or moved aside by a writer that was killed between two renames."""
        folder, aside = self._at(name), self._at(_OLD + name.replace("/", "."))
        return aside if not os.path.lexists(folder) and os.path.isdir(aside) else folder

    def read(self, name: str) -> dict[str, bytes] | None:
        """The files of a bundle by name, or None if there is none; raises MeshError if one can't be read."""
        folder, entries = self._at(name), None
        try:
            entries = os.listdir(folder)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                entries = os.listdir(folder := self._folder(name))
        except OSError as error:
            raise MeshError(f"{folder} can't be read", why=error.strerror) from None
        if entries is None:
            return None
        files = {}
        for entry in sorted(entries):
            path = os.path.join(folder, entry)
            try:
                if stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, "rb") as stream:
                        files[entry] = stream.read(MAX_BYTES + 1)
            except OSError as error:
                raise MeshError(f"{path} can't be read", why=error.strerror) from None
        return files

    def loose(self, name: str) -> list[tuple[str, int]]:
        """Paths of a bundle (and the directory itself) that others than the owner may use, with their mode."""
        found: list[tuple[str, int]] = []
        folder = self._at(name)
        if not os.path.isdir(folder):
            return found
        for path in (folder, *(os.path.join(folder, entry) for entry in sorted(_entries(folder)))):
            mode = stat.S_IMODE(os.stat(path).st_mode)
            if mode & 0o077:
                found.append((path, mode))
        return found

    def tighten(self, path: str) -> None:
        """Take everybody's rights but the owner's from a path that :meth:`loose` named."""
        with self._said(f"the mode of {path} can't be changed"):
            os.chmod(path, 0o700 if os.path.isdir(path) else 0o600)

    def write(self, name: str, files: Mapping[str, bytes | None]) -> None:
        """Make ``files`` the bundle ``name``, as :meth:`write_all` does."""
        self.write_all({name: files})

    def write_all(self, bundles: Mapping[str, Mapping[str, bytes | None]]) -> None:
        """Make each value the bundle of its name; other files of the old one stay with it, but for those that are None.

        Raises MeshError if that fails: then each bundle is as it was, or as it is to be.
        """
        fresh: dict[str, str] = {}
        parents = {os.path.dirname(self._at(name)) for name in bundles}
        try:
            for parent in parents:
                ensure_directory(Path(parent))
            for name, files in bundles.items():
                fresh[name] = tempfile.mkdtemp(prefix=_NEW, dir=self.path)  # 0700 by its contract
                for entry, content in {**(self.read(name) or {}), **files}.items():
                    if content is not None:
                        _create(os.path.join(fresh[name], entry), content)
            self._flush(list(fresh.values()))
            for name, folder in fresh.items():
                self._swap(folder, self._at(name), name)
            for parent in parents:
                sync(parent)
        except OSError as error:
            raise MeshError(
                f"the files of {self._at(list(fresh)[-1] if fresh else '')} can't be written",
                why=error.strerror,
                hint=_WHOLE,
            ) from None
        finally:
            for folder in fresh.values():
                with suppress(OSError):
                    _clear(folder)

    def _flush(self, folders: Sequence[str]) -> None:
        """Have everything in new directories on the disk; many are cheaper with their whole file system."""
        if len(folders) > _MANY and _sync_all(self.path):
            return
        for folder in folders:
            for entry in _entries(folder):
                sync(os.path.join(folder, entry))
            sync(folder)

    def _swap(self, fresh: str, target: str, name: str) -> None:
        """Put ``fresh`` in the place of ``target``; afterwards ``fresh`` is the old bundle or gone."""
        if not os.path.lexists(target):
            os.rename(fresh, target)
        elif not exchange(fresh, target):
            aside = self._at(_OLD + name.replace("/", "."))
            os.rename(target, aside)
            os.rename(fresh, target)
            _clear(aside)

    def remove(self, name: str) -> None:
        """Take a bundle away: whole or not at all."""
        with self._said(f"{self._at(name)} can't be removed"):
            gone = tempfile.mkdtemp(prefix=_NEW, dir=self.path)
            os.rename(self._at(name), os.path.join(gone, "bundle"))
            sync(os.path.dirname(self._at(name)))
            shutil.rmtree(gone)

    def remove_all(self) -> None:
        """Take the lock file, and the directory itself if nothing foreign is left in it."""
        for entry in ("requests", _LOCK):
            with suppress(OSError):
                path = self._at(entry)
                (os.rmdir if os.path.isdir(path) else os.unlink)(path)
        with suppress(OSError):
            os.rmdir(self.path)


def _clear(path: str) -> None:
    """Remove a directory, or the link to one that stood in a bundle's place; nothing if there is none."""
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.lexists(path):
        shutil.rmtree(path)


def _entries(folder: str) -> list[str]:
    return [entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]


def _create(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _sync_all(path: str) -> bool:
    """Sync the file system that holds ``path`` (Linux); False where that can't be asked for."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is None:
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if function(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
    return True
