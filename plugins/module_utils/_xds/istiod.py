# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every ready replica of istiod says of clusters, proxies and gateways (used by `_xds.health`).

`syncz` is per replica, and an address reaches one of them: so each is asked through the primary's API (port-forward),
unless there is one only and an address is given. Where the API gives no stream (a proxy, a right that is missing), an
address is tried until the replica that is wanted answers there. The calls grow with the replicas, never with sites or
proxies.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ansible_collections.edge.mesh.plugins.module_utils._checks import timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import ROOT_CERT_CONFIGMAP
from ansible_collections.edge.mesh.plugins.module_utils._xds import parse, reach, tokens, transport
from ansible_collections.edge.mesh.plugins.module_utils._xds.deadline import Deadline, gather
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import (
    ClusterState,
    Mesh,
    NetworkGateway,
    ProxyState,
    Replica,
    Snapshot,
)

__all__ = ["PrimaryApi", "ready_pods", "watch"]

# a fresh site's proxies may just be being pushed to: how often to look again before believing a fault, and how soon
_LOOKS = 6
_PAUSE = 0.5
# how often an address is tried for one of n replicas: n times this, which misses it once in 50
_TRIES = 4


class PrimaryApi(Protocol):
    """The part of a Kubernetes client that is needed here."""

    def get(self, path: str, **query: Any) -> dict[str, Any] | None: ...
    def list(self, path: str, **query: Any) -> list[dict[str, Any]]: ...
    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]: ...
    def logs(self, namespace: str, pod: str, container: str, *, tail: int) -> str: ...
    def portforward(self, namespace: str, pod: str, port: int) -> AbstractContextManager[tuple[str, int]]: ...


@dataclass(frozen=True)
class _Said:
    """One replica's answer."""

    replica: Replica
    clusters: tuple[ClusterState, ...] = ()
    proxies: tuple[ProxyState, ...] = ()
    gateways: tuple[NetworkGateway, ...] = ()


def ready_pods(api: PrimaryApi, mesh: Mesh) -> list[str]:
    """The names of istiod's ready pods of the mesh's revision; raises the client's MeshError."""
    pods = api.list(
        f"/api/v1/namespaces/{mesh.namespace}/pods", labelSelector=f"app=istiod,istio.io/rev={mesh.revision_label}"
    )
    return sorted(pod["metadata"]["name"] for pod in pods if _is_ready(pod))


def _is_ready(pod: Mapping[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def watch(
    connect: Callable[[], PrimaryApi],
    mesh: Mesh,
    deadline: Deadline,
    *,
    address: str | None,
    detour: str | None = None,
    settled: Callable[[Snapshot], bool],
    publish: Callable[[Snapshot], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask all replicas until the answer is ``settled``, a few times at most; each answer is handed to ``publish``.

    ``address`` is taken before a port-forward if there is one replica, ``detour`` where there is no port-forward.
    Never raises: an API or a replica that can't be asked stands in the snapshot.
    """
    try:
        api = connect()
        roots, token = _root_certificates(api, mesh), tokens.request(api, mesh.namespace, mesh.service_account)
        pods = ready_pods(api, mesh)
    except MeshError as error:
        publish(Snapshot(error=error.message))
        return
    if not pods:
        publish(Snapshot())
        return
    given, other = (reach.split_address(each) if each else None for each in (address, address or detour))
    ways = _ways(given, other, len(pods))
    sessions = [_Session(api, mesh, pod, roots, token, deadline, ways, alone=len(pods) == 1) for pod in pods]
    try:
        for look in range(_LOOKS):
            if look:
                sleep(min(_PAUSE, deadline.left()))
            gather([session.look for session in sessions], deadline.left())
            snapshot = _combine([session.said() for session in sessions])
            publish(snapshot)
            if settled(snapshot) or deadline.passed:
                return
    finally:
        for session in sessions:
            session.close()


def _ways(given: reach.Address | None, detour: reach.Address | None, replicas: int) -> tuple[reach.Address | None, ...]:
    """The addresses at which one replica is looked for, in order; None stands for a port-forward to its pod."""
    if replicas == 1:
        return (given, None) if given else (None, *([detour] if detour else []))
    return (None, *([detour] * _TRIES * replicas if detour else []))


def _root_certificates(api: PrimaryApi, mesh: Mesh) -> str:
    found = api.get(f"/api/v1/namespaces/{mesh.namespace}/configmaps/{ROOT_CERT_CONFIGMAP}") or {}
    roots = str((found.get("data") or {}).get("root-cert.pem") or "")
    if not roots:
        raise MeshError(
            "istiod can't be asked",
            why=f"the primary's namespace {mesh.namespace} has no ConfigMap {ROOT_CERT_CONFIGMAP}",
            hint="is istiod running there?",
        )
    return roots


def _combine(answers: list[_Said]) -> Snapshot:
    return Snapshot(
        replicas=tuple(said.replica for said in answers),
        clusters=tuple(state for said in answers for state in said.clusters),
        proxies=parse.latest(proxy for said in answers for proxy in said.proxies),
        gateways=tuple(sorted({gateway for said in answers for gateway in said.gateways})),
    )


class _Session:
    """One replica and a stream to it, which stays open from look to look."""

    def __init__(
        self,
        api: PrimaryApi,
        mesh: Mesh,
        pod: str,
        roots: str,
        token: tokens.Token,
        deadline: Deadline,
        ways: Sequence[reach.Address | None],
        *,
        alone: bool,
    ) -> None:
        self._api = api
        self._mesh = mesh
        self._pod = pod
        self._roots = roots
        self._token = token
        self._deadline = deadline
        self._ways = ways
        self._alone = alone
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._stream: transport.Ads | None = None
        self._silence = _Said(
            Replica(pod, _via(ways[0]), False, revision=mesh.revision_label, error="no answer before the deadline")
        )
        self._said = self._silence

    def said(self) -> _Said:
        """The last answer."""
        with self._lock:
            return self._said

    def look(self) -> None:
        """Ask once more; never raises. Until it ends, the replica counts as one that didn't answer."""
        watch = timed()
        with self._lock:
            self._said = self._silence
        try:
            said = self._ask(watch)
        except MeshError as error:
            self.close()
            said = _Said(replace(self._silence.replica, error=error.message, took_ms=watch()))
        except Exception as error:  # a bug of ours must not look like a replica that has nothing to say
            said = _Said(replace(self._silence.replica, error=f"unexpected {type(error).__name__}: {error}"))
        with self._lock:
            self._said = said

    def close(self) -> None:
        """End the stream and the port-forward."""
        self._stream = None
        self._open.close()

    def _ask(self, watch: Callable[[], int]) -> _Said:
        stream, syncz = self._found() if self._stream is None else (self._stream, self._stream.ask(transport.SYNCZ))
        clusterz = stream.ask(transport.DEBUG, ["clusterz"]).resources
        networkz = stream.ask(transport.DEBUG, ["networkz"]).resources
        self._stream = stream
        version = parse.control_plane(syncz.identifier)[1]
        return _Said(
            replica=replace(self._silence.replica, answered=True, error="", version=version, took_ms=watch()),
            clusters=tuple(parse.clusters(b"".join(clusterz[:1]), self._pod)),
            proxies=tuple(parse.proxies(transport.client_configs(syncz), self._pod)),
            gateways=tuple(parse.network_gateways(b"".join(networkz[:1]))),
        )

    def _found(self) -> tuple[transport.Ads, transport.Answer]:
        """A stream to this very replica and its first answer: one way after the other; raises the first way's error."""
        errors: list[MeshError] = []
        for number, way in enumerate(self._ways):
            last = number + 1 == len(self._ways)
            try:
                stream = self._dial(way, self._deadline.left() * (1 if last else 0.5))
                syncz = stream.ask(transport.SYNCZ)
                self._must_be_this(parse.control_plane(syncz.identifier)[0], way)
            except MeshError as error:
                errors.append(error)
                self.close()
            else:
                self._silence = replace(self._silence, replica=replace(self._silence.replica, via=_via(way)))
                return stream, syncz
        self._ways = self._ways[:1]  # the next look tries the best way again, and not all
        raise errors[0]

    def _must_be_this(self, name: str, way: reach.Address | None) -> None:
        """An answer without a name is taken only where nobody else can have given it."""
        if name != self._pod and (name or not (self._alone or way is None)):
            why = f"{name or 'one that gives no name'} answered in its place"
            raise MeshError(f"istiod's replica {self._pod} didn't answer", why=why)

    def _dial(self, way: reach.Address | None, seconds: float) -> transport.Ads:
        """A stream that lives for ``seconds``, at an address or (None) through a port-forward to the pod."""
        mesh = self._mesh
        address = way or self._open.enter_context(self._api.portforward(mesh.namespace, self._pod, reach.XDS_PORT))
        connection = self._open.enter_context(
            transport.Connection(address, server_name=mesh.server_name, root_pem=self._roots)
        )
        node = {
            "id": f"sidecar~192.0.2.1~edge-mesh-check-{secrets.token_hex(3)}.{mesh.namespace}~{mesh.namespace}.svc",
            "metadata": {
                "GENERATOR": "event",
                "NAMESPACE": mesh.namespace,
                "SERVICE_ACCOUNT": mesh.service_account,
                "ISTIO_VERSION": transport.ISTIO_VERSION,
            },
        }
        return self._open.enter_context(connection.ads(node, token=self._token.text, cluster="", timeout=seconds))


def _via(way: reach.Address | None) -> str:
    return "address" if way else "port-forward"
