# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node's part of WAN association as a machine has it: routers at the ends of two links, and addresses of no link.

In one container, four network namespaces stand for a pod, its node, another node and the gateway behind that. Nobody
translates addresses here, so answers find the link of their request by the connection's mark alone.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._wan import ruleset
from ansible_collections.edge.mesh.plugins.module_utils._wan.ruleset import Resolved
from tests.lab.lab import MESH, PRIMARY, Played, docker, node, wait_until

NAME = f"{MESH}-wan-bench"
POD, GATEWAY = "10.44.0.2", "10.99.0.2"
NETWORK = """
set -e
for each in pod site centre gate; do ip netns add $each; ip -n $each link set lo up; done
ip link add eth0 netns site type veth peer name eth0 netns centre
ip link add eth1 netns site type veth peer name eth1 netns centre
ip link add eth0 netns pod type veth peer name inside netns site
ip link add eth0 netns gate type veth peer name inside netns centre
put() { ip -n $1 addr add $3 dev $2; ip -n $1 link set $2 up; }
put site eth0 10.1.0.1/24; put centre eth0 10.1.0.2/24
put site eth1 10.2.0.1/24; put centre eth1 10.2.0.2/24
put pod eth0 10.44.0.2/24; put site inside 10.44.0.1/24
put gate eth0 10.99.0.2/24; put centre inside 10.99.0.1/24
ip -n pod route add default via 10.44.0.1; ip -n gate route add default via 10.99.0.1
ip -n site route add default via 10.1.0.2; ip -n centre route add default via 10.1.0.1
for each in site centre; do
    ip netns exec $each sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
        for device in all eth0 eth1; do echo 1 >/proc/sys/net/ipv4/conf/$device/rp_filter; done'
    for device in eth0 eth1; do
        echo "oifname $device ip daddr 10.99.0.2 counter name asked_$device"
        echo "oifname $device ip saddr 10.99.0.2 counter name answered_$device"
        echo "oifname $device ip saddr 10.99.0.2 ip dscp ef counter name class_$device"
    done >/tmp/lines
    { echo "table inet seen {"; sed 's/.* \\(counter\\) name \\(.*\\)/\\1 \\2 { }/' /tmp/lines
      echo "chain post { type filter hook postrouting priority 300;"; cat /tmp/lines; echo "}"; echo "}"; } >/tmp/seen
    ip netns exec $each nft -f /tmp/seen
done
ip netns exec gate socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &
"""


def inside(script: str) -> str:
    return docker("exec", NAME, "sh", "-c", script)


@pytest.fixture(scope="module")
def bench(second_run: Played) -> Iterator[None]:
    """Both links are up and nobody routes by mark."""
    assert second_run.rc == 0
    image = docker("inspect", "--format", "{{.Config.Image}}", node(PRIMARY)).strip()
    docker(
        "run",
        "--detach",
        "--rm",
        "--privileged",
        "--network",
        "none",
        "--name",
        NAME,
        "--entrypoint",
        "sleep",
        image,
        "600",
    )
    try:
        inside(NETWORK)
        yield
    finally:
        docker("kill", NAME)


def begin(side: str, next_hop: str) -> None:
    """Start the watcher of one side, each with files of its own in a mount namespace of its own."""
    link = Resolved("express", 1, 46, "eth1", ((next_hop, "0.0.0.0/0"),))
    for path, text in ruleset.files([link], "eth0").items():
        if path.startswith(ruleset.DIRECTORY):
            target = path.replace(ruleset.DIRECTORY, f"/bench/{side}")
            inside(f"mkdir -p /bench/{side} {ruleset.DIRECTORY}; printf %s {shlex.quote(text)} >{target}")
    inside(
        f"ip netns exec {side} sh -c 'mount --bind /bench/{side} {ruleset.DIRECTORY}; mount -t tmpfs none /run; "
        f"exec sh {ruleset.DIRECTORY}/watch' >/tmp/{side}.log 2>&1 &"
    )
    wait_until(lambda: ways(side) != "", f"{side} takes its link up", 20)


def ways(side: str) -> str:
    return inside(f"ip -n {side} route show table 7101 2>/dev/null || true").strip()


def ask(tos: int) -> dict[str, dict[str, int]]:
    """One request with this type of service, and the packets of both directions by side and device."""
    for side in ("site", "centre"):
        inside(f"ip netns exec {side} nft reset counters >/dev/null")
    echo = f"echo hello | timeout 10 socat -t 3 - TCP:{GATEWAY}:7,tos={tos}"
    assert inside(f"ip netns exec pod sh -c {shlex.quote(echo)}") == "hello\n"
    found = {}
    for side in ("site", "centre"):
        listed = json.loads(inside(f"ip netns exec {side} nft -j list counters table inet seen"))["nftables"]
        found[side] = {each["counter"]["name"]: each["counter"]["packets"] for each in listed if "counter" in each}
    return found


def links(found: dict[str, dict[str, int]]) -> tuple[str, str]:
    """The one device by which the request went, and the one by which the answer came."""
    asked = [device for device in ("eth0", "eth1") if found["site"][f"asked_{device}"]]
    answered = [device for device in ("eth0", "eth1") if found["centre"][f"answered_{device}"]]
    assert (len(asked), len(answered)) == (1, 1), found
    return asked[0], answered[0]


EF = 46 << 2


@pytest.mark.usefixtures("bench")
def test_requests_and_answers_take_the_link_and_leave_it_when_it_is_dead() -> None:
    assert links(ask(EF)) == ("eth0", "eth0")
    begin("site", "10.2.0.2")
    inside("ip netns exec centre sh -c 'echo 2 >/proc/sys/net/ipv4/conf/eth1/rp_filter'")
    assert links(ask(EF)) == ("eth1", "eth0")  # the other side's default: nobody remembers the link there
    inside("ip netns exec centre sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth1/rp_filter'")
    begin("centre", "10.2.0.1")
    found = ask(EF)
    assert links(found) == ("eth1", "eth1")
    assert found["centre"]["class_eth1"] == found["centre"]["answered_eth1"]
    assert links(ask(0)) == ("eth0", "eth0")
    inside("ip -n centre link set eth1 down")
    wait_until(lambda: ways("site") == "" and ways("centre") == "", "both sides leave the dead link", 20)
    assert links(ask(EF)) == ("eth0", "eth0")
    inside("ip -n centre link set eth1 up")
    wait_until(lambda: ways("site") != "" and ways("centre") != "", "both sides return", 20)
    assert links(ask(EF)) == ("eth1", "eth1")


@pytest.mark.usefixtures("bench")
def test_clearing_leaves_nothing_in_the_kernel() -> None:
    inside(f"printf %s {shlex.quote(ruleset.CLEAR)} >/tmp/clear")
    for side in ("site", "centre"):
        inside(f"ip netns pids {side} | xargs -r kill; ip netns exec {side} sh /tmp/clear clear")
        assert ways(side) == ""
        assert "7103" not in inside(f"ip -n {side} rule")
        assert "edge_mesh_wan" not in inside(f"ip netns exec {side} nft list tables")
