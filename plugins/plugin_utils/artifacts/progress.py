# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person sees while components are built: events to lines (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Event", "Reporter", "Running", "What", "duration", "line"]

What = Literal["start", "wait", "tick", "done", "loaded", "found", "stopped", "failed"]


@dataclass(frozen=True)
class Running:
    """A component under way: its number among all that have to be made, and for how many seconds."""

    number: int
    name: str
    seconds: float


@dataclass(frozen=True)
class Event:
    """One thing that happened; ``running`` are the components under way afterwards, for a tick those under way."""

    what: What
    total: int
    component: str = ""
    number: int = 0
    seconds: float = 0.0
    detail: str = ""  # wait: who holds the lock; failed: why
    doing: str = "building"
    did: str = "built"
    running: tuple[Running, ...] = ()


Reporter = Callable[[Event], None]

_SAID = {
    "start": "{doing}",
    "wait": "waiting: {detail} is {doing} it",
    "done": "{did} in {duration}",
    "loaded": "loaded in {duration}",
    "found": "{did} by another run",
    "stopped": "stopped after {duration}",
    "failed": "failed after {duration}: {detail}",
}


def duration(seconds: float) -> str:
    """Minutes and seconds: ``01:20``; above an hour ``1:02:03``."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    clock = f"{rest // 60:02}:{rest % 60:02}"
    return f"{hours}:{clock}" if hours else clock


def line(event: Event) -> str:
    """One line for a person: ``[ 3/27] kube-apiserver  building``, or for a tick everything under way."""
    if event.what == "tick":
        return "   ".join(
            f"{_place(task.number, event.total)} {task.name} {duration(task.seconds)}" for task in event.running
        )
    said = _SAID[event.what].format(
        duration=duration(event.seconds), detail=event.detail, doing=event.doing, did=event.did
    )
    return f"{_place(event.number, event.total)} {event.component}  {said}"


def _place(number: int, total: int) -> str:
    return f"[{number:{len(str(total))}}/{total}]"
