# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that runs out, and work that is left behind."""

from __future__ import annotations

import threading
import time

from ansible_collections.edge.mesh.plugins.module_utils._xds.deadline import Deadline, gather


def test_a_deadline_counts_down_and_never_below_zero() -> None:
    now = [100.0]
    deadline = Deadline(10, lambda: now[0])
    assert deadline.left() == 10
    assert deadline.left(3) == 3
    now[0] = 108.0
    assert deadline.left(3) == 2
    now[0] = 200.0
    assert deadline.left() == 0
    assert deadline.passed


def test_jobs_run_at_the_same_time() -> None:
    barrier = threading.Barrier(5, timeout=5)
    met: list[int] = []
    gather([lambda: met.append(barrier.wait()) for _job in range(5)], 5)
    assert len(met) == 5


def test_jobs_that_hang_cost_one_deadline_together_and_dont_hold_up_the_others() -> None:
    release, done = threading.Event(), []
    start = time.monotonic()
    gather([release.wait] * 10 + [lambda: done.append(True)], 0.2)  # type: ignore[list-item]
    assert done == [True]
    assert time.monotonic() - start < 1
    release.set()


def test_more_jobs_than_workers_run_in_turns() -> None:
    done: list[int] = []
    gather([lambda number=number: done.append(number) for number in range(7)], 5, workers=2)  # type: ignore[misc]
    assert sorted(done) == list(range(7))


def test_no_jobs_are_no_work() -> None:
    gather([], 5)
