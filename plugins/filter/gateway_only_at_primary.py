# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.gateway_only_at_primary`: what a primary tells the gateways of a gateway-only site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import Called, Shown

DOCUMENTATION = r"""
name: gateway_only_at_primary
short_description: What the gateways of a gateway-only site listen for, and where they route it
version_added: 0.1.0
description:
  - Takes what a site shows and calls, as the action M(edge.mesh.sites) has it, and gives Gateways and VirtualServices
    for its primary.
author: edge.mesh contributors (@edge-mesh)
positional: called, name, site
options:
  _input:
    description: What the site shows, each with C(service), C(namespace), C(port), C(gateway_port) and C(protocol).
    type: list
    elements: dict
    required: true
  called:
    description: What its pods call, likewise.
    type: list
    elements: dict
    required: true
  name:
    description: What the objects' names begin with.
    type: str
    required: true
  site:
    description: Name of the site.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what a shop's gateway listens for
  ansible.builtin.debug:
    msg: >-
      {{ [{'service': 'till', 'namespace': 'shop', 'port': 80, 'gateway_port': 15500}]
         | edge.mesh.gateway_only_at_primary([], 'gateway-only-shop', 'shop') }}
"""

RETURN = r"""
_value:
  description: The objects.
  type: list
  elements: dict
  sample:
    - apiVersion: networking.istio.io/v1
      kind: Gateway
      metadata: {name: gateway-only-shop-in, namespace: istio-system}
      spec: {selector: {istio: eastwestgateway, topology.istio.io/cluster: shop}, servers: []}
"""


def gateway_only_at_primary(
    shown: Iterable[Mapping[str, Any]], called: Iterable[Mapping[str, Any]], name: str, site: str
) -> list[dict[str, Any]]:
    """The objects."""
    return gateway_only.at_primary(
        name, site, [Shown(**entry) for entry in shown], [Called(**entry) for entry in called]
    )


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"gateway_only_at_primary": gateway_only_at_primary}
