# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WAN links of the tests' mesh: a second network between the primary and one edge, and who counts packets on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.filter.wan_objects import wan_objects
from ansible_collections.edge.mesh.plugins.modules import manifests, wan_info, wan_node
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.wan import arrange
from tests.lab.asking import called
from tests.lab.lab import EDGES, MESH, PRIMARY, Lab, docker, node

EDGE = EDGES[0]
ENDS = (PRIMARY, EDGE)
NETWORK = f"edge-mesh-{MESH}"
LINK_NETWORK = f"{NETWORK}-express"
LINKS = [{"name": "plain", "default": True}, {"name": "express", "dscp": "EF"}]
TABLE = "inet wan_test"


def rule(user: str, link: str = "express") -> dict[str, Any]:
    """Calls of a user to helloworld take a link."""
    return {"host": "helloworld.sample", "match": {"headers": {"user": user}}, "link": link}


@dataclass(frozen=True)
class Association:
    """The rules of both ends, as the run would bring them."""

    lab: Lab

    def variables(self, *rules: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The inventory's variables by site."""
        return {site: {"edge_mesh_wan_links": LINKS, "edge_mesh_wan_rules": list(rules)} for site in ENDS}

    def mark(self, *rules: Mapping[str, Any]) -> bool:
        """Bring the mesh's part for these rules, as the role does; whether something changed."""
        members = [{"name": name, "links": site["wan_links"], "rules": site["wan_rules"]}
                   for name, site in self._model(*rules).items()]  # fmt: skip
        objects = wan_objects(members)
        options: dict[str, Any] = {"kubeconfig": str(self.lab.kubeconfig(PRIMARY)), "set": wan_info.SET}
        options |= {"objects": objects, "prune": True} if objects else {"state": "absent"}
        return bool(called(manifests, manifests.ARGUMENTS, options)["changed"])

    def route(self, site: str) -> bool:
        """Bring the node's part, as the role does; whether something changed."""
        return bool(self._node(site, "present")["changed"])

    def checks(self, *rules: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
        """The records of both ends, by site and id, as verify asks for them."""
        sites = [
            {"name": name, "kubeconfig": str(self.lab.kubeconfig(name)), "links": site["wan_links"],
             "rules": site["wan_rules"]} for name, site in self._model(*rules).items()
        ]  # fmt: skip
        found = list(called(wan_info, wan_info.ARGUMENTS, {"sites": sites, "ask": "marking"})["checks"])
        for site in ENDS:
            found += self._node(site, "checked")["checks"]
        return {(record["site"], record["id"]): record for record in found}

    def verdicts(self, *rules: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        """Those that aren't ok."""
        found = self.checks(*rules).items()
        return {key: record["verdict"] for key, record in found if record["verdict"] != "ok"}

    def _model(self, *rules: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        sites = {name: {"provider": "kind", "wan_links": LINKS, "wan_rules": list(rules)} for name in ENDS}
        assert arrange(sites) == []
        return sites

    def _node(self, site: str, state: str) -> dict[str, Any]:
        peer = PRIMARY if site == EDGE else EDGE
        made = {"network": LINK_NETWORK, "peers": [node(peer)]}
        links = [{"name": "plain", "default": True}, {"name": "express", "dscp": 46, **made}]
        options = {"site": site, "container": node(site), "mesh_network": NETWORK, "links": links, "state": state}
        return called(wan_node, wan_node.ARGUMENTS, options)


def device(site: str, network: str) -> str:
    """The interface of a site's node on a Docker network."""
    template = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    address = docker("inspect", "--format", template, node(site)).strip()
    listed = json.loads(docker("exec", node(site), "ip", "-j", "-4", "addr"))
    return next(str(entry["ifname"]) for entry in listed if entry["addr_info"] and
                address in [each["local"] for each in entry["addr_info"]])  # fmt: skip


def in_node(site: str, script: str) -> str:
    """The output of a shell script in a site's node."""
    return docker("exec", node(site), "sh", "-c", script)


@contextmanager
def counting(site: str, peer: str) -> Iterator[None]:
    """Count what passes between two sites' gateways, by interface, direction and DSCP, at the calling site's node."""
    lines = []
    for name, network in (("default", NETWORK), ("link", LINK_NETWORK)):
        own = device(site, network)
        out = f'oifname "{own}" ip daddr {peer} tcp dport 15443'
        back = f'iifname "{own}" ip saddr {peer} tcp sport 15443'
        for kind, match in (("", ""), ("ef_", "ip dscp ef")):
            lines += [("post", f"{out} {match} counter name {kind}out_{name}")]
            lines += [("pre", f"{back} {match} counter name {kind}in_{name}")]
    names = "; ".join(f"counter {line.split()[-1]} {{ }}" for _chain, line in lines)
    chains = {
        hook: "\n".join(line for chain, line in lines if chain == hook.removesuffix("routing")) for hook in
        ("prerouting", "postrouting")
    }  # fmt: skip
    text = f"table {TABLE} {{\n{names}\n"
    for hook, body in chains.items():
        text += f"chain {hook} {{\ntype filter hook {hook} priority 300;\n{body}\n}}\n"
    in_node(site, f"nft delete table {TABLE} 2>/dev/null; cat <<'END' | nft -f -\n{text}}}\nEND")
    try:
        yield
    finally:
        in_node(site, f"nft delete table {TABLE}")


def counted(site: str) -> dict[str, int]:
    """Packets since the last call."""
    listed = json.loads(in_node(site, f"nft -j reset counters table {TABLE}"))["nftables"]
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed if "counter" in entry}


def call(lab: Lab, site: str, peer: str, user: str, wanted: int = 20) -> int:
    """Call as a user until ``peer`` has answered so often; how many calls got no answer."""
    loop = (
        f"n=0; bad=0; i=0; while [ $n -lt {wanted} ] && [ $i -lt {wanted * 15} ]; do i=$((i+1)); "
        f"a=$(curl -s -m 20 -H 'user: {user}' http://helloworld.sample:5000/hello); "
        f"case $a in *site={peer}*) n=$((n+1));; version=*) ;; *) bad=$((bad+1));; esac; done; echo $n $bad"
    )
    answered, bad = lab.kubectl(
        site, "-n", "sample", "exec", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", loop
    ).split()
    assert int(answered) == wanted, f"{peer} answered {answered} calls of {user} at {site}; {bad} got no answer"
    return int(bad)
