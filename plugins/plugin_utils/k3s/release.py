# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""K3s's releases on the controller, against the checksums that K3s publishes (used by `edge.mesh.k3s_release`).

The names of a release's files are those on K3s's release page. A checksum is the publisher's word at first sight, kept
in ``artifacts.lock``; another word later is refused, wherever the file comes from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import Docker
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.fetch import Fetcher, parse_checksum
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.lockfile import NAME, LockFile
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Reporter
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.upstream import Release, Upstream

__all__ = ["Request", "Result", "ensure"]

_PROGRAMS = {"amd64": "k3s", "arm64": "k3s-arm64", "arm": "k3s-armhf"}
_IMAGES = "k3s-airgap-images-{}.tar"


@dataclass(frozen=True)
class Request:
    """What is wanted: see the options of the action."""

    version: str
    architectures: Sequence[str]
    url: str
    state_dir: Path
    directory: Path | None = None
    airgap: bool = False
    archives: Sequence[tuple[str, Path]] = ()  # further archives of images: name at the machine, path here


@dataclass
class Result:
    """``release`` maps an architecture to its program's path and SHA-256; ``images`` are for all machines."""

    release: dict[str, dict[str, str]] = field(default_factory=dict)
    images: list[dict[str, str]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)
    changed: bool = False


def ensure(request: Request, cache: Cache, fetcher: Fetcher, report: Reporter, *, check: bool) -> Result:
    """Have the files here, or with ``check`` say which are missing; raises MeshError."""
    lock = LockFile(request.state_dir / NAME, dry=check)
    result = Result()
    wanted = [(arch, one) for arch in request.architectures for one in _files(request, arch)]
    if request.directory is not None:
        for arch, release in wanted:
            _take(result, arch, release, *_from_directory(release, request.directory, lock))
    else:
        source = Upstream(cache, lock, Docker(), report, fetcher)
        missing, _images = source.missing([release for _arch, release in wanted], [])
        result.todo = [release.name for release in missing]
        if missing and not check:
            result.made, result.todo = source.fetch(missing, []), []
        for arch, release in wanted:
            if path := source.path(release):
                _take(result, arch, release, path, lock.sha256(release.url))
    result.images += [_archive(name, path) for name, path in request.archives]
    names = [image["name"] for image in result.images]
    if double := [name for name in names if names.count(name) > 1]:
        raise MeshError(f"two archives of images are called {double[0]}", hint="rename one in edge_mesh_k3s_images")
    result.changed = bool(result.todo if check else result.made) or lock.changed
    return result


def _files(request: Request, arch: str) -> list[Release]:
    """The files of a release for one architecture, at the addresses where K3s publishes them."""
    if arch not in _PROGRAMS:
        raise MeshError(f"K3s has no release for {arch}", hint=f"there are {', '.join(_PROGRAMS)}")
    base = f"{request.url.rstrip('/')}/{quote(request.version)}"
    sums = f"{base}/sha256sum-{arch}.txt"
    found = [Release(f"k3s {request.version} {arch}", f"{base}/{_PROGRAMS[arch]}", sums)]
    if request.airgap:
        name = _IMAGES.format(arch)
        file = f"{name}.zst"
        if request.directory is not None:
            there = [each for each in (f"{name}.zst", f"{name}.gz", name) if (request.directory / each).is_file()]
            file = there[0] if there else file
        found.append(Release(f"K3s's images {request.version} {arch}", f"{base}/{file}", sums))
    return found


def _take(result: Result, arch: str, release: Release, path: Path, sha256: str) -> None:
    if release.file in _PROGRAMS.values():
        result.release[arch] = {"path": str(path), "sha256": sha256}
    else:
        result.images.append({"name": release.file, "path": str(path), "sha256": sha256, "architecture": arch})


def _from_directory(release: Release, directory: Path, lock: LockFile) -> tuple[Path, str]:
    """A file of a release that a person brought, checked against the sums beside it and against the record."""
    path, sums = directory / release.file, directory / release.checksum_url.rpartition("/")[2]
    try:
        published = parse_checksum(sums.read_text(encoding="utf-8"), release.file)
        found = _digest(path)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise MeshError(f"{release.name} isn't in {directory}", why=why, hint="see edge_mesh_k3s_files") from error
    if published is None:
        raise MeshError(f"{path} has no checksum", why=f"{sums} holds none of it")
    if found != published:
        why = f"its SHA-256 is {found}, {sums.name} says {published}"
        raise MeshError(f"{path} isn't what K3s published", why=why, hint="fetch it anew")
    recorded = lock.sha256(release.url)
    if recorded and recorded != found:
        why = f"its SHA-256 is {found}, {lock.path} says {recorded}"
        hint = "a release never changes: ask its publisher; only if they say so, remove the entry from that file"
        raise MeshError(f"{path} isn't the release that was used before", why=why, hint=hint)
    if not recorded:
        lock.record_file(release.url, found, release.checksum_url)
    return path, found


def _archive(name: str, path: Path) -> dict[str, str]:
    try:
        return {"name": name, "path": str(path), "sha256": _digest(path)}
    except OSError as error:
        raise MeshError(
            f"the images {path} can't be read", why=error.strerror, hint="see edge_mesh_k3s_images"
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
