# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.export_plan`: what keeps services of sites out of the proxies of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import exports
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.exports import member

DOCUMENTATION = r"""
name: export_plan
short_description: What keeps services of sites out of the proxies of others
version_added: 0.1.0
description:
  - Takes the sites of the site model, with C(edge_mesh_exports), and what is there, and gives the objects that hide
    services, and what can't be hidden.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description: The sites of the mesh by name, as the site model has them.
    type: dict
    required: true
  seen:
    description: What M(edge.mesh.service_info) with C(everything) returned as C(sites).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what hides the services of shop
  ansible.builtin.debug:
    msg: "{{ sites | edge.mesh.export_plan(seen) }}"
  vars:
    sites:
      centre: {name: centre, primary: centre, exports: null}
      shop: {name: shop, primary: centre, exports: [{service: till.shop, to: []}]}
    seen:
      centre: {known: true, services: [], namespaces: []}
      shop: {known: true, services: [till.shop, safe.shop], namespaces: [shop]}
"""

RETURN = r"""
_value:
  description:
    - C(problems), a clause each; C(sites), the objects of each site that was seen; C(rules) and C(names), the
      EnvoyFilters of each primary, by what the inventory says and by the names that were seen.
    - C(complete) is whether all sites were seen.
  type: dict
  sample:
    problems: []
    sites:
      shop: []
    rules:
      centre: []
    names:
      centre: []
    complete: true
"""


def export_plan(sites: Mapping[str, Mapping[str, Any]], seen: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The plan; everything is empty where no site has ``exports``."""
    members = [member(site, seen.get(name)) for name, site in sites.items()]
    plan: dict[str, Any] = {"problems": [], "sites": {}, "rules": {}, "names": {}}
    plan["complete"] = all(each.services is not None for each in members)
    if all(each.exports is None for each in members):
        return plan
    for each in members:
        if each.services is not None:
            plan["sites"][each.name] = exports.at_site(each)
        plan["problems"] += exports.split_names(each, members)
        primary = str(sites[each.name]["primary"])
        ruled = exports.ruled_out(each.name, members)
        views = {"rules": ruled, "names": [host for host in exports.hidden(each, members) if host not in ruled]}
        for kind, hosts in views.items():
            if hosts:
                plan[kind].setdefault(primary, []).append(exports.view(each.name, kind, hosts))
    return plan


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"export_plan": export_plan}
