# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node gets for its WAN links, and the verdict on what it has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._wan import plan, ruleset
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import Link
from ansible_collections.edge.mesh.plugins.module_utils._wan.node import Live, Seen
from ansible_collections.edge.mesh.plugins.module_utils._wan.plan import Peer, Wanted

PLAIN = Link("plain", True, 0)
LTE = Link("lte", False, 46, "wwan0", "10.64.0.1", ("192.0.2.0/24",))
PROGRAMS = frozenset({"ip", "nft", "systemctl", "unshare"})
DEVICES = {"lo": ("127.0.0.1",), "eth0": ("10.0.0.2",), "wwan0": ("10.64.0.2",), "eth1": ("172.19.0.3",)}
SEEN = Seen(PROGRAMS, DEVICES, "eth0")


def resolve(*links: Link, seen: Seen = SEEN, **more: Any) -> Wanted:
    values: dict[str, Any] = {"route_to": lambda _address: None, "own": {}, "peers": {}, **more}
    return plan.resolve((PLAIN, *links), seen, "shop", **values)


def live(wanted: Wanted, **changes: Any) -> Live:
    """A node on which all is as it should be, but for the changes."""
    values: dict[str, Any] = {
        "wanted": "table", "live": "table", "rules": frozenset({7103, 7104, 7105}),
        "routes": frozenset((link.table, to) for link in wanted.links for _hop, to in link.routes),
        "enabled": True, "active": True, "files": {path: text.rstrip("\n") for path, text in wanted.files.items()},
    }  # fmt: skip
    return Live(**{**values, **changes})


def test_a_link_gets_marks_rules_and_a_watched_route() -> None:
    wanted = resolve(LTE)
    assert [(link.device, link.mark, link.table, link.routes) for link in wanted.links] == [
        ("wwan0", 0x10, 7101, (("10.64.0.1", "192.0.2.0/24"),))
    ]
    assert wanted.files["/etc/edge-mesh-wan/links"].splitlines()[1:] == [
        "# lte",
        "device wwan0",
        "rule 7103 0x10/0xf0 7101 suppress",
        "rule 7104 0x10/0xf0 main suppress",
        "rule 7105 0x10/0xf0 7101",
        "route 7101 wwan0 10.64.0.1 192.0.2.0/24",
    ]
    rules = wanted.files["/etc/edge-mesh-wan/rules.nft"]
    assert '\t\tiifname "wwan0" ct state new ct mark set' in rules
    assert '\t\tiifname { "eth0", "wwan0" } return' in rules
    assert "ct state new ip dscp 0x2e ct mark set ct mark & 0xffffff0f | 0x10" in rules
    assert "ct direction reply ct mark & 0xf0 == 0x10 ip dscp set 0x2e" in rules


def test_what_comes_in_by_a_shared_device_tells_no_link() -> None:
    shared = Link("lte", False, 46, None, "10.0.0.9")
    wanted = resolve(shared, route_to=lambda _address: "eth0")
    assert wanted.links[0].routes == (("10.0.0.9", "0.0.0.0/0"),)
    assert '\t\tiifname "eth0" ct state new' not in wanted.files["/etc/edge-mesh-wan/rules.nft"]


def test_a_link_that_the_run_made_leads_to_its_other_ends() -> None:
    made = Link("express", False, 46)
    peers = {"express": [Peer("172.19.0.2", "172.18.0.2")]}
    wanted = resolve(made, own={"express": "172.19.0.3"}, peers=peers)
    assert (wanted.links[0].device, wanted.links[0].routes) == ("eth1", (("172.19.0.2", "172.18.0.2/32"),))


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link("lte", False, 46, "wwan1"), "its node has no interface wwan1 (there are eth0, wwan0, eth1)"),
        (Link("lte", False, 46, None, "203.0.113.1"), "no interface of its node leads to 203.0.113.1"),
    ],
)
def test_an_interface_that_is_not_there_is_refused(link: Link, words: str) -> None:
    with pytest.raises(MeshError) as error:
        resolve(link)
    assert words in str(error.value)
    assert str(error.value).startswith("shop: the WAN link lte can't be used")


def test_a_default_interface_that_is_not_there_is_refused() -> None:
    with pytest.raises(MeshError, match="has no interface eth9"):
        plan.resolve(
            [Link("plain", True, 0, "eth9")], SEEN, "shop", route_to=lambda _address: None, own={}, peers={}
        )  # fmt: skip


def test_a_node_without_nftables_is_refused_with_the_package() -> None:
    with pytest.raises(MeshError) as error:
        resolve(LTE, seen=Seen(PROGRAMS - {"nft"}, DEVICES, "eth0"))
    assert "it has no nft" in str(error.value)
    assert "install nftables there" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"live": ""}, "nftables table inet edge_mesh_wan is missing"),
        ({"live": "other"}, "nftables table inet edge_mesh_wan differs"),
        ({"rules": frozenset({7104})}, "routing rules 7103, 7105 are missing"),
        ({"active": False}, "the service doesn't run"),
        ({"enabled": False}, "the service doesn't start with the node"),
        ({"files": {}}, "/etc/edge-mesh-wan/watch differs"),
    ],
)
def test_what_was_changed_by_hand_is_a_difference(changes: dict[str, Any], reason: str) -> None:
    wanted = resolve(LTE)
    assert plan.differences(wanted, live(wanted)) == []
    assert reason in plan.differences(wanted, live(wanted, **changes))


@pytest.mark.parametrize(
    ("changes", "routing", "fallback"),
    [
        ({}, "ok", "ok"),
        ({"live": ""}, "failed", "ok"),
        ({"rules": frozenset()}, "failed", "ok"),
        ({"active": False}, "ok", "failed"),
        ({"enabled": False}, "ok", "failed"),
        ({"routes": frozenset()}, "ok", "warning"),
    ],
)
def test_each_record_turns_by_what_it_is_about(changes: dict[str, Any], routing: str, fallback: str) -> None:
    wanted = resolve(LTE)
    found = [
        plan.routing("shop", wanted, live(wanted, **changes), 1),
        plan.fallback("shop", wanted, live(wanted, **changes), SEEN, 1),
    ]
    assert [(record.id, record.verdict) for record in found] == [("wan.routing", routing), ("wan.fallback", fallback)]
    assert all(record.hint for record in found if record.verdict != "ok")
    assert all(record.origin == "node" and record.evidence["seen"] for record in found)


def test_without_a_default_route_there_is_nothing_to_fall_back_to() -> None:
    wanted = resolve(LTE, seen=Seen(PROGRAMS, DEVICES, None))
    found = plan.fallback("shop", wanted, live(wanted), Seen(PROGRAMS, DEVICES, None), 1)
    assert (found.verdict, found.evidence["seen"]) == ("failed", "no default route")


def test_the_watcher_is_sound_shell(tmp_path: Path) -> None:
    path = tmp_path / "watch"
    path.write_text(ruleset.files([], None)["/etc/edge-mesh-wan/watch"])
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
    checker = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([str(checker), str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_ours_are_the_rules_and_tables_of_one_range() -> None:
    most = resolve(*(Link(f"l{n}", False, n, "wwan0", None, ()) for n in range(1, 16)))
    lines = most.files["/etc/edge-mesh-wan/links"].splitlines()
    numbers = {int(line.split()[1]) for line in lines if line.startswith("rule")} | {link.table for link in most.links}
    assert all(map(ruleset.is_ours, numbers))
    assert len({link.mark for link in most.links}) == 15
    assert all(link.mark & ~0xF0 == 0 for link in most.links)
    assert not any(map(ruleset.is_ours, (0, 7099, 7200, 32766)))
