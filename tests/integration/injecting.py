# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a primary injects with, as far as `local_injector` reads it, and the webhook that Istio's chart gives a site."""

from __future__ import annotations

from typing import Any

from tests.integration.site import Site

__all__ = ["chart_webhook", "primary"]

_SYSTEM = "/api/v1/namespaces/istio-system"


def primary(site: Site) -> None:
    """Give the API server of ``site`` what a primary has: istiod, its injection template and its mesh configuration."""
    labels = {"app": "istiod"}
    container = {"name": "discovery", "image": "hub.example/pilot:1", "env": [{"name": "PLATFORM"}]}
    spec = {
        "replicas": 0,  # a pod that never gets ready would be waited for by what asks istiod
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    metadata = {"name": "istiod", "namespace": "istio-system"}
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}
    site.apply(_SYSTEM, system, "primary")
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    site.apply("/apis/apps/v1/namespaces/istio-system/deployments/istiod", deployment, "primary")
    for name, data in (
        ("istio-sidecar-injector", {"config": "templates: {}", "values": "{}"}),
        ("istio", {"mesh": "trustDomain: cluster.local"}),
    ):
        found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "name": name}, "data": data}
        site.apply(f"{_SYSTEM}/configmaps/{name}", found, "primary")


def chart_webhook(path: str = "/inject/cluster/shop/net/net-shop") -> dict[str, Any]:
    """The webhook; it selects what no other test has."""
    selector = {"matchLabels": {"edge-mesh-test": "injected"}}
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    service = {"name": "istiod", "namespace": "istio-system", "path": path, "port": 443}
    hook = {
        "name": "object.sidecar-injector.istio.io", "clientConfig": {"service": service}, "rules": [rule],
        "objectSelector": selector, "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
    }  # fmt: skip
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "istio-sidecar-injector"}, "webhooks": [hook],
    }  # fmt: skip
