# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and the runner: what has to be made, in which order, and what is said meanwhile."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.plan import State, make_plan
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Event, Running, duration, line
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.runner import Control, Runner, Task


def component(name: str, cost: int, *needs: str) -> Component:
    return Component(name, "go", lambda ctx: None, needs=needs, cost=cost)


PARTS = {
    part.name: part
    for part in (
        component("node", 30, "image", "kubelet"),
        component("image", 5, "apiserver"),
        component("apiserver", 553),
        component("kubelet", 22),
        component("istioctl", 200),
        component("kind", 30),
    )
}


def names(states: dict[str, State], *targets: str) -> list[str]:
    return [s.component.name for s in make_plan(PARTS, targets, lambda part: states.get(part.name, "missing"))]


def test_the_longest_chain_goes_first() -> None:
    assert names({}, "kind", "istioctl", "node") == ["apiserver", "istioctl", "kubelet", "image", "kind", "node"]


def test_a_target_at_hand_needs_nothing_of_what_it_is_made_of() -> None:
    assert names({"node": "ready"}, "node", "kind") == ["kind"]
    assert names({"node": "ready", "kind": "ready"}, "node", "kind") == []


@pytest.mark.parametrize("state", ["saved", "named"])
def test_an_image_that_only_has_to_be_brought_back_needs_no_build(state: State) -> None:
    assert names({"node": state}, "node") == ["node"]


def test_steps_wait_only_for_what_is_not_ready() -> None:
    steps = make_plan(PARTS, ["node"], lambda part: "ready" if part.name in ("apiserver", "kubelet") else "missing")
    assert {step.component.name: set(step.after) for step in steps} == {"image": set(), "node": {"image"}}


def failed(name: str, error: BaseException) -> MeshError:
    return MeshError(f"{name} failed", why=str(error))


def test_no_more_tasks_run_at_once_than_allowed_and_all_run() -> None:
    guard, now, most = threading.Lock(), [0], [0]
    together = threading.Barrier(2, timeout=10)

    def work(control: Control) -> str:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait()
        with guard:
            now[0] -= 1
        return "done"

    tasks = [Task(f"t{number}", work) for number in range(6)]  # type: ignore[arg-type]
    outcome = Runner(jobs=2, report=lambda event: None).run(tasks, failed)
    assert set(outcome) == {task.name for task in tasks}
    assert most == [2]


def test_a_task_starts_after_what_it_waits_for() -> None:
    order: list[str] = []

    def work(name: str, *after: str) -> Task:
        return Task(name, lambda control: order.append(name) or "done", frozenset(after))  # type: ignore[func-returns-value]

    Runner(jobs=4, report=lambda event: None).run([work("c", "a", "b"), work("b", "a"), work("a")], failed)
    assert order == ["a", "b", "c"]


def test_a_failure_stops_the_others_and_starts_no_more() -> None:
    events: list[Event] = []
    running = threading.Event()

    def fails(control: Control) -> str:
        assert running.wait(10)
        raise ValueError("no space left")

    def long(control: Control) -> str:
        running.set()
        assert control.abort.wait(10)
        control.check()
        return "done"

    tasks = [Task("long", long), Task("short", fails), Task("never", lambda control: "done")]  # type: ignore[arg-type]
    with pytest.raises(MeshError, match="short failed: no space left"):
        Runner(jobs=2, report=events.append).run(tasks, failed)
    assert [(event.what, event.component) for event in events] == [
        ("start", "long"),
        ("start", "short"),
        ("failed", "short"),
        ("stopped", "long"),
    ]


def test_while_something_runs_a_line_comes_at_every_tick() -> None:
    events: list[Event] = []
    enough = threading.Event()
    clock = [0.0]

    def tell(event: Event) -> None:
        events.append(event)
        if [event.what for event in events].count("tick") == 3:
            enough.set()

    def now() -> float:
        clock[0] += 7
        return clock[0]

    def work(control: Control) -> str:
        assert enough.wait(10)
        return "done"

    Runner(jobs=1, report=tell, clock=now, tick=0.01).run([Task("slow", work)], failed)  # type: ignore[arg-type]
    assert [event.what for event in events[:4]] == ["start", "tick", "tick", "tick"]
    assert events[3].running[0].seconds > events[1].running[0].seconds > 0


def test_nothing_to_do_says_nothing() -> None:
    events: list[Event] = []
    assert Runner(jobs=2, report=events.append).run([], failed) == {}
    assert events == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event("start", 27, "kube-apiserver", 3), "[ 3/27] kube-apiserver  building"),
        (Event("done", 27, "kube-apiserver", 3, 553.4), "[ 3/27] kube-apiserver  built in 09:13"),
        (Event("loaded", 1, "node-image", 1, 12), "[1/1] node-image  loaded in 00:12"),
        (Event("found", 9, "etcd", 2), "[2/9] etcd  built by another run"),
        (Event("wait", 9, "etcd", 2, detail="process 7"), "[2/9] etcd  waiting: process 7 is building it"),
        (Event("stopped", 9, "etcd", 2, 61), "[2/9] etcd  stopped after 01:01"),
        (Event("failed", 9, "etcd", 2, 61, "go ended with 1"), "[2/9] etcd  failed after 01:01: go ended with 1"),
        (Event("done", 3, "kubectl", 1, 4, doing="fetching", did="fetched"), "[1/3] kubectl  fetched in 00:04"),
        (
            Event("tick", 27, running=(Running(3, "kube-apiserver", 80), Running(12, "istioctl", 3601))),
            "[ 3/27] kube-apiserver 01:20   [12/27] istioctl 1:00:01",
        ),
    ],
)
def test_lines_say_which_of_how_many_and_for_how_long(event: Event, expected: str) -> None:
    assert line(event) == expected


def test_durations_are_clock_times() -> None:
    assert [duration(seconds) for seconds in (0, 59.9, 60, 3599, 3600)] == [
        "00:00",
        "00:59",
        "01:00",
        "59:59",
        "1:00:00",
    ]
