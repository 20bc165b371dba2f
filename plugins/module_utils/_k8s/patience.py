# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for many objects at once, with the reason of the first one that doesn't get there (used by ``converge``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import wait
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.observe import Live, Parallel, Target
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import order
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import Clock

__all__ = ["Patience"]


class Patience:
    """Polls the objects of one site; ``until`` is always a moment of the clock."""

    def __init__(self, client: Client, work: Parallel, clock: Clock) -> None:
        self._client = client
        self._work = work
        self._clock = clock

    def until_gone(self, leaving: Sequence[tuple[Target, Live]], until: float) -> None:
        """Wait until objects that are being deleted are gone, or made anew under their name; raises MeshError."""
        left = list(leaving)
        last: Live = {}

        def check() -> bool:
            nonlocal last
            answers = self._work.all(lambda entry: self._client.get(entry[0].path), left)
            still = [
                (entry, now) for entry, now in zip(left, answers, strict=True)
                if now is not None and now["metadata"].get("uid") == entry[1]["metadata"].get("uid")
            ]  # fmt: skip
            left[:] = [entry for entry, _now in still]
            last = still[0][1] if still else {}
            return not left

        if left and not wait.poll(check, until=until, clock=self._clock):
            raise MeshError(
                f"{left[0][0].ref} isn't gone in time",
                site=self._client.site,
                why=_why_still_there(last) + (f"; and {len(left) - 1} more" if len(left) > 1 else ""),
                hint="look for a finalizer whose controller is gone",
            )

    def until_ready(self, targets: Sequence[Target], until: float, goal: str) -> None:
        """Poll what isn't ready yet; raises MeshError with the first object's reason when the time is up."""
        left = list(targets)
        last: dict[tuple[str, str, str, str], tuple[Live | None, wait.Progress]] = {}

        def check() -> bool:
            answers = self._work.all(lambda target: self._client.get(target.path), left)
            for target, now in zip(list(left), answers, strict=True):
                state = wait.progress(now)
                last[target.ref.identity] = now, state
                if isinstance(state, wait.Failed):
                    raise self._not_ready([target], last, goal)
                if isinstance(state, wait.Ready):
                    left.remove(target)
            return not left

        if not wait.poll(check, until=until, clock=self._clock):
            raise self._not_ready(left, last, goal)

    def _not_ready(
        self,
        left: Sequence[Target],
        last: Mapping[tuple[str, str, str, str], tuple[Live | None, wait.Progress]],
        goal: str,
    ) -> MeshError:
        target = min(left, key=lambda target: order(target.ref))
        live, state = last[target.ref.identity]
        why = state.why if isinstance(state, (wait.Waiting, wait.Failed)) else ""
        pods = wait.why_pods(self._client, live) if live is not None else None
        if pods:
            why += f"; {pods}"
        if len(left) > 1:
            why += f"; and {len(left) - 1} more objects wait"
        where = f"-n {target.ref.namespace} " if target.ref.namespace else ""
        hint = f"look at: kubectl {where}describe {target.resource.plural} {target.ref.name}"
        return MeshError(f"{target.ref} isn't {goal} in time", site=self._client.site, why=why, hint=hint)


def _why_still_there(live: Mapping[str, Any]) -> str:
    metadata = live.get("metadata") or {}
    for condition in (live.get("status") or {}).get("conditions") or []:
        if condition.get("type") in ("NamespaceContentRemaining", "NamespaceFinalizersRemaining"):
            return str(condition.get("message"))
    finalizers = metadata.get("finalizers") or []
    return f"finalizers are left: {', '.join(finalizers)}" if finalizers else "its deletion is under way"
