# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backup and restore of a state directory (used by the actions `edge.mesh.state_backup` and `edge.mesh.state_restore`).

The plain archive exists in memory only: read, packed and sealed there, and opened there. The clock is handed in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import write_text
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import stamp
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import fingerprint_of, read_certificates
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.archive import (
    MOST_BYTES,
    Snapshot,
    Stored,
    pack,
    unpack,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.plan import plan_restore
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.sealing import Secrets, seal, unseal
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.tree import put, read_state, unfinished

__all__ = ["Made", "Restored", "backup", "restore"]

_ROOT, _ROOT_KEY = "ca/root/root-cert.pem", "ca/root/root-key.pem"
_MOST_SEALED = 5 * MOST_BYTES  # the format takes four times as much, and line ends


@dataclass(frozen=True)
class Made:
    """A backup that was made, or that was there with the same content; ``outside`` is what it doesn't hold."""

    changed: bool
    snapshot: Snapshot
    outside: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """A restore: the files written, those that stayed as they were, and where replaced ones are."""

    snapshot: Snapshot
    written: tuple[str, ...]
    kept: tuple[str, ...]
    replaced: Path | None
    changed: bool


def backup(
    *, state: Path, mesh: str, path: Path, secrets: Secrets, kubeconfigs: Mapping[str, str], now: datetime, check: bool
) -> Made:
    """Seal the state directory into the file ``path``, with the first of ``secrets``.

    ``kubeconfigs`` are those of the inventory by site. An archive of the same root that one of the secrets opens is
    replaced if its content differs; MeshError for any other file, and if there is no state to back up.
    """
    _check_target(path, state)
    if not (state / _ROOT).is_file():
        why = f"{state}/{_ROOT} doesn't exist"
        raise MeshError("there is nothing to back up", why=why, hint="site.yml makes it; or is it another directory?")
    with Store(str(state / "ca")).locked(write=not check):
        files = read_state(state)
    root = _root_of(files, str(state))
    snapshot = Snapshot(mesh, stamp(now), str(root), files)
    before = _earlier(path, secrets)
    if before is not None and (before.mesh, before.root) != (snapshot.mesh, snapshot.root):
        why = f"it is of the mesh {before.mesh} with the root {before.root}"
        raise MeshError(f"{path} is the backup of another mesh; nothing was touched", why=why, hint="give another name")
    changed = before is None or not _same(before.files, files)
    if changed and not check:
        _write(path, seal(pack(snapshot), secrets[0][1]))
    return Made(changed, snapshot if changed or before is None else before, _outside(files, kubeconfigs, state))


def restore(
    *, state: Path, mesh: str, path: Path, secrets: Secrets, replace: bool, now: datetime, check: bool
) -> Restored:
    """Put the files of the archive ``path`` into the state directory; MeshError if that isn't safe or can't be done."""
    snapshot = unpack(unseal(_read(path), secrets, str(path)))
    if snapshot.mesh != mesh:
        why = f"the inventory is of {mesh}"
        raise MeshError(f"{path} is of the mesh {snapshot.mesh}; nothing was touched", why=why)
    if _root_of(snapshot.files, str(path)) != snapshot.root:
        raise MeshError(f"{path} is refused; nothing was touched", why=f"its {_ROOT} isn't the root that it names")
    present = read_state(state)
    there = None if replace else _root_of(present, str(state))
    plan = plan_restore(snapshot, present, there, replace=replace, where=str(state))
    replaced, changed = None, plan.changed or unfinished(state)
    if changed and not check:
        try:
            replaced = put(state, plan, now.strftime("%Y%m%dT%H%M%SZ"))
        except OSError as error:
            hint = "whatever stands there is whole; run again when the cause is gone"
            raise MeshError(f"{state} can't be restored", why=error.strerror, hint=hint)
    written = tuple(
        name for name, stored in sorted(plan.write.items()) if name not in present or not present[name].is_like(stored)
    )
    return Restored(snapshot, written, tuple(sorted(plan.keep)), replaced, changed)


def _check_target(path: Path, state: Path) -> None:
    if path.is_dir():
        raise MeshError(f"{path} is a directory", hint="name the file that the archive is to be")
    if not path.parent.is_dir():
        raise MeshError(f"{path.parent} doesn't exist", hint="make it, or mount what belongs there")
    if path.resolve().is_relative_to(state.resolve()):
        raise MeshError(f"{path} is inside the state directory", hint="a backup has to be somewhere else")


def _root_of(files: Mapping[str, Stored], where: str) -> str | None:
    """The fingerprint of the root among a state directory's files; None if it has none."""
    if _ROOT not in files:
        return None
    return str(fingerprint_of(read_certificates(files[_ROOT].content, f"{where}/{_ROOT}")[0]))


def _earlier(path: Path, secrets: Secrets) -> Snapshot | None:
    """The archive that is there already; MeshError for a file that isn't one, which a backup never overwrites."""
    if not os.path.lexists(path):
        return None
    try:
        return unpack(unseal(_read(path), secrets, str(path)))
    except MeshError as error:
        hint = "a backup never overwrites what it can't open: move it away, or give another name"
        raise MeshError(f"{path} is there already", why=error.message, hint=hint)


def _same(before: Mapping[str, Stored], files: Mapping[str, Stored]) -> bool:
    return before.keys() == files.keys() and all(stored.is_like(before[name]) for name, stored in files.items())


def _outside(files: Mapping[str, Stored], kubeconfigs: Mapping[str, str], state: Path) -> tuple[str, ...]:
    """What a mesh needs and the state directory doesn't hold, for people."""
    away = [] if _ROOT_KEY in files else ["the root's private key"]
    away += [
        f"the kubeconfig of {site}, {path}"
        for site, path in kubeconfigs.items()
        if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(state))
    ]
    return tuple(away)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_SEALED + 1)
    except OSError as error:
        raise MeshError(f"{path} can't be read", why=error.strerror)
    if len(data) > _MOST_SEALED:
        raise MeshError(f"{path} is no archive", why=f"it is larger than {_MOST_SEALED >> 20} MiB")
    return data


def _write(path: Path, sealed: bytes) -> None:
    try:
        write_text(path, sealed.decode("ascii"))
    except OSError as error:
        hint = "what was there is untouched"
        raise MeshError(f"the archive {path} can't be written", why=error.strerror, hint=hint)
