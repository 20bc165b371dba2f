# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.sources`: who is let in to istiod."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.filter.sources import FilterModule, sources


def test_nodes_gateways_and_the_controller_are_let_in_once() -> None:
    clusters = [
        {
            "node_addresses": ["192.0.2.7"],
            "gateway_ips": ["192.0.2.7", "2001:db8::1"],
            "controller_address": "192.0.2.1",
        },
        {"node_addresses": [], "gateway_ips": None, "controller_address": None},
    ]
    assert sources(clusters) == ["192.0.2.1/32", "192.0.2.7/32", "2001:db8::1/128"]


def test_a_cluster_of_which_nothing_is_known_lets_nobody_in() -> None:
    assert sources([{}]) == []


def test_a_name_is_no_source() -> None:
    with pytest.raises(ValueError, match=r"gateway\.example"):
        sources([{"gateway_ips": ["gateway.example"]}])


def test_it_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"sources": sources}
