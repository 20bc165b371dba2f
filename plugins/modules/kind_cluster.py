#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: Make or delete the KinD cluster of a site
version_added: 0.1.0
description:
  - Makes a KinD cluster of one node on a Docker network of the mesh and writes its kubeconfig.
  - A cluster whose creation was cut off is recognised and replaced; a stopped one is started.
  - Touches only clusters on a network that this module made for the same mesh.
author: edge.mesh contributors (@edge-mesh)
options:
  name:
    description: Name of the KinD cluster.
    type: str
    required: true
  mesh:
    description: Mesh ID, which labels the Docker network.
    type: str
    required: true
  network:
    description: Name of the mesh's Docker network; made if it isn't there, deleted with its last cluster.
    type: str
    required: true
  links:
    description:
      - Names of the WAN links that the node is on beside the mesh's network, each a Docker network of its own. Networks
        are made if they aren't there, left if they aren't named any more, and deleted with their last node.
    type: list
    elements: str
    default: []
  image:
    description: Node image. Required if O(state=present).
    type: str
  config:
    description: KinD's cluster configuration, as YAML. Required if O(state=present).
    type: str
  kubeconfig:
    description: Where the kubeconfig is written, with mode 0600.
    type: path
    required: true
  kind:
    description: The C(kind) program.
    type: path
    default: kind
  docker:
    description: The C(docker) program.
    type: str
    default: docker
  timeout:
    description:
      - Seconds to wait until the API is ready, counted from the start of the node. A node that has been running for
        longer is given 20 seconds.
    type: int
    default: 120
  renew_before:
    description:
      - Remaining life below which the certificates of the cluster's control plane and of its kubeconfig are renewed.
      - kubeadm gives them a year.
    type: str
    default: 30d
  state:
    description:
      - Whether the cluster should be there.
      - With V(renewed) nothing is made or started; what O(renew_before) asks for is done to a cluster that is there.
      - V(unlinked) takes the node off all WAN links and does nothing else.
    type: str
    choices: [present, renewed, unlinked, absent]
    default: present
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Make the cluster of a site
  edge.mesh.kind_cluster:
    name: mesh1-shop
    mesh: mesh1
    network: edge-mesh-mesh1
    image: edge-mesh.local/node:v1.36.3
    config: "{{ lookup('ansible.builtin.template', 'kind.yml.j2') }}"
    kubeconfig: "{{ inventory_dir }}/.state/kubeconfig/shop.yaml"
"""

RETURN = r"""
reasons:
  description: Why something was or would be changed.
  returned: success
  type: list
  elements: str
  sample: ["there was no cluster"]
exists:
  description: Whether the cluster is there now.
  returned: success
  type: bool
  sample: true
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import (
    ensure_directory,
    is_private,
    read_text,
    write_text,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s import client, kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._kind.cluster import Kind, Node, Wanted
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._pki.durations import parse_duration

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "mesh": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "links": {"type": "list", "elements": "str", "default": []},
    "image": {"type": "str"},
    "config": {"type": "str"},
    "kubeconfig": {"type": "path", "required": True},
    "kind": {"type": "path", "default": "kind"},
    "docker": {"type": "str", "default": "docker"},
    "timeout": {"type": "int", "default": 120},
    "renew_before": {"type": "str", "default": "30d"},
    "state": {"type": "str", "choices": ["present", "renewed", "unlinked", "absent"], "default": "present"},
}
_SETTLED_SECONDS = 20.0


def _refuse_foreign(wanted: Wanted) -> None:
    """Raise MeshError if the kubeconfig's path holds a file that isn't this cluster's alone."""
    text = read_text(wanted.kubeconfig)
    if text is not None and (others := kubeconfig.contexts(text, str(wanted.kubeconfig)) - {f"kind-{wanted.name}"}):
        raise MeshError(
            f"{wanted.kubeconfig} holds other contexts than kind-{wanted.name}",
            why=f"it has {', '.join(sorted(others))}",
            hint="the file of a KinD cluster is replaced and deleted with it: choose another edge_mesh_kubeconfig",
        )


def _refuse_unusable(kind: Kind, node: Node, wanted: Wanted) -> None:
    """Raise MeshError for a node that isn't ours or that nothing can be done with."""
    if not node.networks:
        raise MeshError(
            f"the node {node.name} is on no Docker network",
            hint=f"docker network connect {wanted.network} {node.name}; docker restart {node.name}; then run again",
        )
    if not kind.is_ours(node, wanted.mesh):
        raise MeshError(
            f"a KinD cluster {wanted.name} exists that this mesh didn't make",
            hint="use it with provider existing, or give the mesh another edge_mesh_id",
        )
    if node.paused:
        raise MeshError(f"the node {node.name} is paused", hint=f"docker unpause {node.name}, then run again")


def _present(kind: Kind, wanted: Wanted, links: Iterable[str], check_mode: bool, timeout: float) -> Outcome:
    reasons: list[str] = []
    begun = time.time()
    _refuse_foreign(wanted)
    node = None if check_mode and not kind.there() else kind.node(wanted.name)
    if node:
        _refuse_unusable(kind, node, wanted)
    # The kubeconfig is written when a cluster stands: one that serves is whole, and Docker needn't look into its node.
    serves = node is not None and node.running and _serves(wanted, node)
    if node and not serves and not kind.is_whole(node):
        reasons.append("the cluster was half-created")
        if not check_mode:
            kind.delete(wanted.name)
        node = None
    elif node is None:
        reasons.append("there was no cluster")
    elif not node.running:
        reasons.append("the node was stopped")
    if check_mode:
        reasons += _linked(kind, wanted, node, links, check_mode=True) if node else []
        return Outcome(bool(reasons), {"reasons": reasons, "exists": node is not None})
    ensure_directory(wanted.kubeconfig.parent)
    if node is None:
        kind.create(wanted)
    elif not node.running:
        kind.start(node)
    reasons += _linked(kind, wanted, node or kind.node(wanted.name), links, check_mode=False)
    if serves:
        return Outcome(bool(reasons), {"reasons": reasons, "exists": True})
    text = kind.kubeconfig(wanted.name)
    if read_text(wanted.kubeconfig) != text or not is_private(wanted.kubeconfig):
        write_text(wanted.kubeconfig, text)
        if not reasons:
            reasons.append("the kubeconfig was missing, another one, or open to others")
    running_since = node.started if node and node.running else None
    _wait_ready(wanted, patience(timeout, running_since, begun))
    return Outcome(bool(reasons), {"reasons": reasons, "exists": True})


def _serves(wanted: Wanted, node: Node) -> bool:
    """Whether the kubeconfig that is there leads to this very node and is good for it, and the node is Ready.

    It saves asking KinD for the kubeconfig, which takes longer than everything else that a run asks of a cluster.
    """
    try:
        endpoint = kubeconfig.load(str(wanted.kubeconfig), f"kind-{wanted.name}")
        if node.api_port is None or endpoint.server != f"https://127.0.0.1:{node.api_port}":
            return False
        return node.name in _ready_nodes(endpoint)
    except MeshError:
        return False


def _linked(kind: Kind, wanted: Wanted, node: Node | None, links: Iterable[str], *, check_mode: bool) -> list[str]:
    """Put the node on the networks of its WAN links and on no others; why something was or would be done."""
    networks = {f"{wanted.network}-{link}": link for link in links}
    on = set(node.networks if node else ())
    reasons = []
    for network, link in networks.items():
        if network not in on:
            reasons.append(f"the node wasn't on the WAN link {link}")
            if not check_mode:
                kind.link(wanted, network, link)
    # A node on the mesh's network alone, as most are, costs no question.
    for network, link in kind.links(wanted.mesh).items() if on - {wanted.network} - networks.keys() else ():
        if network in on and network not in networks:
            reasons.append(f"the node was on the WAN link {link}")
            if not check_mode:
                kind.unlink(wanted, network)
    return reasons


def _renewed(kind: Kind, wanted: Wanted, check_mode: bool, timeout: float, window: timedelta) -> Outcome:
    """Renew the certificates of a running cluster if they are due; raises MeshError where there is none."""
    _refuse_foreign(wanted)
    node = kind.node(wanted.name)
    if node is None or not node.running:
        what = "there is no cluster" if node is None else "the node is stopped"
        raise MeshError(f"{wanted.name} can't be kept up", why=what, hint="run site.yml")
    _refuse_unusable(kind, node, wanted)
    reasons = due(kind.kubeconfig(wanted.name), wanted.name, window, datetime.now(UTC))
    if reasons and not check_mode:
        kind.renew(node)
        write_text(wanted.kubeconfig, kind.kubeconfig(wanted.name))
        _wait_ready(wanted, timeout)
    return Outcome(bool(reasons), {"reasons": reasons, "exists": True})


def due(text: str, name: str, window: timedelta, now: datetime) -> list[str]:
    """Why the certificates of a cluster must be renewed, told from the client certificate of its kubeconfig."""
    pem = kubeconfig.parse(text, None, f"of {name}").client_cert_pem
    if pem is None:
        return []
    end = workload.inspect(pem)[0].not_after
    if end - now >= window:
        return []
    return [f"its certificates end on {end:%Y-%m-%d}, inside the renewal window of {window.days} d"]


def patience(timeout: float, running_since: float | None, now: float) -> float:
    """Seconds that a node gets: one that has been up for long either answers at once or is cut off."""
    if running_since is None:
        return timeout
    return min(timeout, max(_SETTLED_SECONDS, running_since + timeout - now))


def _wait_ready(wanted: Wanted, timeout: float) -> None:
    """Wait until the API is ready and the node too; raises MeshError with the last reason."""
    deadline = time.monotonic() + timeout
    endpoint = kubeconfig.load(str(wanted.kubeconfig), None)
    last, unanswered = "no answer yet", True
    while time.monotonic() < deadline:
        try:
            if _ready_nodes(endpoint):
                return
            last, unanswered = "the node is not Ready", False
        except MeshError as error:
            last, unanswered = error.message, error.unanswered
        time.sleep(0.5)
    node = f"{wanted.name}-control-plane"
    failure = MeshError(
        f"the cluster {wanted.name} wasn't ready within {timeout:.0f} s",
        why=last,
        hint=f"look at: docker logs --tail 20 {node}; docker restart {node} starts it anew; then run again",
    )
    failure.unanswered = unanswered
    raise failure


def _ready_nodes(endpoint: kubeconfig.Endpoint) -> list[str]:
    """The names of a cluster's nodes if all are Ready, else none; raises MeshError if its API gives no answer."""
    with client.Client(endpoint, timeout=5) as api:
        nodes = api.list("/api/v1/nodes")
    return [node["metadata"]["name"] for node in nodes] if all(map(_is_ready, nodes)) else []


def _is_ready(node: dict) -> bool:  # type: ignore[type-arg]  # JSON of the API
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _absent(kind: Kind, wanted: Wanted, check_mode: bool) -> Outcome:
    reasons: list[str] = []
    _refuse_foreign(wanted)
    node = kind.node(wanted.name)
    if node and kind.is_ours(node, wanted.mesh):
        reasons.append("the cluster was there")
        if not check_mode:
            kind.delete(wanted.name)
    if wanted.kubeconfig.exists():
        reasons.append("the kubeconfig was there")
        if not check_mode:
            wanted.kubeconfig.unlink()
    networks = [] if check_mode else [*kind.links(wanted.mesh), wanted.network]
    stay = [network for network in networks if not kind.delete_network(network, wanted.mesh)]
    warnings = tuple(
        f"the Docker network {network} stays, for containers of others are on it: {', '.join(names)}"
        for network in stay
        if (names := kind.strangers_on(network))
    )
    return Outcome(bool(reasons), {"reasons": reasons, "exists": False}, warnings=warnings)


def handle(call: Call) -> Outcome:
    """Bring the cluster to the wanted state."""
    params = call.params
    wanted = Wanted(
        name=params["name"],
        mesh=params["mesh"],
        network=params["network"],
        image=params["image"] or "",
        config=params["config"] or "",
        kubeconfig=Path(params["kubeconfig"]),
    )
    kind = Kind(call.run_command, params["kind"], params["docker"])
    if params["state"] == "renewed":
        window = parse_duration(params["renew_before"], "renew_before")
        return _renewed(kind, wanted, call.check_mode, params["timeout"], window)
    if params["state"] == "unlinked":
        node = kind.node(wanted.name)
        ours = node is not None and kind.is_ours(node, wanted.mesh)
        reasons = _linked(kind, wanted, node, [], check_mode=call.check_mode) if ours else []
        return Outcome(bool(reasons), {"reasons": reasons, "exists": node is not None})
    if params["state"] == "absent":
        return _absent(kind, wanted, call.check_mode)
    return _present(kind, wanted, params["links"], call.check_mode, params["timeout"])


MODULE = Module(ARGUMENTS, handle, {"required_if": [("state", "present", ("image", "config"))]})


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
