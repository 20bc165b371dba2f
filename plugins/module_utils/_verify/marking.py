# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the proxies of a site mark, read from one of them (used by `wan_info`).

Source: Envoy's admin interface (`/config_dump` with `resource`, `mask` and `name_regex`), asked inside the pod.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import PROXY_CONTAINER
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Api, Finding, Json, unknown

__all__ = ["Caller", "Mark", "judge", "run"]

_CLUSTERS = "config_dump?resource=dynamic_active_clusters&mask=cluster.name,cluster.upstream_bind_config"
_ROUTES = "config_dump?resource=dynamic_route_configs&name_regex=.*"
_SOL_IP, _IP_TOS = "0", "1"
_NAME_PARTS = 4  # outbound|<port>|<subset>|<host>


@dataclass(frozen=True)
class Mark:
    """Traffic to ``subset`` of ``host`` carries ``dscp``; ``http`` says that a condition of HTTP chooses it."""

    host: str
    subset: str
    dscp: int
    http: bool


@dataclass(frozen=True)
class Caller:
    """A site, and what its proxies must mark."""

    name: str
    kubeconfig: str
    context: str | None
    marks: tuple[Mark, ...]


def run(
    callers: Sequence[Caller], namespace: str, label: str, seconds: float,
    connect: Callable[[str, str | None, str], AbstractContextManager[Api]],
) -> list[Record]:  # fmt: skip
    """One record ``wan.marking`` for each caller, all asked at the same time."""
    jobs = {caller.name: partial(_ask, caller, namespace, label, seconds, connect) for caller in callers}

    def late(name: str) -> Record:
        error = MeshError("its proxy wasn't asked to the end", site=name, why=f"{seconds:g} s weren't enough")
        return _record(name, unknown(error), round(seconds * 1000))

    return list(parallel.each(jobs, seconds, late).values())


def judge(marks: Iterable[Mark], clusters: Mapping[str, int], routed: Iterable[str]) -> Finding:
    """The verdict on a proxy: ``clusters`` maps a marked cluster to its DSCP, ``routed`` is where routes lead."""
    leads = set(routed)
    rest = dict(clusters)
    wrong = []
    for mark in marks:
        own = {name: dscp for name, dscp in clusters.items() if _is_of(name, mark)}
        for name in own:
            rest.pop(name, None)
        others = sorted({dscp for dscp in own.values() if dscp != mark.dscp})
        if not own:
            wrong.append(f"{mark.subset} of {mark.host} isn't marked")
        elif others:
            wrong.append(f"{mark.subset} of {mark.host} is marked {others[0]} instead of {mark.dscp}")
        elif mark.http and not leads & own.keys():
            wrong.append(f"no route leads to {mark.subset} of {mark.host}")
    # A subset of ours that only other sites' rules use is marked here too, but no route leads to it.
    wrong += [f"{name} is marked {dscp}, for which there is no rule" for name, dscp in sorted(rest.items())
              if name in leads]  # fmt: skip
    evidence: dict[str, Any] = {"marked": {name: dscp for name, dscp in sorted(clusters.items()) if name not in rest}}
    if wrong:
        return Finding("failed", {"seen": "; ".join(wrong), **evidence}, RERUN)
    told = ", ".join(f"{mark.host} by {mark.subset} as {mark.dscp}" for mark in marks) or "nothing, as the rules say"
    return Finding("ok", {"seen": f"marks {told}", **evidence})


def marked(dump: Json) -> dict[str, int]:
    """The clusters of a dump that mark, with their DSCP."""
    found = {}
    for entry in dump.get("configs") or []:
        cluster = entry.get("cluster") or {}
        for option in (cluster.get("upstream_bind_config") or {}).get("socket_options") or []:
            # A number of 64 bits is a text in this JSON, and a field that is 0 is left out.
            if str(option.get("level", _SOL_IP)) == _SOL_IP and str(option.get("name")) == _IP_TOS:
                found[str(cluster["name"])] = int(option.get("int_value", 0)) >> 2
    return found


def routed(dump: Json) -> list[str]:
    """The clusters that the HTTP routes of a dump lead to."""
    hosts = [
        host for entry in dump.get("configs") or []
        for host in (entry.get("route_config") or {}).get("virtual_hosts") or []
    ]  # fmt: skip
    routes = [route.get("route") or {} for host in hosts for route in host.get("routes") or []]
    return [str(route["cluster"]) for route in routes if "cluster" in route]


def _is_of(cluster: str, mark: Mark) -> bool:
    parts = cluster.split("|")
    return len(parts) == _NAME_PARTS and parts[2] == mark.subset and parts[3] == mark.host


def _ask(
    caller: Caller, namespace: str, label: str, seconds: float,
    connect: Callable[[str, str | None, str], AbstractContextManager[Api]],
) -> Record:  # fmt: skip
    took = timed()
    try:
        with connect(caller.kubeconfig, caller.context, caller.name) as api:
            pod = _pod(api, namespace, label)
            clusters = marked(_dump(api, namespace, pod, _CLUSTERS, seconds))
            leads = routed(_dump(api, namespace, pod, _ROUTES, seconds))
    except MeshError as error:
        return _record(caller.name, unknown(error), took())
    return _record(caller.name, judge(caller.marks, clusters, leads), took())


def _pod(api: Api, namespace: str, label: str) -> str:
    pods = api.list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=label)
    running = [pod["metadata"]["name"] for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
    if not running:
        why = f"no pod with {label} runs in namespace {namespace}"
        raise MeshError("no proxy can be asked", why=why, hint="look at this pod; the role sample_apps deploys it")
    return str(min(running))


def _dump(api: Api, namespace: str, pod: str, path: str, seconds: float) -> Json:
    done = api.exec(namespace, pod, PROXY_CONTAINER, ["pilot-agent", "request", "GET", path], timeout=seconds)
    try:
        found: Json = json.loads(done.stdout)
    except ValueError as error:
        why = " ".join(done.stderr.split())[-200:] or "no JSON came back"
        raise MeshError(f"the proxy of pod {pod} can't be asked", why=why, hint="does it have a sidecar?") from error
    return found


def _record(site: str, finding: Finding, took_ms: int) -> Record:
    return record(
        "wan.marking", site, finding.verdict, origin="pod", evidence=finding.evidence, hint=finding.hint,
        took_ms=took_ms,
    )  # fmt: skip
