# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.readings`: which primaries read which sites that aren't their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: readings
short_description: Which primaries read which sites that aren't their own
version_added: 0.1.0
description:
  - In a mesh of several primaries each of them reads every site, or it can't send calls there. A site's own primary
    does so since its enrolment. This filter gives the others that one site's host has to see to.
  - Every pair belongs to the host of the site that is read. If that one isn't in the run, it belongs to the primary's.
  - Sites whose facts aren't given are left out, on either side.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description: The sites of the mesh by name, as the site model has them.
    type: dict
    required: true
  site:
    description: Name of the site whose host asks.
    type: str
    required: true
  facts:
    description: Facts of clusters by name, of those that were read.
    type: dict
    required: true
  inside:
    description: Names of the sites that are in the run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show who reads whom
  ansible.builtin.debug:
    msg: "{{ sites | edge.mesh.readings('shop', facts, inside=['shop']) }}"
  vars:
    sites:
      centre: {role: primary, primary: centre}
      south: {role: primary, primary: south}
      shop: {role: edge, primary: centre}
    facts:
      south: {kubeconfig: /etc/edge/south.yaml}
      shop: {kubeconfig: /etc/edge/shop.yaml}
"""

RETURN = r"""
_value:
  description: One entry for each site that is read, with the primaries that read it.
  type: list
  elements: dict
  sample:
    - site: shop
      cluster: {kubeconfig: /etc/edge/shop.yaml, context: null}
      primaries: [{name: south, kubeconfig: /etc/edge/south.yaml, context: null}]
      token_ttl: 90d
      token_renew_before: ""
"""

Json = Mapping[str, Any]


def readings(sites: Mapping[str, Json], site: str, facts: Mapping[str, Json], inside: Iterable[str]) -> list[Json]:
    """``[{site, cluster, primaries: [{name, kubeconfig, context}], token_ttl, token_renew_before}]``.

    ``cluster`` are the facts of the site that is read.
    """
    there = {name for name in sites if name in facts}
    primaries = [name for name in sites if sites[name]["role"] == "primary" and name in there]
    asked = {site: primaries}
    if sites[site]["role"] == "primary":
        asked |= {name: [site] for name in sites if name not in {site, *inside}}
    found: list[Json] = []
    for name, readers in asked.items():
        others = [each for each in readers if each not in (name, sites[name]["primary"])]
        if others and {name, site} <= there:
            access = [_access(facts[each], each) for each in others]
            life = {key: sites[name].get(key) for key in ("token_ttl", "token_renew_before")}
            found.append({"site": name, "cluster": facts[name], "primaries": access, **life})
    return found


def _access(cluster: Json, name: str) -> Json:
    return {"name": name, "kubeconfig": cluster["kubeconfig"], "context": cluster.get("context")}


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"readings": readings}
