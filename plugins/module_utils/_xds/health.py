# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of a mesh: istiod and every site asked at the same time, one deadline each (used by `xds_health`).

The only file of `_xds` that opens kubeconfigs. Whatever hangs is left behind at the deadline and counts as `unknown`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, is_healthy, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import ISTIOD_CONTAINER
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._xds import checks, expect, istiod, reach, transport
from ansible_collections.edge.mesh.plugins.module_utils._xds.deadline import Deadline, gather
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Finding, Mesh, Site, Snapshot
from ansible_collections.edge.mesh.plugins.module_utils._xds.synthetic import Walk

__all__ = ["Access", "Api", "Request", "examine"]

_GRACE = 1.0
_LOG_LINES = 200
_STILL_ASKING = Snapshot(error="istiod didn't answer before the deadline")


@dataclass(frozen=True)
class Access:
    """A kubeconfig file and the context in it (None: the only one)."""

    kubeconfig: str
    context: str | None


@dataclass(frozen=True)
class Request:
    """What to examine; ``timeout`` is seconds for each site, and for istiod.

    ``peers`` are sites of other primaries, which this one's istiod must have synced; ``name`` is this one's.
    """

    primary: Access
    primary_address: str | None
    mesh: Mesh
    sites: tuple[tuple[Site, Access], ...]
    expectations: tuple[expect.Expectation, ...]
    timeout: float
    peers: tuple[Site, ...] = ()
    name: str | None = None


class Api(istiod.PrimaryApi, Protocol):
    """A Kubernetes client that counts its requests."""

    requests: int

    def close(self) -> None: ...


class Connect(Protocol):
    """Opens a cluster's API, whose requests all end within ``seconds``; raises MeshError if that can't be."""

    def __call__(self, access: Access, site: str | None, seconds: float) -> Api: ...


def _connect(access: Access, site: str | None, seconds: float) -> Api:
    """A client whose requests all end within ``seconds`` from now; raises MeshError for an unusable kubeconfig."""
    endpoint = kubeconfig.load(access.kubeconfig, access.context)
    return Client(endpoint, site=site, timeout=seconds, deadline=time.monotonic() + seconds)


class _Apis:
    """All clients of a run, opened once each, so that their requests can be counted."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._open: list[Api] = []

    def open(self, access: Access, site: str | None, seconds: float) -> Api:
        api = self._connect(access, site, seconds)
        with self._lock:
            self._open.append(api)
        return api

    def close(self) -> int:
        """Close all; the number of requests that they sent."""
        with self._lock:
            for api in self._open:
                api.close()
            return sum(api.requests for api in self._open)


def examine(
    request: Request, connect: Connect = _connect, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """The module's return values: ``healthy``, ``checks``, ``clusters``, ``proxies``, ``replicas``, ``gateways``,
    ``expectations``, ``requests``.

    Raises MeshError only for what the caller got wrong: a missing library, an address that is none.
    """
    transport.require()
    for address in [request.primary_address, *(site.istiod_address for site, _access in request.sites)]:
        if address:
            reach.split_address(address)
    apis = _Apis(connect)
    primary = _primary(request, apis)
    snapshots: list[Snapshot] = []
    walks = [_walk(site, access, request, apis, primary) for site, access in request.sites]
    watch = timed()
    gather(
        [lambda: _ask_istiod(request, primary, snapshots.append, sleep), *(walk.run for walk in walks)], _wall(request)
    )
    took = watch()
    snapshot = snapshots[-1] if snapshots else _STILL_ASKING
    records = [
        entry
        for (site, _access), walk in zip(request.sites, walks, strict=True)
        for entry in [*_istiod_records(site, request.mesh, snapshot, took), *walk.records()]
    ]
    records += _peer_records(request, snapshot, took)
    return _result(request, snapshot, records, apis.close())


def _primary(request: Request, apis: _Apis) -> Callable[[], istiod.PrimaryApi]:
    """Gives the primary's API. One whose kubeconfig is missing or damaged raises why, as if it were cut off."""
    try:
        api = apis.open(request.primary, None, request.timeout)
    except MeshError as error:
        return partial(_refuse, error)
    return lambda: api


def _refuse(error: MeshError) -> istiod.PrimaryApi:
    raise error


def _wall(request: Request) -> float:
    return request.timeout + _GRACE


def _walk(site: Site, access: Access, request: Request, apis: _Apis, primary: Callable[[], istiod.PrimaryApi]) -> Walk:
    def forward() -> AbstractContextManager[tuple[str, int]]:
        api = primary()
        pods = istiod.ready_pods(api, request.mesh)
        if not pods:
            raise MeshError("istiod can't be asked", site=site.cluster, why="the primary has no ready pod of it")
        return api.portforward(request.mesh.namespace, pods[0], reach.XDS_PORT)

    return Walk(
        site,
        request.mesh,
        connect=lambda deadline: apis.open(access, site.cluster, deadline.left()),
        forward=forward if site.is_primary else None,
        witness=_Witness(site, access, request, primary),
        seconds=request.timeout,
    )


class _Witness:
    """Who is asked why istiod refuses a site's token; nothing is changed."""

    def __init__(self, site: Site, access: Access, request: Request, primary: Callable[[], istiod.PrimaryApi]) -> None:
        self._site = site
        self._access = access
        self._mesh = request.mesh
        self._primary = primary

    def secrets(self) -> list[dict[str, Any]]:
        return self._primary().list(
            f"/api/v1/namespaces/{self._mesh.namespace}/secrets",
            labelSelector=f"{remote_secret.MULTICLUSTER_LABEL}=true",
        )

    def own(self) -> Endpoint:
        return kubeconfig.load(self._access.kubeconfig, self._access.context)

    def open(self, endpoint: Endpoint, seconds: float) -> Client:
        return Client(endpoint, site=self._site.cluster, timeout=seconds, deadline=time.monotonic() + seconds)

    def log(self) -> Iterable[str]:
        api = self._primary()
        pods = istiod.ready_pods(api, self._mesh)
        texts = [api.logs(self._mesh.namespace, pod, ISTIOD_CONTAINER, tail=_LOG_LINES) for pod in pods]
        return [line for text in texts for line in text.splitlines()]


def _ask_istiod(
    request: Request,
    primary: Callable[[], istiod.PrimaryApi],
    publish: Callable[[Snapshot], None],
    sleep: Callable[[float], None],
) -> None:
    def settled(snapshot: Snapshot) -> bool:
        own = [site for site, _access in request.sites]
        findings = [checks.cluster_synced(site, snapshot) for site in [*own, *request.peers]]
        findings += [checks.proxy_synced(site, request.mesh, snapshot) for site in own]
        return all(finding.verdict == "ok" for finding in findings)

    istiod.watch(
        primary,
        request.mesh,
        Deadline(request.timeout),
        address=request.primary_address,
        # every site's address leads to this istiod
        detour=next((site.istiod_address for site, _access in request.sites if site.istiod_address), None),
        settled=settled,
        publish=publish,
        sleep=sleep,
    )


def _istiod_records(site: Site, mesh: Mesh, snapshot: Snapshot, took_ms: int) -> list[Record]:
    found = {
        "istiod.cluster-synced": checks.cluster_synced(site, snapshot),
        "proxy.synced": checks.proxy_synced(site, mesh, snapshot),
    }
    return [_istiod_record(check, site, finding, snapshot, took_ms) for check, finding in found.items()]


def _peer_records(request: Request, snapshot: Snapshot, took_ms: int) -> list[Record]:
    """Whether istiod has synced the sites of other primaries; none if it gave no answer, which its own sites tell."""
    if not any(replica.answered for replica in snapshot.replicas):
        return []
    return [
        _istiod_record(
            "istiod.cluster-synced", site, checks.cluster_synced(site, snapshot), snapshot, took_ms, request.name
        )
        for site in request.peers
    ]


def _istiod_record(
    check: str, site: Site, finding: Finding, snapshot: Snapshot, took_ms: int, peer: str | None = None
) -> Record:
    return record(
        check,
        site.cluster,
        finding.verdict,
        peer=peer,
        origin="istiod",
        evidence=finding.evidence,
        hint=finding.hint,
        took_ms=max((replica.took_ms for replica in snapshot.replicas), default=took_ms),
    )


def _result(request: Request, snapshot: Snapshot, records: list[Record], requests: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "healthy": is_healthy([entry.verdict for entry in records]),
        "checks": [entry.as_dict() for entry in records],
        "clusters": checks.cluster_summary(snapshot),
        "proxies": [proxy.as_dict() for proxy in snapshot.proxies],
        "replicas": [replica.as_dict() for replica in snapshot.replicas],
        "gateways": [
            {"network": item.network, "cluster": item.cluster, "address": item.address, "port": item.port}
            for item in snapshot.gateways
        ],
        "requests": requests,
    }
    met = expect.evaluate(request.expectations, result)
    return {**result, "expectations": met, "healthy": result["healthy"] and all(item["met"] for item in met)}
