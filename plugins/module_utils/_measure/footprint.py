# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory and CPU of the mesh's parts at a site, from the kubelets' own summaries (used by `_measure.survey`).

Pure. A summary is what ``/stats/summary`` of a kubelet answers: ``pods[].containers[]`` with
``memory.workingSetBytes`` and ``cpu.usageCoreNanoSeconds``, which counts up from the container's start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    ISTIOD_CONTAINER,
    LOCAL_INJECTOR,
    PROXY_CONTAINER,
    SYSTEM_NAMESPACE,
)
from ansible_collections.edge.mesh.plugins.module_utils._measure.figures import Figure

__all__ = ["PARTS", "figures"]

Json = Mapping[str, Any]
Usage = dict[str, tuple[str, int, int]]  # container -> (part, bytes of memory, nanoseconds of CPU)

PARTS = ("istiod", "injector", "gateways", "sidecars")
_MIB = 1 << 20


def figures(site: str, before: Iterable[Json], after: Iterable[Json], seconds: float) -> list[Figure]:
    """Memory at the end, and CPU between two sets of summaries ``seconds`` apart, of each part that is there."""
    first, last = _usage(before), _usage(after)
    found = []
    for part in PARTS:
        names = [name for name in last if last[name][0] == part]
        if not names:
            continue
        memory = sum(last[name][1] for name in names) / _MIB
        # one that was started meanwhile counts from nothing
        spent = sum(last[name][2] - first.get(name, (part, 0, 0))[2] for name in names)
        about = f"{len(names)} container{'s' if len(names) > 1 else ''}"
        found.append(Figure(site, "", f"{part}: memory", {"sum": round(memory, 1)}, "MiB", about))
        milli = spent / 1e6 / seconds if seconds else 0.0
        found.append(Figure(site, "", f"{part}: CPU", {"sum": round(milli, 1)}, "m", f"{about}, of 1000 m a core"))
    return found


def _usage(summaries: Iterable[Json]) -> Usage:
    found: Usage = {}
    for summary in summaries:
        for pod in summary.get("pods") or []:
            reference = pod["podRef"]
            for container in pod.get("containers") or []:
                part = _part(reference["namespace"], reference["name"], container["name"])
                if part:
                    memory = int((container.get("memory") or {}).get("workingSetBytes") or 0)
                    spent = int((container.get("cpu") or {}).get("usageCoreNanoSeconds") or 0)
                    found[f"{reference['uid']} {container['name']}"] = (part, memory, spent)
    return found


def _part(namespace: str, pod: str, container: str) -> str:
    """The part of the mesh that a container is, or nothing."""
    if container == PROXY_CONTAINER:
        return "gateways" if namespace == SYSTEM_NAMESPACE else "sidecars"
    if container != ISTIOD_CONTAINER:
        return ""
    if namespace == LOCAL_INJECTOR:
        return "injector"
    return "istiod" if namespace == SYSTEM_NAMESPACE and pod.startswith("istiod-") else ""
