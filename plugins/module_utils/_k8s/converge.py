# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects of one site made as wished, in one call (used by the modules ``manifests`` and ``local_injector``).

Read, plan, act in waves, prune, wait. In check mode the same requests are sent as server-side dry runs, so the answer
is the server's own; only what depends on something that isn't there yet is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import (
    accounts,
    execute,
    observe,
    ownership,
    strangers,
    wait,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.discovery import Resource, from_crds
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object, Ref, clean, ref_of
from ansible_collections.edge.mesh.plugins.module_utils._k8s.execute import Item
from ansible_collections.edge.mesh.plugins.module_utils._k8s.observe import Live, Parallel, Target
from ansible_collections.edge.mesh.plugins.module_utils._k8s.patience import Patience
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import (
    Apply,
    Create,
    Delete,
    Keep,
    Predict,
    Refuse,
    Release,
    Rules,
    Step,
    order,
    plan_absent,
    plan_present,
    plan_status,
)  # fmt: skip
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import Clock

__all__ = ["Report", "Request", "converge"]

_WAVES = 5


@dataclass(frozen=True)
class Request:
    """What is wanted of one site; ``wait_seconds`` None means not to wait, ``until`` is the clock's deadline.

    ``prune_kinds`` are the group kinds that pruning asks for beside those of ``objects``; empty: all there are.
    ``statuses`` are objects whose status is applied once ``objects`` are, and before anything is waited for.
    """

    objects: Sequence[Object]
    rules: Rules
    present: bool
    prune: bool
    check_mode: bool
    until: float
    wait_seconds: float | None = None
    subresource: str = ""
    prune_kinds: Sequence[str] = ()
    statuses: Sequence[Object] = ()


@dataclass
class Report:
    """What was done (check mode: would be), object by object, in the order of the call."""

    items: list[Item] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return any(item.changed for item in self.items)


def converge(client: Client, request: Request, clock: Clock) -> Report:
    """Make the objects of ``request`` as it says; raises MeshError for the first thing that can't be done."""
    with Parallel() as work:
        run = _Run(client, request, clock, work)
        if request.present:
            return run.present()
        return run.absent()


class _Run:
    """One call of :func:`converge`."""

    def __init__(self, client: Client, request: Request, clock: Clock, work: Parallel) -> None:
        self._client = client
        self._request = request
        self._clock = clock
        self._work = work
        self._patience = Patience(client, work, clock)
        self._report = Report()

    # -- present ------------------------------------------------------------------------------------------------------

    def present(self) -> Report:
        request = self._request
        wanted = [clean(item, status=bool(request.subresource)) for item in request.objects]
        targets = observe.resolve(
            self._client, wanted, absent=False, site=self._client.site, predict=request.check_mode
        )
        live = observe.read(self._client, self._work, targets, request.rules.set_name)
        leaving = _leaving(live)
        steps = self._plan(targets, {name: item for name, item in live.items() if name not in leaving})
        if leaving and not request.check_mode:
            self._patience.until_gone(
                [(target, live[target.ref.identity]) for target in targets if target.ref.identity in leaving],
                request.until,
            )
        done = self._waves(targets, steps, live, set(leaving))
        self._report.items = [done[target.ref.identity] for target in targets]
        if request.statuses:
            self._publish()
        if request.wait_seconds is not None and not request.check_mode and not request.subresource:
            until = min(self._clock.now() + request.wait_seconds, request.until)
            self._patience.until_ready(targets, until, "ready")
        if request.prune:  # last: what is on its way out serves until what replaces it is ready
            self._prune(targets)
        return self._report

    def _publish(self) -> None:
        """Apply the statuses, as a call of its own would."""
        rules = replace(self._request.rules, set_name=None, adopt=False, keep_items=())
        asked = replace(
            self._request, objects=self._request.statuses, statuses=(), rules=rules, subresource="status", prune=False,
            wait_seconds=None,
        )  # fmt: skip
        report = _Run(self._client, asked, self._clock, self._work).present()
        self._report.items += report.items
        self._report.warnings += report.warnings

    def _plan(self, targets: Sequence[Target], live: Mapping[tuple[str, str, str, str], Live]) -> list[Step]:
        """A step for each target; raises MeshError if any of them must not be touched, before anything is done."""
        rules = self._request.rules
        steps: list[Step] = []
        refused: list[str] = []
        hint = None
        for target in targets:
            there = live.get(target.ref.identity)
            if self._request.subresource:
                step = plan_status(target.desired, there, rules, check_mode=self._request.check_mode)
            else:
                step = plan_present(target.desired, there, rules)
            if isinstance(step, Refuse):
                refused.append(f"{target.ref}: {step.why}")
                hint = hint or step.hint
            steps.append(step)
        if refused:
            more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
            what = f"{len(refused)} of {len(targets)} objects can't be applied"
            raise MeshError(what, site=self._client.site, why="; ".join(refused[:3]) + more, hint=hint)
        return steps

    def _waves(
        self,
        targets: Sequence[Target],
        steps: Sequence[Step],
        live: Mapping[tuple[str, str, str, str], Live],
        leaving: set[tuple[str, str, str, str]],
    ) -> dict[tuple[str, str, str, str], Item]:
        """Do the steps wave by wave; what a wave's objects stand on is there before the next wave begins."""
        done: dict[tuple[str, str, str, str], Item] = {}
        coming = {
            target.ref for target, step in zip(targets, steps, strict=True)
            if isinstance(step, Create) and target.ref.kind in ("Namespace", "CustomResourceDefinition")
        }  # fmt: skip
        # kinds, in a version, that a definition of this call will serve and the server doesn't yet
        new_kinds = from_crds([target.desired for target in targets]).keys() - from_crds(live.values()).keys()
        new_namespaces = {ref.name for ref in coming if ref.kind == "Namespace"}
        used = {(target.ref.api_version, target.ref.kind) for target in targets}

        def act(entry: tuple[Target, Step]) -> Item:
            target, step = entry
            there = live.get(target.ref.identity)
            unasked = ""
            if target.ref.namespace in new_namespaces:
                unasked = f"its namespace {target.ref.namespace} isn't there yet"
            elif not target.served or (target.ref.api_version, target.ref.kind) in new_kinds:
                unasked = f"the cluster doesn't serve {target.ref.api_version} {target.ref.kind} yet"
            if isinstance(step, Create):
                if target.ref.identity in leaving:
                    unasked = unasked or "the one that is there is being deleted"
                return self._create(target, step, unasked)
            if isinstance(step, Predict):
                return execute.predicted(target.ref, "configured", step.body, step.why)
            if isinstance(step, Apply) and there is not None:
                return self._apply(target, step, there, unasked)
            return execute.kept(target.ref, there, step.reasons if isinstance(step, Keep) else ())

        for wave in range(_WAVES):
            entries = [entry for entry in zip(targets, steps, strict=True) if order(entry[0].ref) == wave]
            for item in self._work.all(act, entries):
                done[item.ref.identity] = self._with_pods(item, new_namespaces)
            made = [
                target for target, _step in entries
                if target.ref in coming and target.ref.kind != "Namespace" and used & from_crds([target.desired]).keys()
            ]  # fmt: skip
            if made and not self._request.check_mode:  # a second or two: not where nothing of the call stands on it
                self._patience.until_ready(made, self._request.until, "established")
        return done

    def _with_pods(self, item: Item, new_namespaces: set[str]) -> Item:
        """The item; a service account that had to be made anew takes its pods with it."""
        if item.ref.kind != "ServiceAccount" or item.action != "created" or item.ref.namespace in new_namespaces:
            return item
        done = accounts.replace_pods(self._client, item.ref, dry_run=self._request.check_mode)
        return replace(item, reasons=(*item.reasons, done)) if done else item

    def _create(self, target: Target, step: Create, unasked: str) -> Item:
        """Create an object; one whose definition or namespace is new may meet a server that doesn't know it yet.

        ``unasked``: what is new, and so why a dry run can't ask the server.
        """
        if self._request.check_mode:
            return execute.create(self._client, target, step.body, unasked=unasked, dry_run=True)
        return self._insist(
            lambda: execute.create(self._client, target, step.body, unasked="", dry_run=False), bool(unasked)
        )

    def _apply(self, target: Target, step: Apply, there: Live, unasked: str) -> Item:
        """Apply over what is there, also in a version that its definition serves only since a moment."""
        request = self._request
        if request.check_mode and unasked:
            return execute.predicted(target.ref, "configured", step.body, f"predicted: {unasked}")

        def send(step: Apply, live: Live) -> Item:
            return execute.apply(
                self._client, target, step, live, request.rules, subresource=request.subresource,
                dry_run=request.check_mode,
            )  # fmt: skip

        return self._insist(
            lambda: execute.apply_to_newest(self._client, target, step, there, request.rules, send), bool(unasked)
        )

    def _insist(self, send: Callable[[], Item], fresh: bool) -> Item:
        """Send, and if what it stands on is ``fresh`` send again for up to ten seconds while the answer is 404."""
        until = min(self._request.until, self._clock.now() + 10)
        made: list[Item] = []

        def attempt() -> bool:
            try:
                made.append(send())
            except ApiError as error:
                if not (fresh and error.status == 404 and self._clock.now() < until):
                    raise
            return bool(made)

        wait.poll(attempt, until=until + 1, clock=self._clock)
        return made[0]

    # -- absent and prune ---------------------------------------------------------------------------------------------

    def absent(self) -> Report:
        request = self._request
        set_name = request.rules.set_name
        if request.objects:
            targets = observe.resolve(self._client, request.objects, absent=True, site=self._client.site)
            live = observe.read(self._client, self._work, targets, set_name)
            found = [(target.ref, target.resource, live.get(target.ref.identity)) for target in targets]
            why = "state is absent"
        else:
            members = observe.members(self._client, self._work, str(set_name))
            found = [(ref_of(item), resource, item) for resource, item in members if ownership.origin_of(item)]
            why = "the whole set is unwanted"
        self._report.items = self._take_away(found, why, "deleted")
        if request.wait_seconds is not None and not request.check_mode:
            gone = {item.ref.identity for item in self._report.items if item.action in ("deleted", "pruned")}
            self._patience.until_gone(
                [(Target(ref, resource, {}), item) for ref, resource, item in found
                 if item is not None and ref.identity in gone],
                min(self._clock.now() + request.wait_seconds, request.until),
            )  # fmt: skip
        return self._report

    def _prune(self, targets: Sequence[Target]) -> None:
        wanted = {target.ref.identity for target in targets}
        among = {*self._request.prune_kinds, *(target.resource.group_kind for target in targets)}
        members = observe.members(
            self._client,
            self._work,
            str(self._request.rules.set_name),
            among if self._request.prune_kinds else None,
        )
        extra = [
            (ref_of(item), resource, item)
            for resource, item in members
            if ownership.origin_of(item) and ref_of(item).identity not in wanted
        ]
        self._report.items += [
            item for item in self._take_away(extra, "no longer in the set", "pruned") if item.changed
        ]

    def _take_away(self, found: Sequence[tuple[Ref, Resource, Live | None]], why: str, action: str) -> list[Item]:
        """Delete what we made and release what we adopted, in the reverse order of creation."""
        items: dict[tuple[str, str, str, str], Item] = {}
        going = {ref.identity for ref, _resource, _live in found}

        def act(entry: tuple[Ref, Resource, Live | None]) -> Item:
            ref, resource, live = entry
            step = plan_absent(live, self._request.rules.set_name, why=why)
            dry_run = self._request.check_mode
            if live is not None and isinstance(step, Delete):
                foreign = strangers.living_on(self._client, ref, resource, live, going)
                if foreign:
                    return self._spare(ref, resource, live, foreign)
                return execute.delete(self._client, ref, resource, live, step.reasons, action=action, dry_run=dry_run)
            if live is not None and isinstance(step, Release):
                return execute.release(self._client, ref, resource, live, step.reasons, dry_run=dry_run)
            return execute.kept(ref, live, step.reasons if isinstance(step, Keep) else ())

        for wave in reversed(range(_WAVES)):
            for item in self._work.all(act, [entry for entry in found if order(entry[0]) == wave]):
                items[item.ref.identity] = item
        return [items[ref.identity] for ref, _resource, _live in found]

    def _spare(self, ref: Ref, resource: Resource, live: Live, foreign: Sequence[Ref]) -> Item:
        """Let an object of ours live for what others have on it; a namespace loses what made it a part of the mesh."""
        why = f"kept: {len(foreign)} objects in it aren't ours ({foreign[0]})"
        if ref.kind != "Namespace":
            return execute.kept(ref, live, (why,))
        return execute.release(self._client, ref, resource, live, (why,), dry_run=self._request.check_mode)


def _leaving(live: Mapping[tuple[str, str, str, str], Live]) -> dict[tuple[str, str, str, str], Live]:
    """The objects that are being deleted, and those whose namespace is: they will be gone in a moment."""
    going = {identity for identity, item in live.items() if item["metadata"].get("deletionTimestamp")}
    namespaces = {name for group, kind, _none, name in going if (group, kind) == ("", "Namespace")}
    return {identity: item for identity, item in live.items() if identity in going or identity[2] in namespaces}
