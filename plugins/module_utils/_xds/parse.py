# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istiod's debug answers and endpoints mean (pure; used by `_xds.istiod` and `_xds.synthetic`).

Sources, read in Istio's 1.32 development tree: `pilot/pkg/xds/statusgen.go` (syncz), `pkg/cluster/debug.go`
(clusterz), `pilot/pkg/model/network.go` (networkz), `pilot/pkg/networking/util/util.go` (endpoint metadata).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import (
    ClusterState,
    NetworkGateway,
    ProxyState,
    ServiceEndpoint,
    State,
    TypeState,
)

__all__ = [
    "clusters",
    "control_plane",
    "latest",
    "network_gateways",
    "proxies",
    "service_endpoint",
    "short_type",
]

_SHORT = {
    "Cluster": "CDS",
    "Listener": "LDS",
    "ClusterLoadAssignment": "EDS",
    "RouteConfiguration": "RDS",
    "ScopedRouteConfiguration": "SRDS",
    "Secret": "SDS",
    "TypedExtensionConfig": "ECDS",
    "NameTable": "NDS",
    "ProxyConfig": "PCDS",
}
# envoy.service.status.v3.ConfigStatus, as istiod uses it
_STATES: Mapping[str, State] = {
    "SYNCED": "acked",
    "STALE": "stale",
    "ERROR": "nacked",
    "NOT_SENT": "never-sent",
}
_ERROR_LENGTH = 500


def short_type(type_url: str) -> str:
    """``CDS`` for ``type.googleapis.com/envoy.config.cluster.v3.Cluster``; else the type's last word."""
    word = type_url.rpartition(".")[2]
    return _SHORT.get(word, word)


def control_plane(identifier: str) -> tuple[str, str]:
    """Name of the replica's pod and istiod's version from the control plane identifier; empty where it says nothing."""
    try:
        value = json.loads(identifier)
    except ValueError:
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    info = value.get("Info")
    version = info.get("version") if isinstance(info, dict) else ""
    return str(value.get("ID") or ""), str(version or "")


def proxies(configs: Iterable[Mapping[str, Any]], istiod: str) -> list[ProxyState]:
    """The connected proxies of one replica.

    ``configs`` are client configurations as plain values: ``{id, metadata: {CLUSTER_ID, NAMESPACE, ISTIO_VERSION},
    configs: [{type_url, status, updated, error}]}``.
    """
    found = []
    for config in configs:
        metadata = config.get("metadata") or {}
        types = tuple(
            sorted(
                (
                    TypeState(
                        type=short_type(str(item["type_url"])),
                        state=_STATES.get(str(item["status"]), "unknown"),
                        updated=float(item.get("updated") or 0.0),
                        error=str(item.get("error") or "")[:_ERROR_LENGTH],
                    )
                    for item in config.get("configs") or []
                ),
                key=lambda item: item.type,
            )
        )
        found.append(
            ProxyState(
                id=str(config["id"]),
                cluster=str(metadata.get("CLUSTER_ID") or ""),
                namespace=str(metadata.get("NAMESPACE") or ""),
                version=str(metadata.get("ISTIO_VERSION") or ""),
                istiod=istiod,
                types=types,
            )
        )
    return found


def latest(states: Iterable[ProxyState]) -> tuple[ProxyState, ...]:
    """One state for each proxy, sorted: after a reconnect the old connection may be listed for a while."""
    newest: dict[tuple[str, str], ProxyState] = {}
    for state in states:
        key = (state.cluster, state.id)
        known = newest.get(key)
        if known is None or state.updated >= known.updated:
            newest[key] = state
    return tuple(newest[key] for key in sorted(newest))


def clusters(payload: bytes, istiod: str) -> list[ClusterState]:
    """The clusters of one replica from clusterz' JSON; raises MeshError if it isn't a list of objects."""
    return [
        ClusterState(
            cluster=str(item.get("id") or ""),
            status=str(item.get("syncStatus") or ""),
            secret=str(item.get("secretName") or ""),
            istiod=istiod,
        )
        for item in _objects(payload, "clusterz")
    ]


def network_gateways(payload: bytes) -> list[NetworkGateway]:
    """The gateways between networks from networkz' JSON; raises MeshError if it isn't a list of objects."""
    return sorted(
        NetworkGateway(
            network=str(item.get("Network") or ""),
            cluster=str(item.get("Cluster") or ""),
            address=str(item.get("Addr") or ""),
            port=int(item.get("Port") or 0),
        )
        for item in _objects(payload, "networkz")
    )


def _objects(payload: bytes, name: str) -> Sequence[Mapping[str, Any]]:
    try:
        value = json.loads(payload) if payload.strip() else []
    except ValueError:
        value = payload[:100].decode("utf-8", "replace")
    if value is None:  # Go's nil slice
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MeshError(
            f"istiod's answer to {name} can't be read", why=f"expected a list of objects, got {value!r:.100}"
        )
    return value


def service_endpoint(service: str, address: str, port: int, workload: str) -> ServiceEndpoint:
    """An endpoint from its address and istiod's metadata `workload`.

    That is ``<workload>;<namespace>;<canonical service>;<canonical revision>;<cluster>``; a gateway's has no workload,
    and an istiod that sends no telemetry labels gives an empty one.
    """
    fields = workload.split(";")
    cluster = fields[4] if len(fields) > 4 else ""
    return ServiceEndpoint(service, address, port, cluster, fields[0])
