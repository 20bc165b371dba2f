# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a site from what its API says."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._site import facts, network

SLICES = [{"ports": [{"name": "https", "port": 6443}], "endpoints": [{"addresses": ["192.0.2.7"]}]}]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://127.8.9.1:6443", True),
        ("https://[::1]:6443", True),
        ("https://localhost:6443", True),
        ("https://0.0.0.0:6443", True),
        ("https://api.localhost", True),
        ("https://192.0.2.1:6443", False),
        ("https://localhost.example.org", False),
    ],
)
def test_a_loopback_address_is_known_as_such(url: str, loopback: bool) -> None:
    assert facts.is_loopback(url) is loopback


def test_the_kubeconfigs_address_is_kept_if_others_can_use_it() -> None:
    assert facts.api_server(SLICES, "https://api.example.org:443") == "https://api.example.org:443"


def test_a_loopback_address_is_replaced_by_what_the_api_server_advertises() -> None:
    assert facts.api_server(SLICES, "https://127.0.0.1:33445") == "https://192.0.2.7:6443"


def test_an_ipv6_address_is_put_in_brackets() -> None:
    slices = [{"ports": [{"name": "https", "port": 6443}], "endpoints": [{"addresses": ["2001:db8::7"]}]}]
    assert facts.api_server(slices, "https://127.0.0.1:1") == "https://[2001:db8::7]:6443"


def test_without_an_advertised_address_the_kubeconfigs_stays() -> None:
    assert facts.api_server([], "https://127.0.0.1:1") == "https://127.0.0.1:1"


def test_only_internal_ips_of_nodes_count() -> None:
    addresses = [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "192.0.2.3"}]
    assert facts.node_addresses([{"status": {"addresses": addresses}}, {"status": {}}]) == ["192.0.2.3"]


def test_a_pending_load_balancer_has_no_address() -> None:
    assert facts.gateway_addresses({"status": {"loadBalancer": {}}}) == []
    assert facts.gateway_addresses(None) == []


def test_ips_and_names_of_a_load_balancer_are_read() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.4"}, {"hostname": "gw.example.org"}]}}
    assert facts.gateway_addresses({"status": status}) == ["192.0.2.4", "gw.example.org"]


def test_addresses_are_resolved_without_doubles() -> None:
    assert network.resolve(["127.0.0.1", "127.0.0.1", "192.0.2.9"]) == ["127.0.0.1", "192.0.2.9"]


def test_an_unknown_name_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(MeshError, match=r"nowhere\.invalid has no IP.*write an IP into edge_mesh_gateway_addresses"):
        network.resolve(["nowhere.invalid"])


def test_the_controllers_address_towards_loopback_is_loopback() -> None:
    assert network.source_address("127.0.0.1") == "127.0.0.1"
