# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.sources`: the CIDRs from which clusters reach istiod."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: sources
short_description: The CIDRs from which clusters reach istiod
version_added: 0.1.0
description:
  - Takes a list of clusters' facts and gives the addresses of their nodes and gateways, and the controller's address as
    each of them sees it, as CIDRs of one address, sorted and without doubles.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description: Facts as M(edge.mesh.site_cluster_info) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who is let in
  ansible.builtin.debug:
    msg: "{{ [{'node_addresses': ['192.0.2.7'], 'gateway_ips': ['192.0.2.8']}] | edge.mesh.sources }}"
"""

RETURN = r"""
_value:
  description: The CIDRs.
  type: list
  elements: str
  sample: [192.0.2.7/32, 192.0.2.8/32]
"""


def sources(clusters: Iterable[Mapping[str, Any]]) -> list[str]:
    """CIDRs of one address each; raises ValueError for what is no address."""
    addresses: set[str] = set()
    for cluster in clusters:
        addresses.update(cluster.get("node_addresses") or [], cluster.get("gateway_ips") or [])
        if cluster.get("controller_address"):
            addresses.add(cluster["controller_address"])
    return sorted(str(ipaddress.ip_network(address)) for address in addresses)


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"sources": sources}
