# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of a site without sidecars: what lets the mesh call its Services, and its pods the mesh."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import Called, Shown

CLUSTER = "topology.istio.io/cluster"
IDENTITY = gateway_only.in_identity("td")
TILL = Shown("till", "shop", 80, 15500, labels={"version": "v2"})
METRICS = Shown("till", "shop", 9000, 15501, "tcp")
STOCK = Called("stock", "sales", 8080, 15600)
HTTP = {"name": "http", "port": 80, "targetPort": 8000}
TCP = {"name": "tcp-metrics", "port": 9000, "targetPort": "metrics"}
SPEC = {"selector": {"app": "till"}, "ports": [HTTP, TCP], "set": ""}


def at_site(**changed: Any) -> dict[tuple[str, str], Any]:
    given: dict[str, Any] = {
        "shown": [TILL, METRICS], "called": [STOCK], "services": {TILL.host: SPEC}, "addresses": ["192.0.2.1"],
        "identity": IDENTITY, **changed,
    }  # fmt: skip
    return {(each["kind"], each["metadata"]["name"]): each for each in gateway_only.at_site(**given)}


def at_primary(*shown: Shown, called: tuple[Called, ...] = ()) -> dict[tuple[str, str], Any]:
    found = gateway_only.at_primary("g", "paris", shown, called)
    return {(each["kind"], each["metadata"]["name"]): each["spec"] for each in found}


def test_a_service_is_one_entry_that_speaks_mutual_tls_at_the_gateways_ports() -> None:
    entry = at_site()["WorkloadEntry", "gateway-only-till-1"]
    assert entry["metadata"]["namespace"] == "shop"
    assert entry["spec"] == {
        "address": "192.0.2.1",
        # by the port's name, or by that of its target, whichever istiod looks for
        "ports": {"http": 15500, "metrics": 15501},
        "network": gateway_only.NETWORK,
        "labels": {"app": "till", "version": "v2", "security.istio.io/tlsMode": "istio"},
    }


def test_each_address_of_the_gateway_is_an_entry() -> None:
    found = at_site(addresses=["192.0.2.1", "192.0.2.2"])
    assert [found["WorkloadEntry", f"gateway-only-till-{number}"]["spec"]["address"] for number in (1, 2)] == [
        "192.0.2.1", "192.0.2.2",
    ]  # fmt: skip


def test_the_service_gets_nothing_but_the_identity_that_callers_must_accept() -> None:
    assert at_site()["Service", "till"] == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "till",
            "namespace": "shop",
            "annotations": {
                "alpha.istio.io/canonical-serviceaccounts": "spiffe://td/ns/istio-system/sa/istio-eastwestgateway"
            },
        },
    }


def test_a_service_of_another_set_of_ours_says_it_itself() -> None:
    assert ("Service", "till") not in at_site(services={TILL.host: {**SPEC, "set": "sample-apps"}})
    assert ("Service", "till") in at_site(services={TILL.host: {**SPEC, "set": "gateway-only"}})


def test_a_host_of_the_mesh_is_an_alias_that_istiod_shows_nobody() -> None:
    found = at_site()
    alias, helper = found["Service", "stock-mesh"], found["Service", "mesh-stock-sales"]
    assert alias["metadata"]["namespace"] == "sales"
    assert alias["spec"] == {
        "type": "ExternalName", "externalName": "mesh-stock-sales.istio-system.svc.cluster.local",
    }  # fmt: skip
    assert helper["metadata"]["namespace"] == "istio-system"
    assert helper["spec"] == {
        "selector": {"app": "istio-egressgateway", "istio": "egressgateway"},
        "ports": [{"name": "http-8080", "port": 8080, "targetPort": 15600}],
    }
    for each in (alias, helper):
        assert each["metadata"]["annotations"] == {"networking.istio.io/exportTo": "~"}
    assert gateway_only.called_as("stock.sales:8080") == "stock-mesh.sales:8080"


def test_the_gateway_ends_mutual_tls_at_a_port_for_each_service_of_its_own_site_only() -> None:
    found = at_primary(TILL, METRICS)
    assert found["Gateway", "g-in"]["selector"] == {"istio": "eastwestgateway", CLUSTER: "paris"}
    assert [
        (each["port"]["number"], each["port"]["protocol"], each["tls"]["mode"], each["hosts"])
        for each in found["Gateway", "g-in"]["servers"]
    ] == [(15500, "HTTPS", "ISTIO_MUTUAL", ["*"]), (15501, "TLS", "ISTIO_MUTUAL", ["*"])]
    assert found["VirtualService", "g-in-15500"] == {
        "hosts": ["*"], "gateways": ["g-in"],
        "http": [{"match": [{"port": 15500}], "route": [{"destination": {"host": TILL.host, "port": {"number": 80}}}]}],
    }  # fmt: skip
    assert found["VirtualService", "g-in-15501"]["tcp"][0]["route"] == [
        {"destination": {"host": TILL.host, "port": {"number": 9000}}}
    ]
    assert ("Gateway", "g-out") not in found


def test_calls_into_the_mesh_come_in_plain_and_keep_the_hosts_own_name() -> None:
    found = at_primary(called=(STOCK, Called("db", "sales", 5432, 15601, "tcp")))
    assert found["Gateway", "g-out"]["selector"] == {"istio": "egressgateway", CLUSTER: "paris"}
    assert [each["port"]["protocol"] for each in found["Gateway", "g-out"]["servers"]] == ["HTTP", "TCP"]
    assert all("tls" not in each for each in found["Gateway", "g-out"]["servers"])
    assert found["VirtualService", "g-out-15600"]["http"][0]["rewrite"] == {"authority": STOCK.host}
    assert "rewrite" not in found["VirtualService", "g-out-15601"]["tcp"][0]


def test_webhooks_keep_what_tells_them_apart_and_serve_gateways_only() -> None:
    hook = {
        "name": "rev",
        "namespaceSelector": {"matchExpressions": [{"key": "istio-injection", "operator": "Exists"}]},
    }
    (found, other) = gateway_only.narrowed(
        [{"kind": "MutatingWebhookConfiguration", "webhooks": [hook, {"name": "object"}]}, {"kind": "ConfigMap"}]
    )
    assert other == {"kind": "ConfigMap"}
    first, second = found["webhooks"]
    where = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-system"]}
    assert first["namespaceSelector"]["matchExpressions"] == [*hook["namespaceSelector"]["matchExpressions"], where]
    assert second["namespaceSelector"]["matchExpressions"] == [where]
    for each in (first, second):
        assert each["objectSelector"]["matchExpressions"] == [
            {"key": "app", "operator": "In",
             "values": ["istio-ingressgateway", "istio-eastwestgateway", "istio-egressgateway"]}
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "spec", "expected"),
    [
        ([TILL, METRICS], SPEC, ""),
        ([TILL], None, "there is no such Service at the site"),
        ([TILL, METRICS], {**SPEC, "selector": {}}, "selects no pods"),
        ([TILL, Shown("till", "shop", 81, 15502)], {**SPEC, "ports": [HTTP]}, "has no port 81; it has 80"),
        ([TILL], SPEC, "has port 9000, too; list all ports of a Service"),
        ([TILL], {**SPEC, "ports": [{"port": 80, "targetPort": 80}]}, "port 80 has no name"),
    ],
)
def test_what_cant_be_shown_is_said(shown: list[Shown], spec: Any, expected: str) -> None:
    found = gateway_only.problems(shown, {TILL.host: spec} if spec else {})
    assert [expected in each and each.startswith("till.shop: ") for each in found] == ([True] if expected else [])
