# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run created, changed and removed, by name (used by the action `edge.mesh.report`).

Pure: results of our modules in, as tasks registered them, and names out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["KINDS", "of"]

KINDS = ("created", "changed", "removed")

_ACTIONS = {
    "created": "created", "configured": "changed", "adopted": "changed", "pruned": "removed", "deleted": "removed",
    "renewed": "changed", "repaired": "changed", "issued": "created", "imported": "created", "requested": "created",
}  # fmt: skip


def of(results: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """``{created, changed, removed}``, each the things' names in the order of the run, once.

    A result is one of `manifests` (``objects``), `remote_secret` (``primaries``), `mesh_ca` (``intermediates``) or
    `kind_cluster` (``exists``); what has no such key (a task that was skipped) counts for nothing.
    """
    found: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
    for result in results:
        if not result.get("changed"):
            continue
        for kind, name in _named(result):
            # what was made and then changed in one run was made
            if not any(name in others for others in found.values()):
                found[kind][name] = None
    return {kind: list(names) for kind, names in found.items()}


def _named(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for item in result.get("objects") or []:
        if item["action"] in _ACTIONS:
            place = f"{item['namespace']}/" if item.get("namespace") else ""
            yield _ACTIONS[item["action"]], f"{item['kind']} {place}{item['name']}"
    for item in result.get("primaries") or []:
        if item["action"] in _ACTIONS:
            yield _ACTIONS[item["action"]], f"remote secret at {item['name']}"
    for item in [result.get("root") or {}, *(result.get("intermediates") or [])]:
        if item.get("action") in _ACTIONS:
            what = "root certificate" if item["name"] == "root" else f"intermediate certificate of {item['name']}"
            renewed = item["action"] == "issued" and not _is_first(item)
            yield "changed" if renewed else _ACTIONS[item["action"]], what
    if "exists" in result:
        reasons = result.get("reasons") or []
        links = bool(reasons) and all("WAN link" in reason for reason in reasons)
        yield "changed" if links else "created", f"cluster ({'; '.join(reasons)})" if reasons else "cluster"


def _is_first(item: Mapping[str, Any]) -> bool:
    return any("there is no" in reason for reason in item.get("reasons") or [])
