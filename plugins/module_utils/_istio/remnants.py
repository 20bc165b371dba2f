# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a mesh is left in a cluster after it was taken away (used by the module `site_remnants`).

Pure: the API's lists in, remnants out. Told apart are what should be gone (``left``), what stays because it isn't ours
(``kept``), workloads that still run with a proxy (``workload``), which only their owner can restart, and pods of theirs
that will be gone in a moment (``leaving``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    CONTROL_PLANE_CLUSTERS,
    ISTIOD_CONTAINER,
    NETWORK_LABEL,
    PROXY_CONTAINER,
    ROOT_CERT_CONFIGMAP,
    ROOT_CRL_CONFIGMAP,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership

__all__ = ["SETS", "Remnant", "definitions", "made_by_us", "namespaces", "roots", "runs_istio", "webhooks", "workloads"]

Json = Mapping[str, Any]
Verdict = Literal["left", "kept", "workload", "leaving"]

# The sets of the collection's own roles; objects of other sets belong to whoever applied them.
SETS = frozenset(
    {
        "site-enrollment", "site-reader", "gateways", "gateway-only", "gateway-only-verify", "sample-apps",
        "mesh-verify", "mesh-measure", "mesh-trust", "control-plane", "mesh", "traffic-routes", "wan-association",
        "exports", "export-rules", "export-names", "local-injector",
    }
)  # fmt: skip
_TEMPLATES = "inject.istio.io/templates"


@dataclass(frozen=True)
class Remnant:
    """One object; ``why`` says what is known of it."""

    kind: str
    namespace: str
    name: str
    verdict: Verdict
    why: str

    def as_dict(self) -> dict[str, str]:
        """For the module's answer."""
        return asdict(self)


def _remnant(item: Json, verdict: Verdict, why: str, kind: str = "") -> Remnant:
    metadata = item["metadata"]
    return Remnant(kind or str(item.get("kind")), metadata.get("namespace") or "", metadata["name"], verdict, why)


def made_by_us(items: Iterable[tuple[Json, Sequence[str]]]) -> list[Remnant]:
    """Objects that carry our label, each with those of others that use it.

    Of the roles' sets they should be gone, unless somebody uses them; other sets were applied by somebody else.
    """
    found = []
    for item, users in items:
        metadata = item["metadata"]
        if ownership.has_controller(item):
            continue  # labels that a controller copied: it goes with its owner
        name = ownership.set_of(item)
        if name is not None and name not in SETS:
            found.append(_remnant(item, "kept", f"applied as the set '{name}', which is none of the mesh's"))
        elif users:
            found.append(_remnant(item, "kept", f"others use it ({users[0]}): retire again when they don't any more"))
        elif metadata.get("deletionTimestamp"):
            found.append(_remnant(item, "left", "its deletion is under way"))
        else:
            found.append(_remnant(item, "left", f"it carries our label (set '{name or 'none'}')"))
    return found


def roots(configmaps: Iterable[Json], ours: str) -> list[Remnant]:
    """The root certificates and revocation lists that istiod wrote into namespaces.

    ``ours`` is the mesh's root as PEM. A namespace with another root is another mesh's, and so is the list beside it.
    """
    listed = [item for item in configmaps if item["metadata"]["name"] in (ROOT_CERT_CONFIGMAP, ROOT_CRL_CONFIGMAP)]
    foreign = {
        item["metadata"].get("namespace")
        for item in listed
        if item["metadata"]["name"] == ROOT_CERT_CONFIGMAP and not (ours and _root_of(item) == ours.split())
    }
    return [
        _remnant(item, "kept", "written by another mesh, or with another root", "ConfigMap")
        if item["metadata"].get("namespace") in foreign or not ours
        else _remnant(item, "left", "the mesh's root, written by istiod", "ConfigMap")
        for item in listed
    ]


def _root_of(item: Json) -> list[str]:
    return str((item.get("data") or {}).get("root-cert.pem", "")).split()


def webhooks(configurations: Iterable[Json]) -> list[Remnant]:
    """Istio's webhook configurations that aren't ours (ours are found by their label)."""
    return [
        _remnant(item, "kept", "made by others")
        for item in configurations
        if "istio" in item["metadata"]["name"] and ownership.origin_of(item) is None
    ]


def namespaces(listed: Iterable[Json]) -> list[Remnant]:
    """Namespaces that still say something of a mesh, though not by us."""
    found = []
    for item in listed:
        metadata = item["metadata"]
        told = [name for name in (NETWORK_LABEL,) if name in (metadata.get("labels") or {})]
        told += [name for name in (CONTROL_PLANE_CLUSTERS,) if name in (metadata.get("annotations") or {})]
        if told and ownership.origin_of(item) is None:
            found.append(_remnant(item, "kept", f"{', '.join(told)} was set by others", "Namespace"))
    return found


def definitions(listed: Iterable[Json]) -> list[Remnant]:
    """Istio's CustomResourceDefinitions that aren't ours any more: adopted once, or kept for others' objects."""
    return [
        _remnant(item, "kept", "it was there before us, or others' objects use it", "CustomResourceDefinition")
        for item in listed
        if str((item.get("spec") or {}).get("group", item["metadata"]["name"])).endswith("istio.io")
        and ownership.origin_of(item) is None
    ]


def workloads(pods: Iterable[Json], owners: Iterable[Json]) -> list[Remnant]:
    """Pods that still run with a proxy: without a control plane their certificates end within a day.

    ``owners`` are the cluster's ReplicaSets and Deployments. A pod that is being deleted, or whose owner is gone, is on
    its way out: the API's collector of garbage takes it after its owner, and its last seconds are its own. istiod and
    gateways should be gone by then (``left``), workloads take what time they need (``leaving``).
    """
    standing = {item["metadata"].get("uid"): item for item in owners}
    found = []
    for pod in pods:
        if not runs_istio(pod):
            continue
        verdict: Verdict = "left" if _is_istios_own(pod) else "leaving"
        if pod["metadata"].get("deletionTimestamp"):
            node = (pod.get("spec") or {}).get("nodeName")
            asked = f"; does its node {node} answer?" if node else ""
            found.append(_remnant(pod, verdict, f"its deletion is under way{asked}", "Pod"))
        elif _orphaned(pod, standing):
            found.append(_remnant(pod, verdict, "what made it is gone, and it will be deleted for that", "Pod"))
        elif PROXY_CONTAINER in _containers(pod):
            found.append(_remnant(pod, "workload", "still runs with a proxy: restart its workload", "Pod"))
    return found


def runs_istio(pod: Json) -> bool:
    """Whether a proxy or istiod runs in the pod."""
    return not _containers(pod).isdisjoint({PROXY_CONTAINER, ISTIOD_CONTAINER})


def _is_istios_own(pod: Json) -> bool:
    """Whether it is istiod or a gateway, and not a workload with a sidecar."""
    templates = str((pod["metadata"].get("annotations") or {}).get(_TEMPLATES, "")).split(",")
    return ISTIOD_CONTAINER in _containers(pod) or "gateway" in templates


def _containers(pod: Json) -> set[str]:
    spec = pod.get("spec") or {}
    return {item["name"] for item in (*(spec.get("containers") or []), *(spec.get("initContainers") or []))}


def _orphaned(item: Json, standing: Mapping[str, Json]) -> bool:
    """Whether a ReplicaSet or Deployment in the chain of owners is gone; other kinds of owners aren't looked for."""
    owners = item["metadata"].get("ownerReferences") or []
    for owner in owners:
        if owner.get("controller") and owner.get("kind") in ("ReplicaSet", "Deployment"):
            above = standing.get(owner["uid"])
            return above is None or _orphaned(above, standing)
    return False
