# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs named tasks in order, a few at a time, and reports all the while (used by both artifact sources).

The caller's own thread hands out work and reports; the tasks run in worker threads. The first failure stops the others.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import Aborted
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Event, Reporter, Running, What

__all__ = ["TICK", "Control", "Runner", "Task"]

# Between two lines that only say what is under way, in seconds.
TICK = 15.0


class Control:
    """What a task may ask and say while it runs."""

    def __init__(self, abort: threading.Event, waiting: Callable[[str], None]) -> None:
        self.abort = abort
        self.waiting = waiting

    def check(self) -> None:
        """Raise :class:`Aborted` if the task has to end."""
        if self.abort.is_set():
            raise Aborted("the run was stopped")


@dataclass(frozen=True)
class Task:
    """A piece of work that waits for those in ``after``; ``work`` returns how it ended."""

    name: str
    work: Callable[[Control], What]
    after: frozenset[str] = frozenset()
    doing: str = "building"
    did: str = "built"


class _News(NamedTuple):
    """What a worker thread tells the runner's thread."""

    name: str
    what: What
    detail: str = ""
    error: BaseException | None = None


@dataclass(frozen=True)
class _Started:
    task: Task
    number: int
    at: float


@dataclass
class Runner:
    """Runs tasks, at most ``jobs`` at a time; ``clock`` gives seconds."""

    jobs: int
    report: Reporter
    clock: Callable[[], float] = time.monotonic
    tick: float = TICK
    _abort: threading.Event = field(default_factory=threading.Event)
    _news: queue.Queue[_News] = field(default_factory=queue.Queue)

    def run(self, tasks: Sequence[Task], failed: Callable[[str, BaseException], MeshError]) -> dict[str, What]:
        """Run all tasks, in the given order as far as they needn't wait; how each ended.

        Raises what ``failed`` makes of the first failure, after the others under way were stopped.
        """
        waiting = list(tasks)
        started: dict[str, _Started] = {}
        outcome: dict[str, What] = {}
        failure: MeshError | None = None
        said = self.clock()
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            try:
                while started or (waiting and failure is None):
                    if failure is None:
                        self._start(pool, waiting, started, outcome, len(tasks))
                    news = self._next()
                    if news is not None:
                        said = self.clock()
                        if (problem := self._take(news, started, outcome, len(tasks), failure is not None)) is not None:
                            failure = failed(news.name, problem)
                            failure.__cause__ = problem
                            self._abort.set()
                    elif self.clock() - said >= self.tick:
                        said = self.clock()
                        self.report(Event(what="tick", total=len(tasks), running=self._running(started)))
            finally:
                self._abort.set()
        if failure:
            raise failure
        return outcome

    def _start(
        self,
        pool: ThreadPoolExecutor,
        waiting: list[Task],
        started: dict[str, _Started],
        outcome: Mapping[str, What],
        total: int,
    ) -> None:
        for task in list(waiting):
            if len(started) >= self.jobs:
                return
            if task.after <= outcome.keys():
                waiting.remove(task)
                started[task.name] = _Started(task, total - len(waiting), self.clock())
                self._say("start", started, task.name, total)
                pool.submit(self._work, task)

    def _work(self, task: Task) -> None:
        """One task; runs in a worker thread."""

        def waiting(holder: str) -> None:
            self._news.put(_News(task.name, "wait", holder))

        try:
            self._news.put(_News(task.name, task.work(Control(self._abort, waiting))))
        except BaseException as error:  # whatever it is, the runner's thread has to know
            self._news.put(_News(task.name, "failed", error=error))

    def _next(self) -> _News | None:
        try:
            return self._news.get(timeout=min(self.tick, 1.0))
        except queue.Empty:
            return None

    def _take(
        self, news: _News, started: dict[str, _Started], outcome: dict[str, What], total: int, stopping: bool
    ) -> BaseException | None:
        """Report what a task said; the error if it is a first failure."""
        if news.what == "wait":
            self._say("wait", started, news.name, total, news.detail)
            return None
        problem = None
        if news.error is None:
            outcome[news.name] = news.what
            self._say(news.what, started, news.name, total)
        elif stopping:
            self._say("stopped", started, news.name, total)
        else:
            problem = news.error
            self._say("failed", started, news.name, total, str(problem) or type(problem).__name__)
        del started[news.name]
        return problem

    def _say(self, what: What, started: Mapping[str, _Started], name: str, total: int, detail: str = "") -> None:
        one = started[name]
        event = Event(what=what, total=total, component=name, number=one.number, seconds=self.clock() - one.at)
        event = replace(event, detail=detail, doing=one.task.doing, did=one.task.did)
        self.report(replace(event, running=self._running(started)))

    def _running(self, started: Mapping[str, _Started]) -> tuple[Running, ...]:
        now = self.clock()
        return tuple(Running(one.number, name, now - one.at) for name, one in started.items())
