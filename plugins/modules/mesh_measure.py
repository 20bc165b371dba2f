#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_measure
short_description: Measure what a mesh costs
version_added: 0.1.0
description:
  - Measures memory and CPU of the mesh's parts at every site, from the kubelets' own summaries.
  - Counts the bytes between each site and its primary in an idle while, where the site's node is a container on the
    machine that this runs on. That takes root.
  - Times calls between all sites with sidecars and, where the same apps run without sidecars beside them, without.
  - Never changes anything. What couldn't be measured is a figure without values that says why.
author: edge.mesh contributors (@edge-mesh)
options:
  sites:
    description: The sites to measure.
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
      primary:
        description: Name of the site's primary; a primary's own name.
        type: str
        required: true
      node:
        description: The container on this machine that is the site's node; empty if it is none.
        type: str
        default: ""
      address:
        description: Address of the site's node, as the nodes of other sites reach it.
        type: str
        default: ""
      mode:
        description: Whether workloads have sidecars. With V(gateway_only), calls from there go through its gateway.
        type: str
        choices: [sidecar, gateway_only]
        default: sidecar
  namespace:
    description: Namespace of helloworld and sleep with sidecars.
    type: str
    default: sample
  bare_namespace:
    description:
      - Namespace of helloworld and sleep without sidecars, where helloworld can be reached at a port of the nodes.
      - Empty leaves these calls out.
    type: str
    default: ""
  requests:
    description: Calls for each latency, up to 1000; 0 leaves latencies out.
    type: int
    default: 200
  idle:
    description: Seconds of the idle while, up to 600; 0 leaves it out, and memory and CPU with it.
    type: int
    default: 60
  joining:
    description:
      - Name of one of O(sites), an edge, that is joining. Only the bytes between it and its primary are counted then,
        from now until O(stop) is there.
    type: str
    default: ""
  stop:
    description: File whose appearance ends the counting of O(joining); O(timeout) ends it, too.
    type: path
  timeout:
    description: Seconds for the calls of one site, and for the kubelets' answers.
    type: int
    default: 60
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Measure for a minute
  edge.mesh.mesh_measure:
    sites:
      - {name: centre, kubeconfig: /etc/edge/centre.yaml, primary: centre}
      - {name: shop, kubeconfig: /etc/edge/shop.yaml, primary: centre}
  register: measured
"""

RETURN = r"""
machine:
  description: The machine that this ran on.
  returned: success
  type: str
  sample: AMD EPYC, 2 cores, 24 GiB, Linux 6.18
figures:
  description: What was measured, site by site.
  returned: success
  type: list
  elements: dict
  contains:
    site: {description: The site., type: str, sample: shop}
    peer: {description: The other site of a link or a call; empty without one., type: str, sample: centre}
    what: {description: What was measured., type: str, sample: latency added}
    numbers:
      description: The numbers by name, V(sum) or V(p50), V(p95) and V(p99); empty if nothing was measured.
      type: dict
      sample: {p50: 2.1, p95: 4.0, p99: 6.3}
    unit: {description: Their unit., type: str, sample: ms}
    about: {description: More about it in words., type: str, sample: across sites}
"""

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._measure import survey, wire
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
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
            "primary": {"type": "str", "required": True},
            "node": {"type": "str", "default": ""},
            "address": {"type": "str", "default": ""},
            "mode": {"type": "str", "choices": ["sidecar", "gateway_only"], "default": "sidecar"},
        },
    },
    "namespace": {"type": "str", "default": "sample"},
    "bare_namespace": {"type": "str", "default": ""},
    "requests": {"type": "int", "default": 200},
    "idle": {"type": "int", "default": 60},
    "joining": {"type": "str", "default": ""},
    "stop": {"type": "path"},
    "timeout": {"type": "int", "default": 60},
}
_MOST = {"requests": 1000, "idle": 600}


def handle(call: Call) -> Outcome:
    """Measure; raises MeshError for options that can't be used."""
    params = call.params
    for name, most in _MOST.items():
        if not 0 <= params[name] <= most:
            raise MeshError(f"{name} is {params[name]}", why=f"it can be 0 to {most}")
    places = [
        survey.Place(
            each["name"],
            each["kubeconfig"],
            each["context"] or None,
            each["primary"],
            each["node"],
            each["address"],
            gateway_only.alias("helloworld") if each["mode"] == "gateway_only" else "",
        )
        for each in params["sites"]
    ]
    order = survey.Order(
        params["namespace"], params["bare_namespace"], params["requests"], params["idle"], params["timeout"]
    )

    def connect(place: survey.Place) -> AbstractContextManager[Api]:
        endpoint = kubeconfig.load(place.kubeconfig, place.context)
        return Client(endpoint, timeout=params["timeout"], site=place.name)

    world = survey.World(connect=connect, watch=partial(wire.Wire, call.run_command))
    if params["joining"]:
        named = {place.name: place for place in places}
        site = named.get(params["joining"])
        if site is None or site.primary not in named or not params["stop"]:
            raise MeshError("the joining site can't be watched", why="it, its primary or the file stop isn't given")
        primary = named[site.primary]
        figures = survey.while_it_joins(site, primary, Path(params["stop"]), params["timeout"], world)
    else:
        figures = survey.run(places, order, world)
    return Outcome(False, {"machine": survey.machine(), "figures": [figure.as_dict() for figure in figures]})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
