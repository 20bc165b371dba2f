# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.wan_objects`: what makes the proxies of a primary's sites mark by WAN rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._wan.model import link_from, rule_from
from ansible_collections.edge.mesh.plugins.module_utils._wan.objects import Site, objects

DOCUMENTATION = r"""
name: wan_objects
short_description: The objects that make proxies mark by WAN rule
version_added: 0.1.0
description:
  - Takes the sites of one primary and gives the VirtualServices, DestinationRules and EnvoyFilters for it.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description:
      - The sites, each with its C(name), its C(links) and its C(rules), as the action M(edge.mesh.sites) has them in
        C(wan_links) and C(wan_rules).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what one rule comes to
  ansible.builtin.debug:
    msg: "{{ [{'name': 'shop', 'links': links, 'rules': rules}] | edge.mesh.wan_objects }}"
  vars:
    links:
      - {name: cable, default: true, dscp: 0, interface: null, next_hop: null, to: []}
      - {name: lte, default: false, dscp: 46, interface: wwan0, next_hop: null, to: []}
    rules:
      - {service: till, namespace: sales, link: lte, conditions: []}
"""

RETURN = r"""
_value:
  description: The objects; none if there are no rules.
  type: list
  elements: dict
  sample: []
"""


def wan_objects(sites: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The objects for the primary of these sites."""
    return objects([
        Site(site["name"], tuple(map(link_from, site["links"])), tuple(map(rule_from, site["rules"]))) for site in sites
    ])  # fmt: skip


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"wan_objects": wan_objects}
