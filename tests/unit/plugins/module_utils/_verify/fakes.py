# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh of the tests: a centre and an edge whose APIs answer from memory, all well until a test changes something."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint

SYSTEM = "/api/v1/namespaces/istio-system"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices"
DEPLOYMENTS = "/apis/apps/v1/namespaces/istio-system/deployments"
NOW = 1_800_000_000.0


def pem(content: str) -> str:
    """A PEM block; nothing that the code under test does needs it to hold a real certificate."""
    body = base64.b64encode(content.encode()).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


ROOT = pem("the mesh's root")
OTHER_ROOT = pem("somebody else's root")


def token(expires: float | None = NOW + 90 * 86400) -> str:
    """An unsigned token of the reader."""
    claims: dict[str, Any] = {"sub": "system:serviceaccount:istio-system:istio-reader-service-account", "iat": NOW}
    if expires is not None:
        claims["exp"] = expires
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    return ".".join([*parts, "signature"])


def named(
    name: str, namespace: str | None = None, labels: Mapping[str, str] | None = None, **body: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels or {})}
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": metadata, **body}


def pod(name: str, namespace: str, labels: Mapping[str, str] | None = None, **containers: str) -> dict[str, Any]:
    """A running pod; keyword arguments are its containers (``_`` read as ``-``) and their images."""
    listed = [{"name": key.replace("_", "-"), "image": image} for key, image in containers.items()]
    return named(name, namespace, labels, spec={"containers": listed})


def system_namespace(network: str, primary: str | None = None) -> dict[str, Any]:
    found = named("istio-system", None, {"topology.istio.io/network": network})
    if primary:
        found["metadata"]["annotations"] = {"topology.istio.io/controlPlaneClusters": primary}
    return found


def root_configmap(namespace: str, text: str = ROOT) -> dict[str, Any]:
    return named("istio-ca-root-cert", namespace, data={"root-cert.pem": text})


def webhook(
    path: str, bundle: str = ROOT, name: str = "istio-sidecar-injector", rev: str = "default"
) -> dict[str, Any]:
    client = {"service": {"name": "istiod", "path": path}, "caBundle": base64.b64encode(bundle.encode()).decode()}
    hooks = [{"name": f"{kind}.istio.io", "clientConfig": dict(client)} for kind in ("namespace", "object")]
    return named(name, None, {"app": "sidecar-injector", "istio.io/rev": rev}, webhooks=hooks)


def istiod_service() -> dict[str, Any]:
    ports = [{"name": "tcp-istiod", "port": 15012}, {"name": "tcp-webhook", "port": 443, "targetPort": 15017}]
    return named("istiod", "istio-system", spec={"ports": ports})


def istiod_slice(*addresses: str) -> dict[str, Any]:
    ports = [{"name": "tcp-istiod", "port": 15012}, {"name": "tcp-webhook", "port": 15017}]
    labels = {"kubernetes.io/service-name": "istiod"}
    return named("istiod", "istio-system", labels, endpoints=[{"addresses": list(addresses)}], ports=ports)


def gateway(name: str, ready: int = 1) -> dict[str, Any]:
    status = {"observedGeneration": 2, "readyReplicas": ready, "updatedReplicas": 1}
    found = named(name, "istio-system", {"app": name}, spec={"replicas": 1}, status=status)
    found["metadata"]["generation"] = 2
    return found


def gateway_service(name: str, network: str, *addresses: str) -> dict[str, Any]:
    labels = {"app": name, "topology.istio.io/network": network}
    ingress = [{"ip": address} for address in addresses]
    return named(name, "istio-system", labels, spec={}, status={"loadBalancer": {"ingress": ingress}})


def secret(site: str, text: str) -> dict[str, Any]:
    found = remote_secret.body(site, text)
    found["metadata"]["name"] = remote_secret.name_of(site)
    return found


def refused(reason: str = "Refused", status: int = 0) -> ApiError:
    return ApiError("GET / failed", status=status, reason=reason, why="it refuses connections", hint="is it running?")


ALL_RIGHTS = {"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}


def _raised(found: Any) -> Any:
    """What was given, unless it is an error: that is raised."""
    if isinstance(found, Exception):
        raise found
    return found


class FakeApi:
    """Answers by path: a list for `list`, an object or None for `get`; an error is raised. Counts the questions."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.closed = 0
        self.on_exec: Callable[[list[str]], Any] = lambda _command: None

    def _answer(self, path: str) -> Any:
        self.asked.append(path)
        return copy.deepcopy(_raised(self.answers.get(path, self.answers.get("*"))))

    def get(self, path: str, **_query: Any) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._answer(path)
        return found

    def list(self, path: str, **_query: Any) -> list[dict[str, Any]]:
        return self._answer(path) or []

    def text(self, path: str, **_query: Any) -> str:
        return str(self._answer(path))

    def create(self, path: str, body: Mapping[str, Any], **_query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._answer(path)
        return found

    def exec(self, namespace: str, pod: str, container: str, command: Any, *, timeout: float) -> Any:
        assert timeout > 0
        self.asked.append(f"exec {namespace}/{pod}/{container}")
        found = _raised(self.on_exec(command))
        return Done(**found) if isinstance(found, dict) else Done(stdout=found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.closed += 1


@dataclass
class Done:
    """The result of a command."""

    rc: int = 0
    stdout: str = ""
    stderr: str = ""


def centre() -> FakeApi:
    names = ("istio-ingressgateway", "istio-eastwestgateway", "istiod-gateway")
    return FakeApi(
        {
            f"{SYSTEM}/configmaps/istio-ca-root-cert": root_configmap("istio-system"),
            f"{SYSTEM}/secrets": [secret("shop", kubeconfig())],
            "/api/v1/configmaps": [root_configmap("istio-system"), root_configmap("sample")],
            "/api/v1/namespaces": [
                system_namespace("net-centre"),
                named("sample", None, {"istio-injection": "enabled"}),
            ],
            DEPLOYMENTS: [gateway(name) for name in names],
            f"{SYSTEM}/pods": [
                pod(f"{name}-1", "istio-system", {"app": name}, istio_proxy="proxyv2:1") for name in names
            ],
            f"{SYSTEM}/services": [gateway_service(name, "net-centre", "192.0.2.10") for name in names],
        }
    )


def shop() -> FakeApi:
    names = ("istio-ingressgateway", "istio-eastwestgateway")
    gateways = [pod(f"{name}-1", "istio-system", {"app": name}, istio_proxy="proxyv2:1") for name in names]
    apps = [pod("sleep-1", "sample", {"app": "sleep"}, sleep="sleep:1", istio_proxy="proxyv2:1")]
    return FakeApi(
        {
            "/api/v1/pods": [*gateways, *apps, pod("coredns-1", "kube-system", coredns="coredns:1")],
            WEBHOOKS: [webhook("/inject/cluster/shop/net/net-shop")],
            "/api/v1/configmaps": [root_configmap("istio-system"), root_configmap("sample")],
            "/api/v1/namespaces": [
                system_namespace("net-shop", "centre"),
                named("sample", None, {"istio-injection": "enabled"}),
            ],
            f"{SYSTEM}/services/istiod": istiod_service(),
            SLICES: [istiod_slice("192.0.2.10")],
            DEPLOYMENTS: [gateway(name) for name in names],
            f"{SYSTEM}/pods": gateways,
            f"{SYSTEM}/services": [gateway_service(name, "net-shop", "192.0.2.20") for name in names],
        }
    )


def reader_api() -> FakeApi:
    """The edge's API as the reader sees it."""
    name = "system:serviceaccount:istio-system:istio-reader-service-account"
    return FakeApi(
        {
            "/apis/authentication.k8s.io/v1/selfsubjectreviews": {"status": {"userInfo": {"username": name}}},
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": ALL_RIGHTS,
        }
    )


def kubeconfig(server: str = "https://192.0.2.20:6443", expires: float | None = NOW + 90 * 86400, **more: Any) -> str:
    """The kubeconfig in the remote secret."""
    return build("shop", Access(server=server, ca_pem=ROOT, token=token(expires), **more))


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.on_sleep: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.on_sleep()


def endpoint(server: str, token_text: str | None = None) -> Endpoint:
    return Endpoint(server, "context", ROOT, client_cert_pem="cert", client_key_pem="key", token=token_text)


def load_from(known: Mapping[str, str]) -> Callable[[str, str | None], Endpoint]:
    """A reader of kubeconfigs: path -> server."""

    def load(path: str, _context: str | None) -> Endpoint:
        if path not in known:
            raise MeshError(f"the kubeconfig {path} can't be used", why="it doesn't exist")
        return endpoint(known[path])

    return load


def without_secrets(text: str) -> bool:
    """Whether a text holds no part of a token."""
    return not re.search(r"signature|eyJ", text)
