#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_traffic
short_description: Prove a mesh with real calls between all its sites
version_added: 0.1.0
description:
  - Calls the sample service from a pod at every site, and from the controller through every ingress gateway, all sites
    at the same time, and counts which sites answered.
  - Reads the SPIFFE identities of both sides of a cross-site call from what the callee's sidecar tells the service.
  - Never changes anything and never fails on a sick mesh. What couldn't be asked is V(unknown).
  - The service answers C(version=<v> site=<site> pod=<pod>) at O(url), and at C(identity) beside it a JSON object of
    the same values with the header C(x-forwarded-client-cert). The role C(sample_apps) deploys it.
author: edge.mesh contributors (@edge-mesh)
options:
  sites:
    description: The sites to call from.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      kubeconfig:
        description: Kubeconfig of the site.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
      ingress_addresses:
        description: Addresses of the site's ingress gateway as the controller reaches them.
        type: list
        elements: str
        default: []
      expect_sites:
        description: Names of the sites that must answer this one; O(expect_sites) unless given.
        type: list
        elements: str
        default: []
      mode:
        description: >-
          Whether workloads of the site get sidecars. With V(gateway_only), pods there call C(<service>-mesh), and its
          gateways show their identity for them.
        type: str
        choices: [sidecar, gateway_only]
        default: sidecar
  expect_sites:
    description: Names of the sites that must answer; all of O(sites) unless given.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the pod that calls.
    type: str
    default: sample
  client:
    description: The pod that calls. It needs C(sh) and C(curl).
    type: dict
    suboptions:
      label:
        description: Label selector of the pod.
        type: str
        default: app=sleep
      container:
        description: Its container.
        type: str
        default: sleep
  url:
    description: What the pod calls.
    type: str
    default: http://helloworld.sample:5000/hello
  ingress_path:
    description: What is asked of the ingress gateways; empty leaves them out.
    type: str
    default: /hello
  ingress_port:
    description: Port of the ingress gateways.
    type: int
    default: 80
  requests:
    description:
      - Calls in each round and direction, 1 to 1000.
      - A site that didn't reach everybody calls again while there is time.
    type: int
    default: 30
  trust_domain:
    description: Trust domain of the mesh's identities.
    type: str
    default: cluster.local
  timeout:
    description: Seconds for everything.
    type: int
    default: 60
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Call in every direction
  edge.mesh.mesh_traffic:
    sites:
      - {name: centre, kubeconfig: /etc/edge/centre.yaml, ingress_addresses: [192.0.2.10]}
      - {name: shop, kubeconfig: /etc/edge/shop.yaml, ingress_addresses: [192.0.2.20]}
  register: traffic
"""

RETURN = r"""
healthy:
  description: Whether no check failed or couldn't be made.
  returned: success
  type: bool
  sample: true
checks:
  description: C(traffic.reach) and C(traffic.mtls) for each pair of sites, and C(traffic.ingress) for each site.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Id of the check., type: str, sample: traffic.mtls}
    site: {description: The site that called., type: str, sample: shop}
    peer: {description: The site that had to answer; null for C(traffic.ingress)., type: str, sample: centre}
    title:
      description: What the check wants.
      type: str
      sample: the peer of a cross-site call proves its SPIFFE identity
    verdict: {description: "V(ok), V(warning), V(failed), V(skipped) or V(unknown).", type: str, sample: ok}
    evidence:
      description: What was seen; C(seen) is the short form of it.
      type: dict
      sample:
        seen: ns/sample/sa/sleep -> ns/sample/sa/helloworld
        caller: spiffe://cluster.local/ns/sample/sa/sleep
        callee: spiffe://cluster.local/ns/sample/sa/helloworld
    hint: {description: What to do about it; empty if all is well., type: str, sample: ""}
    from: {description: "Where the calls came from, V(pod) or V(controller).", type: str, sample: pod}
    took_ms: {description: Milliseconds that the check took., type: int, sample: 410}
"""

from contextlib import AbstractContextManager

from ansible_collections.edge.mesh.plugins.module_utils._checks import is_healthy
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._verify import traffic
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api

ARGUMENTS = {
    "sites": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "kubeconfig": {"type": "path", "required": True},
            "context": {"type": "str"},
            "ingress_addresses": {"type": "list", "elements": "str", "default": []},
            "expect_sites": {"type": "list", "elements": "str", "default": []},
            "mode": {"type": "str", "choices": ["sidecar", "gateway_only"], "default": "sidecar"},
        },
    },
    "expect_sites": {"type": "list", "elements": "str", "default": []},
    "namespace": {"type": "str", "default": "sample"},
    "client": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "label": {"type": "str", "default": "app=sleep"},
            "container": {"type": "str", "default": "sleep"},
        },
    },
    "url": {"type": "str", "default": "http://helloworld.sample:5000/hello"},
    "ingress_path": {"type": "str", "default": "/hello"},
    "ingress_port": {"type": "int", "default": 80},
    "requests": {"type": "int", "default": 30},
    "trust_domain": {"type": "str", "default": "cluster.local"},
    "timeout": {"type": "int", "default": 60},
}
_MOST_REQUESTS = 1000


def handle(call: Call) -> Outcome:
    """Call in every direction; raises MeshError for options that can't be used."""
    params = call.params
    if not 1 <= params["requests"] <= _MOST_REQUESTS:
        raise MeshError(f"requests is {params['requests']}", why=f"it can be 1 to {_MOST_REQUESTS}")
    callers = [
        traffic.Caller(
            each["name"],
            each["kubeconfig"],
            each["context"] or None,
            tuple(each["ingress_addresses"]),
            tuple(each["expect_sites"]),
            gateway_only=each["mode"] == "gateway_only",
        )
        for each in params["sites"]
    ]
    order = traffic.Order(
        namespace=params["namespace"],
        label=params["client"]["label"],
        container=params["client"]["container"],
        url=params["url"],
        ingress_path=params["ingress_path"],
        ingress_port=params["ingress_port"],
        requests=params["requests"],
        expect=tuple(params["expect_sites"] or [caller.name for caller in callers]),
        trust_domain=params["trust_domain"],
        seconds=params["timeout"],
    )

    def connect(path: str, context: str | None, site: str) -> AbstractContextManager[Api]:
        end = world.clock() + params["timeout"]
        return Client(kubeconfig.load(path, context), timeout=params["timeout"], site=site, deadline=end)

    world = traffic.World(connect=connect, call=traffic.call_ingress)
    records = traffic.run(callers, order, world)
    healthy = is_healthy([item.verdict for item in records])
    return Outcome(False, {"healthy": healthy, "checks": [item.as_dict() for item in records]})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
