#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: route_checks
short_description: Prove with real requests that routes and mutual TLS do what they say
version_added: 0.1.0
description:
  - Fetches bookinfo's page through every ingress gateway and counts complete pages and the versions of reviews. Does so
    for users whom a route names, too.
  - Calls hosts from a pod at every site and counts which sites answered.
  - Reads helloworld in plain text through each site's API server, which must be refused where mutual TLS is strict.
  - A share that is off by chance is told from one that is wrong by more requests.
  - Never changes anything and never fails on a sick mesh. What couldn't be asked is V(unknown).
  - The role C(sample_apps) deploys what is called.
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
        description: Kubeconfig of the site.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
      ingress_addresses:
        description: Addresses of the site's ingress gateway as the controller reaches them; the first one is asked.
        type: list
        elements: str
        default: []
      mode:
        description: Whether workloads of the site get sidecars. With V(gateway_only) they take plain text anyway.
        type: str
        choices: [sidecar, gateway_only]
        default: sidecar
  pages:
    description: What bookinfo's pages must show; without it no page is fetched.
    type: dict
    suboptions:
      path:
        description: Path of the page at the ingress gateways.
        type: str
        default: /productpage
      port:
        description: Port of the ingress gateways.
        type: int
        default: 80
      shares:
        description: Percent of the pages by version of reviews.
        type: dict
        required: true
      users:
        description: Requests with a header, and the shares that these must have.
        type: list
        elements: dict
        default: []
        suboptions:
          header:
            description: Name of the header.
            type: str
            required: true
          value:
            description: Its value.
            type: str
            required: true
          shares:
            description: Percent of the pages by version of reviews.
            type: dict
            required: true
  splits:
    description: Hosts whose answers name their site, as the helloworld of the sample apps does.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name of the host.
        type: str
        required: true
      url:
        description: What is called.
        type: str
        required: true
      shares:
        description: For each calling site the percent of the answers by answering site.
        type: dict
        required: true
  strict_port:
    description: Port of helloworld that must refuse plain text; 0 asks nothing.
    type: int
    default: 0
  namespace:
    description: Namespace of the sample apps.
    type: str
    default: sample
  client:
    description: The pod that calls. It needs C(curl).
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
  requests:
    description: Requests for each share, 10 to 1000.
    type: int
    default: 100
  tolerance:
    description: Percentage points by which a share may be off.
    type: int
    default: 15
  timeout:
    description: Seconds for everything.
    type: int
    default: 60
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: See that half of the calls from the shop are answered by the centre
  edge.mesh.route_checks:
    sites:
      - {name: centre, kubeconfig: /etc/edge/centre.yaml, ingress_addresses: [192.0.2.10]}
      - {name: shop, kubeconfig: /etc/edge/shop.yaml, ingress_addresses: [192.0.2.20]}
    splits:
      - host: stock.sample
        url: http://stock.sample:5000/hello
        shares: {shop: {shop: 50, centre: 50}}
  register: routes
"""

RETURN = r"""
healthy:
  description: Whether no check failed or couldn't be made.
  returned: success
  type: bool
  sample: true
checks:
  description: C(traffic.bookinfo), C(traffic.header), C(traffic.split) and C(traffic.plain-text) for each site.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Id of the check., type: str, sample: traffic.split}
    site: {description: The site that was asked., type: str, sample: shop}
    peer: {description: Always null., type: str, sample: null}
    title:
      description: What the check wants.
      type: str
      sample: calls from the site are shared out over the sites as the route says
    verdict: {description: "V(ok), V(warning), V(failed), V(skipped) or V(unknown).", type: str, sample: ok}
    evidence:
      description: What was seen; C(seen) is the short form of it.
      type: dict
      sample: {seen: "centre 52, shop 48 of 100", requests: 100, answered_by: {centre: 52, shop: 48}}
    hint: {description: What to do about it; empty if all is well., type: str, sample: ""}
    from: {description: "Where the requests came from, V(pod), V(controller) or V(site-api).", type: str, sample: pod}
    took_ms: {description: Milliseconds that the check took., type: int, sample: 840}
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import is_healthy
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._verify import fetching, routes
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api
from ansible_collections.edge.mesh.plugins.module_utils._verify.traffic import Caller

_SHARES = {"type": "dict", "required": True}
_TEXT = {"type": "str", "required": True}
ARGUMENTS = {
    "sites": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": _TEXT,
            "kubeconfig": {"type": "path", "required": True},
            "context": {"type": "str"},
            "ingress_addresses": {"type": "list", "elements": "str", "default": []},
            "mode": {"type": "str", "choices": ["sidecar", "gateway_only"], "default": "sidecar"},
        },
    },
    "pages": {
        "type": "dict",
        "options": {
            "path": {"type": "str", "default": "/productpage"},
            "port": {"type": "int", "default": 80},
            "shares": _SHARES,
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"header": _TEXT, "value": _TEXT, "shares": _SHARES},
            },
        },
    },
    "splits": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"host": _TEXT, "url": _TEXT, "shares": _SHARES},
    },
    "strict_port": {"type": "int", "default": 0},
    "namespace": {"type": "str", "default": "sample"},
    "client": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "label": {"type": "str", "default": "app=sleep"},
            "container": {"type": "str", "default": "sleep"},
        },
    },
    "requests": {"type": "int", "default": 100},
    "tolerance": {"type": "int", "default": 15},
    "timeout": {"type": "int", "default": 60},
}
_FEWEST = 10  # of fewer requests a share says nothing
_MOST = 1000


def handle(call: Call) -> Outcome:
    """Make the requests; raises MeshError for options that can't be used."""
    params = call.params
    if not _FEWEST <= params["requests"] <= _MOST:
        raise MeshError(f"requests is {params['requests']}", why=f"it can be {_FEWEST} to {_MOST}")
    callers = [
        Caller(
            each["name"],
            each["kubeconfig"],
            each["context"] or None,
            tuple(each["ingress_addresses"]),
            gateway_only=each["mode"] == "gateway_only",
        )
        for each in params["sites"]
    ]
    order = routes.Order(
        namespace=params["namespace"],
        label=params["client"]["label"],
        container=params["client"]["container"],
        requests=params["requests"],
        tolerance=params["tolerance"],
        seconds=params["timeout"],
        pages=_pages(params["pages"]),
        splits=[_split(each) for each in params["splits"]],
        strict_port=params["strict_port"],
    )

    def connect(path: str, context: str | None, site: str) -> AbstractContextManager[Api]:
        end = world.clock() + params["timeout"]
        return Client(kubeconfig.load(path, context), timeout=params["timeout"], site=site, deadline=end)

    world = routes.World(connect=connect, fetch=fetching.fetch)
    records = routes.run(callers, order, world)
    healthy = is_healthy([item.verdict for item in records])
    return Outcome(False, {"healthy": healthy, "checks": [item.as_dict() for item in records]})


def _pages(given: Mapping[str, Any] | None) -> routes.Pages | None:
    if given is None:
        return None
    users = [routes.User(each["header"], each["value"], _shares(each["shares"], "users")) for each in given["users"]]
    return routes.Pages(given["path"], given["port"], _shares(given["shares"], "pages"), users)


def _split(given: Mapping[str, Any]) -> routes.Split:
    shares = {str(name): _shares(each, given["host"]) for name, each in given["shares"].items()}
    return routes.Split(given["host"], given["url"], shares)


def _shares(given: Any, of: str) -> dict[str, float]:
    """Name -> percent; raises MeshError for what is none."""
    try:
        return {str(name): float(share) for name, share in given.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise MeshError(f"the shares of {of} can't be used", why="they must map names to percentages") from error


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
