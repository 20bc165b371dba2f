# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at istiod: does every replica serve a cluster with the credential written last? (used by `remote_secret`)

Each replica is asked over its debug API (`/debug/clusterz` on port 15014), which trusts localhost, and a port forward
ends at the pod's localhost. `clusterz` alone can't tell the new credential from the old one that it replaces, so the
count of secret events in the replica's metrics is taken before the write and must have grown.

The one worker that takes in remote secrets can hang (seen in the 1.32 development tree, when a cluster is removed whose
credential had been bad for a while): events are then counted, but nothing follows. It shows in the count of managed
clusters, which the worker writes at the end of each piece of work, and which then differs from `clusterz` for good.
Only a restart of that replica cures it.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import ISTIOD_CONTAINER, SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Api, Time, until
from ansible_collections.edge.mesh.plugins.module_utils._remote.endpoints import Counts, parse

__all__ = ["Istiod", "IstiodPods", "Look", "Replica", "Seen", "Waited", "cure", "hanging", "verdict", "wait_for"]

_DEBUG_PORT = 15014
_EVENTS_METRIC = "remote_cluster_secret_events_total"
_MANAGED_METRIC = 'istiod_managed_clusters{cluster_type="remote"}'
_SECONDS = 10.0
_HUNG = 5.0  # seconds for which the counts may differ: the worker needs milliseconds
_SETTLED = 3.0  # seconds of steady `synced` that count as proof where the replica doesn't count its secret events


@dataclass(frozen=True)
class Seen:
    """What a replica says: state and Secret ("namespace/name") by remote cluster, and its count of secret events.

    ``managed`` is the number of remote clusters that its worker has taken in, ``endpoints`` those of one cluster by
    service. ``error`` says why it couldn't be asked; then the rest is empty. Counts are None if they weren't asked for
    or aren't kept.
    """

    clusters: Mapping[str, tuple[str, str]]
    events: int | None = None
    managed: int | None = None
    error: str | None = None
    endpoints: Counts | None = None

    @property
    def behind(self) -> bool:
        """Whether its worker hasn't finished what it began: a moment is normal, longer means that it hangs."""
        listed = len([source for _state, source in self.clusters.values() if source])
        return self.managed is not None and not self.error and self.managed != listed


@dataclass(frozen=True)
class Replica:
    """One pod of istiod and what it says."""

    pod: str
    ready: bool
    seen: Seen


@dataclass(frozen=True)
class Look:
    """All replicas at one moment; none of them means that istiod isn't installed."""

    replicas: tuple[Replica, ...]

    @property
    def installed(self) -> bool:
        return bool(self.replicas)

    def events(self) -> dict[str, int | None]:
        """The count of secret events by pod."""
        return {each.pod: each.seen.events for each in self.replicas}

    def endpoints(self) -> dict[str, Counts | None]:
        """The endpoints that were asked for, by pod."""
        return {each.pod: each.seen.endpoints for each in self.replicas}


@dataclass(frozen=True)
class Waited:
    """How waiting ended; ``why`` says in one line what stood in the way if it failed, ``pod`` which replica hangs."""

    state: Literal["synced", "not installed", "failed", "hung"]
    why: str = ""
    pod: str = ""


def cure(pod: str) -> str:
    """What a person does about a replica that only a restart can help; its Deployment makes another one."""
    return f"restart it (kubectl -n {SYSTEM_NAMESPACE} delete pod {pod})"


class Istiod(Protocol):
    """The istiod of one primary."""

    def look(self, *, events: bool = False, endpoints_of: str | None = None) -> Look:
        """Ask every replica; ``events`` also takes the counts, ``endpoints_of`` those of a cluster's endpoints."""

    def reason(self, pod: str, cluster: str, seconds: float) -> str | None:
        """What the replica's log of the last ``seconds`` says of the cluster, in one line."""


class IstiodPods:
    """The istiod behind a primary's API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def look(self, *, events: bool = False, endpoints_of: str | None = None) -> Look:
        pods = self._api.list(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods", labelSelector="app=istiod")
        replicas = []
        for pod in pods:
            ended = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
            if ended or pod["metadata"].get("deletionTimestamp"):
                continue
            name = str(pod["metadata"]["name"])
            ready = _is_ready(pod)
            seen = self._ask(name, events, endpoints_of) if ready else Seen({}, error="it isn't ready")
            replicas.append(Replica(name, ready, seen))
        return Look(tuple(replicas))

    def reason(self, pod: str, cluster: str, seconds: float) -> str | None:
        try:
            lines = self._api.logs(SYSTEM_NAMESPACE, pod, ISTIOD_CONTAINER, tail=300, since=seconds).splitlines()
        except MeshError:
            return None
        return reason_in(lines, cluster)

    def _ask(self, pod: str, events: bool, endpoints_of: str | None) -> Seen:
        try:
            with self._api.portforward(SYSTEM_NAMESPACE, pod, _DEBUG_PORT) as (host, port):
                connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
                try:
                    clusters = parse_clusterz(_fetch(connection, "/debug/clusterz"))
                    page = _fetch(connection, "/metrics").decode("utf-8", "replace") if events else ""
                    shards = _fetch(connection, "/debug/endpointShardz") if endpoints_of else b"{}"
                    endpoints = parse(shards, endpoints_of) if endpoints_of else None
                finally:
                    connection.close()
        except MeshError as error:
            return Seen({}, error=error.why or error.what)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Seen({}, error=f"its debug API on port {_DEBUG_PORT} didn't answer: {type(error).__name__} {error}")
        return Seen(clusters, count(page, _EVENTS_METRIC), count(page, _MANAGED_METRIC), endpoints=endpoints)


def parse_clusterz(answer: bytes) -> dict[str, tuple[str, str]]:
    """State and Secret by cluster, from `/debug/clusterz`; raises ValueError for another kind of answer."""
    listed = json.loads(answer)
    if not isinstance(listed, list):
        raise ValueError("the answer isn't a list of clusters")
    return {str(item["id"]): (str(item.get("syncStatus")), str(item.get("secretName") or "")) for item in listed}


def count(metrics: str, name: str) -> int | None:
    """The sum of all values in a metrics page whose line starts with ``name``, None if there are none."""
    values = [line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith(name)]
    return int(sum(float(value) for value in values)) if values else None


def reason_in(lines: list[str], cluster: str) -> str | None:
    """The last line of a log that says what is wrong with the cluster, at most 300 characters."""
    words = ("error", "fail", "forbidden", "Unauthorized", "refused", "timeout", "certificate")
    for line in reversed(lines):
        if cluster in line and any(word in line for word in words):
            return " ".join(line.split())[:300]
    return None


def verdict(look: Look, cluster: str, secret: str, before: Mapping[str, int | None]) -> tuple[bool, str]:
    """Whether every replica has synced ``cluster`` from ``secret``, and if not, what stands in the way.

    ``before`` are the event counts at the time of the write (empty: nothing was written).
    """
    for replica in look.replicas:
        seen = replica.seen
        if seen.error:
            return False, f"{replica.pod} couldn't be asked: {seen.error}"
        state, source = seen.clusters.get(cluster, ("", ""))
        known = before.get(replica.pod)
        if known is not None and seen.events == known:
            return False, f"{replica.pod} hasn't taken notice of the new remote secret"
        if not state:
            return False, f"{replica.pod} doesn't list the cluster although its remote secret is there"
        if source and source != secret:
            return False, f"{replica.pod} takes the cluster from another Secret, {source}"
        if state != "synced":
            return False, f"{replica.pod} reports the cluster as '{state}'"
    return True, ""


def wait_for(
    istiod: Istiod, cluster: str, secret: str, time: Time, *, seconds: float, before: Mapping[str, int | None]
) -> Waited:
    """Wait for at most ``seconds`` until every replica has synced the cluster from ``secret`` ("namespace/name")."""
    started = time.clock()
    end = started + seconds
    steady_since: float | None = None
    behind_since: float | None = None
    doubtful = False
    while True:
        look = istiod.look(events=bool(before) or doubtful)
        if not look.installed:
            return Waited("not installed")
        good, why = verdict(look, cluster, secret, before)
        counted = all(before.get(each.pod) is not None and each.seen.events is not None for each in look.replicas)
        if not good:
            steady_since = None
        elif not before or counted:
            return Waited("synced")
        else:
            steady_since = time.clock() if steady_since is None else steady_since
            if time.clock() - steady_since >= _SETTLED:
                return Waited("synced")
        doubtful = True
        behind = [each.pod for each in look.replicas if each.seen.behind]
        behind_since = _since(behind_since, behind, time)
        if behind_since is not None and time.clock() - behind_since >= _HUNG:
            why = f"the worker of {behind[0]} hangs and takes in no remote secret any more"
            return Waited("hung", why, behind[0])
        if time.clock() >= end:
            return Waited(
                "failed",
                _with_reason(istiod, look, cluster, why or "it wasn't steady for long enough", time.clock() - started),
            )
        time.sleep(0.1)


def hanging(istiod: Istiod, time: Time) -> str | None:
    """The name of a replica whose worker hangs, after watching it for a while; None if all are fine."""
    names: list[str] = []

    def fine() -> bool:
        names[:] = [each.pod for each in istiod.look(events=True).replicas if each.seen.behind]
        return not names

    return None if until(fine, time, seconds=_HUNG, pause=0.3) else names[0]


def _since(before: float | None, condition: object, time: Time) -> float | None:
    """Since when the condition holds."""
    if not condition:
        return None
    return time.clock() if before is None else before


def _with_reason(istiod: Istiod, look: Look, cluster: str, why: str, seconds: float) -> str:
    """What stood in the way, and what the log says of it since the wait began: older lines are of other credentials."""
    for replica in look.replicas:
        reason = istiod.reason(replica.pod, cluster, seconds) if replica.pod in why else None
        if reason:
            return f"{why}; its log says: {reason}"
    return why


def _fetch(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ValueError(f"{path} was answered with status {answer.status}")
    return content


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
