# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work for many sites at once: none holds up the others, and a bug isn't swallowed."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel


def test_results_come_in_the_order_given() -> None:
    found = parallel.each({name: name.upper for name in "cab"}, 5, lambda _name: "late")
    assert list(found.items()) == [("c", "C"), ("a", "A"), ("b", "B")]


def test_jobs_run_at_the_same_time() -> None:
    meet = threading.Barrier(3, timeout=5)
    assert parallel.each(dict.fromkeys("abc", meet.wait), 5, lambda _name: -1).keys() == set("abc")


def test_a_job_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_GRACE", 0.0)
    never = threading.Event()

    def hang() -> str:
        never.wait(10)
        return "too late"

    found = parallel.each({"hangs": hang, "well": lambda: "done"}, 0.1, lambda name: f"{name} is late")
    never.set()
    assert found == {"hangs": "hangs is late", "well": "done"}


def test_more_jobs_than_workers_run_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "WORKERS", 2)
    found = parallel.each({str(number): (lambda: "done") for number in range(9)}, 5, lambda _name: "late")
    assert list(found.values()) == ["done"] * 9


def test_a_bug_in_a_job_is_raised() -> None:
    def broken() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        parallel.each({"broken": broken, "well": lambda: "done"}, 5, lambda _name: "late")


def test_no_jobs_no_results() -> None:
    assert parallel.each({}, 5, lambda _name: "late") == {}
