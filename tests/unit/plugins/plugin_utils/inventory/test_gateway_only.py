# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateway-only sites of an inventory: what they get, and every way in which they can't be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import read
from tests.unit.plugins.plugin_utils.inventory.test_model import inventory, messages

MODE = {"edge_mesh_mode": "gateway_only"}


def entry(variables: dict[str, Any] | None = None, **everywhere: Any) -> dict[str, Any]:
    model, problems = read(inventory({"centre": {}, "shop": {**MODE, **(variables or {})}}, **everywhere))
    assert problems == []
    found: dict[str, Any] = model["sites"]["shop"]["gateway_only"]
    return found


def test_the_sample_app_is_shown_and_called_by_its_version() -> None:
    found = entry({"sample_apps_helloworld_version": "v3"}, edge_mesh_sample_apps=True)
    assert found["shown"] == [
        {"service": "helloworld", "namespace": "sample", "port": 5000, "gateway_port": 15500, "protocol": "http",
         "labels": {"version": "v3"}}
    ]  # fmt: skip
    assert [(each["service"], each["gateway_port"]) for each in found["called"]] == [("helloworld", 15600)]
    assert (found["shown_ports"], found["called_ports"], found["probe"]["shown"]) == ([15500], [15600], [])


def test_without_sample_apps_the_probes_of_verify_have_ports_of_their_own() -> None:
    found = entry(edge_mesh_trust_domain="shops.example")
    assert (found["shown"], found["called"]) == ([], [])
    assert found["probe"]["shown"][0]["namespace"] == "edge-mesh-verify"
    assert (found["shown_ports"], found["called_ports"]) == ([15499], [15599])
    assert found["identity"] == "spiffe://shops.example/ns/istio-system/sa/istio-eastwestgateway"


def test_ports_of_the_gateway_are_those_given_and_the_first_free_ones() -> None:
    services = [
        {"host": "till.sales", "port": 80},
        {"host": "stock.sales.svc.cluster.local", "port": 5432, "protocol": "tcp", "gateway_port": 15500},
        {"host": "stock.sales", "port": 9000, "labels": {"version": 2}},
    ]
    found = entry({"edge_mesh_gateway_only_services": services})
    assert [(each["service"], each["port"], each["gateway_port"], each["protocol"]) for each in found["shown"]] == [
        ("till", 80, 15501, "http"), ("stock", 5432, 15500, "tcp"), ("stock", 9000, 15502, "http"),
    ]  # fmt: skip
    assert found["shown"][2]["labels"] == {"version": "2"}


def test_a_site_with_sidecars_has_no_such_ports() -> None:
    model, problems = read(inventory({"centre": {}, "shop": {}}))
    assert problems == []
    for site in model["sites"].values():
        assert (site["gateway_only"]["shown_ports"], site["gateway_only"]["called_ports"]) == ([], [])


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"edge_mesh_sample_parts": ["stock-v1"]}, "edge_mesh_sample_parts lists apps that call one another"),
        ({"edge_mesh_exports": []}, "edge_mesh_exports can't say what a gateway_only site shows"),
        ({"edge_mesh_gateway_addresses": ["shop.example"]}, "the mesh calls a gateway_only site at IPs only"),
        ({"edge_mesh_gateway_only_services": ["till.sales"]}, "entry 1 of edge_mesh_gateway_only_services is no"),
        ({"edge_mesh_gateway_only_services": [{"host": "till", "port": 80}]}, "write <service>.<namespace>"),
        ({"edge_mesh_gateway_only_services": [{"host": "a.b"}]}, "has port None"),
        ({"edge_mesh_gateway_only_services": [{"host": "a.b", "port": 1, "as": "x"}]}, "has 'as'; it can have"),
        ({"edge_mesh_gateway_only_services": [{"host": "a.b", "port": 1, "protocol": "udp"}]}, "can be http or tcp"),
        ({"edge_mesh_gateway_only_services": [{"host": "a.b", "port": 1, "labels": [1]}]}, "has labels that are no"),
        (
            {"edge_mesh_gateway_only_services": [{"host": "a.b", "port": 1, "gateway_port": 15600}]},
            "gateway_port 15600; it can be 15500 to 15598",
        ),
        ({"edge_mesh_gateway_only_calls": [{"host": "a.b", "port": 1, "labels": {}}]}, "has 'labels'"),
        ({"edge_mesh_gateway_only_calls": [{"host": "a.b", "port": 1}] * 2}, "has port 1 of a.b twice"),
        (
            {"edge_mesh_gateway_only_calls": [
                {"host": f"{name}.b", "port": 1, "gateway_port": 15600} for name in "ac"]},
            "has gateway_port 15600 twice",
        ),
        ({"edge_mesh_gateway_only_calls": [{"host": f"{'a' * 60}.b", "port": 1}]}, "over 63 characters"),
        ({"edge_mesh_mode": "sidecar", "edge_mesh_gateway_only_calls": [{"host": "a.b", "port": 1}]}, "are for sites"),
    ],
)  # fmt: skip
def test_what_cant_be_is_named(variables: dict[str, Any], expected: str) -> None:
    found = messages(inventory({"centre": {}, "shop": {**MODE, **variables}}, edge_mesh_sample_apps=True))
    assert any(expected in each and each.startswith("shop: ") for each in found), found


def test_more_ports_than_a_gateway_has_room_for_are_refused() -> None:
    services = [{"host": f"s{number}.sales", "port": 80} for number in range(100)]
    assert messages(inventory({"centre": {}, "shop": {**MODE, "edge_mesh_gateway_only_services": services}})) == [
        "shop: edge_mesh_gateway_only_services has 100 ports; a gateway has room for 99"
    ]


def test_a_primary_cant_be_gateway_only() -> None:
    assert messages(inventory({"centre": MODE})) == [
        "centre: a primary runs istiod and can't be gateway_only; use edge_mesh_mode: sidecar"
    ]


def test_pages_and_splits_are_expected_of_callers_with_sidecars_only() -> None:
    route = {"host": "stock.sample", "rules": [{"to": [{"site": "centre"}]}]}
    given = inventory(
        {"centre": {"edge_mesh_sample_parts": ["stock-v1"]}, "shop": MODE, "van": {}},
        edge_mesh_sample_apps=True, edge_mesh_routes=[route],
    )  # fmt: skip
    model, problems = read(given)
    assert problems == []
    (split,) = model["traffic"]["splits"]
    assert set(split["shares"]) == {"centre", "van"}
