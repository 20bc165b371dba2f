# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds components in order, a few at a time, and tells what it does (used by the ``build`` source).

Each component is made by a worker thread of the runner, under the component's lock, into a staging directory that
becomes the cache entry by a rename.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import KEY_LABEL, Images, key_name
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.keys import content_keys
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.plan import State, Step, make_plan
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Reporter, What
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.runner import TICK, Control, Runner, Task

__all__ = ["BuildFailed", "Engine", "default_jobs"]

_TAIL = 15
_SAVED = "image.tar"


class BuildFailed(MeshError):
    """A component can't be built; ``log`` is the build log's path, ``tail`` its last lines."""

    def __init__(self, component: str, why: str, log: Path, tail: Sequence[str]) -> None:
        super().__init__(f"component {component} can't be built", why=why, hint=f"the build log is {log}")
        self.component = component
        self.log = log
        self.tail = list(tail)


@dataclass
class Engine:
    """All components with their keys; ``plan()`` looks, ``run()`` builds."""

    components: Mapping[str, Component]
    cache: Cache
    images: Images
    files: Path
    arch: str
    toolchain: Mapping[str, str]
    report: Reporter
    jobs: int = 2
    clock: Callable[[], float] = time.monotonic
    tick: float = TICK
    keys: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = content_keys(self.components, files=self.files, arch=self.arch, toolchain=self.toolchain)

    def path(self, name: str, file: str) -> Path:
        """Where a file component's output is or will be."""
        return self.cache.entry(name, self.keys[name]) / file

    def state(self, component: Component) -> State:
        """What there is of a component; raises MeshError if Docker has to be asked and doesn't answer."""
        key = self.keys[component.name]
        if not component.is_image:
            return "ready" if self.cache.has(component.name, key) else "missing"
        if self.images.label(key_name(component.image, key)) == key:
            return "ready" if self.images.label(component.image) == key else "named"
        return "saved" if component.saved and self.cache.has(component.name, key) else "missing"

    def plan(self, targets: Sequence[str], *, lenient: bool = False) -> list[Step]:
        """What has to be done for the targets; ``lenient`` takes a Docker that doesn't answer for an empty one."""

        def look(component: Component) -> State:
            try:
                return self.state(component)
            except MeshError:
                if not lenient:
                    raise
                return "missing"

        return make_plan(self.components, targets, look)

    def run(self, steps: Sequence[Step]) -> list[str]:
        """Do the steps; the names of components that were built or brought back.

        Raises :class:`BuildFailed` for the first that fails, after the others under way were stopped.
        """
        tasks = [
            Task(name=step.component.name, work=functools.partial(self._make, step.component), after=step.after)
            for step in steps
        ]
        runner = Runner(jobs=self.jobs, report=self.report, clock=self.clock, tick=self.tick)
        outcome = runner.run(tasks, self._failed)
        return [name for name, what in outcome.items() if what in ("done", "loaded")]

    def _failed(self, name: str, error: BaseException) -> BuildFailed:
        log = self.cache.log(name, self.keys[name])
        return BuildFailed(name, str(error) or type(error).__name__, log, _tail(log))

    def _make(self, component: Component, control: Control) -> What:
        """Make one component; runs in a worker thread."""
        with self.cache.lock(component.name, waiting=control.waiting, check=control.check) as lock:
            control.check()
            state = self.state(component)
            if state == "ready":
                return "found"
            if state == "missing":
                self._build(component, lock, control)
                return "done"
            if state == "saved":
                self.images.load(self.path(component.name, _SAVED))
            self._name(component)
            return "loaded"

    def _build(self, component: Component, lock: int, control: Control) -> None:
        name, key = component.name, self.keys[component.name]
        log_path = self.cache.log(name, key)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        started = self.clock()
        with self.cache.staging(name) as stage, log_path.open("w", encoding="utf-8") as log:
            ctx = BuildContext(
                name=name,
                key=key,
                work=stage.work,
                out=stage.out,
                inputs={need: self.cache.entry(need, self.keys[need]) for need in self._needs(component, False)},
                images={need: self.components[need].image for need in self._needs(component, True)},
                files=self.files,
                log=log,
                image=component.image,
                labels=self.labels(component),
                params=component.params,
                arch=self.arch,
                abort=control.abort,
                keep_fds=(lock,),
            )
            ctx.say(f"# {name}, key {key}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}")
            component.build(ctx)
            self._keep(component, ctx)
            if not component.is_image or component.saved:
                seconds = round(self.clock() - started, 1)
                self.cache.publish(stage, name, key, about={"params": dict(component.params), "seconds": seconds})

    def _keep(self, component: Component, ctx: BuildContext) -> None:
        """See that the recipe left what it promised, and give an image its second name and its tar."""
        if not component.is_image:
            if absent := [file for file in component.outputs if not (ctx.out / file).is_file()]:
                raise MeshError(f"the recipe of {component.name} left no {', '.join(absent)}")
            return
        if self.images.label(component.image) != ctx.key:
            raise MeshError(f"the recipe of {component.name} left no image {component.image} with label {KEY_LABEL}")
        second = key_name(component.image, ctx.key)
        self.images.tag(component.image, second)
        if component.saved:
            self.images.save(second, [component.image, second], ctx.out / _SAVED)

    def _name(self, component: Component) -> None:
        """Give a known image its name, which another version may have had meanwhile."""
        self.images.tag(key_name(component.image, self.keys[component.name]), component.image)

    def _needs(self, component: Component, images: bool) -> list[str]:
        return [need for need in component.needs if self.components[need].is_image is images]

    def labels(self, component: Component) -> dict[str, str]:
        """What an image says it is: OCI labels, the sources and versions of all that is inside, and its key."""
        sources: dict[str, None] = {}

        def collect(name: str) -> None:
            if source := self.components[name].params.get("source"):
                sources[source] = None
            for need in self.components[name].needs:
                collect(need)

        collect(component.name)
        return {
            "org.opencontainers.image.title": component.image.rpartition(":")[0],
            "org.opencontainers.image.version": component.params.get("version", component.image.rpartition(":")[2]),
            "org.opencontainers.image.vendor": "edge.mesh, built from source; not an image of the projects it holds",
            "edge.mesh.sources": " ".join(sorted(sources)),
            **component.labels,
            KEY_LABEL: self.keys[component.name],
        }


def default_jobs() -> int:
    """How many components are built at a time: Go itself uses all cores, so a few suffice, and memory is finite."""
    cores = len(os.sched_getaffinity(0))
    return 1 if cores == 1 else 2 if cores < 8 else 4


def _tail(log: Path) -> list[str]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [text for text in lines if text.strip()][-_TAIL:]
