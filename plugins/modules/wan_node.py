#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wan_node
short_description: Route the marked packets of a site's node by WAN link
version_added: 0.1.0
description:
  - Makes a node send what the mesh's proxies marked with a link's DSCP over that link, and answers over the link by
    which their request came, by nftables marks and policy routing.
  - A small service on the node watches each next hop every second. The routes of one that doesn't answer are taken out,
    so that the traffic takes the node's default route, and put back when it answers again. No controller is needed.
  - The node is the machine on which the module runs, or a container of a KinD cluster on the machine on which it runs.
  - Everything is compared with what is in the kernel, so what was changed by hand is mended.
  - Needs C(nft), C(ip), C(unshare) and systemd on the node, and root.
author: edge.mesh contributors (@edge-mesh)
options:
  site:
    description: Name of the site, for messages.
    type: str
    required: true
  container:
    description: The container that is the site's node. The machine itself unless given.
    type: str
  docker:
    description: The C(docker) program.
    type: str
    default: docker
  mesh_network:
    description:
      - The Docker network by which the mesh knows the addresses of its nodes. Needed for links with O(links[].network).
    type: str
  links:
    description: The site's links.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the link.
        type: str
        required: true
      default:
        description: Whether unmarked traffic takes it; it is the node's own default route.
        type: bool
        default: false
      dscp:
        description: DSCP that proxies mark its traffic with, 1 to 63; 0 for the default link.
        type: int
        default: 0
      interface:
        description: Interface of the link; the one by which O(links[].next_hop) is reached directly unless given.
        type: str
      next_hop:
        description: IPv4 address of the router at its end; none for a link from point to point.
        type: str
      to:
        description: IPv4 networks that are reached over it; everything but the node's own networks if empty.
        type: list
        elements: str
        default: []
      network:
        description: Docker network that is this link, if the run made it.
        type: str
      peers:
        description: Containers at the other ends of O(links[].network).
        type: list
        elements: str
        default: []
  unasked:
    description:
      - With O(state=checked), why the node can't be asked. Nothing is asked then, and the records are V(unknown).
    type: str
  state:
    description:
      - Whether the node should route by WAN link.
      - V(checked) changes nothing and never fails on a sick node. It returns check records.
    type: str
    choices: [present, absent, checked]
    default: present
extends_documentation_fragment:
  - edge.mesh.attributes
"""

EXAMPLES = r"""
- name: Route by WAN link on a machine
  edge.mesh.wan_node:
    site: shop
    links:
      - {name: cable, default: true}
      - {name: lte, dscp: 46, interface: wwan0, next_hop: 10.64.0.1}
  become: true

- name: Take it away again
  edge.mesh.wan_node:
    site: shop
    state: absent
  become: true
"""

RETURN = r"""
objects:
  description: What was done, in the form of M(edge.mesh.manifests).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: WAN links, namespace: null, name: of shop, action: created, reasons: [the service doesn't run]}
reasons:
  description: Why something was or would be changed.
  returned: success
  type: list
  elements: str
  sample: ["nftables table inet edge_mesh_wan is missing"]
links:
  description: The links other than the default one as they are on this node.
  returned: success, unless the node isn't there yet
  type: list
  elements: dict
  contains:
    name: {description: Name of the link., type: str, sample: lte}
    device: {description: Its interface., type: str, sample: wwan0}
    mark: {description: Its packet mark., type: int, sample: 16}
    table: {description: Its routing table., type: int, sample: 7101}
    routes:
      description: What is reached over which next hop.
      type: list
      elements: dict
      sample: [{next_hop: 10.64.0.1, to: 0.0.0.0/0}]
checks:
  description: The records C(wan.routing) and C(wan.fallback).
  returned: with O(state=checked)
  type: list
  elements: dict
  sample: []
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._wan import plan
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import Link
from ansible_collections.edge.mesh.plugins.module_utils._wan.node import Live, Node, Seen
from ansible_collections.edge.mesh.plugins.module_utils._wan.plan import Peer, Wanted

ARGUMENTS: Mapping[str, Any] = {
    "site": {"type": "str", "required": True},
    "container": {"type": "str"},
    "docker": {"type": "str", "default": "docker"},
    "mesh_network": {"type": "str"},
    "links": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "default": {"type": "bool", "default": False},
            "dscp": {"type": "int", "default": 0},
            "interface": {"type": "str"},
            "next_hop": {"type": "str"},
            "to": {"type": "list", "elements": "str", "default": []},
            "network": {"type": "str"},
            "peers": {"type": "list", "elements": "str", "default": []},
        },
    },
    "unasked": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent", "checked"], "default": "present"},
}
_LOOKS = 20
_PAUSE = 0.5


def handle(call: Call) -> Outcome:
    """Bring the node to the wanted state, or look at it."""
    params = call.params
    node = Node(call.run_command, params["container"], params["docker"])
    if params["state"] == "checked":
        return Outcome(
            False, {"objects": [], "reasons": [], "checks": [each.as_dict() for each in _checked(call, node)]}
        )
    if params["state"] == "absent" or not params["links"]:
        return _absent(call, node)
    seen = node.see()
    return _without_node(call) if seen is None else _present(call, node, seen)


def _present(call: Call, node: Node, seen: Seen) -> Outcome:
    site = call.params["site"]
    wanted = _wanted(call, node, seen)
    if wanted is None:  # in check mode, before the run made the link
        return _outcome(call, ["the link isn't there yet"], "created", None)
    live = node.look(wanted.files)
    reasons = plan.differences(wanted, live)
    action = "configured" if any(live.files.values()) else "created"
    if reasons and not call.check_mode:
        node.write(wanted.files)
        node.start()
        _settle(node, wanted, site)
    return _outcome(call, reasons, action, wanted, live)


def _settle(node: Node, wanted: Wanted, site: str) -> None:
    """Wait until the service has put everything into the kernel; raises MeshError if it doesn't."""
    reasons: list[str] = []
    for _look in range(_LOOKS):
        reasons = plan.differences(wanted, node.look(wanted.files))
        if not reasons:
            return
        time.sleep(_PAUSE)
    raise MeshError(
        "its node didn't take up the WAN links", site=site, why="; ".join(reasons),
        hint="look at `journalctl -u edge-mesh-wan` on the node",
    )  # fmt: skip


def _absent(call: Call, node: Node) -> Outcome:
    live = node.peek({})  # also where nft or systemctl is missing: nothing of ours could ever have run there
    if live is None:
        return _outcome(call, [], "deleted", None)
    reasons = [f"{path} was there" for path, text in live.files.items() if text]
    if live.active or live.live or live.rules or live.routes:
        reasons.append("marks and routes by WAN link were in the kernel")
    if reasons and not call.check_mode:
        node.clear()
    return _outcome(call, reasons, "deleted", None)


def _without_node(call: Call) -> Outcome:
    named = [link["interface"] or link["next_hop"] for link in call.params["links"]]
    if call.check_mode and not any(named):
        return _outcome(call, ["its node isn't there yet"], "created", None)
    if call.check_mode:
        raise MeshError(
            "its WAN links can't be judged", site=call.params["site"],
            why=f"{call.params['container']} doesn't run, so nobody knows whether it has {next(filter(None, named))}",
            hint="leave interface and next_hop out for a link that the run makes",
        )  # fmt: skip
    raise MeshError(
        "its node can't route by WAN link", site=call.params["site"], why=f"{call.params['container']} doesn't run",
        hint="run site.yml",
    )  # fmt: skip


def _checked(call: Call, node: Node) -> list[Record]:
    """The records of the node; what couldn't be asked is `unknown`."""
    site, took = call.params["site"], timed()
    try:
        if call.params["unasked"]:
            raise MeshError("its node can't be looked at", why=call.params["unasked"], hint="look at the way to it")
        seen = node.see()
        if seen is None:
            raise MeshError(
                "its node can't be looked at", why=f"{call.params['container']} doesn't run", hint="start it"
            )
        wanted = _wanted(call, node, seen)
        if wanted is None:
            raise MeshError("its WAN link isn't there", why="its node isn't on the link's network", hint="run site.yml")
        live = node.look(wanted.files)
    except MeshError as error:
        evidence = {"seen": error.why or error.what, "reason": error.message}
        return [
            record(check, site, "unknown", origin="node", evidence=evidence, hint=error.hint or "", took_ms=took())
            for check in ("wan.routing", "wan.fallback")
        ]
    return [plan.routing(site, wanted, live, took()), plan.fallback(site, wanted, live, seen, took())]


def _wanted(call: Call, node: Node, seen: Seen) -> Wanted | None:
    """What the node should have; None while a link of the run's own isn't there."""
    params = call.params
    networks = {link["name"]: link["network"] for link in params["links"] if link["network"]}
    own: dict[str, str] = {}
    peers: dict[str, list[Peer]] = {}
    if networks:
        addresses = _addresses(call)
        mine = addresses.get(params["container"], {})
        for link in params["links"]:
            network = link["network"]
            if not network:
                continue
            if not mine.get(network):
                return None
            own[link["name"]] = mine[network]
            ends = [addresses.get(peer, {}) for peer in link["peers"]]
            peers[link["name"]] = [
                Peer(end[network], end[params["mesh_network"]])
                for end in ends if end.get(network) and end.get(params["mesh_network"])
            ]  # fmt: skip
    links = [
        Link(each["name"], each["default"], each["dscp"], each["interface"], each["next_hop"], tuple(each["to"]))
        for each in params["links"]
    ]
    return plan.resolve(links, seen, params["site"], route_to=node.route_to, own=own, peers=peers)


def _addresses(call: Call) -> dict[str, dict[str, str]]:
    """Container -> Docker network -> its address there; what doesn't run has none."""
    names = [call.params["container"], *(peer for link in call.params["links"] for peer in link["peers"])]
    command = ["timeout", "30", call.params["docker"], "container", "inspect", *dict.fromkeys(names)]
    _rc, stdout, stderr = call.run_command(command)  # fails for one that isn't there, and tells the others
    try:
        found = json.loads(stdout or "[]")
    except ValueError as error:
        raise MeshError("Docker doesn't answer", site=call.params["site"], why=stderr.strip()[-300:]) from error
    return {
        entry["Name"].lstrip("/"): {
            name: network["IPAddress"] for name, network in entry["NetworkSettings"]["Networks"].items()
        }
        for entry in found
    }


def _outcome(call: Call, reasons: list[str], action: str, wanted: Wanted | None, live: Live | None = None) -> Outcome:
    made = {
        "kind": "WAN links", "namespace": None, "name": f"of {call.params['site']}",
        "action": action if reasons else "unchanged", "reasons": reasons,
    }  # fmt: skip
    links = [
        {"name": link.name, "device": link.device, "mark": link.mark, "table": link.table,
         "routes": [{"next_hop": hop, "to": to} for hop, to in link.routes]}
        for link in (wanted.links if wanted else ())
    ]  # fmt: skip
    before = _shown(live.files if live else {})
    after = _shown(wanted.files if wanted else {})
    diff = {"before": before, "after": after, "before_header": made["name"], "after_header": made["name"]}
    result: dict[str, Any] = {"objects": [made], "reasons": reasons, "links": links}
    return Outcome(bool(reasons), result, diff if reasons else None)


def _shown(files: Mapping[str, str]) -> str:
    """The files that differ from node to node, as a difference shows them."""
    return "".join(
        f"# {path}\n{text.rstrip()}\n" for path, text in files.items() if text and path.endswith((".nft", "/links"))
    )


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
