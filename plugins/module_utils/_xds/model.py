# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a mesh and what its control plane says, as frozen values (used by all of `_xds`).

Nothing here knows gRPC, Kubernetes or Ansible. Times are seconds since the epoch unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._checks import Verdict
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import names

__all__ = [
    "ClusterState",
    "Finding",
    "Mesh",
    "NetworkGateway",
    "ProxyState",
    "Replica",
    "ServiceEndpoint",
    "Site",
    "Snapshot",
    "State",
    "TypeState",
]

State = Literal["acked", "stale", "nacked", "never-sent", "unknown"]


@dataclass(frozen=True)
class Mesh:
    """What is the same for every site of one primary.

    ``gateway`` is the name of the Deployment whose connection proves that a site is joined. ``networks`` is the network
    and ``gateway_addresses`` the addresses of its gateway, for every cluster that the caller knows.
    ``certificate_seconds`` is what the mesh's proxies ask for (SECRET_TTL of Istio's agent: 24 hours).
    """

    namespace: str
    istiod_name: str
    revision_label: str
    mesh_id: str
    trust_domain: str
    service_account: str
    gateway: str
    networks: Mapping[str, str] = field(default_factory=dict)
    gateway_addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    certificate_seconds: int = 24 * 3600

    @property
    def server_name(self) -> str:
        """The DNS name that istiod's certificate must hold."""
        return f"{self.istiod_name}.{self.namespace}.svc"

    @property
    def injector(self) -> str:
        """The name of the injection webhook's configuration, at every site."""
        return names("" if self.revision_label == "default" else self.revision_label)["injector"]

    @property
    def identity(self) -> str:
        """The SPIFFE identity that the synthetic proxy must get."""
        return f"spiffe://{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"


@dataclass(frozen=True)
class Site:
    """One site as it is asked for; ``istiod_address`` (host:port) is as seen from the controller.

    ``injects`` is false for a site whose workloads get no sidecars, ``local_injector`` true where the site injects by
    itself.
    """

    cluster: str
    network: str
    istiod_address: str | None = None
    probe_namespace: str = ""
    is_primary: bool = False
    injects: bool = True
    local_injector: bool = False


@dataclass(frozen=True)
class TypeState:
    """One xDS type of one proxy: ``type`` is the short name (CDS, LDS, EDS, RDS ...), ``error`` a NACK's text."""

    type: str
    state: State
    updated: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class ProxyState:
    """One connected proxy; ``id`` is ``<pod>.<namespace>``, ``istiod`` the replica that it is connected to."""

    id: str
    cluster: str
    namespace: str
    version: str
    istiod: str
    types: tuple[TypeState, ...] = ()

    @property
    def updated(self) -> float:
        """When istiod last sent it anything."""
        return max((item.updated for item in self.types), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """For the module's ``proxies``."""
        return {
            "id": self.id,
            "cluster": self.cluster,
            "namespace": self.namespace,
            "version": self.version,
            "istiod": self.istiod,
            "types": {item.type: item.state for item in self.types},
            "errors": {item.type: item.error for item in self.types if item.error},
        }


@dataclass(frozen=True)
class ClusterState:
    """One cluster as one replica of istiod knows it; ``secret`` is ``<namespace>/<name>``, empty for its own."""

    cluster: str
    status: str
    secret: str
    istiod: str


@dataclass(frozen=True, order=True)
class NetworkGateway:
    """A gateway through which istiod sends traffic to a network; ``cluster`` is empty if it doesn't know one."""

    network: str
    cluster: str
    address: str
    port: int


@dataclass(frozen=True)
class Replica:
    """A ready replica of istiod and whether it answered; ``via`` says how it was asked."""

    pod: str
    via: str
    answered: bool
    revision: str = ""
    version: str = ""
    error: str = ""
    took_ms: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For the module's ``replicas``."""
        return {
            "pod": self.pod,
            "via": self.via,
            "answered": self.answered,
            "revision": self.revision,
            "version": self.version,
            "error": self.error,
            "took_ms": self.took_ms,
        }


@dataclass(frozen=True)
class Snapshot:
    """What istiod said at one moment; ``error`` says why its replicas couldn't even be listed."""

    replicas: tuple[Replica, ...] = ()
    clusters: tuple[ClusterState, ...] = ()
    proxies: tuple[ProxyState, ...] = ()
    gateways: tuple[NetworkGateway, ...] = ()
    error: str = ""

    @property
    def complete(self) -> bool:
        """Whether every ready replica answered, and there is one."""
        return bool(self.replicas) and not self.error and all(replica.answered for replica in self.replicas)

    def doubt(self) -> dict[str, Any]:
        """Evidence of why this isn't the whole truth; empty if it is."""
        if self.complete:
            return {}
        silent = {replica.pod: replica.error for replica in self.replicas if not replica.answered}
        return {"istiod": self.error or ("replicas that didn't answer" if silent else "no ready replica")} | (
            {"silent": silent} if silent else {}
        )


@dataclass(frozen=True)
class ServiceEndpoint:
    """One endpoint of a service as istiod tells a proxy; ``cluster`` and ``workload`` may be empty."""

    service: str
    address: str
    port: int
    cluster: str
    workload: str


@dataclass(frozen=True)
class Finding:
    """What a check found, before it is a record."""

    verdict: Verdict
    evidence: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""
