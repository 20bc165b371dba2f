# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for objects: what ready means, the one poll loop, and why something isn't ready (used by ``converge``).

What ready means is pure; only :func:`why_pods` asks the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import quote

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Ref

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client

__all__ = ["Clock", "Failed", "Progress", "Ready", "Waiting", "poll", "progress", "why_pods"]


@dataclass(frozen=True)
class Clock:
    """Time, handed in: monotonic seconds, and how to let them pass."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Ready:
    """It is there and does its work."""


@dataclass(frozen=True)
class Waiting:
    """Not yet, and why."""

    why: str


@dataclass(frozen=True)
class Failed:
    """It will never be ready by itself, and why."""

    why: str


Progress = Union[Ready, Waiting, Failed]


def poll(check: Callable[[], bool], *, until: float, clock: Clock, interval: float = 0.25) -> bool:
    """Call ``check`` until it answers True or the time ``until`` is reached; the only loop that waits."""
    while True:
        if check():
            return True
        left = until - clock.now()
        if left <= 0:
            return False
        clock.sleep(min(interval, left))


def progress(live: Mapping[str, Any] | None) -> Progress:
    """How far an object is: workloads ready, Jobs complete, definitions established, anything else is just there."""
    if live is None:
        return Waiting("it isn't there")
    if live["metadata"].get("deletionTimestamp"):
        return Waiting("it is being deleted")
    check = _CHECKS.get((str(live["apiVersion"]).partition("/")[0], live["kind"]))
    if check is None:
        return Ready()
    status = live.get("status") or {}
    if status.get("observedGeneration", live["metadata"].get("generation", 0)) < live["metadata"].get("generation", 0):
        return Waiting("its controller hasn't seen it yet")
    return check(live.get("spec") or {}, status)


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    conditions = _conditions(status)
    for kind, bad in (("ReplicaFailure", "True"), ("Progressing", "False")):
        condition = conditions.get(kind, {})
        if condition.get("status") == bad:
            return Waiting(f"{condition.get('reason')}: {condition.get('message')}")
    if "observedGeneration" not in status:
        return Waiting("its controller hasn't seen it yet")
    wanted = spec.get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    if updated < wanted:
        return Waiting(f"{updated} of {wanted} replicas are updated")
    if total > updated:
        return Waiting(f"{total - updated} old replicas are left")
    return _enough(status.get("availableReplicas", 0), wanted)


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    if "observedGeneration" not in status:
        return Waiting("its controller hasn't seen it yet")
    wanted = spec.get("replicas", 1)
    rolling = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if (
        rolling
        and status.get("updateRevision") != status.get("currentRevision")
        and (status.get("updatedReplicas", 0) < wanted)
    ):
        return Waiting(f"{status.get('updatedReplicas', 0)} of {wanted} replicas are updated")
    return _enough(status.get("readyReplicas", 0), wanted)


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    if "observedGeneration" not in status:
        return Waiting("its controller hasn't seen it yet")
    wanted = status.get("desiredNumberScheduled", 0)
    updated = status.get("updatedNumberScheduled", 0)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete" and updated < wanted:
        return Waiting(f"{updated} of {wanted} pods are updated")
    return _enough(status.get("numberAvailable", 0), wanted)


def _job(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    conditions = _conditions(status)
    if conditions.get("Complete", {}).get("status") == "True":
        return Ready()
    failed = conditions.get("Failed", {})
    if failed.get("status") == "True":
        return Failed(f"{failed.get('reason')}: {failed.get('message')}")
    return Waiting(f"{status.get('succeeded', 0)} pods have succeeded, {status.get('failed', 0)} failed")


def _definition(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    conditions = _conditions(status)
    names = conditions.get("NamesAccepted", {})
    if names.get("status") == "False":
        return Failed(f"{names.get('reason')}: {names.get('message')}")
    if conditions.get("Established", {}).get("status") == "True":
        return Ready()
    return Waiting("it isn't established")


def _pod(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    if status.get("phase") == "Succeeded" or _conditions(status).get("Ready", {}).get("status") == "True":
        return Ready()
    return Waiting(why_pod({"status": status, "metadata": {}}) or f"its phase is {status.get('phase')}")


def _namespace(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    return Ready() if status.get("phase") == "Active" else Waiting(f"its phase is {status.get('phase')}")


_CHECKS: Mapping[tuple[str, str], Callable[[Mapping[str, Any], Mapping[str, Any]], Progress]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("v1", "Pod"): _pod,
    ("v1", "Namespace"): _namespace,
}


def _enough(available: int, wanted: int) -> Progress:
    return Ready() if available >= wanted else Waiting(f"{available} of {wanted} replicas are ready")


def _conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(condition.get("type")): condition for condition in status.get("conditions") or []}


def why_pod(pod: Mapping[str, Any]) -> str | None:
    """Why a pod isn't ready, from its status alone; None if it is ready or says nothing."""
    status = pod.get("status") or {}
    scheduled = _conditions(status).get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"it can't be scheduled: {scheduled.get('message') or scheduled.get('reason')}"
    for container in _containers(status):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        last = (container.get("lastState") or {}).get("terminated") or {}
        name = container.get("name")
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            why = f"container {name}: {waiting['reason']}"
            if last:
                return f"{why}, it ended with exit code {last.get('exitCode')} ({last.get('reason')})"
            return f"{why}: {waiting.get('message') or 'no message'}"
        if ended and ended.get("exitCode") != 0:
            return f"container {name} ended with exit code {ended.get('exitCode')} ({ended.get('reason')})"
    for container in _containers(status):
        if not container.get("ready") and "running" in (container.get("state") or {}):
            return f"container {container.get('name')} runs but isn't ready"
    reasons = [str(container["state"]["waiting"].get("reason")) for container in _containers(status)
               if (container.get("state") or {}).get("waiting")]  # fmt: skip
    return f"its containers wait: {', '.join(sorted(set(reasons)))}" if reasons else None


def _containers(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def why_pods(client: Client, live: Mapping[str, Any]) -> str | None:
    """Why the pods of a workload aren't ready: the first one's reason, with its last log lines if it crashes.

    Where no pod could even be made (a webhook or a quota refused it), the workload's last warning; of a lone pod what
    its status doesn't tell. Costs one to three requests; None if there is nothing to say or nothing can be read.
    """
    if live.get("kind") == "Pod":
        return _beyond_status(client, live, why_pod(live) or "").removeprefix("; ") or None
    labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if not isinstance(labels, dict) or not labels:
        return None
    namespace = live["metadata"]["namespace"]
    chosen = ",".join(f"{name}={value}" for name, value in labels.items())
    try:
        pods = client.list(f"/api/v1/namespaces/{quote(namespace)}/pods", labelSelector=chosen)
    except MeshError:
        return None
    for pod in pods:
        why = why_pod(pod)
        if why is not None and _conditions(pod.get("status") or {}).get("Ready", {}).get("status") != "True":
            return f"pod {pod['metadata']['name']}: {why}{_beyond_status(client, pod, why)}"
    return None if pods else _last_warning(client, live).removeprefix("; ") or None


def _beyond_status(client: Client, pod: Mapping[str, Any], why: str) -> str:
    """What log and events add to a pod's own reason."""
    if "exit code" in why:
        return _last_words(client, pod)
    return _last_warning(client, pod) if "ContainerCreating" in why else ""


def _last_warning(client: Client, item: Mapping[str, Any]) -> str:
    """The last warning about an object: a volume, a network, a refused pod; empty if there is none."""
    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    chosen = f"involvedObject.name={name},type=Warning"
    if item.get("kind"):
        chosen += f",involvedObject.kind={item['kind']}"
    try:
        events = client.list(f"/api/v1/namespaces/{quote(namespace)}/events", fieldSelector=chosen)
    except MeshError:
        return ""
    events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return f"; {events[-1].get('reason')}: {str(events[-1].get('message'))[:300]}" if events else ""


def _last_words(client: Client, pod: Mapping[str, Any]) -> str:
    """The last log lines of the container that crashed, empty if they can't be read."""
    for container in _containers(pod.get("status") or {}):
        ended = bool((container.get("lastState") or {}).get("terminated"))
        if not ended and not (container.get("state") or {}).get("terminated"):
            continue
        try:
            text = client.logs(
                pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"], tail=3, previous=ended
            )
        except MeshError:
            return ""
        lines = " | ".join(line.strip() for line in text.splitlines() if line.strip())
        return f"; its log ends: {lines[-400:]}" if lines else ""
    return ""


def describe(ref: Ref, state: Progress) -> str:
    """One object's state in a few words."""
    return f"{ref}: {state.why}" if isinstance(state, (Waiting, Failed)) else f"{ref}: ready"
