# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Source ``upstream``: what the projects themselves publish, against their own checksum files (used by the action).

No checksum stands in the code. At the first fetch the publisher's checksum file says what is right, and that word is
recorded in ``artifacts.lock``; from then on the record decides.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import tarfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache, fsync_tree
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.fetch import Fetcher, parse_checksum
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.lockfile import LockFile
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import UpstreamPins
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Reporter, What
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.runner import Control, Runner, Task

__all__ = ["Registry", "Release", "Upstream", "probes", "releases", "with_version"]


@dataclass(frozen=True)
class Release:
    """A program as it is published: a file, or ``member`` of an archive, and the checksum file beside it."""

    name: str
    url: str
    checksum_url: str
    member: str = ""

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


class Registry(Protocol):
    """What is asked of Docker for published images."""

    def digest(self, image: str) -> str | None:
        """Registry digest of an image that is here; None if it isn't."""

    def pull(self, image: str) -> None:
        """Fetch an image."""

    def tag(self, image: str, name: str) -> None:
        """Give an image another name."""


def releases(pins: UpstreamPins, arch: str) -> list[Release]:
    """The programs of a set of pins, at the addresses where their projects publish them."""
    kubectl = f"{pins.kubernetes_url}/{pins.kubernetes}/bin/linux/{arch}/kubectl"
    kind = f"{pins.kind_url}/{pins.kind}/kind-linux-{arch}"
    istioctl = f"{pins.istio_url}/{pins.istio}/istioctl-{pins.istio}-linux-{arch}.tar.gz"
    return [
        Release("kubectl", kubectl, f"{kubectl}.sha256"),
        Release("kind", kind, f"{kind}.sha256sum"),
        Release("istioctl", istioctl, f"{istioctl}.sha256", member="istioctl"),
    ]


def probes(pins: UpstreamPins) -> list[str]:
    """One address for each server that the pins need; an answer of any kind proves that it can be reached."""
    registry = pins.istio_hub.partition("/")[0]
    # Docker's own registry answers under another name than its images carry.
    host = "registry-1.docker.io" if registry == "docker.io" else registry
    return list(dict.fromkeys([pins.kubernetes_url, pins.kind_url, pins.istio_url, f"https://{host}/v2/"]))


@dataclass
class Upstream:
    """Fetches releases and images; what is at hand and agrees with the record needs no network."""

    cache: Cache
    lock: LockFile
    registry: Registry
    report: Reporter
    fetcher: Fetcher
    jobs: int = 3

    def path(self, release: Release) -> Path | None:
        """Where the program is; None if it isn't here, or no checksum is recorded for it in this state directory."""
        recorded = self.lock.sha256(release.url)
        path = self._place(release, recorded)
        return path if recorded and path.is_file() and _is_whole(self._download(release, recorded), recorded) else None

    def missing(self, wanted: Sequence[Release], images: Sequence[str]) -> tuple[list[Release], list[str]]:
        """What has to be fetched; raises MeshError if an image here isn't the recorded one."""
        return [one for one in wanted if self.path(one) is None], [one for one in images if not self._has_image(one)]

    def fetch(self, wanted: Sequence[Release], images: Sequence[str]) -> list[str]:
        """Fetch programs and images; names of what came. Raises the MeshError of the first that fails."""
        tasks = [Task(one.name, functools.partial(self._fetch, one), doing="fetching", did="fetched") for one in wanted]
        tasks += [Task(image, functools.partial(self._pull, image), doing="pulling", did="pulled") for image in images]
        outcome = Runner(jobs=self.jobs, report=self.report).run(tasks, _as_mesh_error)
        return [name for name, what in outcome.items() if what == "done"]

    def _download(self, release: Release, sha256: str) -> Path:
        return self.cache.root / "upstream" / (sha256 or "unknown") / release.file

    def _place(self, release: Release, sha256: str) -> Path:
        return self._download(release, sha256).with_name(release.member or release.file)

    def _fetch(self, release: Release, control: Control) -> What:
        with self.cache.lock(f"upstream-{release.name}", waiting=control.waiting, check=control.check):
            recorded = self.lock.sha256(release.url)
            expected = recorded or self._published(release)
            came = False
            if not _is_whole(self._download(release, expected), expected):
                self._get(release, expected, recorded=bool(recorded), control=control)
                came = True
            if release.member and not self._place(release, expected).is_file():
                _extract(self._download(release, expected), release.member)
            if not recorded:
                self.lock.record_file(release.url, expected, release.checksum_url)
            return "done" if came else "found"

    def _published(self, release: Release) -> str:
        """The publisher's checksum; raises MeshError where there is none: nothing is taken on trust."""
        text = self.fetcher.text(release.checksum_url)
        if (found := parse_checksum(text, release.file)) is None:
            raise MeshError(
                f"{release.file} has no checksum", why=f"{release.checksum_url} holds no SHA-256 of that file"
            )
        return found

    def _get(self, release: Release, expected: str, *, recorded: bool, control: Control) -> None:
        target = self._download(release, expected)
        staging = target.parent.with_name(f".fetching-{uuid.uuid4().hex[:12]}")
        staging.mkdir(parents=True)
        try:
            part = staging / release.file
            found = self.fetcher.file(release.url, part, control.abort)
            if found != expected:
                raise _mismatch(release, found, expected, recorded, self.lock.path)
            part.chmod(0o755)
            fsync_tree(staging)
            target.parent.mkdir(exist_ok=True)
            part.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _has_image(self, image: str) -> bool:
        here, recorded = self.registry.digest(image), self.lock.digest(image)
        if here and recorded and here != recorded:
            raise MeshError(
                f"image {image} isn't the recorded one",
                why=f"Docker has {here}, {self.lock.path} says {recorded}",
                hint="remove the image from Docker, and the recorded one is pulled again",
            )
        return bool(here and recorded)

    def _pull(self, image: str, control: Control) -> What:
        control.check()
        if recorded := self.lock.digest(image):
            exact = f"{image.rpartition(':')[0]}@{recorded}"
            self.registry.pull(exact)
            self.registry.tag(exact, image)
            return "done"
        self.registry.pull(image)
        digest = self.registry.digest(image)
        if not digest:
            raise MeshError(f"image {image} has no registry digest", why="it wasn't pulled from a registry")
        self.lock.record_image(image, digest)
        return "done"


def with_version(pins: UpstreamPins, istio: str) -> UpstreamPins:
    """The pins with another Istio version; empty keeps the pin."""
    return replace(pins, istio=istio) if istio else pins


def _is_whole(path: Path, sha256: str) -> bool:
    """Whether the file is here with that checksum."""
    try:
        with path.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _extract(archive: Path, member: str) -> None:
    """Leave the one program of an archive beside it; raises MeshError if it isn't in it."""
    part = archive.with_name(f".{member}-{uuid.uuid4().hex[:8]}")
    try:
        with tarfile.open(archive) as tar:
            names = [item for item in tar if item.isfile() and item.name.rpartition("/")[2] == member]
            source = tar.extractfile(names[0]) if names else None
            if source is None:
                raise MeshError(f"{archive.name} holds no {member}")
            with source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        part.chmod(0o755)
        part.rename(archive.with_name(member))
    except tarfile.TarError as error:
        raise MeshError(f"{archive.name} can't be unpacked", why=str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def _mismatch(release: Release, found: str, expected: str, recorded: bool, lock: Path) -> MeshError:
    if recorded:
        return MeshError(
            f"{release.url} changed since it was first fetched",
            why=f"its SHA-256 is {found}, {lock} says {expected}",
            hint="a release never changes: ask its publisher; only if they say so, remove the entry from that file",
        )
    return MeshError(
        f"{release.url} isn't what its publisher says",
        why=f"its SHA-256 is {found}, {release.checksum_url} says {expected}",
        hint="run again; if it stays so, something between here and the publisher changes the file",
    )


def _as_mesh_error(name: str, error: BaseException) -> MeshError:
    if isinstance(error, MeshError):
        return error
    return MeshError(f"{name} can't be fetched", why=str(error) or type(error).__name__)
