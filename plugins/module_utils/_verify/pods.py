# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that can call and be called (used by `_verify`)."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api, Json

__all__ = ["first_ready", "is_ready"]

_PAUSE = 1.0


def first_ready(
    api: Api, namespace: str, label: str, left: Callable[[], float], sleep: Callable[[float], None], *, what: str
) -> Json:
    """The first ready pod by name, awaited while seconds are ``left``; raises MeshError ``what`` if there is none."""
    while True:
        pods = api.list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=label)
        ready = sorted((pod for pod in pods if is_ready(pod)), key=lambda pod: str(pod["metadata"]["name"]))
        if ready:
            return ready[0]
        if left() <= _PAUSE:
            raise MeshError(
                what,
                why=f"no pod with {label} in namespace {namespace} is ready ({len(pods)} are there)",
                hint="look at this pod; the role sample_apps deploys it",
            )
        sleep(_PAUSE)


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready and stays."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
