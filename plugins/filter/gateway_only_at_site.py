# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.gateway_only_at_site`: the objects of a gateway-only site's own cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import Called, Shown

DOCUMENTATION = r"""
name: gateway_only_at_site
short_description: What makes Services of a gateway-only site instances of the mesh, and hosts of the mesh names there
version_added: 0.1.0
description:
  - Takes what a site shows and calls, as the action M(edge.mesh.sites) has it, and gives the objects for the site's own
    cluster.
  - What is shown and has no Service there is left out.
author: edge.mesh contributors (@edge-mesh)
positional: called, specs, addresses, trust_domain
options:
  _input:
    description: >-
      What the site shows, each with C(service), C(namespace), C(port), C(gateway_port), C(protocol) and C(labels).
    type: list
    elements: dict
    required: true
  called:
    description: What its pods call, likewise without labels.
    type: list
    elements: dict
    required: true
  specs:
    description: The Services of what is shown, as C(specs) of M(edge.mesh.service_info) has them.
    type: dict
    required: true
  addresses:
    description: The IP addresses of the site's east-west gateway.
    type: list
    elements: str
    required: true
  trust_domain:
    description: Trust domain of the mesh.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what lets the mesh call the till of a shop
  ansible.builtin.debug:
    msg: >-
      {{ [{'service': 'till', 'namespace': 'shop', 'port': 80, 'gateway_port': 15500}]
         | edge.mesh.gateway_only_at_site([], services.sites.shop.specs, ['192.0.2.20'], 'cluster.local') }}
"""

RETURN = r"""
_value:
  description: WorkloadEntries, annotations of Services, and Services.
  type: list
  elements: dict
  sample:
    - apiVersion: networking.istio.io/v1
      kind: WorkloadEntry
      metadata: {name: gateway-only-till-1, namespace: shop}
      spec: {address: 192.0.2.20, network: gateway-only, ports: {http: 15500}, labels: {app: till}}
"""


def gateway_only_at_site(
    shown: Iterable[Mapping[str, Any]],
    called: Iterable[Mapping[str, Any]],
    specs: Mapping[str, Any],
    addresses: Sequence[str],
    trust_domain: str,
) -> list[dict[str, Any]]:
    """The objects."""
    there = [each for each in (Shown(**entry) for entry in shown) if each.host in specs]
    identity = gateway_only.in_identity(trust_domain)
    return gateway_only.at_site(there, [Called(**entry) for entry in called], specs, addresses, identity)


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"gateway_only_at_site": gateway_only_at_site}
