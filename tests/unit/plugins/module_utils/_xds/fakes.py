# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An istiod and Kubernetes APIs of the tests: a real gRPC server with TLS on loopback, and clients without HTTP.

The istiod keeps to what was read in Istio's code: the token and the cluster name decide, every failed authentication
looks the same, debug answers have the types and shapes of `debuggen.go` and `statusgen.go`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from envoy.service.status.v3 import csds_pb2

from ansible_collections.edge.mesh.plugins.module_utils._istio import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._xds import transport

NAMESPACE = "istio-system"
SERVER_NAME = "istiod.istio-system.svc"
IDENTITY = "spiffe://cluster.local/ns/istio-system/sa/default"


class Authority:
    """A throw-away CA, signed by itself or by ``issuer``; with ``ca`` false its certificate doesn't say it is one."""

    def __init__(self, name: str = "root", issuer: Authority | None = None, *, ca: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
        build = (issuer or self)._build
        self.certificate = build(self.name, self.key.public_key(), None, timedelta(days=3650), ca=ca)

    @property
    def pem(self) -> str:
        return _pem(self.certificate)

    def server(self, names: tuple[str, ...] = (SERVER_NAME,), life: timedelta = timedelta(days=30)) -> tuple[str, str]:
        """A key and a certificate (PEM) for a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        sans: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        return _key_pem(key), _pem(self._build(x509.Name([]), key.public_key(), sans, life))

    def workload(self, uri: str, public_key: Any, life: timedelta = timedelta(hours=24)) -> str:
        return _pem(self._build(x509.Name([]), public_key, [x509.UniformResourceIdentifier(uri)], life))

    def _build(self, subject: x509.Name, public: Any, sans: Any, life: timedelta, *, ca: bool = False) -> Any:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=True)
        return builder.sign(self.key, hashes.SHA256())


def _pem(certificate: Any) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: Any) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def token_of(issuer: str, **claims: Any) -> str:
    """A token as an API server issues it, without a signature."""
    now = datetime.now(UTC).timestamp()
    body = {
        "aud": ["istio-ca"],
        "iss": issuer,
        "sub": f"system:serviceaccount:{NAMESPACE}:default",
        "iat": int(now),
        "exp": int(now) + 600,
        **claims,
    }
    return "e30." + base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=") + ".c2lnbmF0dXJl"


@dataclass
class Istiod:
    """What the fake istiod knows; change it at any time.

    ``clusters`` maps a cluster name to the issuer whose tokens it accepts, "" stands for its own cluster.
    """

    authority: Authority
    pod: str = "istiod-1"
    clusters: dict[str, str] = field(default_factory=lambda: {"": "hub", "hub": "hub", "edge": "edge"})
    clusterz: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"id": "hub", "secretName": "", "syncStatus": "synced"},
            {"id": "edge", "secretName": "istio-system/istio-remote-secret-edge", "syncStatus": "synced"},
        ]
    )
    networkz: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"Network": "net-hub", "Cluster": "hub", "Addr": "172.31.0.2", "Port": 15443},
            {"Network": "net-edge", "Cluster": "edge", "Addr": "172.31.0.3", "Port": 15443},
        ]
    )
    proxies: list[dict[str, Any]] = field(default_factory=lambda: [gateway("hub"), gateway("edge")])
    more_endpoints: list[tuple[str, int, str]] = field(default_factory=list)
    identity: str = IDENTITY
    life: timedelta = timedelta(hours=24)
    signer: Authority | None = None
    services: int = 3
    listeners: int = 2
    silent: threading.Event | None = None
    streams: int = 0


def gateway(cluster: str, **states: str) -> dict[str, Any]:
    """A connected east-west gateway of a cluster; ``states`` are Envoy's (SYNCED, STALE, NOT_SENT, ERROR) by type."""
    return {"id": f"istio-eastwestgateway-{cluster}-1.{NAMESPACE}", "cluster": cluster, "states": states}


_TYPES = {
    "CDS": transport.CLUSTER,
    "LDS": transport.LISTENER,
    "EDS": transport.CLUSTER_LOAD_ASSIGNMENT,
    "RDS": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}


class _Discovery(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    def __init__(self, istiod: Istiod) -> None:
        self.istiod = istiod

    def StreamAggregatedResources(self, request_iterator: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.istiod.streams += 1
        _authenticate(self.istiod, context, "authentication failure")
        cluster = ""
        for request in request_iterator:
            if request.node.id:
                cluster = dict(request.node.metadata).get("CLUSTER_ID", "")
            if self.istiod.silent is not None:
                self.istiod.silent.wait(30)
                return
            yield self._answer(request, cluster)

    def _answer(self, request: Any, cluster: str) -> Any:
        answer = discovery_pb2.DiscoveryResponse(type_url=request.type_url, nonce="1")
        if request.type_url == transport.SYNCZ:
            answer.control_plane.identifier = json.dumps(
                {"Component": "istiod", "ID": self.istiod.pod, "Info": {"version": "1.32-test"}}
            )
            for proxy in self.istiod.proxies:
                answer.resources.add().Pack(_client_config(proxy))
        elif request.type_url == transport.DEBUG:
            payload = getattr(self.istiod, request.resource_names[0])
            answer.resources.add(type_url=transport.DEBUG, value=json.dumps(payload).encode())
        elif request.type_url == transport.CLUSTER:
            for number in range(self.istiod.services):
                name = f"outbound|5000||s{number}.sample.svc.cluster.local"
                answer.resources.add().Pack(cluster_pb2.Cluster(name=name, type=cluster_pb2.Cluster.EDS))
            answer.resources.add().Pack(cluster_pb2.Cluster(name="BlackHoleCluster"))
        elif request.type_url == transport.CLUSTER_LOAD_ASSIGNMENT:
            for name in request.resource_names[:1]:
                answer.resources.add().Pack(_assignment(name, self._endpoints(cluster)))
        elif request.type_url == transport.LISTENER:
            for _number in range(self.istiod.listeners):
                answer.resources.add(type_url=transport.LISTENER)
        return answer

    def _endpoints(self, cluster: str) -> list[tuple[str, int, str]]:
        """One service's endpoints as a proxy of the cluster sees them: its own pod, and the others' gateways."""
        through = [
            (item["Addr"], item["Port"], f";;;;{item['Cluster']}")
            for item in self.istiod.networkz
            if item["Cluster"] != cluster
        ]
        return [("10.0.0.5", 5000, f"hello;sample;hello;v1;{cluster}"), *through, *self.istiod.more_endpoints]


def _client_config(proxy: Mapping[str, Any]) -> Any:
    config = csds_pb2.ClientConfig()
    config.node.id = proxy["id"]
    config.node.metadata.update(
        {"CLUSTER_ID": proxy["cluster"], "NAMESPACE": NAMESPACE, "ISTIO_VERSION": proxy.get("version", "1.32")}
    )
    for short, url in _TYPES.items():
        state = proxy["states"].get(short, "SYNCED")
        entry = config.generic_xds_configs.add(type_url=url, config_status=csds_pb2.ConfigStatus.Value(state))
        entry.last_updated.FromSeconds(1_800_000_000)
        if state == "ERROR":
            entry.error_state.details = "rejected"
    return config


def _assignment(name: str, endpoints: list[tuple[str, int, str]]) -> Any:
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    locality = assignment.endpoints.add()
    for address, port, workload in endpoints:
        entry = locality.lb_endpoints.add()
        entry.endpoint.address.socket_address.address = address
        entry.endpoint.address.socket_address.port_value = port
        if workload:
            entry.metadata.filter_metadata["istio"].update({"workload": workload})
    return assignment


def _authenticate(istiod: Istiod, context: Any, text: str) -> None:
    metadata = dict(context.invocation_metadata())
    token = metadata.get("authorization", "").removeprefix("Bearer ")
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        claims = {}
    accepted = istiod.clusters.get(metadata.get("clusterid", ""))
    if accepted is None or claims.get("iss") != accepted or "istio-ca" not in claims.get("aud", ()):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, text)


def _sign(istiod: Istiod, request: Any, context: Any) -> Any:
    _authenticate(istiod, context, "request authenticate failure")
    csr = x509.load_pem_x509_csr(request.csr.encode())
    signer = istiod.signer or istiod.authority
    leaf = signer.workload(istiod.identity, csr.public_key(), istiod.life)
    return transport._sign_messages()[1](cert_chain=[leaf, signer.pem])


@contextmanager
def serve(istiod: Istiod, names: tuple[str, ...] = (SERVER_NAME,)) -> Iterator[str]:
    """Run the fake istiod; yields its address ``127.0.0.1:<port>``."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(_Discovery(istiod), server)
    request, response = transport._sign_messages()
    handler = grpc.unary_unary_rpc_method_handler(
        lambda message, context: _sign(istiod, message, context),
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )
    service, method = transport._SIGN.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    key, certificate = istiod.authority.server(names)
    credentials = grpc.ssl_server_credentials([(key.encode(), certificate.encode())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        if istiod.silent is not None:
            istiod.silent.set()
        server.stop(None).wait(5)


def refused(status: int, why: str, reason: str = "") -> ApiError:
    """What a Kubernetes client raises."""
    return ApiError("the request failed", status=status, reason=reason, why=why)


def remote_secret_of(site: str, *keys: str, access: Access | None = None) -> dict[str, Any]:
    """A remote secret as the primary holds it, with a kubeconfig under each key."""
    text = kubeconfig.build(site, access or Access("https://127.0.0.1:1", token=token_of(site)))
    value = base64.b64encode(text.encode()).decode()
    return {
        "metadata": {"name": f"istio-remote-secret-{site}", "labels": {"istio/multiCluster": "true"}},
        "data": dict.fromkeys(keys, value),
    }


@dataclass
class FakeApi:
    """A Kubernetes client without HTTP: what its cluster answers, and what it was asked."""

    cluster: str
    root: str
    network: str = ""
    address: str = ""
    pods: tuple[str, ...] = ("istiod-1",)
    forwards: dict[str, str] = field(default_factory=dict)
    secret_keys: dict[str, list[str]] = field(default_factory=dict)
    slices: list[dict[str, Any]] = field(default_factory=lambda: [{"endpoints": [{"addresses": ["127.0.0.1"]}]}])
    external_name: str = ""
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    injected: bool = True
    accepts: bool = True
    errors: dict[str, ApiError] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    requests: int = 0
    closed: bool = False
    created: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def _count(self, path: str) -> None:
        self.requests += 1
        for part, error in self.errors.items():
            if part in path:
                raise error

    def get(self, path: str, **query: Any) -> dict[str, Any] | None:
        self._count(path)
        name = path.rpartition("/")[2]
        if name == "istio-ca-root-cert":
            return {"data": {"root-cert.pem": self.root}} if self.root else None
        if path.endswith("/services/istiod"):
            return {"spec": {"externalName": self.external_name}} if self.external_name else None
        raise AssertionError(path)

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        self._count(path)
        if path.endswith("/endpointslices"):
            return self.slices
        if path.endswith("/secrets"):
            return [remote_secret_of(name, *keys) for name, keys in self.secret_keys.items()]
        if path.endswith("/mutatingwebhookconfigurations"):
            return self.webhooks
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": name}, "status": ready} for name in self.pods]

    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        self._count(path)
        self.created.append((path, {**body, "query": query}))
        if path.endswith("/token"):
            return {"status": {"token": token_of(self.cluster, **self.claims)}}
        if path.endswith("/tokenreviews"):
            return {"status": {"authenticated": self.accepts}}
        pod = json.loads(json.dumps(body))
        if self.injected:
            env = [
                {"name": "ISTIO_META_CLUSTER_ID", "value": self.cluster},
                {"name": "ISTIO_META_NETWORK", "value": self.network},
            ]
            pod["spec"]["containers"].append({"name": "istio-proxy", "image": "proxyv2", "env": env})
        return pod

    def logs(self, namespace: str, pod: str, container: str, *, tail: int) -> str:
        self._count(f"pods/{pod}/log")
        return self.log

    @contextmanager
    def portforward(self, namespace: str, pod: str, port: int) -> Iterator[tuple[str, int]]:
        self._count(f"portforward/{pod}")
        host, _colon, number = self.forwards[pod].rpartition(":")
        yield host, int(number)

    def close(self) -> None:
        self.closed = True
