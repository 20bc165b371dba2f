# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One step against the API, for real or as a server-side dry run (used by ``converge``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import diffs, ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import FIELD_MANAGER, ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.discovery import Resource
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object, Ref
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import Cause
from ansible_collections.edge.mesh.plugins.module_utils._k8s.observe import Target
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import Apply, Refuse, Rules, plan_present

__all__ = ["Item", "apply", "apply_to_newest", "conflicts", "create", "delete", "kept", "predicted", "release"]

# How often an object with a shared list is written when somebody else wrote in between.
_TRIES = 50


@dataclass(frozen=True)
class Item:
    """What was done (in check mode: would be) to one object; ``before`` and ``after`` hold what may be shown of it."""

    ref: Ref
    action: str
    reasons: tuple[str, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    uid: str = ""

    @property
    def changed(self) -> bool:
        """Whether the cluster is (would be) another one afterwards."""
        return self.action != "unchanged"

    def diff(self) -> dict[str, str]:
        """The difference as Ansible shows it."""
        before, after = diffs.texts(self.before, self.after)
        return {"before_header": str(self.ref), "after_header": str(self.ref), "before": before, "after": after}

    def as_dict(self) -> dict[str, Any]:
        """The item as the module returns it."""
        return {
            "kind": self.ref.kind,
            "namespace": self.ref.namespace or None,
            "name": self.ref.name,
            "action": self.action,
            "reasons": list(self.reasons),
        }


def kept(ref: Ref, live: Mapping[str, Any] | None, reasons: tuple[str, ...] = ()) -> Item:
    """An object that nothing is done to."""
    return Item(ref, "unchanged", reasons, uid=_uid(live))


def predicted(ref: Ref, action: str, body: Object, why: str) -> Item:
    """What would be done to an object of which the server can't be asked, for a reason that the item tells."""
    return Item(ref, action, (why,), after=diffs.shown(body, status="status" in body))


def create(client: Client, target: Target, body: Object, *, unasked: str, dry_run: bool) -> Item:
    """Apply an object where none is; ``unasked`` tells why the server isn't asked, empty if it is.

    A dry run that fails for want of something that an earlier task would have made is a prediction, too.
    """
    if unasked:
        return predicted(target.ref, "created", body, f"predicted: {unasked}")
    try:
        made = client.apply(target.path, body, dry_run=dry_run)
    except ApiError as error:
        if dry_run and _needs_what_isnt_there(error):
            return predicted(target.ref, "created", body, f"predicted: what it needs isn't there yet ({error.why})")
        raise named(error, target.ref, "created") from error
    return Item(target.ref, "created", (), after=diffs.shown(body), uid=_uid(made) if not dry_run else "")


def _needs_what_isnt_there(error: ApiError) -> bool:
    """Whether a creation failed for a missing namespace, definition, service account or class."""
    if error.status == 404:
        return True
    why = error.why or ""
    return error.status == 403 and (
        any(cause.reason == "NamespaceTerminating" for cause in error.causes)
        or "error looking up service account" in why
        or "no PriorityClass with name" in why
    )


def _uid(live: Mapping[str, Any] | None) -> str:
    return str(live["metadata"].get("uid", "")) if live else ""


def apply(
    client: Client,
    target: Target,
    step: Apply,
    live: Mapping[str, Any],
    rules: Rules,
    *,
    subresource: str,
    dry_run: bool,
) -> Item:
    """Apply an object over what is there; what changed is read off the server's answer, not off the plan."""
    path = f"{target.path}/{subresource}" if subresource else target.path
    try:
        result = _apply(client, path, step, live, rules, dry_run=dry_run)
    except ApiError as error:
        raise named(error, target.ref, "adopted" if step.adopting else "applied") from error
    status = bool(subresource)
    one, other = diffs.shown(live, status=status), diffs.shown(result, status=status)
    uid = _uid(live)
    if step.adopting:
        action = "adopted"
    elif one == other and ownership.fields_of(live, subresource) == ownership.fields_of(result, subresource):
        return Item(
            target.ref, "unchanged", tuple(reason for reason in step.reasons if " is left to " in reason), uid=uid
        )
    else:
        action = "configured"
    before, after = diffs.changes(one, other)
    changed = tuple(f"{path} changed" for path in diffs.paths(one, other))
    return Item(target.ref, action, changed or step.reasons, before, after, uid)


def apply_to_newest(
    client: Client, target: Target, step: Apply, live: Mapping[str, Any], rules: Rules,
    send: Callable[[Apply, Mapping[str, Any]], Item],
) -> Item:  # fmt: skip
    """``send`` the step; where items of lists are kept and somebody wrote meanwhile, one planned for what is there now.

    Many times, for each time one of those who write is done. Raises ApiError and MeshError.
    """
    for _again in range(_TRIES if rules.keep_items else 0):
        try:
            return send(step, live)
        except ApiError as error:
            newer = client.get(target.path) if error.status == 409 and not error.causes else None
            if newer is None:
                raise
        planned = plan_present(target.desired, newer, rules)
        if isinstance(planned, Refuse):
            raise MeshError(f"{target.ref} can't be applied", site=client.site, why=planned.why, hint=planned.hint)
        if not isinstance(planned, Apply):
            return kept(target.ref, newer)
        step, live = planned, newer
    return send(step, live)


def _apply(
    client: Client, path: str, step: Apply, live: Mapping[str, Any], rules: Rules, *, dry_run: bool
) -> dict[str, Any]:
    try:
        return client.apply(path, step.body, force=rules.force_conflicts, dry_run=dry_run)
    except ApiError as error:
        renamed = _renamed_lists(error, step.body) if step.mend else {}
        if renamed:
            return _replace_lists(client, path, step.body, renamed, dry_run=dry_run)
        if error.status != 409 or not error.causes:
            raise
        foreign = conflicts(error.causes, live, rules.respected) if step.mend else _owners(error.causes)
        if foreign:
            raise ApiError(
                "conflict",
                status=409,
                reason=error.reason,
                site=error.site,
                why="; ".join(f"{field} is managed by {manager}" for manager, field in foreign[:5]),
                hint="leave the field out, or set force_conflicts: true to take it over",
            ) from error
    return client.apply(path, step.body, force=True, dry_run=dry_run)


def _renamed_lists(error: ApiError, body: Object) -> dict[str, Any]:
    """The lists of ours, as a patch, in which a hand gave an item another key and left its unique name.

    That is so for a Service's port with another number: applying would add ours beside it, which the server refuses.
    Empty for any other refusal.
    """
    patch: dict[str, Any] = {}
    for cause in error.causes:
        names = cause.field.partition("[")[0].split(".")
        value: Any = body
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        if "Duplicate value" not in cause.message or not isinstance(value, list):
            return {}
        place = patch
        for name in names[:-1]:
            place = place.setdefault(name, {})
        place[names[-1]] = value
    return patch


def _replace_lists(
    client: Client, path: str, body: Object, lists: Mapping[str, Any], *, dry_run: bool
) -> dict[str, Any]:
    """Put whole lists back, then apply; a dry run of the first step can't be built upon, so it is the answer."""
    replaced = client.patch(path, lists, fieldManager=ownership.MENDER, **({"dryRun": "All"} if dry_run else {}))
    return replaced if dry_run else client.apply(path, body, force=True)


def conflicts(causes: Iterable[Cause], live: Mapping[str, Any], respected: tuple[str, ...]) -> list[tuple[str, str]]:
    """Of a 409's causes those that must not be forced on an object of ours: (manager, field).

    Hands are mended: whoever *updated* a field that we apply, and kubectl however it was called. Left alone are
    controllers (``respected``) and whoever *applies* the field as we do: two declarations can't both hold.
    """
    return [
        (manager, field)
        for manager, field in _owners(causes)
        if manager in respected or (ownership.applies(live, manager) and not manager.startswith("kubectl"))
    ]


def _owners(causes: Iterable[Cause]) -> list[tuple[str, str]]:
    found = []
    for cause in causes:
        match = re.search(r'conflict with "([^"]*)"', cause.message)
        found.append((match[1] if match else cause.message, cause.field))
    return found


def delete(
    client: Client, ref: Ref, resource: Resource, live: Mapping[str, Any], reasons: tuple[str, ...], *,
    action: str, dry_run: bool,
) -> Item:  # fmt: skip
    """Delete exactly the object that was read (its uid is a precondition); one that is gone meanwhile is fine."""
    uid = str(live["metadata"]["uid"])
    options: dict[str, Any] = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
    if dry_run:
        options["dryRun"] = ["All"]
    try:
        client.delete(resource.path(ref.namespace, ref.name), body=options)
    except ApiError as error:
        raise named(error, ref, "deleted") from error
    return Item(ref, action, reasons, before=diffs.shown(live), uid=uid)


def release(
    client: Client, ref: Ref, resource: Resource, live: Mapping[str, Any], reasons: tuple[str, ...], *, dry_run: bool
) -> Item:
    """Take our fields and labels off an adopted object.

    Applying nothing removes what only we own. Where that would leave an invalid object (we own a required field alone),
    the values stay and only our labels and our entry in ``managedFields`` go.
    """
    path = resource.path(ref.namespace, ref.name)
    metadata = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    bare = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}
    try:
        try:
            result = client.apply(path, bare, dry_run=dry_run)
        except ApiError as error:
            if error.status != 422:
                raise
            result = _forget(client, path, live, dry_run=dry_run)
    except ApiError as error:
        raise named(error, ref, "released") from error
    # what was read may be metadata only: then only that is shown
    before, after = diffs.changes(diffs.shown(live), diffs.shown({name: result.get(name) for name in live}))
    return Item(ref, "configured", reasons, before, after, _uid(live))


def _forget(client: Client, path: str, live: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    entries = [entry for entry in live["metadata"].get("managedFields") or [] if entry.get("manager") != FIELD_MANAGER]
    change = {
        "metadata": {
            "labels": {ownership.SET: None, ownership.ORIGIN: None},
            "managedFields": entries or [{}],
            "resourceVersion": live["metadata"]["resourceVersion"],
        }
    }
    return client.patch(path, change, **({"dryRun": "All"} if dry_run else {}))


def named(error: ApiError, ref: Ref, done: str) -> ApiError:
    """The error told of the object, not of the request."""
    why, hint = error.why or "", error.hint
    if "typed patch object" in why:
        hint = "correct this field of the object"
    if "immutable" in why and hint is None:
        hint = "this can't be changed in place: delete the object and run again"
    if "failed calling webhook" in why and hint in (None, "look at the API server's log"):
        hint = "is the webhook's server running and reachable from this cluster?"
    return ApiError(
        f"{ref} can't be {done}", status=error.status, reason=error.reason, site=error.site, why=why, hint=hint,
        causes=error.causes,
    )  # fmt: skip
