# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files written whole or not at all, with their mode from the start (used wherever the state directory is written)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import tempfile
import time
from pathlib import Path

__all__ = ["UNWRITTEN", "ensure_directory", "exchange", "is_private", "read_text", "sync", "write_text"]

# What to do about a file of the state directory that can't be written.
UNWRITTEN = "make room there, or set edge_mesh_state_dir to a directory that can be written"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_ABANDONED_SECONDS = 600.0  # no write takes that long: such a temporary file is a killed run's


def ensure_directory(path: Path) -> None:
    """Make a directory and its missing parents with mode 0700; what exists is left alone."""
    if not path.is_dir():
        ensure_directory(path.parent)
        with contextlib.suppress(FileExistsError):  # another site of the same run may have made it
            path.mkdir(mode=0o700)


def read_text(path: Path) -> str | None:
    """The file's text, or None if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def is_private(path: Path) -> bool:
    """Whether nobody but its owner can read or write the file; raises OSError."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the file by a rename after fsync, so that a reader sees the old text or the new one.

    Raises OSError with the name of the file itself, also where a temporary one or (a full disk) none would be named.
    """
    try:
        _replace(path, text, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, text: str, mode: int) -> None:
    ensure_directory(path.parent)
    _sweep(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync(path.parent)


def sync(path: str | Path) -> None:
    """Have a file, or the names in a directory, on the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exchange(one: str | Path, other: str | Path) -> bool:
    """Swap two paths in one step (Linux); False where the system or the file system can't. Raises OSError."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code))


def _sweep(path: Path) -> None:
    """Remove what killed runs left of earlier writes to this file."""
    for left in path.parent.glob(f".{path.name}.????????"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink()
