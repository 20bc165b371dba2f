# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that would fail late, when clusters are made: each is named before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import read
from tests.unit.plugins.plugin_utils.inventory.test_model import inventory, messages

KIND = {"edge_mesh_provider": "kind"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"edge_mesh_trust_domain": ""}, "edge_mesh_trust_domain is ''"),
        ({"edge_mesh_trust_domain": "Shops.example"}, "it can hold lower case letters"),
        ({"edge_mesh_trust_domain": "spiffe://shops"}, "it can hold lower case letters"),
        ({"edge_mesh_revision": "1.30"}, "edge_mesh_revision is '1.30'"),
        ({"edge_mesh_revision": "r" * 57}, "it can hold up to 56"),
        ({"edge_mesh_revision": 1.3}, "edge_mesh_revision is read as 1.3; put it into quotes"),
        ({"edge_mesh_istiod_allowed_sources": 5}, "must be a list, not a number"),
        ({"edge_mesh_istiod_allowed_sources": "10.0.0.0/8"}, "must be a list, not a text"),
    ],
)
def test_what_no_mesh_can_have_is_named_once(variables: dict[str, Any], said: str) -> None:
    [found] = messages(inventory({"centre": {}, "shop": {}}, **variables))
    assert said in found


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"edge_mesh_network": "a/b"}, "edge_mesh_network is 'a/b'"),  # it is a part of the injection path
        ({"edge_mesh_network": "n" * 64}, "it is a label's value, which has up to 63"),
        ({"edge_mesh_site": "s" * 60}, f"its network would be called net-{'s' * 60}, over 63 characters"),
        ({"edge_mesh_token_ttl": "long"}, "edge_mesh_token_ttl can't be understood"),
        ({"edge_mesh_token_ttl": ""}, "edge_mesh_token_ttl can't be understood"),
        ({"edge_mesh_token_ttl": "90"}, "it must be at least 10m"),  # seconds
        ({"edge_mesh_token_renew_before": "x"}, "edge_mesh_token_renew_before can't be understood"),
        ({"edge_mesh_token_renew_before": "90d"}, "must be shorter than edge_mesh_token_ttl (90d)"),
        ({"edge_mesh_gateway_addresses": [["192.0.2.1"]]}, "which isn't a text"),
        ({**KIND, "edge_mesh_pod_subnet": "10.244.0.0/33"}, "which is no CIDR"),
        ({**KIND, "edge_mesh_service_subnet": ""}, "which is no CIDR"),
        ({**KIND, "edge_mesh_pod_subnet": "10.96.0.0/12"}, "edge_mesh_service_subnet 10.96.0.0/16 overlap"),
    ],
)
def test_what_no_site_can_have_is_named_once(variables: dict[str, Any], said: str) -> None:
    [found] = messages(inventory({"centre": {}, "shop": variables}))
    assert said in found


@pytest.mark.parametrize(
    "variables",
    [
        {"edge_mesh_network": "Shops_1.eu"}, {"edge_mesh_network": 5}, {"edge_mesh_site": "s" * 59},
        {"edge_mesh_site": "s" * 63, "edge_mesh_network": "long"}, {"edge_mesh_site": "7up"}, {"edge_mesh_site": 7},
        {"edge_mesh_token_ttl": "10m", "edge_mesh_token_renew_before": "5m"}, {"edge_mesh_token_ttl": 3600},
        {**KIND, "edge_mesh_pod_subnet": "10.1.0.0/16,fd00:1::/56",
         "edge_mesh_service_subnet": "10.2.0.0/16,fd00:2::/112"},
        {"edge_mesh_pod_subnet": "what others made"},  # existing: nothing is made of it
    ],
)  # fmt: skip
def test_unusual_values_that_work_are_taken(variables: dict[str, Any]) -> None:
    assert read(inventory({"centre": {}, "shop": variables}))[1] == []
