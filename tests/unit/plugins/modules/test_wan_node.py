# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`wan_node`: what is read of a node, what is done to it, and that it returns what its documentation says.

The node is scripted here; the lab has real ones.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Outcome
from ansible_collections.edge.mesh.plugins.module_utils._wan import ruleset
from ansible_collections.edge.mesh.plugins.modules import wan_node
from tests.unit.plugins.modules.test_site_checks import assert_same

LINKS = [
    {"name": "plain", "default": True},
    {"name": "lte", "dscp": 46, "interface": "wwan0", "next_hop": "10.64.0.1"},
]
MADE = [{"name": "plain", "default": True},
        {"name": "express", "dscp": 46, "network": "net-express", "peers": ["m-centre-control-plane"]}]  # fmt: skip
ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
    {"ifname": "eth0", "addr_info": [{"local": "10.0.0.2"}]},
    {"ifname": "wwan0", "addr_info": [{"local": "10.64.0.2"}]},
]


def inspected(name: str, **networks: str) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "NetworkSettings": {"Networks": {net.replace("_", "-"): {"IPAddress": at} for net, at in networks.items()}},
    }


class FakeNode:
    """A node that keeps files, and whose service puts into the kernel what they say."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.running = False
        self.rules: list[int] = []
        self.table = ""
        self.programs = "ip nft systemctl unshare"
        self.silent = ""
        self.containers: list[dict[str, Any]] = []
        self.commands: list[str] = []

    def __call__(self, words: list[str], *, data: str | None = None) -> tuple[int, str, str]:
        assert words[0] == "timeout"
        if "inspect" in words:
            return 0, json.dumps(self.containers), ""
        if self.silent:
            return 1, "", self.silent
        script = words[-1].removeprefix("PATH=$PATH:/usr/sbin:/sbin; ")
        self.commands.append(script)
        if "say programs" in script:
            routes = [{"dst": "default", "dev": "eth0"}, {"dst": "10.0.0.0/24", "dev": "eth0"}]
            return 0, self.said(programs=self.programs, addresses=json.dumps(ADDRESSES), routes=json.dumps(routes)), ""
        if "say live" in script:
            return 0, self.looked(data or ""), ""
        if "cat >" in script:
            self.files[script.split("cat >")[1].split(".new")[0]] = data or ""
        elif script.startswith("systemctl daemon-reload && systemctl enable"):
            self.running = True
            self.table = self.files["/etc/edge-mesh-wan/rules.nft"]
            lines = self.files["/etc/edge-mesh-wan/links"].splitlines()
            self.rules = [int(line.split()[1]) for line in lines if line.startswith("rule")]
        elif script.startswith("systemctl disable"):
            self.running, self.files = False, {}
        elif script == "sh -s clear":
            assert data == ruleset.CLEAR
            self.table, self.rules = "", []
        else:
            raise AssertionError(script)
        return 0, "", ""

    def looked(self, wanted: str) -> str:
        rules = [{"priority": number} for number in [0, *self.rules, 32766]]
        paths = {f"file {path}": self.files.get(path, "") for path in ruleset.files([], None)}
        service = "enabled\nactive" if self.running else "\ninactive"
        return self.said(
            wanted=wanted, live=self.table, rules=json.dumps(rules), routes="[]", service=service, **paths
        )  # fmt: skip

    @staticmethod
    def said(**parts: str) -> str:
        return "".join(f"\n@@{name}\n{text}\n" for name, text in parts.items())


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


def handle(node: FakeNode, *, check: bool = False, **options: Any) -> Outcome:
    validated = ArgumentSpecValidator(dict(wan_node.ARGUMENTS)).validate({"site": "shop", "links": LINKS, **options})
    assert validated.error_messages == []
    return wan_node.handle(Call(validated.validated_parameters, check, True, node))


def test_the_twelve_steps(node: FakeNode) -> None:
    """Create, again, change, again, delete, again; each in check mode first."""
    changed = [LINKS[0], {**LINKS[1], "dscp": 34}]
    for options, action in (({}, "created"), ({"links": changed}, "configured"), ({"state": "absent"}, "deleted")):
        before = (dict(node.files), node.table)
        planned = handle(node, check=True, **options)
        assert planned.changed
        assert (node.files, node.table) == before
        done = handle(node, **options)
        assert done.changed
        assert [item["action"] for item in done.result["objects"]] == [action]
        assert done.result["reasons"] == planned.result["reasons"]
        for check in (True, False):
            again = handle(node, check=check, **options)
            assert (again.changed, again.result["reasons"], again.diff) == (False, [], None)
    assert (node.files, node.table, node.rules, node.running) == ({}, "", [], False)


def test_what_was_taken_out_of_the_kernel_comes_back(node: FakeNode) -> None:
    handle(node)
    node.table, node.rules = "", [7103]
    found = handle(node)
    assert found.result["reasons"] == [
        "nftables table inet edge_mesh_wan is missing", "routing rules 7104, 7105 are missing",
    ]  # fmt: skip
    assert not handle(node).changed


def test_a_site_that_lost_its_links_loses_the_nodes_part(node: FakeNode) -> None:
    handle(node)
    assert handle(node, links=[]).result["objects"][0]["action"] == "deleted"
    assert node.files == {}
    node.programs = "ip systemctl"  # without nft nothing of ours can be there, and that is no failure
    assert not handle(node, links=[]).changed


def test_a_container_that_is_not_there_is_a_plan_or_a_failure(node: FakeNode) -> None:
    node.silent = "Error: No such container: m-shop-control-plane"
    options: dict[str, Any] = {"container": "m-shop-control-plane", "mesh_network": "net", "links": MADE}
    assert handle(node, check=True, **options).result["reasons"] == ["its node isn't there yet"]
    with pytest.raises(MeshError, match="m-shop-control-plane doesn't run"):
        handle(node, **options)
    assert not handle(node, **{**options, "state": "absent"}).changed
    with pytest.raises(MeshError, match="nobody knows whether it has wwan0"):
        handle(node, check=True, **{**options, "links": LINKS})


def test_the_ends_of_a_made_link_are_asked_of_docker(node: FakeNode) -> None:
    options: dict[str, Any] = {"container": "m-shop-control-plane", "mesh_network": "net", "links": MADE}
    node.containers = [
        inspected("m-shop-control-plane", net="10.0.0.2", net_express="10.64.0.2"),
        inspected("m-centre-control-plane", net="10.0.0.3", net_express="10.64.0.3"),
    ]
    links = handle(node, **options).result["links"]
    assert [(link["name"], link["device"], link["routes"]) for link in links] == [
        ("express", "wwan0", [{"next_hop": "10.64.0.3", "to": "10.0.0.3/32"}])
    ]
    node.containers = [inspected("m-shop-control-plane", net="10.0.0.2")]
    assert handle(node, check=True, **options).result["reasons"] == ["the link isn't there yet"]


def test_a_check_reports_and_never_fails(node: FakeNode) -> None:
    handle(node)
    found = handle(node, state="checked")
    verdicts = {record["id"]: record["verdict"] for record in found.result["checks"]}
    assert (found.changed, verdicts) == (False, {"wan.routing": "ok", "wan.fallback": "warning"})  # no routes here
    node.table = ""
    found = handle(node, state="checked")
    assert {record["id"]: record["verdict"] for record in found.result["checks"]}["wan.routing"] == "failed"
    assert node.table == ""
    for options in ({"unasked": "no answer"}, {"container": "gone", "links": MADE}):
        node.silent = "Error: No such container: gone"
        records = handle(node, state="checked", **options).result["checks"]
        assert [record["verdict"] for record in records] == ["unknown", "unknown"]
        assert all(record["hint"] for record in records)


def test_a_node_that_cannot_be_asked_says_why(node: FakeNode) -> None:
    node.silent = "permission denied while trying to connect to the Docker daemon"
    with pytest.raises(MeshError, match="permission denied"):
        handle(node, container="m-shop-control-plane")


def test_it_takes_and_returns_what_is_documented(node: FakeNode) -> None:
    assert_same(yaml.safe_load(wan_node.DOCUMENTATION)["options"], wan_node.ARGUMENTS)
    documented = yaml.safe_load(wan_node.RETURN)
    assert set(handle(node).result) | {"checks"} == set(documented)
    assert set(handle(node).result["links"][0]) == set(documented["links"]["contains"])
    assert set(handle(node, state="checked").result) <= set(documented)
