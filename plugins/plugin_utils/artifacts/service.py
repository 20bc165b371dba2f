# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The artifacts of a run: chooses the source, gets what is missing, says what there is (used by the action plugin)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import catalogue, links
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import Docker
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.engine import Engine, default_jobs
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.facts import build_facts, upstream_facts
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.fetch import Fetcher, reachable
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import go_version, required_go
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.images import ARCHIVE
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.lockfile import NAME, LockFile
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD, UPSTREAM, UpstreamPins
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Reporter
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.upstream import (
    Upstream,
    probes,
    releases,
    with_version,
)

__all__ = ["Request", "Result", "Service"]

Source = Literal["auto", "upstream", "build", "bundle"]

# How long `auto` waits for the publishers' servers, in seconds.
_PROBE = 3.0
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Request:
    """What is wanted: see the options of the action."""

    state_dir: Path
    source: Source = "auto"
    istio_version: str = ""
    bin_dir: Path | None = None
    host_only: bool = False
    archives: bool = False  # the mesh's images as files too, for machines that get them over SSH
    jobs: int = 0  # 0: as many as the machine bears


@dataclass
class Result:
    """What came of it; ``made`` and ``todo`` name components, images and links."""

    facts: dict[str, Any] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)
    changed: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass
class Service:
    """Everything outside is handed in: the cache, Docker, HTTP, the catalogue, and where progress is told."""

    cache: Cache
    files: Path  # roles/artifacts/files
    report: Reporter
    docker: Docker = field(default_factory=Docker)
    fetcher: Fetcher = field(default_factory=Fetcher)
    components: Callable[[], Mapping[str, Component]] = catalogue.components
    upstream_pins: UpstreamPins = UPSTREAM
    probe: Callable[[Sequence[str], float], Mapping[str, bool]] = reachable
    go: Callable[[], tuple[str, tuple[int, ...]]] = go_version

    def ensure(self, request: Request, *, check: bool = False) -> Result:
        """Get what is missing (with ``check``: only say it); raises MeshError."""
        lock = LockFile(request.state_dir / NAME, dry=check)
        source = self._checked(request, self._choose(request, lock))
        version = self._version(request, source)
        result = Result(warnings=_changes(lock, source, version))
        toolchain = ""
        if source == "build":
            toolchain = self._build(request, lock, result, check)
        else:
            self._upstream(request, lock, result, check)
        self._link(request, result, check)
        lock.choose(source, version, toolchain)
        result.changed = bool(result.todo if check else result.made) or lock.changed
        return result

    def look(self, request: Request) -> Result:
        """The facts of the source that was chosen before, and what is missing; changes nothing, asks no network."""
        lock = LockFile(request.state_dir / NAME, dry=True)
        source = lock.source if request.source == "auto" else request.source
        if not source:
            raise MeshError(
                "no artifact source was chosen yet", why=f"{lock.path} doesn't name one", hint="run site.yml first"
            )
        if not request.istio_version and source == lock.source:
            request = replace(request, istio_version=lock.istio_version)
        result = Result()
        if self._checked(request, source) == "build":
            self._build(request, lock, result, True)
        else:
            self._upstream(request, lock, result, True)
        return result

    def choice(self, request: Request) -> Result:
        """Which source and Istio version :meth:`ensure` would use; changes nothing, gets nothing."""
        lock = LockFile(request.state_dir / NAME, dry=True)
        source = self._checked(request, self._choose(request, lock))
        return Result(facts={"source": source, "istio_version": self._version(request, source)})

    def remove(self, request: Request, *, check: bool = False) -> Result:
        """Remove the cache, the images that carry our label, and the links; Go's own cache stays."""
        result = Result()
        if request.bin_dir is not None and not check:
            result.made += links.remove_links(request.bin_dir, list(catalogue.HOST_TOOLS), self.cache.root)
        if check:
            result.todo += [str(self.cache.root)] if self.cache.root.exists() else []
        elif self.cache.remove():
            result.made.append(str(self.cache.root))
        self._unload(result, check)
        return result

    def unload(self, *, check: bool = False) -> Result:
        """Remove the images that carry our label from Docker; what they are made of stays in the cache."""
        result = Result()
        self._unload(result, check)
        return result

    def _unload(self, result: Result, check: bool) -> None:
        images = self.docker.ours()
        if check:
            result.todo += images
        for image in [] if check else images:
            if self.docker.remove(image):
                result.made.append(image)
            else:
                result.warnings.append(f"image {image} stays: a container uses it")
        result.changed = bool(result.todo or result.made)

    # --- the choice ---

    def _choose(self, request: Request, lock: LockFile) -> str:
        """The source to use. What was chosen automatically once stays chosen: a network's mood changes no mesh."""
        if request.source != "auto":
            return request.source
        if lock.source:
            return lock.source
        pins = with_version(self.upstream_pins, request.istio_version)
        answers = self.probe(probes(pins), _PROBE)
        return "upstream" if answers and all(answers.values()) else "build"

    def _checked(self, request: Request, source: str) -> Literal["upstream", "build"]:
        """The source, if it can do what is asked of it."""
        if source == "upstream":
            return "upstream"
        if source == "bundle":
            raise MeshError("artifact source bundle isn't there yet", hint="use upstream or build")
        if source != "build":
            raise MeshError("unknown artifact source", why=source, hint="use upstream or build")
        if request.istio_version not in ("", BUILD.istio):
            raise MeshError(
                f"source build can't make Istio {request.istio_version}",
                why=f"it makes {BUILD.istio}",
                hint="leave edge_mesh_istio_version empty, or set edge_mesh_artifacts to upstream",
            )
        return "build"

    def _version(self, request: Request, source: str) -> str:
        return BUILD.istio if source == "build" else request.istio_version or self.upstream_pins.istio

    # --- the sources ---

    def _build(self, request: Request, lock: LockFile, result: Result, check: bool) -> str:
        """Source ``build``; returns the Go that the keys were made with."""
        toolchain, problem = self._toolchain(lock)
        engine = Engine(
            components=self.components(),
            cache=self.cache,
            images=self.docker,
            files=self.files,
            arch=architecture(),
            toolchain={"go": toolchain},
            report=self.report,
            jobs=request.jobs or default_jobs(),
        )
        targets = [*catalogue.HOST_TOOLS, *([] if request.host_only else [catalogue.NODE_IMAGE])]
        archives = catalogue.MESH_IMAGES if request.archives else ()
        targets += archives
        steps = engine.plan(targets, lenient=check)
        result.todo = [step.component.name for step in steps]
        missing = [name for name in targets if name in result.todo]
        if not check:
            if problem and any(step.state == "missing" for step in steps):
                raise problem
            result.made = engine.run(steps)
            result.todo, missing = [], []
            for name in targets:
                self.cache.used(name, engine.keys[name])
        binaries = {name: str(engine.path(name, name)) for name in catalogue.HOST_TOOLS}
        result.facts = build_facts(BUILD, binaries, missing)
        found = {name: engine.path(name, ARCHIVE) for name in archives if name not in missing}
        result.facts["image_archives"] = {
            f"edge-mesh-{name.removeprefix('image-')}.tar": str(path) for name, path in found.items()
        }
        return toolchain

    def _toolchain(self, lock: LockFile) -> tuple[str, MeshError | None]:
        """The Go on this machine, or the recorded one and why there is none: enough as long as nothing is built."""
        try:
            text, version = self.go()
        except MeshError as error:
            return lock.toolchain, error
        if version < (needed := required_go(self.files)):
            wanted = ".".join(str(part) for part in needed)
            why = f"{text}; {wanted} is needed"
            return text, MeshError("Go is too old to build the artifacts", why=why, hint="install a newer one")
        return text, None

    def _upstream(self, request: Request, lock: LockFile, result: Result, check: bool) -> None:
        pins = with_version(self.upstream_pins, request.istio_version)
        source = Upstream(self.cache, lock, self.docker, self.report, self.fetcher)
        wanted = releases(pins, architecture())
        samples = dict.fromkeys((pins.helloworld, pins.bookinfo, pins.sleep))  # two of them may run in one image
        images = [] if request.host_only else [pins.node, pins.pilot, pins.proxyv2, *samples]
        missing, absent = source.missing(wanted, images)
        result.todo = [*(release.name for release in missing), *absent]
        if not check and result.todo:
            result.made = source.fetch(missing, absent)
            result.todo = []
        binaries = {release.name: str(source.path(release) or "") for release in wanted}
        scripts = {name: str(self.files / "images" / name / "server.py") for name in ("helloworld", "bookinfo")}
        result.facts = upstream_facts(pins, binaries, list(result.todo), scripts)

    def _link(self, request: Request, result: Result, check: bool) -> None:
        programs = {name: path for name, path in result.facts["binaries"].items() if path}
        if request.bin_dir is None or not programs:
            return
        wrong = links.wrong_links(request.bin_dir, programs)
        found = [str(request.bin_dir / name) for name in wrong]
        if check:
            result.todo += found
        else:
            links.make_links(request.bin_dir, programs, wrong)
            result.made += found


def architecture() -> str:
    """Go's and Docker's word for this machine's architecture; raises MeshError for one that isn't supported."""
    machine = platform.machine()
    if os.uname().sysname != "Linux" or machine not in _ARCHITECTURES:
        why = f"it is {os.uname().sysname} on {machine}; Linux on x86_64 or aarch64 is needed"
        raise MeshError("this machine can't be the controller", why=why)
    return _ARCHITECTURES[machine]


def _changes(lock: LockFile, source: str, version: str) -> list[str]:
    """What a person should hear when a run uses something else than the runs before."""
    if not lock.source:
        return []
    said = []
    if lock.source != source:
        said.append(f"the artifact source changes from {lock.source} to {source}")
    if lock.istio_version != version:
        said.append(f"the Istio version changes from {lock.istio_version} to {version}")
    return said
