# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An istiod at an edge that injects and does nothing else (used by the module `local_injector` and by the checks).

Istio's charts have it as `istiodRemote.enabledLocalInjectorIstiod`: a whole istiod under the name that proxies know,
with a CA of its own whose root it writes over the mesh's. So this is no rendering of theirs. It injects with the
template, the values and the mesh configuration of the primary, read there, so that a pod gets the same sidecar from
both. It lives in a namespace of its own, so that the Service `istiod` goes on leading to the primary, and it has no CA.

Pure. What istiod reads of arguments and environment: `pilot/cmd/pilot-discovery/app/cmd.go` and `pilot/pkg/features` of
Istio 1.31 to the 1.32 development tree.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import ISTIOD_CONTAINER, LOCAL_INJECTOR
from ansible_collections.edge.mesh.plugins.module_utils._k8s.libraries import yaml

__all__ = ["DNS_NAME", "SET", "TRUSTED", "Source", "excess", "is_ours", "objects", "source_of", "webhook"]

Json = Mapping[str, Any]

SET = "local-injector"
DNS_NAME = f"{LOCAL_INJECTOR}.{LOCAL_INJECTOR}.svc"
TRUSTED = "ca.crt"  # key of the Secret and of the ConfigMap
# The plain xDS port, which can't be switched off, on loopback of the pod; the one with TLS not at all.
_CLOSED = ("--grpcAddr=127.0.0.1:15010", "--secureGRPCAddr=", "--monitoringAddr=127.0.0.1:15014")
_NO_CA = {"ENABLE_CA_SERVER": "false"}
_ENVIRONMENT = {
    **_NO_CA,
    # nothing is written to the cluster: webhooks are the run's, and no election is held
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "PILOT_ENABLE_IP_AUTOALLOCATE": "false",
    "PILOT_ENABLE_ANALYSIS": "false",
    "PILOT_ENABLE_GATEWAY_API": "false",
    "PILOT_MULTI_NETWORK_DISCOVER_GATEWAY_API": "false",
    "PILOT_ENABLE_AMBIENT": "false",
    "EXTERNAL_ISTIOD": "false",
    # it would watch every Secret of the site to serve them to proxies, and it serves none
    "PILOT_ENABLE_XDS_IDENTITY_CHECK": "false",
    "ENABLE_DEBUG_ON_HTTP": "false",
}
# What of the primary's environment has a say in injection.
_TAKEN_OVER = ("ENABLE_NATIVE_SIDECARS", "COMPLIANCE_POLICY", "PLATFORM")
_LABELS = {"app": LOCAL_INJECTOR}
_READ = ["get", "list", "watch"]


@dataclass(frozen=True)
class Source:
    """What the primary's istiod injects with.

    ``templates`` has the keys ``config`` and ``values`` of its injection, ``mesh`` its mesh configuration as YAML.
    """

    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    mesh: str = ""


def source_of(deployment: Json | None, injection: Json | None, mesh: Json | None) -> Source:
    """What istiod's Deployment and its two ConfigMaps at the primary say; raises MeshError for what isn't there."""
    if deployment is None or injection is None or mesh is None:
        raise MeshError(
            "the primary's injection can't be read",
            why="istiod, its injection template or its mesh configuration isn't there",
            hint="run site.yml for the primary first",
        )  # fmt: skip
    containers = [
        each for each in deployment["spec"]["template"]["spec"]["containers"] if each["name"] == ISTIOD_CONTAINER
    ]
    templates = {key: str((injection.get("data") or {}).get(key, "")) for key in ("config", "values")}
    text = str((mesh.get("data") or {}).get("mesh", ""))
    if not containers or not all(templates.values()) or not text:
        raise MeshError(
            "the primary's injection can't be read", why="its istiod isn't of the shape that this collection makes"
        )
    found = {each["name"]: str(each.get("value", "")) for each in containers[0].get("env") or []}
    environment = {name: found[name] for name in _TAKEN_OVER if found.get(name)}
    return Source(str(containers[0]["image"]), environment, templates, _without_ingress(text))


def _without_ingress(mesh: str) -> str:
    """The mesh configuration for an istiod that must not care about the site's Ingresses."""
    settings = yaml.safe_load(mesh)
    if not isinstance(settings, dict):
        raise MeshError("the primary's injection can't be read", why="its mesh configuration is no mapping")
    return yaml.safe_dump({**settings, "ingressControllerMode": "OFF"}, sort_keys=True)


def objects(site: str, revision_label: str, source: Source, tls: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Everything but the webhook; ``tls`` has the Secret's values: ``tls.crt``, ``tls.key``, ``ca.crt``."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LOCAL_INJECTOR}},
        _named("v1", "ServiceAccount"),
        *_rights(),
        _named("v1", "Secret", type="kubernetes.io/tls", data={
            key: base64.b64encode(value).decode() for key, value in tls.items()
        }),
        _named("v1", "ConfigMap", data={
            **source.templates, "mesh": source.mesh, "meshNetworks": "networks: {}\n",
            TRUSTED: tls[TRUSTED].decode("ascii"),
        }),
        _named("v1", "Service", spec={
            "selector": _LABELS,
            "ports": [{"name": "https-webhook", "port": 443, "targetPort": 15017, "protocol": "TCP"}],
        }),
        _named("apps/v1", "Deployment", spec={
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": {**_LABELS, "sidecar.istio.io/inject": "false"}},
                "spec": _pod(site, revision_label, source),
            },
        }),
    ]  # fmt: skip


def _named(version: str, kind: str, *, cluster: bool = False, **content: Any) -> dict[str, Any]:
    metadata = {"name": LOCAL_INJECTOR, "labels": dict(_LABELS)}
    if not cluster:
        metadata["namespace"] = LOCAL_INJECTOR
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _rights() -> list[dict[str, Any]]:
    """It reads what decides on a sidecar, and its own Secret, the only one of its namespace; it may write nothing."""
    rbac = "rbac.authorization.k8s.io"
    wide = [
        {"apiGroups": [""], "resources": ["namespaces", "nodes", "pods", "services"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": _READ},
    ]
    own = [{"apiGroups": [""], "resources": ["secrets"], "verbs": _READ}]
    subjects = [{"kind": "ServiceAccount", "name": LOCAL_INJECTOR, "namespace": LOCAL_INJECTOR}]

    def role(kind: str) -> dict[str, str]:
        return {"apiGroup": rbac, "kind": kind, "name": LOCAL_INJECTOR}

    return [
        _named(f"{rbac}/v1", "ClusterRole", cluster=True, rules=wide),
        _named(f"{rbac}/v1", "ClusterRoleBinding", cluster=True, roleRef=role("ClusterRole"), subjects=subjects),
        _named(f"{rbac}/v1", "Role", rules=own),
        _named(f"{rbac}/v1", "RoleBinding", roleRef=role("Role"), subjects=subjects),
    ]


def _pod(site: str, revision_label: str, source: Source) -> dict[str, Any]:
    environment = {**source.environment, **_ENVIRONMENT, "REVISION": revision_label, "CLUSTER_ID": site}
    mounts = {
        "config": "/etc/istio/config", "injection": "/var/lib/istio/inject", "tls": "/var/run/secrets/istiod/tls",
        "nothing": "/etc/istio/nothing",
    }  # fmt: skip

    def part(*keys: str) -> dict[str, Any]:
        return {"configMap": {"name": LOCAL_INJECTOR, "items": [{"key": key, "path": key} for key in keys]}}

    return {
        "serviceAccountName": LOCAL_INJECTOR,
        "containers": [{
            "name": ISTIOD_CONTAINER,
            "image": source.image,
            "imagePullPolicy": "IfNotPresent",
            # an empty directory of configuration, so that it doesn't take the site's for the mesh's
            "args": ["discovery", *_CLOSED, f"--configDir={mounts['nothing']}", "--profile=false"],
            "env": [
                {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                {"name": "POD_NAMESPACE", "value": LOCAL_INJECTOR},
                # the API leaves out an empty value, and the variable is there and empty
                *({"name": name, **({"value": value} if value else {})} for name, value in sorted(environment.items())),
            ],
            "ports": [{"name": "https-webhook", "containerPort": 15017, "protocol": "TCP"}],
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": 8080},
                "initialDelaySeconds": 1, "periodSeconds": 3, "timeoutSeconds": 5,
            },
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumeMounts": [
                {"name": name, "mountPath": path, **({} if name == "nothing" else {"readOnly": True})}
                for name, path in mounts.items()
            ],
        }],
        "volumes": [
            {"name": "config", **part("mesh", "meshNetworks")},
            {"name": "injection", **part("config", "values")},
            {"name": "tls", "secret": {"secretName": LOCAL_INJECTOR}},
            {"name": "nothing", "emptyDir": {}},
        ],
    }  # fmt: skip


def webhook(configuration: Json, trusted: bytes) -> dict[str, Any]:
    """The injection webhook of Istio's chart, led to the injector, which ``trusted`` (PEM) is trusted to be.

    Under another name and without the revision's label, by which the primary's istiod would take it for one of its own
    and write its root into it.
    """
    bundle = base64.b64encode(trusted).decode()
    hooks = []
    for each in configuration["webhooks"]:
        service = {**each["clientConfig"]["service"], "name": LOCAL_INJECTOR, "namespace": LOCAL_INJECTOR}
        hooks.append({**each, "clientConfig": {"service": service, "caBundle": bundle}})
    named = _named(str(configuration["apiVersion"]), "MutatingWebhookConfiguration", cluster=True)
    return {**named, "webhooks": hooks}


def is_ours(pod: Json) -> bool:
    """Whether a pod is where the injector's are."""
    return bool(pod["metadata"].get("namespace") == LOCAL_INJECTOR)


def excess(pod: Json) -> list[str]:
    """What a pod of the injector has or does that an injector doesn't need: a CA, or a port for proxies."""
    spec = pod.get("spec") or {}
    found = []
    for container in spec.get("containers") or []:
        arguments: Sequence[str] = container.get("args") or []
        values = {each.get("name"): each.get("value") for each in container.get("env") or []}
        found += [f"runs without {argument}" for argument in _CLOSED[:2] if argument not in arguments]
        found += [f"{name} isn't {value}" for name, value in _NO_CA.items() if values.get(name) != value]
    if not spec.get("containers"):
        found.append("holds no container")
    for volume in spec.get("volumes") or []:
        sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        secrets = [(each.get("secret") or {}) for each in sources]
        names = [str(each.get("secretName") or each.get("name") or "") for each in secrets if each]
        found += [f"has the Secret {name}" for name in names if name != LOCAL_INJECTOR]
    return found
