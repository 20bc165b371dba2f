# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose object and whose field: the labels that say so, and the server's own record of it (``managedFields``).

Every object of a set carries two labels: ``edge.mesh/set`` names the set, ``edge.mesh/origin`` says whether we made
the object (``created``) or found it and took it over (``adopted``). Objects applied without a set carry the origin
only. Labels can be copied (Services hand theirs to Endpoints), so an object counts as ours only if ``managedFields``
also holds an entry of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import FIELD_MANAGER

__all__ = [
    "MENDER", "ORIGIN", "RESPECTED", "SET", "Fields", "Origin", "applies", "check_set_name", "fields_of",
    "has_controller", "item_key", "managers_of", "merged", "origin_of", "selector", "set_of",
]  # fmt: skip

# What it patches counts as changed by a hand, so that the apply that follows takes it over.
MENDER = f"{FIELD_MANAGER}-mend"
SET = "edge.mesh/set"
ORIGIN = "edge.mesh/origin"
Origin = Literal["created", "adopted"]
Fields = Mapping[str, Any]

# controllers whose fields are left to them; everyone else who updates a field of ours is taken for a hand and mended
RESPECTED = (
    "pilot-discovery", "istiod", "kube-controller-manager", "cloud-controller-manager", "kubelet", "cainjector",
    "cert-manager-cainjector", "vpa-admission-controller",
)  # fmt: skip


def check_set_name(name: str | None) -> str | None:
    """The name of a set, which must be fit for a label's value; raises MeshError."""
    if name is not None and not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
        raise MeshError(f"'{name}' can't name a set", why="only lower case letters, digits and inner hyphens can")
    return name


def selector(set_name: str) -> str:
    """The label selector of a set's objects."""
    return f"{SET}={set_name}"


def origin_of(live: Mapping[str, Any]) -> Origin | None:
    """How the object came to us, None if it isn't ours.

    The label counts only together with an entry of ours in ``managedFields``. Where hands took the label away, the
    entry stays: such an object was ``created`` by us if nobody else but controllers declares anything of it.
    """
    if fields_of(live) is None or has_controller(live):
        return None
    label = (live["metadata"].get("labels") or {}).get(ORIGIN)
    if label in ("created", "adopted"):
        return "created" if label == "created" else "adopted"
    others = (
        entry
        for entry in live["metadata"].get("managedFields") or []
        if entry.get("manager") not in (FIELD_MANAGER, MENDER, *RESPECTED) and not entry.get("subresource")
    )
    return "adopted" if any(entry.get("fieldsV1") for entry in others) else "created"


def has_controller(live: Mapping[str, Any]) -> bool:
    """Whether a controller made the object for another one and will make it anew: its labels are copies."""
    return any(owner.get("controller") for owner in live["metadata"].get("ownerReferences") or [])


def set_of(live: Mapping[str, Any]) -> str | None:
    """The set that the object's label names."""
    value = (live["metadata"].get("labels") or {}).get(SET)
    return None if value is None else str(value)


def fields_of(live: Mapping[str, Any], subresource: str = "") -> Fields | None:
    """The fields that we applied to the object (FieldsV1), None if we never did."""
    for entry in live["metadata"].get("managedFields") or []:
        if (
            entry.get("manager") == FIELD_MANAGER
            and entry.get("operation") == "Apply"
            and entry.get("subresource", "") == subresource
        ):
            return dict(entry.get("fieldsV1") or {})
    return None


def managers_of(live: Mapping[str, Any], names: tuple[str, ...]) -> Fields:
    """The fields that any of the managers ``names`` owns, in one tree."""
    result: dict[str, Any] = {}
    for entry in live["metadata"].get("managedFields") or []:
        if entry.get("manager") in names:
            result = merged(result, entry.get("fieldsV1") or {})
    return result


def merged(one: Fields, other: Fields) -> dict[str, Any]:
    """The union of two FieldsV1 trees."""
    result = dict(one)
    for name, fields in other.items():
        result[name] = merged(result[name], fields) if name in result else fields
    return result


def applies(live: Mapping[str, Any], manager: str) -> bool:
    """Whether ``manager`` declares fields of the object by server-side apply, as tools like ours do."""
    entries = live["metadata"].get("managedFields") or []
    return any(entry.get("manager") == manager and entry.get("operation") == "Apply" for entry in entries)


def item_key(field: str) -> Mapping[str, Any] | None:
    """The key of a list item (``k:{"name":"x"}`` in FieldsV1), None for other fields."""
    return dict(json.loads(field[2:])) if field.startswith("k:") else None
