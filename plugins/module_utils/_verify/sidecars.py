# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a gateway-only site has a sidecar or asks for one, which it can't have (used by `_verify.survey`).

Pure: JSON of the API in, findings out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import GATEWAYS
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    EAST_WEST,
    EGRESS,
    PROXY_CONTAINER,
    SYSTEM_NAMESPACE,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Finding, Json

__all__ = ["GIVES_UP", "gateway_only"]

_INJECT, _REVISION, _NAMESPACE = "sidecar.istio.io/inject", "istio.io/rev", "istio-injection"
_MOST_NAMES = 20
# What a person must know who reads that such a site is well.
GIVES_UP = (
    "inside the site all calls are plain text, and nobody proves who calls",
    f"to the mesh every Service of the site is {EAST_WEST}, and every pod that calls is {EGRESS}",
    "policies, retries and routes of the mesh end at its gateways",
    "who holds the site holds these two identities",
)


def gateway_only(
    namespaces: Sequence[Json], workloads: Iterable[Json], pods: Sequence[Json], webhooks: Iterable[Json]
) -> Finding:
    """Whether nothing of the cluster has or demands a sidecar, and no webhook of ``webhooks`` would give one.

    ``workloads`` are Deployments, StatefulSets and DaemonSets with their ``kind``. In the evidence, ``others`` are the
    namespaces, workloads and pods that aren't this collection's own, which a run doesn't mend.
    """
    own = {item["metadata"]["name"] for item in namespaces if ownership.origin_of(item) == "created"}
    labelled = [item["metadata"]["name"] for item in namespaces if _asks_namespace(item)]
    templates = [item for item in workloads if _asks(_template(item)) and not _is_gateway(item, _template(item))]
    asking = [pod for pod in pods if _has_proxy(pod) or (_asks(pod) and not pod["metadata"].get("ownerReferences"))]
    running = [pod for pod in asking if not _is_gateway(pod, pod)]
    wide = sorted({item["metadata"]["name"] for item in webhooks if not all(map(_is_narrow, item["webhooks"]))})
    told = [
        *(f"namespace {name}" for name in labelled),
        *(f"{item['kind']} {_name(item)}" for item in templates),
        *(f"pod {_name(pod)}{' (has one)' if _has_proxy(pod) else ''}" for pod in running),
    ]
    others = [
        *(f"namespace {name}" for name in labelled if name not in own),
        *(f"{item['kind']} {_name(item)}" for item in templates if _where(item) not in own),
        *(f"pod {_name(pod)}" for pod in running if _where(pod) not in own),
    ]
    evidence: dict[str, Any] = {
        "demands": told[:_MOST_NAMES], "others": others[:_MOST_NAMES], "webhooks": wide, "gives_up": list(GIVES_UP),
    }  # fmt: skip
    faults = [f"{', '.join(wide)} would inject more than the gateways"] if wide else []
    faults += [f"{_listed(told)} demand{'s' if len(told) == 1 else ''} a sidecar"] if told else []
    if faults:
        hint = RERUN if not others else (
            "a gateway_only site gives no sidecars: take their injection labels away, or set edge_mesh_mode: sidecar"
        )  # fmt: skip
        return Finding("failed", {"seen": "; ".join(faults), **evidence}, hint)
    seen = f"no sidecar at {len(pods)} pods: plain text inside, {EAST_WEST} and {EGRESS} for all of them outside"
    return Finding("ok", {"seen": seen, **evidence})


def _asks_namespace(item: Json) -> bool:
    labels: Json = item["metadata"].get("labels") or {}
    return labels.get(_NAMESPACE) == "enabled" or bool(labels.get(_REVISION))


def _asks(item: Json) -> bool:
    """Whether a pod or a template has a label, or the older annotation, that asks for a proxy."""
    metadata: Json = item.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    word = labels.get(_INJECT, annotations.get(_INJECT))
    return word == "true" or (word != "false" and bool(labels.get(_REVISION)))


def _template(workload: Json) -> Json:
    return (workload.get("spec") or {}).get("template") or {}


def _is_gateway(item: Json, template: Json) -> bool:
    app = ((template.get("metadata") or {}).get("labels") or {}).get("app")
    return _where(item) == SYSTEM_NAMESPACE and app in GATEWAYS


def _has_proxy(pod: Json) -> bool:
    spec: Mapping[str, Any] = pod.get("spec") or {}
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return (
        any(each.get("name") == PROXY_CONTAINER for each in containers) and "deletionTimestamp" not in pod["metadata"]
    )


def _is_narrow(hook: Json) -> bool:
    """Whether a webhook is called for pods of Istio's own namespace only."""
    expressions = (hook.get("namespaceSelector") or {}).get("matchExpressions") or []
    return any(
        each.get("key") == "kubernetes.io/metadata.name" and each.get("values") == [SYSTEM_NAMESPACE]
        for each in expressions
    )


def _where(item: Json) -> str:
    return str(item["metadata"].get("namespace", ""))


def _name(item: Json) -> str:
    return f"{_where(item)}/{item['metadata']['name']}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
