#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_cluster_info
short_description: Read the facts of a site's cluster from its API
version_added: 0.1.0
description:
  - Returns the facts of the provider contract for a cluster of any provider; changes nothing.
  - With O(optional=true) a missing kubeconfig gives empty facts instead of a failure, for a first run in check mode.
author: edge.mesh contributors (@edge-mesh)
options:
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
  wait:
    description: Seconds to wait until a load balancer has given the gateways their addresses.
    type: int
    default: 0
  optional:
    description: Whether a missing kubeconfig is no failure.
    type: bool
    default: false
  timeout:
    description: Seconds for everything that is asked.
    type: int
    default: 15
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed when in diff mode.
    support: none
"""

EXAMPLES = r"""
- name: Read the facts of a site
  edge.mesh.site_cluster_info:
    site: shop
    provider: existing
    kubeconfig: /etc/edge/shop.yaml
  register: info
"""

RETURN = r"""
known:
  description: Whether the API was asked; false only with O(optional=true) and no kubeconfig.
  returned: success
  type: bool
  sample: true
facts:
  description: The facts of the provider contract.
  returned: success
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
"""

import hashlib
import time
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._k8s import client, kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._site import facts, network

ARGUMENTS = {
    "site": {"type": "str", "required": True},
    "provider": {"type": "str", "choices": ["kind", "k3s", "existing"], "required": True},
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "api_server": {"type": "str"},
    "gateway_addresses": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "int", "default": 0},
    "optional": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 15},
}
_SERVICES = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/services"
_GATEWAYS = ("istio-eastwestgateway", "istiod-gateway", "istio-ingressgateway")
_RECORD = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/edge-mesh"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def _unknown(params: Any) -> dict[str, Any]:
    return {
        "site": params["site"],
        "provider": params["provider"],
        "kubeconfig": params["kubeconfig"],
        "context": params["context"],
        "api_server": params["api_server"],
        "api_server_reachable": False,
        "ca_digest": None,
        "gateway_addresses": params["gateway_addresses"],
        "gateway_ips": [],
        "istiod_ips": [],
        "ingress_ips": [],
        "istiod_sources": [],
        "publish_addresses": params["provider"] == "kind" or bool(params["gateway_addresses"]),
        "node_addresses": [],
        "kubernetes_version": None,
        "created_by_us": params["provider"] != "existing",
        "controller_address": None,
        "mesh_record": None,
    }


def _balanced(api: client.Client, seconds: float) -> list[list[str]]:
    """What load balancers gave each of ``_GATEWAYS``; nothing for one that isn't there."""
    end = time.monotonic() + seconds
    while True:
        services = [api.get(f"{_SERVICES}/{name}") for name in _GATEWAYS]
        addresses = [facts.gateway_addresses(service) for service in services]
        pending = any(service and not found for service, found in zip(services, addresses, strict=True))
        if not pending or time.monotonic() >= end:
            return addresses
        time.sleep(min(1.0, max(0.0, end - time.monotonic())))


def handle(call: Call) -> Outcome:
    """Read the facts; raises MeshError if the kubeconfig or the API can't be used."""
    params = call.params
    found = _unknown(params)
    if params["optional"] and not Path(params["kubeconfig"]).exists():
        return Outcome(False, {"known": False, "facts": found})
    endpoint = kubeconfig.load(params["kubeconfig"], params["context"])
    with client.Client(endpoint, timeout=params["timeout"], site=params["site"]) as api:
        version = api.get("/version") or {}
        nodes = facts.node_addresses(api.list("/api/v1/nodes"))
        slices = api.list(_SLICES, labelSelector="kubernetes.io/service-name=kubernetes")
        server = params["api_server"] or facts.api_server(slices, endpoint.server)
        fixed = params["gateway_addresses"] or (nodes if params["provider"] == "kind" else [])
        addresses, istiod, ingress = [fixed] * 3 if fixed else _balanced(api, params["wait"])
        recorded = api.get(_RECORD)
        exposing = api.get(f"{_SERVICES}/istiod-gateway") or {}
    found.update(
        context=endpoint.context,
        api_server=server,
        api_server_reachable=not facts.is_loopback(server),
        ca_digest="sha256:" + hashlib.sha256((endpoint.ca_pem or "").encode()).hexdigest(),
        gateway_addresses=addresses,
        gateway_ips=network.resolve(addresses),
        istiod_ips=network.resolve(istiod),
        ingress_ips=network.resolve(ingress),
        istiod_sources=exposing.get("spec", {}).get("loadBalancerSourceRanges") or [],
        controller_address=network.source_address(nodes[0]) if nodes else None,
        mesh_record=(recorded or {}).get("data"),
        node_addresses=nodes,
        kubernetes_version=version.get("gitVersion"),
    )
    return Outcome(False, {"known": True, "facts": found})


def main() -> None:
    """Entry point."""
    run(ARGUMENTS, handle)


if __name__ == "__main__":
    main()
