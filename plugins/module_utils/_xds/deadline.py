# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that runs out, and work that is abandoned when it does (used by `_xds`).

A site's walk blocks in name resolution, TCP, TLS and gRPC: the only sure way to bound all of them is to stop waiting.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

__all__ = ["Deadline", "gather"]

WORKERS = 64


class Deadline:
    """A point in time, by the clock handed in (seconds, monotonic)."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self, at_most: float | None = None) -> float:
        """Seconds left, never negative, never more than ``at_most``."""
        left = max(0.0, self._end - self._clock())
        return left if at_most is None else min(left, at_most)

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.left() <= 0


def gather(jobs: Sequence[Callable[[], None]], seconds: float, workers: int = WORKERS) -> None:
    """Run the jobs at the same time and return when all are done, or when each has had ``seconds``.

    Jobs report by themselves and mustn't raise. One that hangs is left behind in a daemon thread: it can't hold up the
    others or the end of the process. More jobs than ``workers`` run in turns, each turn with its own ``seconds``.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            job()

    count = min(workers, len(jobs))
    threads = [threading.Thread(target=work, daemon=True) for _index in range(count)]
    for thread in threads:
        thread.start()
    turns = -(-len(jobs) // count) if count else 0
    end = Deadline(seconds * turns)
    for thread in threads:
        thread.join(end.left())
