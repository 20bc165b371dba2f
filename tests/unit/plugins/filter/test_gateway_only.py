# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters for gateway-only sites: data of the inventory in, objects out."""

from __future__ import annotations

from typing import Any

import yaml

from ansible_collections.edge.mesh.plugins.filter.gateway_injection import gateway_injection
from ansible_collections.edge.mesh.plugins.filter.gateway_only_at_primary import gateway_only_at_primary
from ansible_collections.edge.mesh.plugins.filter.gateway_only_at_site import gateway_only_at_site
from ansible_collections.edge.mesh.plugins.filter.gateway_only_problems import gateway_only_problems

TILL: dict[str, Any] = {"service": "till", "namespace": "shop", "port": 80, "gateway_port": 15500, "labels": {}}
STOCK: dict[str, Any] = {"service": "stock", "namespace": "shop", "port": 80, "gateway_port": 15600}
HOST = "till.shop.svc.cluster.local"
SPECS = {HOST: {"selector": {"app": "till"}, "ports": [{"name": "http", "port": 80}], "set": ""}}


def test_the_sites_objects_are_of_what_is_there() -> None:
    found = gateway_only_at_site([TILL], [STOCK], SPECS, ["192.0.2.1"], "td")
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [
        ("WorkloadEntry", "gateway-only-till-1"), ("Service", "till"), ("Service", "mesh-stock-shop"),
        ("Service", "stock-mesh"),
    ]  # fmt: skip
    assert "spiffe://td/" in str(found[1])
    # in check mode, before the Service is made
    assert [each["metadata"]["name"] for each in gateway_only_at_site([TILL], [], {}, [], "td")] == []


def test_the_primarys_objects_carry_the_sites_name() -> None:
    found = gateway_only_at_primary([TILL], [STOCK], "kiosk-ports", "kiosk")
    assert [each["metadata"]["name"] for each in found] == [
        "kiosk-ports-in", "kiosk-ports-in-15500", "kiosk-ports-out", "kiosk-ports-out-15600",
    ]  # fmt: skip


def test_a_missing_service_is_a_problem() -> None:
    assert gateway_only_problems([TILL], SPECS) == []
    assert "there is no such Service" in gateway_only_problems([TILL], {})[0]


class Tagged(str):
    """As Ansible hands texts to filters."""

    __slots__ = ()


def test_a_manifest_loses_its_empty_documents_and_injects_gateways_only() -> None:
    kept = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}
    hook = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "istio-sidecar-injector"}, "webhooks": [{"name": "object"}]}  # fmt: skip
    found = gateway_injection(Tagged(yaml.safe_dump_all([kept, None, hook])))
    assert [each["kind"] for each in found] == ["Namespace", "MutatingWebhookConfiguration"]
    assert found[1]["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["istio-system"]
