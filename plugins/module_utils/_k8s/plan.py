# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about one object; pure (used by ``converge``).

``plan_present`` and ``plan_absent`` answer with a step; a step holds all that its execution needs, and the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.compare import compare, without_fields_of
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object, Ref
from ansible_collections.edge.mesh.plugins.module_utils._k8s.shared_lists import joined

__all__ = [
    "Apply", "Create", "Delete", "Keep", "Predict", "Refuse", "Release", "Rules", "Step", "order", "plan_absent",
    "plan_present", "plan_status",
]  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """Whose objects these are and how to meet others': see the options of the ``manifests`` module."""

    set_name: str | None
    adopt: bool = False
    force_conflicts: bool = False
    respected: tuple[str, ...] = ownership.RESPECTED
    keep_items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keep:
    """Nothing to do; ``reasons`` say what was left to others."""

    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Create:
    """Apply ``body`` where nothing is."""

    body: Object


@dataclass(frozen=True)
class Apply:
    """Apply ``body`` over what is there; ``mend`` says that fields which hands changed are taken back."""

    body: Object
    reasons: tuple[str, ...]
    adopting: bool = False
    mend: bool = False


@dataclass(frozen=True)
class Predict:
    """Check mode only: ``body`` would be applied to something that isn't there yet, so the server can't be asked."""

    body: Object
    why: str


@dataclass(frozen=True)
class Delete:
    """Delete the object that has this ``uid``."""

    uid: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """Take back our fields and labels and let the object live: it was there before us."""

    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refuse:
    """Don't touch it, and fail: it is somebody else's."""

    why: str
    hint: str


Step = Union[Keep, Create, Apply, Predict, Delete, Release, Refuse]


def plan_present(desired: Object, live: Mapping[str, Any] | None, rules: Rules) -> Step:
    """What makes ``live`` (None: not there, or on its way out) as ``desired`` says."""
    if live is None:
        return Create(_labelled(desired, "created", rules.set_name))
    origin = ownership.origin_of(live)
    held_by = ownership.set_of(live)
    # an object of ours whose set label is gone was applied without a set, or a hand took the label: it joins this set
    ours = origin is not None and held_by in (rules.set_name, None)
    if origin is not None and not ours:
        return Refuse(f"it belongs to set '{held_by}'", "name each object in one set only")
    if not ours and not rules.adopt:
        return Refuse("it is there already and not ours", "set adopt: true to take it over, or leave it out")
    body = _labelled(joined(desired, live, rules.keep_items), origin or "adopted", rules.set_name)
    fields = ownership.fields_of(live)
    body, left = without_fields_of(body, fields, ownership.managers_of(live, rules.respected))
    differences = compare(body, live, fields)
    notes = tuple(f"{path} is left to its controller" for path in left)
    if not differences:
        return Keep(notes)
    reasons = tuple(str(difference) for difference in differences)
    if rules.keep_items:
        body = _only_to(live, body)
    return Apply(body, (*reasons, *notes), adopting=not ours, mend=ours)


def _only_to(live: Mapping[str, Any], body: Object) -> Object:
    """The body, which the server refuses for any version but the one that was read."""
    return {**body, "metadata": {**body["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}}


def plan_status(desired: Object, live: Mapping[str, Any] | None, rules: Rules, *, check_mode: bool = False) -> Step:
    """What makes the status of ``live`` as ``desired`` says; a status has no labels, and nothing creates its object.

    In check mode an object may be missing because the task that makes it only said so.
    """
    if live is None and check_mode:
        return Predict(desired, "predicted: the object isn't there yet, so what its status will be can't be known")
    if live is None:
        return Refuse("it isn't there, so its status can't be set", "apply the object itself first")
    fields = ownership.fields_of(live, "status")
    body, left = without_fields_of(desired, fields, ownership.managers_of(live, rules.respected))
    differences = compare(body, live, fields)
    notes = tuple(f"{path} is left to its controller" for path in left)
    if not differences:
        return Keep(notes)
    return Apply(body, (*(str(difference) for difference in differences), *notes), mend=True)


def plan_absent(live: Mapping[str, Any] | None, set_name: str | None, *, why: str) -> Step:
    """What takes the object away as far as it is ours; one that is being deleted already is as good as gone.

    Without ``set_name`` any object with our origin label is ours, whatever its set.
    """
    if live is None or live["metadata"].get("deletionTimestamp"):
        return Keep()
    origin = ownership.origin_of(live)
    if origin is None:
        return Keep(("it isn't ours: left alone",))
    if set_name is not None and ownership.set_of(live) != set_name:
        return Keep((f"it belongs to set '{ownership.set_of(live)}': left alone",))
    if origin == "adopted":
        return Release((why, "it was there before us: only our fields go"))
    return Delete(str(live["metadata"]["uid"]), (why,))


def _labelled(desired: Object, origin: ownership.Origin, set_name: str | None) -> Object:
    metadata = desired["metadata"]
    labels = {**(metadata.get("labels") or {}), ownership.ORIGIN: origin}
    if set_name is not None:
        labels[ownership.SET] = set_name
    return {**desired, "metadata": {**metadata, "labels": labels}}


_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass")
_CONFIGURATION = frozenset(
    {
        "ConfigMap", "Endpoints", "EndpointSlice", "LimitRange", "NetworkPolicy", "PersistentVolume",
        "PersistentVolumeClaim", "PodDisruptionBudget", "ResourceQuota", "Secret", "Service", "ServiceAccount",
        "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
    }
)  # fmt: skip
_WORKLOADS = frozenset(
    {
        "CronJob", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Job", "Pod", "ReplicaSet",
        "ReplicationController", "StatefulSet",
    }
)  # fmt: skip
_LAST = frozenset(
    {
        "APIService", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


def order(ref: Ref) -> int:
    """The wave in which an object is applied: what others need comes first, what can refuse others comes last.

    0 namespaces, definitions and classes; 1 configuration, rights and services; 2 workloads; 3 everything else
    (custom resources); 4 webhooks and API services. Deletion goes the other way round.
    """
    for wave, kinds in enumerate((_FIRST, _CONFIGURATION, _WORKLOADS)):
        if ref.kind in kinds and (not ref.group or ref.group.endswith(".k8s.io") or "." not in ref.group):
            return wave
    return 4 if ref.kind in _LAST else 3
