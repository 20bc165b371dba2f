# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, labels and annotations of Istio's objects: the one place for each (used by every layer above `_k8s`).

Sources: Istio's charts `base` and `istio-discovery` (1.29 to the 1.32 development tree).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "CLUSTER_LABEL",
    "CONTROL_PLANE_CLUSTERS",
    "EASTWEST_PORT",
    "EAST_WEST",
    "EGRESS",
    "INGRESS",
    "ISTIOD_CONTAINER",
    "ISTIOD_GATEWAY",
    "LOCAL_INJECTOR",
    "NETWORK_LABEL",
    "PROXY_CONTAINER",
    "ROOT_CERT_CONFIGMAP",
    "ROOT_CRL_CONFIGMAP",
    "SERVICE_SUFFIX",
    "SYSTEM_NAMESPACE",
    "full_name",
    "injection_path",
    "names",
]

SYSTEM_NAMESPACE = "istio-system"
ROOT_CERT_CONFIGMAP = "istio-ca-root-cert"
ROOT_CRL_CONFIGMAP = "istio-ca-crl"
CLUSTER_LABEL = "topology.istio.io/cluster"
NETWORK_LABEL = "topology.istio.io/network"
CONTROL_PLANE_CLUSTERS = "topology.istio.io/controlPlaneClusters"
EASTWEST_PORT = 15443
PROXY_CONTAINER = "istio-proxy"
ISTIOD_CONTAINER = "discovery"
SERVICE_SUFFIX = ".svc.cluster.local"
# The gateways: their Deployments, Services, accounts and labels `app`.
INGRESS = "istio-ingressgateway"
EAST_WEST = "istio-eastwestgateway"
ISTIOD_GATEWAY = "istiod-gateway"
EGRESS = "istio-egressgateway"
# The injector of a site that injects without its centre: its namespace, and each of its objects.
LOCAL_INJECTOR = "edge-mesh-injector"


def names(revision: str) -> Mapping[str, str]:
    """The names that carry the revision: ``{istiod, injector, injector_config, mesh_config, revision_label}``.

    ``revision`` is empty for the default control plane, whose objects carry no suffix and the label value `default`.
    """
    suffix = f"-{revision}" if revision else ""
    return {
        "istiod": f"istiod{suffix}",
        "injector": f"istio-sidecar-injector{suffix}",
        "injector_config": f"istio-sidecar-injector{suffix}",
        "mesh_config": f"istio{suffix}",
        "revision_label": revision or "default",
    }


def full_name(service: str, namespace: str) -> str:
    """The name of a Service by which Istio knows its host."""
    return f"{service}.{namespace}{SERVICE_SUFFIX}"


def injection_path(cluster: str, network: str) -> str:
    """The path on which istiod injects for a remote cluster: it decides the cluster name and network of the proxies."""
    return f"/inject/cluster/{cluster}/net/{network}"
