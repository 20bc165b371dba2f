# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.route_objects`: Istio's objects for the routes of an inventory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import routing
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.routes import read_routes

DOCUMENTATION = r"""
name: route_objects
short_description: Istio's objects for the routes of an inventory
version_added: 0.1.0
description:
  - Takes routes as C(edge_mesh_routes) has them and gives VirtualServices and DestinationRules that do what they say.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description: The routes.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what a split is in Istio's words
  ansible.builtin.debug:
    msg: >-
      {{ [{'host': 'stock.shop', 'rules': [{'to': [{'site': 'local', 'weight': 50}, {'version': 'v1', 'weight': 50}]}]}]
         | edge.mesh.route_objects }}
"""

RETURN = r"""
_value:
  description: The objects, those of one host beside each other, the DestinationRule first.
  type: list
  elements: dict
  sample:
    - apiVersion: networking.istio.io/v1
      kind: VirtualService
      metadata: {name: route-stock-shop, namespace: istio-system}
      spec: {hosts: [stock.shop.svc.cluster.local], gateways: [mesh], http: []}
"""


def route_objects(given: Any) -> list[dict[str, Any]]:
    """The objects; raises ValueError for routes that the site model would refuse."""
    routes, problems = read_routes(given)
    if problems:
        raise ValueError("; ".join(str(problem) for problem in problems))
    return routing.objects(routes)


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"route_objects": route_objects}
