#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Tell which sites have a Service, and which versions of it run there
version_added: 0.1.0
description:
  - Looks for Services and their pods in the clusters of several sites at the same time.
  - Never changes anything. A site that gives no answer is told as such and fails nothing.
author: edge.mesh contributors (@edge-mesh)
options:
  sites:
    description: The sites to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      kubeconfig:
        description: Kubeconfig of the site; one that isn't there yet says that there is no cluster.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
  hosts:
    description: Names of the Services, as C(<service>.<namespace>) with or without C(.svc.cluster.local).
    type: list
    elements: str
    default: []
  everything:
    description: Whether to list all Services and namespaces of each site, too.
    type: bool
    default: false
  timeout:
    description: Seconds for everything.
    type: int
    default: 30
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: See where stock runs
  edge.mesh.service_info:
    sites:
      - {name: centre, kubeconfig: /etc/edge/centre.yaml}
      - {name: shop, kubeconfig: /etc/edge/shop.yaml}
    hosts: [stock.sample]
  register: services
"""

RETURN = r"""
sites:
  description:
    - What was found, by the name of the site. C(known) is whether the site answered, C(why) why it didn't. C(hosts)
      has, for each host with a Service at the site, the number of its pods by their label C(version), and C(specs) what
      its Service selects, its ports, and the set of this collection that it belongs to, if any.
    - With O(everything), C(services) and C(namespaces) list what there is.
  returned: success
  type: dict
  sample:
    shop:
      known: true
      why: ""
      hosts: {stock.sample: {v1: 1}}
      specs:
        stock.sample:
          selector: {app: stock}
          ports: [{name: http, port: 5000, protocol: TCP, targetPort: 5000}]
          set: sample-apps
"""

from contextlib import AbstractContextManager

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._verify import services
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
        },
    },
    "hosts": {"type": "list", "elements": "str", "default": []},
    "everything": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 30},
}


def handle(call: Call) -> Outcome:
    """Look; raises MeshError for names that are none."""
    params = call.params
    for host in params["hosts"]:
        if host.removesuffix(SERVICE_SUFFIX).count(".") != 1 or "/" in host:
            raise MeshError(f"{host} can't be looked for", why="a host is <service>.<namespace>")

    def connect(path: str, context: str | None, site: str) -> AbstractContextManager[Api]:
        return Client(kubeconfig.load(path, context), timeout=params["timeout"], site=site)

    places = [services.Place(each["name"], each["kubeconfig"], each["context"] or None) for each in params["sites"]]
    found = services.find(places, params["hosts"], connect, params["timeout"], everything=params["everything"])
    return Outcome(False, {"sites": found})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
