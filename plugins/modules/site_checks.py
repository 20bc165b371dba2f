#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_checks
short_description: Check what the sites of a mesh have of it, by asking their own APIs
version_added: 0.1.0
description:
  - Asks all sites at the same time whether no control plane runs at an edge, whether the four inputs from the mesh are
    right (webhook, reader credential, trust, address of istiod), and whether the gateways are ready and have addresses.
  - Never changes anything and never fails on a sick mesh. What couldn't be asked is V(unknown).
author: edge.mesh contributors (@edge-mesh)
options:
  sites:
    description: The sites to check.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      role:
        description: Whether the site runs istiod. Some checks apply to edges only.
        type: str
        choices: [primary, edge]
        required: true
      network:
        description: Istio network of the site.
        type: str
        required: true
      primary:
        description: Name of the site's primary in O(primaries).
        type: str
        required: true
      kubeconfig:
        description: Kubeconfig of the site.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
      istiod_address:
        description: IP address or name at which the site reaches istiod; not compared if empty.
        type: str
        default: ""
      gateway_addresses:
        description: Addresses that the east-west gateway must have; not compared if empty.
        type: list
        elements: str
        default: []
      unread:
        description:
          - Which of these two options is empty because its value couldn't be read.
          - Nothing can be compared then, and a check that would be V(ok) without a comparison is V(unknown).
        type: list
        elements: str
        choices: [istiod_address, gateway_addresses]
        default: []
      namespaces:
        description: Namespaces that must hold the root certificate, beside those with an injection label.
        type: list
        elements: str
        default: []
      mode:
        description: Whether workloads get sidecars. With V(gateway_only), whatever has or demands one is told by name.
        type: str
        choices: [sidecar, gateway_only]
        default: sidecar
      local_injector:
        description: Whether the site injects by itself, as M(edge.mesh.local_injector) makes it.
        type: bool
        default: false
  primaries:
    description: The clusters that run istiod.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the primary's site.
        type: str
        required: true
      kubeconfig:
        description: Kubeconfig of the primary.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
  revision:
    description: istiod's revision; empty for the default one.
    type: str
    default: ""
  mesh_id:
    description: ID of the mesh, repeated in the answer.
    type: str
    default: ""
  only:
    description: Ids of the checks to make; all of them if empty.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds that sites may take to become well; they are asked again every half second.
    type: int
    default: 0
  timeout:
    description: Seconds for everything that one site is asked, in each round.
    type: int
    default: 30
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Check two sites
  edge.mesh.site_checks:
    sites:
      - {name: centre, role: primary, network: net-centre, primary: centre, kubeconfig: /etc/edge/centre.yaml}
      - name: shop
        role: edge
        network: net-shop
        primary: centre
        kubeconfig: /etc/edge/shop.yaml
        istiod_address: 192.0.2.10
    primaries:
      - {name: centre, kubeconfig: /etc/edge/centre.yaml}
  register: found

- name: Wait until istiod has done its part at a new site
  edge.mesh.site_checks:
    sites: "{{ sites }}"
    primaries: "{{ primaries }}"
    only: [input.webhook, input.trust]
    wait: 60
"""

RETURN = r"""
healthy:
  description: Whether no check failed or couldn't be made.
  returned: success
  type: bool
  sample: true
mesh_id:
  description: The mesh ID that was given.
  returned: success
  type: str
  sample: mesh1
checks:
  description: One record for each check at each site.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Id of the check., type: str, sample: input.webhook}
    site: {description: The site that the check is about., type: str, sample: shop}
    peer: {description: Always null here., type: str, sample: null}
    title:
      description: What the check wants.
      type: str
      sample: the injection webhook points at what the inventory wants to inject, and has its CA bundle
    verdict: {description: "V(ok), V(warning), V(failed), V(skipped) or V(unknown).", type: str, sample: ok}
    evidence:
      description: What was seen; C(seen) is the short form of it.
      type: dict
      sample: {"seen": "calls /inject/cluster/shop/net/net-shop", "revision": "default"}
    hint: {description: What to do about it; empty if all is well., type: str, sample: ""}
    from: {description: Who was asked., type: str, sample: site-api}
    took_ms: {description: Milliseconds that the check took., type: int, sample: 8}
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import CHECKS, is_healthy
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._verify import survey
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Primary, Site

_CLUSTER = {
    "name": {"type": "str", "required": True},
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
}
ARGUMENTS = {
    "sites": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            **_CLUSTER,
            "role": {"type": "str", "choices": ["primary", "edge"], "required": True},
            "network": {"type": "str", "required": True},
            "primary": {"type": "str", "required": True},
            "istiod_address": {"type": "str", "default": ""},
            "gateway_addresses": {"type": "list", "elements": "str", "default": []},
            "unread": {
                "type": "list",
                "elements": "str",
                "choices": ["istiod_address", "gateway_addresses"],
                "default": [],
            },
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "mode": {"type": "str", "choices": ["sidecar", "gateway_only"], "default": "sidecar"},
            "local_injector": {"type": "bool", "default": False},
        },
    },
    "primaries": {"type": "list", "elements": "dict", "required": True, "options": _CLUSTER},
    "revision": {"type": "str", "default": ""},
    "mesh_id": {"type": "str", "default": ""},
    "only": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "int", "default": 0},
    "timeout": {"type": "int", "default": 30},
}


def _site(params: Mapping[str, Any]) -> Site:
    lists = {name: tuple(params[name]) for name in ("gateway_addresses", "unread", "namespaces")}
    return Site(**{**params, **lists, "context": params["context"] or None})


def handle(call: Call) -> Outcome:
    """Ask every site; raises MeshError for a check that doesn't exist."""
    params = call.params
    strange = sorted(set(params["only"]) - set(CHECKS))
    if strange:
        raise MeshError("the option only can't be used", why=f"there is no check {', '.join(strange)}")

    def connect(endpoint: Endpoint, site: str) -> Client:
        end = world.clock() + params["timeout"]
        return Client(endpoint, timeout=params["timeout"], site=site, deadline=end)

    world = survey.World(load=kubeconfig.load, connect=connect, resolve=survey.resolve)
    records = survey.survey(
        [_site(site) for site in params["sites"]],
        [Primary(each["name"], each["kubeconfig"], each["context"] or None) for each in params["primaries"]],
        params["revision"],
        world=world,
        seconds=params["timeout"],
        only=frozenset(params["only"]),
        wait=params["wait"],
    )
    checks = [item.as_dict() for item in records]
    healthy = is_healthy([item.verdict for item in records])
    return Outcome(False, {"healthy": healthy, "mesh_id": params["mesh_id"], "checks": checks})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
