# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes container images as archives, without a container engine (used by the image recipes).

The format is the one of ``docker save``: ``manifest.json``, a configuration and one tar file for each layer. Both
``docker load`` and ``ctr images import`` read it. Equal content gives equal bytes: times are zero and order is fixed.
Source of the format: the Docker Image Specification v1.2 and the OCI image configuration.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["FORMAT", "Entry", "Settings", "read_member", "write_image", "write_layer"]

# Raised when the same inputs give another archive than before.
FORMAT = "1"

EPOCH = "1970-01-01T00:00:00Z"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """Something in a layer: a file (``source`` a path or its bytes), a symbolic link (``link``), else a directory."""

    path: str  # absolute in the image
    source: Path | bytes | None = None
    link: str | None = None
    mode: int = 0o755
    owner: int = 0  # user and group


@dataclass(frozen=True)
class Settings:
    """What the image's configuration says besides its layers."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = "/"
    stop_signal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def write_layer(target: Path, entries: Iterable[Entry]) -> None:
    """Write a layer; the directories above an entry come by themselves, as ``root`` and 0755."""
    known: set[str] = set()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for entry in sorted(entries, key=lambda item: PurePosixPath(item.path)):
            path = PurePosixPath(entry.path).relative_to("/")
            for parent in reversed(path.parents[:-1]):
                if str(parent) not in known:
                    known.add(str(parent))
                    archive.addfile(_header(str(parent), tarfile.DIRTYPE, 0o755, 0))
            known.add(str(path))
            _add(archive, str(path), entry)


def _header(name: str, kind: bytes, mode: int, owner: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.mode, header.uid, header.gid = kind, mode, owner, owner
    return header


def _add(archive: tarfile.TarFile, name: str, entry: Entry) -> None:
    if entry.link is not None:
        header = _header(name, tarfile.SYMTYPE, 0o777, entry.owner)
        header.linkname = entry.link
        archive.addfile(header)
    elif entry.source is None:
        archive.addfile(_header(name, tarfile.DIRTYPE, entry.mode, entry.owner))
    elif isinstance(entry.source, bytes):
        header = _header(name, tarfile.REGTYPE, entry.mode, entry.owner)
        header.size = len(entry.source)
        archive.addfile(header, io.BytesIO(entry.source))
    else:
        header = _header(name, tarfile.REGTYPE, entry.mode, entry.owner)
        header.size = entry.source.stat().st_size
        with entry.source.open("rb") as stream:
            archive.addfile(header, stream)


def read_member(archive: Path, path: str) -> bytes:
    """A regular file's content out of a root file system's tar file. Raises MeshError if it isn't there."""
    wanted = path.strip("/")
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            if member.name.removeprefix("./").strip("/") == wanted and member.isfile():
                stream = tar.extractfile(member)
                if stream is not None:
                    return stream.read()
    raise MeshError(f"{path} isn't in the root file system", why=f"{archive} holds no such file")


def write_image(target: Path, name: str, layers: Sequence[Path], settings: Settings, architecture: str) -> str:
    """Write an image named ``name`` ("<repository>:<tag>") of plain tar layers, lowest first; its id ("sha256:...")."""
    digests = [_digest(layer) for layer in layers]
    config = json.dumps(_config(digests, settings, architecture), sort_keys=True).encode()
    identity = hashlib.sha256(config).hexdigest()
    files = [f"{digest}.tar" for digest in digests]
    manifest = [{"Config": f"{identity}.json", "RepoTags": [name], "Layers": files}]
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for file, layer in dict(zip(files, layers, strict=True)).items():
            _add(archive, file, Entry("/", source=layer, mode=0o644))
        _add(archive, f"{identity}.json", Entry("/", source=config, mode=0o644))
        _add(archive, "manifest.json", Entry("/", source=json.dumps(manifest).encode(), mode=0o644))
    return f"sha256:{identity}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _config(digests: Sequence[str], settings: Settings, architecture: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Entrypoint": list(settings.entrypoint) or None,
        "Cmd": list(settings.command) or None,
        "Env": [f"{name}={value}" for name, value in sorted(settings.environment.items())],
        "User": settings.user,
        "WorkingDir": settings.directory,
        "StopSignal": settings.stop_signal,
        "Labels": dict(sorted(settings.labels.items())),
    }
    return {
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": {name: value for name, value in config.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": EPOCH, "created_by": "edge.mesh"} for _digest in digests],
    }
