# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.bad_targets`: what routes want of hosts that isn't there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import targets
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.routes import read_routes
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.shares import Instance

DOCUMENTATION = r"""
name: bad_targets
short_description: What routes want of hosts that isn't there
version_added: 0.1.0
description:
  - Takes routes as C(edge_mesh_routes) has them and what M(edge.mesh.service_info) found of their hosts. Says which
    hosts don't exist, and which versions and sites have nobody to answer.
  - Says nothing as long as a site gave no answer, because what is missed may be there.
author: edge.mesh contributors (@edge-mesh)
positional: found, hosts
options:
  _input:
    description: The routes.
    type: list
    elements: dict
    required: true
  found:
    description: C(sites) as M(edge.mesh.service_info) returns it.
    type: dict
    required: true
  hosts:
    description: Full names of the hosts that were looked for; routes of others aren't judged.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say that there is no such host
  ansible.builtin.debug:
    msg: >-
      {{ [{'host': 'stock.shop', 'rules': [{'to': [{'version': 'v1'}]}]}]
         | edge.mesh.bad_targets({'north': {'known': true, 'hosts': {}}}, ['stock.shop.svc.cluster.local']) }}
"""

RETURN = r"""
_value:
  description: The problems, in words.
  type: list
  elements: str
  sample: ["edge_mesh_routes, stock.shop: there is no such host: no site has a Service of that name"]
"""


def bad_targets(given: Any, found: Mapping[str, Mapping[str, Any]], hosts: list[str]) -> list[str]:
    """The problems, none if a site gave no answer."""
    if not all(site["known"] for site in found.values()):
        return []
    problems = []
    for route in read_routes(given)[0]:
        if route.host in hosts:
            places = [
                Instance(name, version) for name, site in found.items() for version in site["hosts"].get(route.host, {})
            ]
            exists = any(route.host in site["hosts"] for site in found.values())
            problems += targets.bad_instances(route, places, exists=exists)
    return [str(problem) for problem in problems]


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"bad_targets": bad_targets}
