# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same work for many sites at once, none of which can hold up the others (used by `_verify`)."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["WORKERS", "each"]

T = TypeVar("T")

WORKERS = 32
_GRACE = 1.0  # seconds that a job may need after its own deadline to say what it has


def each(jobs: Mapping[str, Callable[[], T]], seconds: float, late: Callable[[str], T]) -> dict[str, T]:
    """The results of all jobs by name, in the order given; ``late(name)`` for those that didn't end in time.

    A job keeps its own deadline of ``seconds``. One that hangs all the same (in name resolution, say) is left behind in
    a daemon thread. More than ``WORKERS`` jobs run in turns. What a job raises is a bug, and is raised here again.
    """
    results: dict[str, T] = {}
    bugs: list[Exception] = []
    waiting: queue.SimpleQueue[tuple[str, Callable[[], T]]] = queue.SimpleQueue()
    for item in jobs.items():
        waiting.put(item)

    def work() -> None:
        while not waiting.empty():
            try:
                name, job = waiting.get_nowait()
                results[name] = job()
            except queue.Empty:
                return
            except Exception as error:  # told in the caller's thread
                bugs.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _index in range(min(WORKERS, len(jobs)))]
    for thread in threads:
        thread.start()
    turns = -(-len(jobs) // WORKERS)
    end = time.monotonic() + (seconds + _GRACE) * turns
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if bugs:
        raise bugs[0]
    done = dict(results)
    return {name: done[name] if name in done else late(name) for name in jobs}
