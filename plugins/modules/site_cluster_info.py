#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_cluster_info
short_description: Read the facts of sites' clusters from their APIs
version_added: 0.1.0
description:
  - Returns the facts of the provider contract for a cluster of any provider; changes nothing.
  - With O(optional=true) a missing kubeconfig gives empty facts instead of a failure, for a first run in check mode.
  - With O(sites) many clusters are asked at the same time, and one that can't be read fails nothing.
author: edge.mesh contributors (@edge-mesh)
options:
  site:
    description: Name of the site. Exactly one of O(site) and O(sites) is given.
    type: str
  sites:
    description: Several sites. The options beside it then hold for each of them.
    type: list
    elements: dict
    suboptions:
      site:
        description: Name of the site.
        type: str
        required: true
      provider:
        description: What provides the cluster.
        type: str
        choices: [kind, k3s, existing]
        required: true
      kubeconfig:
        description: Kubeconfig of the site.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
      api_server:
        description: URL of the API as others reach it; detected unless given.
        type: str
      gateway_addresses:
        description: Addresses of the east-west gateway; detected unless given.
        type: list
        elements: str
        default: []
  provider:
    description: What provides the cluster; required with O(site).
    type: str
    choices: [kind, k3s, existing]
  kubeconfig:
    description: Kubeconfig of the site; required with O(site).
    type: path
  context:
    description: Context in the kubeconfig; the only one unless given.
    type: str
  api_server:
    description: URL of the API as others reach it; detected unless given.
    type: str
  gateway_addresses:
    description: Addresses of the east-west gateway; detected unless given.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait until a load balancer has given the gateways their addresses.
    type: int
    default: 0
  optional:
    description: Whether a missing kubeconfig is no failure.
    type: bool
    default: false
  timeout:
    description: Seconds for everything that one site is asked.
    type: int
    default: 15
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Read the facts of a site
  edge.mesh.site_cluster_info:
    site: shop
    provider: existing
    kubeconfig: /etc/edge/shop.yaml
  register: info

- name: Read the facts of two sites at once
  edge.mesh.site_cluster_info:
    sites:
      - {site: centre, provider: existing, kubeconfig: /etc/edge/centre.yaml}
      - {site: shop, provider: existing, kubeconfig: /etc/edge/shop.yaml}
    timeout: 5
  register: fleet
"""

RETURN = r"""
known:
  description: Whether the API was asked; false only with O(optional=true) and no kubeconfig.
  returned: with O(site)
  type: bool
  sample: true
facts:
  description: The facts of the provider contract.
  returned: with O(site)
  type: dict
  contains:
    site: {description: Name of the site., type: str, sample: shop}
    provider: {description: What provides the cluster., type: str, sample: existing}
    kubeconfig: {description: Kubeconfig on the controller., type: str, sample: /etc/edge/shop.yaml}
    context: {description: Context in it., type: str, sample: shop}
    api_server: {description: URL of the API as others reach it., type: str, sample: "https://192.0.2.10:6443"}
    api_server_reachable:
      description: Whether that URL can lead there from another machine; false for a loopback address.
      type: bool
      sample: true
    ca_digest: {description: SHA-256 of the API's CA certificate., type: str, sample: "sha256:1f2e"}
    gateway_addresses:
      description: Addresses of the east-west gateway.
      type: list
      elements: str
      sample: [192.0.2.10]
    gateway_ips: {description: Those addresses with names resolved., type: list, elements: str, sample: [192.0.2.10]}
    istiod_ips:
      description: Where a primary's istiod is reached from other sites; empty at an edge with load balancers.
      type: list
      elements: str
      sample: [192.0.2.10]
    ingress_ips:
      description: Where the site's ingress gateway is reached.
      type: list
      elements: str
      sample: [192.0.2.10]
    istiod_sources:
      description: CIDRs that a primary lets reach istiod now.
      type: list
      elements: str
      sample: [192.0.2.10/32]
    publish_addresses:
      description: Whether nothing else gives the gateways' Services their addresses, so that we must.
      type: bool
      sample: false
    node_addresses: {description: Internal IPs of the nodes., type: list, elements: str, sample: [192.0.2.10]}
    kubernetes_version: {description: Version of the API server., type: str, sample: v1.36.3}
    created_by_us: {description: Whether the collection made the cluster., type: bool, sample: false}
    controller_address:
      description: The controller's own address as the site's nodes see it, where that can be told.
      type: str
      sample: 192.0.2.1
    mesh_record:
      description: What the collection recorded of the mesh on a primary, or null.
      type: dict
      sample: {"mesh": "mesh1", "source": "build", "istio_version": "1.32-dev.eed52ebb66ad"}
    joined_at:
      description: When the site's part of the mesh was made, or null.
      type: str
      sample: "2026-11-21T12:40:00Z"
    gateway_only:
      description: Whether the site has the egress gateway that only gateway-only sites have.
      type: bool
      sample: false
    local_injector:
      description: Whether the site has an injector of its own, or what is left of one.
      type: bool
      sample: false
    credential_expires_at:
      description: End of the client certificate in the kubeconfig, or null.
      type: str
      sample: "2027-11-21T12:40:00Z"
sites:
  description:
    - The facts of each site by its name, with C(known) among them. Where that is false, C(why) says what failed and
      C(unanswered) whether the API gave no answer at all.
  returned: with O(sites)
  type: dict
  sample: {"shop": {"site": "shop", "known": false, "why": "shop: its API doesn't answer", "unanswered": true}}
"""

from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._verify import clusters

_SITE: dict[str, dict[str, Any]] = {
    "provider": {"type": "str", "choices": ["kind", "k3s", "existing"]},
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "api_server": {"type": "str"},
    "gateway_addresses": {"type": "list", "elements": "str", "default": []},
}
_REQUIRED = {name: {**_SITE[name], "required": True} for name in ("provider", "kubeconfig")}
ARGUMENTS = {
    "site": {"type": "str"},
    "sites": {
        "type": "list",
        "elements": "dict",
        "options": {"site": {"type": "str", "required": True}, **_SITE, **_REQUIRED},
    },
    **_SITE,
    "wait": {"type": "int", "default": 0},
    "optional": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 15},
}


def _asked(params: Any) -> clusters.Asked:
    names = ("site", "provider", "kubeconfig", "context", "api_server")
    return clusters.Asked(
        **{name: params[name] for name in names}, gateway_addresses=tuple(params["gateway_addresses"])
    )


def handle(call: Call) -> Outcome:
    """Read the facts; raises MeshError if the only site's kubeconfig or API can't be used."""
    params = call.params
    settings = {"wait": params["wait"], "optional": params["optional"], "seconds": params["timeout"]}
    if params["sites"] is not None:
        return Outcome(False, {"sites": clusters.all_of([_asked(each) for each in params["sites"]], **settings)})
    facts = clusters.facts_of(_asked(params), **settings)
    return Outcome(False, {"known": facts is not None, "facts": facts or clusters.unknown(_asked(params))})


MODULE = Module(
    ARGUMENTS,
    handle,
    {
        "mutually_exclusive": [["site", "sites"]],
        "required_one_of": [["site", "sites"]],
        "required_by": {"site": ["provider", "kubeconfig"]},
    },
)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
