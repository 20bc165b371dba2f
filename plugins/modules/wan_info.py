#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wan_info
short_description: Ask the clusters of a mesh about its WAN rules
version_added: 0.1.0
description:
  - With O(ask=hosts), tells which hosts of rules exist in no cluster, and which have a VirtualService of somebody else.
  - With O(ask=marking), looks into a proxy of each site whether it marks what the site's rules say, and nothing else.
  - Never changes anything.
author: edge.mesh contributors (@edge-mesh)
options:
  sites:
    description: The sites to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      kubeconfig:
        description: Kubeconfig of the site. One that isn't there belongs to a cluster that isn't made yet.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
      primary:
        description: Whether the mesh's routes are read from this cluster.
        type: bool
        default: false
      links:
        description: The site's links, as the site model has them.
        type: list
        elements: dict
        default: []
      rules:
        description: The site's rules, as the site model has them.
        type: list
        elements: dict
        default: []
  ask:
    description: What to ask.
    type: str
    choices: [hosts, marking]
    required: true
  made:
    description: Hosts that the run itself makes, which need not be there yet.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the pod whose proxy is asked.
    type: str
    default: sample
  label:
    description: Label of that pod.
    type: str
    default: app=sleep
  timeout:
    description: Seconds for everything that one site is asked.
    type: int
    default: 30
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: See whether the hosts of WAN rules exist
  edge.mesh.wan_info:
    ask: hosts
    sites:
      - name: shop
        kubeconfig: /etc/edge/shop.yaml
        rules:
          - {service: till, namespace: sales, host: till.sales.svc.cluster.local, link: lte, conditions: []}
  register: found

- name: See what the proxies mark
  edge.mesh.wan_info:
    ask: marking
    timeout: 10
    sites:
      - name: shop
        kubeconfig: /etc/edge/shop.yaml
        links: [{name: lte, default: false, dscp: 46, interface: null, next_hop: null, to: []}]
        rules:
          - {service: till, namespace: sales, host: till.sales.svc.cluster.local, link: lte, conditions: []}
"""

RETURN = r"""
healthy:
  description: Whether there are no problems, or no check failed or couldn't be made.
  returned: success
  type: bool
  sample: true
problems:
  description: What is wrong with the rules' hosts, for people.
  returned: with O(ask=hosts)
  type: list
  elements: str
  sample: []
checks:
  description: A record C(wan.marking) for each site with rules, as M(edge.mesh.site_checks) returns them.
  returned: with O(ask=marking)
  type: list
  elements: dict
  sample: []
"""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import is_healthy
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._verify import hosts, marking
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api
from ansible_collections.edge.mesh.plugins.module_utils._wan import objects
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import link_from, rule_from

ARGUMENTS: Mapping[str, Any] = {
    "sites": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "kubeconfig": {"type": "path", "required": True},
            "context": {"type": "str"},
            "primary": {"type": "bool", "default": False},
            "links": {"type": "list", "elements": "dict", "default": []},
            "rules": {"type": "list", "elements": "dict", "default": []},
        },
    },
    "ask": {"type": "str", "choices": ["hosts", "marking"], "required": True},
    "made": {"type": "list", "elements": "str", "default": []},
    "namespace": {"type": "str", "default": "sample"},
    "label": {"type": "str", "default": "app=sleep"},
    "timeout": {"type": "int", "default": 30},
}
SET = "wan-association"


def handle(call: Call) -> Outcome:
    """Ask what is wanted of all sites at the same time."""
    params = call.params

    def connect(path: str, context: str | None, site: str) -> AbstractContextManager[Api]:
        end = time.monotonic() + params["timeout"]
        return Client(kubeconfig.load(path, context), timeout=params["timeout"], site=site, deadline=end)

    if params["ask"] == "marking":
        callers = [
            marking.Caller(site["name"], site["kubeconfig"], site["context"] or None, _marks(site))
            for site in params["sites"] if site["rules"]
        ]  # fmt: skip
        records = marking.run(callers, params["namespace"], params["label"], params["timeout"], connect)
        healthy = is_healthy([item.verdict for item in records])
        return Outcome(False, {"healthy": healthy, "checks": [item.as_dict() for item in records]})
    wanted = {site["name"]: [rule["host"] for rule in site["rules"]] for site in params["sites"] if site["rules"]}
    clusters = [
        hosts.Cluster(site["name"], site["kubeconfig"], site["context"] or None, site["primary"])
        for site in params["sites"] if Path(site["kubeconfig"]).exists()
    ]  # fmt: skip
    every = {host for rules in wanted.values() for host in rules}
    found = hosts.look(clusters, every, SET, params["timeout"], connect)
    problems = hosts.problems(wanted, params["made"], found)
    return Outcome(False, {"healthy": not problems, "problems": problems})


def _marks(params: Mapping[str, Any]) -> tuple[marking.Mark, ...]:
    links = tuple(link_from(link) for link in params["links"])
    site = objects.Site(params["name"], links, tuple(rule_from(rule) for rule in params["rules"]))
    return tuple(marking.Mark(**mark) for mark in objects.marks(site))


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
