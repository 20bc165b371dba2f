# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be made for a run's targets, and in which order (pure but for asking the cache and Docker)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component

__all__ = ["State", "Step", "make_plan", "priorities"]

# ready: nothing to do; named: only the image's name is missing; saved: the cache holds its tar; missing: build it.
State = Literal["ready", "named", "saved", "missing"]


@dataclass(frozen=True)
class Step:
    """A component that isn't ready, and what has to be waited for."""

    component: Component
    state: State
    after: frozenset[str]  # names of other steps


def make_plan(
    components: Mapping[str, Component], targets: Sequence[str], state_of: Callable[[Component], State]
) -> list[Step]:
    """The steps that make all targets ready, the most urgent first.

    What a component needs is looked at only if it has to be built itself: with the node image at hand, nothing of
    what is inside has to be.
    """
    states: dict[str, State] = {}

    def visit(name: str) -> None:
        if name not in states:
            states[name] = state_of(components[name])
            if states[name] == "missing":
                for needed in components[name].needs:
                    visit(needed)

    for target in targets:
        visit(target)
    open_names = {name for name, state in states.items() if state != "ready"}
    steps = [
        Step(
            component=components[name],
            state=states[name],
            after=frozenset(components[name].needs) & open_names if states[name] == "missing" else frozenset(),
        )
        for name in states
        if name in open_names
    ]
    urgency = priorities(steps)
    return sorted(steps, key=lambda step: (-urgency[step.component.name], step.component.name))


def priorities(steps: Sequence[Step]) -> dict[str, int]:
    """Seconds from the start of each step to the end of all that waits for it: the longest chain goes first."""
    found: dict[str, int] = {}
    by_name = {step.component.name: step for step in steps}

    def chain(name: str) -> int:
        if name not in found:
            step = by_name[name]
            own = step.component.cost if step.state == "missing" else 1
            found[name] = own + max((chain(other.component.name) for other in steps if name in other.after), default=0)
        return found[name]

    for name in by_name:
        chain(name)
    return found
