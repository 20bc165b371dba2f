# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gRPC to istiod: ADS, its debug types, and certificate requests (the only file that imports gRPC and Envoy's protos).

Plain values go in and come out. Every call has a deadline and a limit on the answer's size. Where a library is
missing, :func:`require` says so in one line: so the module still loads, and its documentation can be read.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import ServiceEndpoint
from ansible_collections.edge.mesh.plugins.module_utils._xds.parse import service_endpoint

# gRPC's core writes to stderr by itself, which would mix with Ansible's output
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

try:
    import grpc
    from envoy.config.cluster.v3 import cluster_pb2
    from envoy.config.core.v3 import base_pb2
    from envoy.config.endpoint.v3 import endpoint_pb2
    from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
    from envoy.service.status.v3 import csds_pb2
    from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

    MISSING: str | None = None
except ImportError as error:
    MISSING = str(error)

__all__ = [
    "CLUSTER",
    "CLUSTER_LOAD_ASSIGNMENT",
    "DEBUG",
    "ISTIO_VERSION",
    "LISTENER",
    "SYNCZ",
    "Ads",
    "Answer",
    "Connection",
    "RpcError",
    "client_configs",
    "eds_names",
    "endpoints",
    "require",
]

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
CLUSTER_LOAD_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
# answered by the handler whose path below /debug/ is the one resource name, as it stands in JSON
DEBUG = "istio.io/debug"
# answered with one ClientConfig for each connected proxy
SYNCZ = "istio.io/debug/syncz"
# what our nodes say they are, or istiod logs a warning; the oldest line whose answers were read
ISTIO_VERSION = "1.29.0"

_LARGEST_ANSWER = 64 << 20
_SIGN = "/istio.v1.auth.IstioCertificateService/CreateCertificate"


class RpcError(MeshError):
    """A call that istiod refused or didn't answer; ``code`` is gRPC's (``UNAUTHENTICATED``), ``details`` its text."""

    def __init__(self, what: str, code: str, details: str) -> None:
        self.code = code
        self.details = details[:500]
        super().__init__(what, why=f"{code} {self.details}".strip())


@dataclass(frozen=True)
class Answer:
    """One answer on a stream: ``identifier`` is the control plane's, ``resources`` the serialised resources."""

    identifier: str
    resources: tuple[bytes, ...]


def require() -> None:
    """Raise MeshError if gRPC or Envoy's protos can't be imported."""
    if MISSING is not None:
        raise MeshError(
            "istiod can't be asked",
            why=f"a Python library can't be imported ({MISSING})",
            hint="install grpcio and xds-protos for the Python that runs Ansible on the controller",
        )


class Connection:
    """A TLS connection to istiod, verified with ``root_pem`` for the name ``server_name``; a context manager.

    ``address`` is (host, port); a host that is an IP address is used as it is. Nothing is sent before the first call.
    """

    def __init__(self, address: tuple[str, int], *, server_name: str, root_pem: str) -> None:
        host, port = address
        target = f"ipv6:[{host}]:{port}" if ":" in host else f"dns:///{host}:{port}"
        self._channel = grpc.secure_channel(
            target,
            grpc.ssl_channel_credentials(root_certificates=root_pem.encode()),
            options=[
                ("grpc.ssl_target_name_override", server_name),
                ("grpc.default_authority", server_name),
                ("grpc.max_receive_message_length", _LARGEST_ANSWER),
                ("grpc.enable_http_proxy", 0),
                ("grpc.enable_retries", 0),
                # channels with the same target would share one connection, whatever its pod or root is
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and every stream on it."""
        self._channel.close()

    def ads(self, node: Mapping[str, Any], *, token: str, cluster: str, timeout: float) -> Ads:
        """A stream as the node ``{id, metadata}``, authenticated by a token; ``timeout`` (seconds) bounds its life."""
        return Ads(self._channel, node, _credentials(token, cluster), timeout)

    def sign(self, csr_pem: str, *, token: str, cluster: str, lifetime: int, timeout: float) -> tuple[str, ...]:
        """istiod's certificates (PEM) for a request, the leaf first and the root last; ``lifetime`` is in seconds.

        Raises RpcError. Every failed authentication looks the same to a client: UNAUTHENTICATED.
        """
        request, response = _sign_messages()
        call = self._channel.unary_unary(
            _SIGN, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        try:
            answer = call(
                request(csr=csr_pem, validity_duration=lifetime),
                metadata=_credentials(token, cluster),
                timeout=timeout,
            )
        except grpc.RpcError as failure:
            raise _rpc_error("istiod signed no certificate", failure) from None
        return tuple(answer.cert_chain)


class Ads:
    """One stream of aggregated discovery; a context manager. Ask one type after the other."""

    def __init__(
        self, channel: Any, node: Mapping[str, Any], metadata: Sequence[tuple[str, str]], timeout: float
    ) -> None:
        self._node: Any = base_pb2.Node(id=node["id"])
        self._node.metadata.update(node["metadata"])
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
        self._call = stub.StreamAggregatedResources(iter(self._requests.get, None), metadata=metadata, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._requests.put(None)
        self._call.cancel()

    def ask(self, type_url: str, names: Iterable[str] = ()) -> Answer:
        """The next answer of this type; pushes of other types in between are passed over. Raises RpcError."""
        request = discovery_pb2.DiscoveryRequest(type_url=type_url, resource_names=list(names))
        if self._node is not None:  # only the first request of a stream carries the node
            request.node.CopyFrom(self._node)
            self._node = None
        self._requests.put(request)
        what = f"istiod didn't answer {type_url.rpartition('.')[2]}"
        try:
            for response in self._call:
                if response.type_url == type_url:
                    return Answer(
                        response.control_plane.identifier, tuple(resource.value for resource in response.resources)
                    )
        except grpc.RpcError as failure:
            raise _rpc_error(what, failure) from None
        raise RpcError(what, "OK", "istiod ended the stream")


def _credentials(token: str, cluster: str) -> tuple[tuple[str, str], ...]:
    """Call metadata as istiod's Kubernetes authenticator reads it; without a cluster it takes its own API's token."""
    own = (("authorization", f"Bearer {token}"),)
    return (*own, ("clusterid", cluster)) if cluster else own


def _rpc_error(what: str, failure: Any) -> RpcError:
    return RpcError(what, failure.code().name, " ".join(str(failure.details() or "").split()))


def _sign_messages() -> tuple[Any, Any]:
    """Request and response class of istiod's certificate service.

    Its proto (`security/v1alpha1/ca.proto` of istio.io/api) is in no package, and is small: it is described here at
    run time, in a pool of its own. Fields: request `csr` = 1 and `validity_duration` = 3, response `cert_chain` = 1.
    """
    kind = descriptor_pb2.FieldDescriptorProto
    described = descriptor_pb2.FileDescriptorProto(name="edge_mesh/ca.proto", package="istio.v1.auth", syntax="proto3")
    for message, fields in {
        "IstioCertificateRequest": (
            ("csr", 1, kind.TYPE_STRING, kind.LABEL_OPTIONAL),
            ("validity_duration", 3, kind.TYPE_INT64, kind.LABEL_OPTIONAL),
        ),
        "IstioCertificateResponse": (("cert_chain", 1, kind.TYPE_STRING, kind.LABEL_REPEATED),),
    }.items():
        entry = described.message_type.add(name=message)
        for name, number, type_, label in fields:
            entry.field.add(name=name, number=number, type=type_, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    request, response = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"istio.v1.auth.IstioCertificate{word}"))
        for word in ("Request", "Response")
    )
    return request, response


def client_configs(answer: Answer) -> list[dict[str, Any]]:
    """The answer to ``SYNCZ`` as plain values: ``{id, metadata, configs: [{type_url, status, updated, error}]}``."""
    found = []
    for raw in answer.resources:
        config = csds_pb2.ClientConfig.FromString(raw)
        found.append(
            {
                "id": config.node.id,
                "metadata": json_format.MessageToDict(config.node.metadata),
                "configs": [
                    {
                        "type_url": item.type_url,
                        "status": csds_pb2.ConfigStatus.Name(item.config_status),
                        "updated": item.last_updated.seconds + item.last_updated.nanos / 1e9,
                        "error": item.error_state.details,
                    }
                    for item in config.generic_xds_configs
                ],
            }
        )
    return found


def eds_names(answer: Answer) -> list[str]:
    """The names under which the clusters of an answer get their endpoints by EDS."""
    names = []
    for raw in answer.resources:
        cluster = cluster_pb2.Cluster.FromString(raw)
        if cluster.type == cluster_pb2.Cluster.EDS:
            names.append(cluster.eds_cluster_config.service_name or cluster.name)
    return names


def endpoints(answer: Answer) -> list[ServiceEndpoint]:
    """All endpoints with an IP address of an answer to EDS."""
    found = []
    for raw in answer.resources:
        assignment = endpoint_pb2.ClusterLoadAssignment.FromString(raw)
        for locality in assignment.endpoints:
            for item in locality.lb_endpoints:
                address = item.endpoint.address.socket_address
                if not address.address:
                    continue
                workload = _workload(item.metadata.filter_metadata)
                found.append(service_endpoint(assignment.cluster_name, address.address, address.port_value, workload))
    return found


def _workload(filter_metadata: Any) -> str:
    """istiod's `workload` of an endpoint; reading a protobuf map by key would add the key."""
    if "istio" not in filter_metadata or "workload" not in filter_metadata["istio"]:
        return ""
    return str(filter_metadata["istio"]["workload"])
