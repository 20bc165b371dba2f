# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which REST resource a kind is: from a table of Kubernetes' own kinds, from CRDs at hand, or from the API server.

The table spares the discovery for objects of Kubernetes' own stable groups: their resources never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client

__all__ = ["Resource", "built_in", "discover", "from_crds"]

_ACCEPT = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)

# kinds per group version: "Kind" (plural is lower case + s), "Kind=plural"; a leading "-" says cluster-scoped
_TABLE = {
    "v1": "ConfigMap Endpoints=endpoints LimitRange -Namespace -Node PersistentVolumeClaim -PersistentVolume Pod "
    "ReplicationController ResourceQuota Secret Service ServiceAccount",
    "admissionregistration.k8s.io/v1": "-MutatingWebhookConfiguration -ValidatingWebhookConfiguration "
    "-ValidatingAdmissionPolicy=validatingadmissionpolicies -ValidatingAdmissionPolicyBinding",
    "apiextensions.k8s.io/v1": "-CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "-APIService",
    "apps/v1": "DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "networking.k8s.io/v1": "Ingress=ingresses -IngressClass=ingressclasses NetworkPolicy=networkpolicies",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "-ClusterRole -ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "-PriorityClass=priorityclasses",
    "storage.k8s.io/v1": "-StorageClass=storageclasses",
}


@dataclass(frozen=True, order=True)
class Resource:
    """A kind of objects and where the API serves it; ``prunable`` says it can be listed and deleted."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    prunable: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def group_kind(self) -> str:
        """The kind with its group, as Kubernetes spells it: ``Deployment.apps``, ``Service``."""
        return f"{self.kind}.{self.group}".rstrip(".")

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, or of a collection: of one namespace, or of all if ``namespace`` is empty."""
        path = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        if self.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe=':')}" if name else path


def built_in() -> dict[tuple[str, str], Resource]:
    """Kubernetes' own kinds by (apiVersion, kind)."""
    found = {}
    for api_version, kinds in _TABLE.items():
        for entry in kinds.split():
            kind, _equals, plural = entry.lstrip("-").partition("=")
            resource = Resource(api_version, kind, plural or kind.lower() + "s", not entry.startswith("-"))
            found[api_version, kind] = resource
    return found


def from_crds(objects: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Resource]:
    """The kinds that the CustomResourceDefinitions among ``objects`` define, by (apiVersion, kind)."""
    found = {}
    for item in objects:
        if item.get("kind") != "CustomResourceDefinition":
            continue
        spec = item.get("spec") or {}
        names = spec.get("names") or {}
        for version in spec.get("versions") or []:
            if not version.get("served"):
                continue
            api_version = f"{spec.get('group')}/{version.get('name')}"
            kind = str(names.get("kind"))
            resource = Resource(api_version, kind, str(names.get("plural")), spec.get("scope") == "Namespaced")
            found[api_version, kind] = resource
    return found


def discover(client: Client, *, core: bool = True) -> list[Resource]:
    """Everything the API server serves, preferred versions first; two requests (one without ``core``).

    Groups whose server doesn't answer ("Stale") are left out. Raises ApiError.
    """
    found: list[Resource] = []
    for path in ["/api", "/apis"] if core else ["/apis"]:
        found += _resources(client.call("GET", path, accept=_ACCEPT))
    return found


def _resources(answer: Mapping[str, Any]) -> list[Resource]:
    found = []
    for group in answer.get("items") or []:
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or []:
            if version.get("freshness") == "Stale":
                continue
            api_version = f"{name}/{version['version']}" if name else str(version["version"])
            for entry in version.get("resources") or []:
                verbs = entry.get("verbs") or []
                found.append(
                    Resource(
                        api_version,
                        str((entry.get("responseKind") or {}).get("kind")),
                        str(entry["resource"]),
                        entry.get("scope") == "Namespaced",
                        {"list", "delete", "patch"} <= set(verbs),
                    )
                )
    return found
