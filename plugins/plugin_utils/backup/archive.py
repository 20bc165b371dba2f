# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plain archive: a state directory's files as one tar, in memory (used by ``service``).

Pure: files in, bytes out, and back. What comes back is judged member by member, so that nothing of it can be written
anywhere but below the state directory, with the modes that files have there.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["ASIDE", "MOST_BYTES", "MOST_FILES", "Snapshot", "Stored", "mode_for", "pack", "unpack", "wrong_name"]

ASIDE = "replaced"  # what a restore took away; never backed up
MOST_BYTES = 32 << 20  # of all files; a mesh of 50 sites has some 2 MiB, most of it reports
MOST_FILES = 10_000

_SCHEMA = 1
_MANIFEST = ".backup.json"  # hidden, as no file of a state directory that is backed up
_TEXTS = ("mesh", "made_at", "root")
_PRIVATE = 0o600
_MODES = {"artifacts.lock": frozenset({_PRIVATE, 0o644})}  # of all files, only this one may be read by others
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.DIRTYPE: "a directory",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@dataclass(frozen=True)
class Stored:
    """One file: its bytes, its mode, and when it was last changed (whole seconds since 1970)."""

    content: bytes = field(repr=False)
    mode: int
    modified: int

    def is_like(self, other: Stored) -> bool:
        """Whether the other one has the same bytes and mode, of whatever time."""
        return (self.content, self.mode) == (other.content, other.mode)


@dataclass(frozen=True)
class Snapshot:
    """A state directory at one moment: files by their path below it, ``root`` the fingerprint of the mesh's root.

    ``made_at`` is as in ``2026-11-25T14:00:00Z``.
    """

    mesh: str
    made_at: str
    root: str
    files: Mapping[str, Stored]


def mode_for(name: str, mode: int) -> int:
    """The mode that a file is archived with: its own if it may have that, 0600 if not."""
    return mode if mode in _MODES.get(name, ()) else _PRIVATE


def wrong_name(name: str) -> str | None:
    """Why a file of that name can't lie in a state directory, or None."""
    parts = name.split("/")
    if name.startswith("/"):
        return "its path is absolute"
    if ".." in parts:
        return "its path leads out of the state directory"
    if not name.isprintable() or "\\" in name:
        return "its path holds letters that no file of a state directory has"
    if any(part == "" or part.startswith(".") for part in parts):
        return "its path is hidden or has an empty part"
    return f"{ASIDE} is where a restore puts what it replaces" if parts[0] == ASIDE else None


def pack(snapshot: Snapshot) -> bytes:
    """The tar of a snapshot; the same for the same snapshot."""
    manifest: dict[str, Any] = {"schema": _SCHEMA, "files": len(snapshot.files)}
    manifest |= {name: getattr(snapshot, name) for name in _TEXTS}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, _MANIFEST, Stored(json.dumps(manifest).encode(), _PRIVATE, 0))
        for name, stored in sorted(snapshot.files.items()):
            _add(archive, name, stored)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, stored: Stored) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(stored.content), stored.mode, stored.modified
    archive.addfile(member, io.BytesIO(stored.content))


def unpack(data: bytes) -> Snapshot:
    """The snapshot of a tar; MeshError for one that isn't whole, isn't ours, or holds what must not be restored."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = _members(archive)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _refused(f"it is no whole tar ({error})") from None
    manifest = _manifest(files.pop(_MANIFEST, None))
    if manifest["files"] != len(files):
        raise _refused(f"it holds {len(files)} files of {manifest['files']}")
    _check_places(files)
    return Snapshot(manifest["mesh"], manifest["made_at"], manifest["root"], files)


def _members(archive: tarfile.TarFile) -> dict[str, Stored]:
    files: dict[str, Stored] = {}
    left = MOST_BYTES
    for member in archive:
        _check_member(member, files)
        left -= member.size
        if left < 0 or len(files) >= MOST_FILES:
            raise _refused(f"it holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
        stream = archive.extractfile(member)
        content = stream.read() if stream else b""
        if len(content) != member.size:
            raise _refused(f"{member.name!r} is cut off")
        files[member.name] = Stored(content, member.mode, int(member.mtime))
    return files


def _check_member(member: tarfile.TarInfo, files: Mapping[str, Stored]) -> None:
    name = member.name
    wrong = None if name == _MANIFEST else wrong_name(name)
    if wrong is None and not member.isreg():
        wrong = f"it is {_KINDS.get(member.type, 'no file')}"
    if wrong is None and member.issparse():
        wrong = "it is a sparse file"
    if wrong is None and name in files:
        wrong = "it is there twice"
    if wrong is None and member.mode not in _MODES.get(name, {_PRIVATE}):
        wrong = f"its mode is {member.mode:04o}, and {' or '.join(_spelt(name))} is wanted"
    if wrong:
        raise _refused(f"{name!r}: {wrong}")


def _spelt(name: str) -> list[str]:
    return [f"{mode:04o}" for mode in sorted(_MODES.get(name, {_PRIVATE}))]


def _manifest(stored: Stored | None) -> dict[str, Any]:
    try:
        manifest = json.loads(stored.content) if stored else None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("schema") != _SCHEMA:
        raise _refused(f"its {_MANIFEST} is missing or of another version of this collection")
    if not isinstance(manifest.get("files"), int) or not all(isinstance(manifest.get(name), str) for name in _TEXTS):
        raise _refused(f"its {_MANIFEST} is damaged")
    return manifest


def _check_places(files: Mapping[str, Stored]) -> None:
    """No path is a file and a directory."""
    for name in files:
        above = [name[:index] for index, letter in enumerate(name) if letter == "/"]
        if clash := next((path for path in above if path in files), None):
            raise _refused(f"{clash!r} is a file and a directory")


def _refused(why: str) -> MeshError:
    return MeshError("the archive is refused; nothing was touched", why=why)
