# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The twelve steps that every module which changes something must take: create, again, change, again, delete, again.

Each step is taken in check mode first. That must tell the truth and touch nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Step", "twelve_steps"]

Answer = dict[str, Any]
STEPS = ("create", "again", "change", "again", "delete", "again")


@dataclass(frozen=True)
class Step:
    """A step that was taken: what check mode said beforehand, and what was then done."""

    name: str
    predicted: Answer
    done: Answer


def twelve_steps(
    run: Callable[..., Answer], first: Answer, second: Answer, gone: Answer, state: Callable[[], Any]
) -> list[Step]:
    """Take the steps; ``run`` gets a step's options and ``check``, ``state`` tells all that mustn't change unsaid."""
    steps = []
    for name, options in zip(STEPS, (first, first, second, second, gone, gone), strict=True):
        before = state()
        predicted = run(check=True, **options)
        assert not predicted.get("failed"), f"{name}, check mode: {predicted}"
        assert state() == before, f"{name}: check mode touched something"
        done = run(check=False, **options)
        assert not done.get("failed"), f"{name}: {done}"
        expected = name != "again"
        assert (predicted["changed"], done["changed"]) == (expected, expected), f"{name}: {predicted}, {done}"
        assert (state() != before) == expected, f"{name}: what was said isn't what was done"
        steps.append(Step(name, predicted, done))
    return steps
