# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real istiod and a real API server as its site, and readers that lack one right each, or none.

Every reader makes a cluster of its own for istiod, so that many are watched at the same time. No pod runs anywhere:
Nodes, Pods and slices are written by hand, which is all that istiod looks at.
"""

from __future__ import annotations

import base64
import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import reader, remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader, Right
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._xds import tokens, transport
from tests.integration import rendered
from tests.integration.istiod import CLUSTER, Istiod

SYSTEM = "istio-system"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector"
REGION = "topology.kubernetes.io/region"
SECRETS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
TLS_SECRET = "site-tls"
_KINDS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "MutatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
}

Json = dict[str, Any]


def until(check: Callable[[], Any], seconds: float) -> bool:
    """Whether ``check`` came true within ``seconds``."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def without(rules: list[Json], right: Right) -> list[Json]:
    """RBAC rules that grant all that ``rules`` grant but that right."""
    left = []
    for rule in rules:
        names = rule.get("resourceNames")
        covers = (
            right.group in rule["apiGroups"] and right.resource in rule["resources"] and right.verb in rule["verbs"]
        )
        if not covers or (right.name is None) != (names is None) or (names and right.name not in names):
            left.append(rule)
            continue
        parts: list[Json] = [
            {**rule, "resources": [each for each in rule["resources"] if each != right.resource]},
            {**rule, "resources": [right.resource], "verbs": [each for each in rule["verbs"] if each != right.verb]},
        ]
        if names:
            others = [each for each in names if each != right.name]
            parts.append({**rule, "resources": [right.resource], "verbs": [right.verb], "resourceNames": others})
        left += [part for part in parts if part["resources"] and part["verbs"] and part.get("resourceNames", True)]
    return left


def objects_without(who: Reader, rights: tuple[Right, ...]) -> list[Json]:
    """The reader's objects; the roles that give ``rights`` lack them."""
    found = copy.deepcopy(reader.objects(who))
    for right in rights:
        kind = "Role" if right.namespace else "ClusterRole"
        for body in found:
            if body["kind"] == kind:
                body["rules"] = without(body["rules"], right)
    return found


@dataclass(frozen=True)
class Given:
    """A reader at the site and the cluster that istiod makes of it; ``lacks`` are the rights that were taken away."""

    cluster: str
    lacks: tuple[Right, ...]

    @property
    def who(self) -> Reader:
        """The reader, named as the cluster."""
        return Reader(SYSTEM, f"reader-{self.cluster}")


class Sites:
    """The primary's API, the site's, and istiod between them; ``another`` makes one more istiod for its environment."""

    def __init__(
        self,
        primary: Client,
        site: Client,
        istiod: Istiod,
        roots: str,
        another: Callable[[Mapping[str, str]], Istiod],
    ) -> None:
        self.primary = primary
        self.site = site
        self.istiod = istiod
        self.roots = roots
        self.another = another

    # -- the site ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Istio's definitions and webhook at the site, and a kind of the Gateway API."""
        self.add_namespace(SYSTEM)
        items = [item for item in yaml.safe_load_all(rendered.remote_site()) if item]
        for body in [*items, _gateway_kind()]:
            if body["kind"] in _KINDS:
                self.site.apply(f"{_KINDS[body['kind']]}/{body['metadata']['name']}", body)

    def let_istiod_write(self) -> None:
        """Set the annotation that makes istiod look after the site; read when a cluster is added."""
        self.site.apply(f"/api/v1/namespaces/{SYSTEM}", rendered.namespace(primary=CLUSTER))

    def add(self, given: Given) -> None:
        """Make the reader and hand its token to istiod."""
        for body in objects_without(given.who, given.lacks):
            self.site.apply(reader.path_of(body), body)
        account = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{given.who.service_account}"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = self.site.create(f"{account}/token", asked)["status"]["token"]
        access = Access(self.site.endpoint.server, self.site.endpoint.ca_pem, token)
        secret = remote_secret.body(given.cluster, build(given.cluster, access))
        self.primary.apply(remote_secret.path_of(given.cluster), secret)

    def remove(self, given: Given) -> None:
        """Take the cluster from istiod again, and wait until it is forgotten."""
        self.primary.delete(remote_secret.path_of(given.cluster))
        assert until(lambda: given.cluster not in self.states(), 20), f"istiod doesn't forget {given.cluster}"

    def add_workload(self, name: str) -> str:
        """A namespace with a Service of one Pod on a new Node in a region of its own; the Service's host name."""
        node = {"metadata": {"name": name, "labels": {REGION: f"region-{name}"}}}
        self.site.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node})
        self.add_namespace(name)
        where = f"/api/v1/namespaces/{name}"
        labels = {"app": "app"}
        spec = {"selector": {"app": "app"}, "ports": [{"name": "http", "port": 80}], "clusterIP": "None"}
        metadata = {"name": "app", "namespace": name, "labels": labels}
        self.site.create(
            f"{where}/services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        )
        self.add_pod("app", name, "192.0.2.40", labels, name)
        return f"app.{name}.svc.cluster.local"

    def add_pod(self, name: str, namespace: str, address: str, labels: Json, node: str = "anywhere") -> None:
        """A running Pod, and a slice that makes it the one endpoint of the Service of its name, at port 80."""
        where = f"/api/v1/namespaces/{namespace}"
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        pod = {"nodeName": node, "containers": [{"name": "app", "image": "example.test/app:1"}]}
        made = self.site.create(f"{where}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
        status = {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }  # fmt: skip
        self.site.patch(f"{where}/pods/{name}/status", {"status": status})
        target = {"kind": "Pod", "name": name, "namespace": namespace, "uid": made["metadata"]["uid"]}
        endpoints = [{"addresses": [address], "conditions": {"ready": True}, "targetRef": target, "nodeName": node}]
        self.site.create(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
                "ports": [{"name": "http", "port": 80}], "endpoints": endpoints,
            },
        )  # fmt: skip

    def add_tls_secret(self, name: str) -> str:
        """A TLS secret of a gateway in the namespace, and a token of its account, which may read secrets there."""
        where = f"/api/v1/namespaces/{name}"
        data = {"tls.crt": encoded("certificate"), "tls.key": encoded("key")}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": TLS_SECRET}, "data": data}
        self.site.create(f"{where}/secrets", {**secret, "type": "kubernetes.io/tls"})
        self.site.create(
            f"{where}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "gateway"}}
        )
        roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}"
        role = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}
        self.site.create(f"{roles}/roles", {"metadata": {"name": "gateway"}, "rules": [role]})
        subject = {"kind": "ServiceAccount", "name": "gateway", "namespace": name}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gateway"}
        binding = {"metadata": {"name": "gateway"}, "roleRef": reference, "subjects": [subject]}
        self.site.create(f"{roles}/rolebindings", binding)
        return tokens.request(self.site, name, "gateway").text

    # -- what istiod makes of it -------------------------------------------------------------------------------------

    def states(self) -> dict[str, str]:
        """The state of each remote cluster."""
        return {each["id"]: each["syncStatus"] for each in self.istiod.debug("clusterz") if each.get("secretName")}

    def endpoints(self, host: str) -> dict[str, list[Json]]:
        """The endpoints of a Service by cluster."""
        found: dict[str, list[Json]] = {}
        for shards in (self.istiod.debug("endpointShardz").get(host) or {}).values():
            for shard, listed in (shards.get("Shards") or {}).items():
                found.setdefault(shard.partition("/")[2], []).extend(listed or [])
        return found

    def signs(self, cluster: str, token: str) -> bool:
        """Whether istiod gives a workload of the cluster a certificate."""
        _key, csr = workload.make_csr(f"spiffe://cluster.local/ns/{SYSTEM}/sa/default")
        name = "istiod.istio-system.svc"
        with transport.Connection(self.istiod.address, server_name=name, root_pem=self.roots) as line:
            try:
                line.sign(csr, token=token, cluster=cluster, lifetime=3600, timeout=10)
            except MeshError:
                return False
        return True

    def workload_token(self) -> str:
        """A token of a workload of the site."""
        return tokens.request(self.site, SYSTEM, "default").text

    def serves_tls(self, cluster: str, namespace: str, token: str) -> bool:
        """Whether istiod hands the TLS secret to a gateway of that namespace."""
        node = {
            "id": f"router~192.0.2.50~gateway.{namespace}~{namespace}.svc.cluster.local",
            "metadata": {
                "CLUSTER_ID": cluster,
                "NAMESPACE": namespace,
                "SERVICE_ACCOUNT": "gateway",
                "ISTIO_VERSION": "1.29.0",
            },
        }
        name = "istiod.istio-system.svc"
        with transport.Connection(self.istiod.address, server_name=name, root_pem=self.roots) as line:
            try:
                with line.ads(node, token=token, cluster=cluster, timeout=5) as stream:
                    return bool(stream.ask(SECRETS, [f"kubernetes://{TLS_SECRET}"]).resources)
            except MeshError:  # it answers nothing at all, until the time is up
                return False

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def bundle(self) -> bool:
        """Whether the site's webhook has a CA bundle."""
        return bool(self._webhooks()[0]["clientConfig"].get("caBundle"))

    def clear_bundle(self) -> None:
        """Empty it, as somebody who renders the webhook anew does."""
        webhooks = self._webhooks()
        for each in webhooks:
            each["clientConfig"]["caBundle"] = ""
        self.site.patch(WEBHOOK, {"webhooks": webhooks})

    def _webhooks(self) -> list[Json]:
        found = self.site.get(WEBHOOK)
        assert found is not None
        return list(found["webhooks"])

    def written(self, namespace: str, name: str) -> bool:
        """Whether a namespace has one of the ConfigMaps that istiod writes, with PEM in it."""
        found = self.site.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}") or {}
        return any(value.startswith("-----BEGIN") for value in found.get("data", {}).values())

    def spoil(self, namespace: str, name: str) -> None:
        """Change such a ConfigMap by hand."""
        found = self.site.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        assert found is not None
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        self.site.patch(path, {"data": dict.fromkeys(found["data"], "spoilt")})

    def drop(self, namespace: str, name: str) -> None:
        """Delete such a ConfigMap by hand."""
        self.site.delete(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def add_namespace(self, name: str) -> None:
        """A namespace in which istiod wrote nothing yet."""
        self.site.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _gateway_kind() -> Json:
    """A definition under the name that the Gateway API has; its contents don't matter here."""
    group = "gateway.networking.k8s.io"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gateways.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Gateway", "plural": "gateways", "singular": "gateway", "listKind": "GatewayList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }  # fmt: skip


def encoded(pem: str) -> str:
    """PEM as an API shows it in a field of bytes."""
    return base64.b64encode(pem.encode()).decode()
