# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine: builds what is missing, once, and leaves a cache that the next run trusts."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import key_name
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.engine import BuildFailed, Engine


def make(engine: Engine, *targets: str) -> list[str]:
    return engine.run(engine.plan(targets))


def test_a_component_gets_what_it_needs_and_a_second_run_does_nothing(workshop: SimpleNamespace) -> None:
    parts = [workshop.component("top", "left", "right"), workshop.component("left"), workshop.component("right")]
    engine = workshop.engine(*parts)
    assert set(make(engine, "top")) == {"top", "left", "right"}
    assert engine.path("top", "top").read_text() == "leftrighttop"
    workshop.events.clear()
    assert make(workshop.engine(*parts), "top") == []
    assert workshop.events == []
    assert len(workshop.built) == 3


def test_a_changed_component_is_built_anew_with_all_above_it(workshop: SimpleNamespace) -> None:
    def parts(flags: str) -> list[Any]:
        return [
            workshop.component("top", "left", "right"),
            workshop.component("left", params={"flags": flags}),
            workshop.component("right"),
        ]

    make(workshop.engine(*parts("a")), "top")
    workshop.built.clear()
    make(workshop.engine(*parts("b")), "top")
    assert workshop.built == ["left", "top"]


def test_a_recipe_that_forgets_an_output_fails(workshop: SimpleNamespace) -> None:
    part = workshop.component("tool")
    engine = workshop.engine(type(part)(part.name, part.kind, part.build, outputs=("tool", "more")))
    with pytest.raises(BuildFailed, match="left no more"):
        make(engine, "tool")
    assert not engine.cache.has("tool", engine.keys["tool"])


def test_a_failure_names_the_component_its_log_and_the_last_lines(workshop: SimpleNamespace) -> None:
    def fails(ctx: BuildContext) -> None:
        ctx.run(["sh", "-c", "echo step one; echo undefined: x >&2; exit 2"])

    engine = workshop.engine(workshop.component("tool", do=fails))
    with pytest.raises(BuildFailed) as caught:
        make(engine, "tool")
    error = caught.value
    assert str(error) == f"component tool can't be built: sh ended with 2 (the build log is {error.log})"
    assert error.tail[-2:] == ["step one", "undefined: x"]
    assert "undefined: x" in error.log.read_text()


def test_after_a_failure_the_rest_is_kept_and_the_next_run_goes_on(workshop: SimpleNamespace) -> None:
    broken = [True]

    def fails(ctx: BuildContext) -> None:
        if broken[0]:
            raise MeshError("disk full")

    parts = [
        workshop.component("top", "below"),
        workshop.component("below"),
        workshop.component("bad", "top", do=fails),
    ]
    with pytest.raises(BuildFailed, match="disk full"):
        make(workshop.engine(*parts), "bad")
    broken[0] = False
    workshop.built.clear()
    make(workshop.engine(*parts), "bad")
    assert workshop.built == ["bad"]


def test_a_running_command_is_ended_when_another_component_fails(workshop: SimpleNamespace) -> None:
    started = threading.Event()

    def endless(ctx: BuildContext) -> None:
        started.set()
        ctx.run(["sh", "-c", "sleep 600 & wait"])

    def fails(ctx: BuildContext) -> None:
        assert started.wait(10)
        raise MeshError("broken")

    parts = [workshop.component("endless", do=endless, cost=99), workshop.component("bad", do=fails)]
    with pytest.raises(BuildFailed, match="component bad can't be built: broken"):
        make(workshop.engine(*parts), "endless", "bad")
    assert [event.what for event in workshop.events][-2:] == ["failed", "stopped"]


def test_what_another_run_built_meanwhile_is_taken(workshop: SimpleNamespace) -> None:
    parts = [workshop.component("tool")]
    one, other = workshop.engine(*parts), workshop.engine(*parts)
    steps = one.plan(["tool"])
    make(other, "tool")
    assert one.run(steps) == []
    assert workshop.built == ["tool"]
    assert workshop.events[-1].what == "found"


def test_two_runs_at_once_build_each_component_once(workshop: SimpleNamespace) -> None:
    inside, release = threading.Event(), threading.Event()

    def slow(ctx: BuildContext) -> None:
        inside.set()
        assert release.wait(10)

    parts = [workshop.component("top", "tool"), workshop.component("tool", do=slow)]
    first, second = workshop.engine(*parts), workshop.engine(*parts)
    thread = threading.Thread(target=make, args=(first, "top"))
    thread.start()
    assert inside.wait(10)

    def waiting(seconds: float) -> None:
        release.set()
        thread.join(10)

    second.cache = Cache(second.cache.root, sleep=waiting)
    make(second, "top")
    assert sorted(workshop.built) == ["tool", "top"]
    assert "wait" in [event.what for event in workshop.events]


def test_an_image_is_known_by_its_label_and_gets_a_name_with_its_key(workshop: SimpleNamespace, docker: Any) -> None:
    engine = workshop.engine(workshop.image("node", "tool"), workshop.component("tool", params={"source": "tool@v1"}))
    assert set(make(engine, "node")) == {"node", "tool"}
    key = engine.keys["node"]
    assert docker.images == {"edge-mesh.local/node:1": key, key_name("edge-mesh.local/node:1", key): key}
    assert engine.labels(engine.components["node"])["edge.mesh.sources"] == "tool@v1"
    assert make(engine, "node") == []


def test_an_image_that_lost_its_name_only_gets_it_back(workshop: SimpleNamespace, docker: Any) -> None:
    engine = workshop.engine(workshop.image("node"))
    make(engine, "node")
    docker.images["edge-mesh.local/node:1"] = "another version's"
    assert make(engine, "node") == ["node"]
    assert workshop.built == ["node"]
    assert docker.images["edge-mesh.local/node:1"] == engine.keys["node"]


def test_a_saved_image_comes_back_into_a_wiped_docker(workshop: SimpleNamespace, docker: Any) -> None:
    engine = workshop.engine(workshop.image("node", "tool", saved=True), workshop.component("tool"))
    make(engine, "node")
    docker.images.clear()
    workshop.built.clear()
    assert make(engine, "node") == ["node"]
    assert workshop.built == []
    assert docker.images["edge-mesh.local/node:1"] == engine.keys["node"]


def test_an_image_that_was_not_saved_is_built_again(workshop: SimpleNamespace, docker: Any) -> None:
    engine = workshop.engine(workshop.image("node"))
    make(engine, "node")
    docker.images.clear()
    make(engine, "node")
    assert workshop.built == ["node", "node"]


def test_a_recipe_that_leaves_no_labelled_image_fails(workshop: SimpleNamespace, docker: Any) -> None:
    part = workshop.image("node")
    engine = workshop.engine(type(part)(part.name, part.kind, lambda ctx: None, image=part.image))
    with pytest.raises(BuildFailed, match="left no image"):
        make(engine, "node")


def test_looking_creates_nothing(workshop: SimpleNamespace, docker: Any) -> None:
    engine = workshop.engine(workshop.image("node", "tool"), workshop.component("tool"))
    assert [step.component.name for step in engine.plan(["node"])] == ["tool", "node"]
    assert not engine.cache.root.exists()


def test_a_silent_docker_is_an_error_unless_only_looking(workshop: SimpleNamespace, docker: Any) -> None:
    def silent(image: str) -> str | None:
        raise MeshError("Docker doesn't answer")

    docker.label = silent
    engine = workshop.engine(workshop.image("node"))
    with pytest.raises(MeshError, match="Docker doesn't answer"):
        engine.plan(["node"])
    assert [step.state for step in engine.plan(["node"], lenient=True)] == ["missing"]
