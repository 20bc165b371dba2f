# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WAN association on real clusters: the mesh's rules choose the link, seen by counters on each interface.

The run makes a second network between the primary and one edge, and takes it away at the end. What is counted are
packets between the two gateways (port 15443), so that the control plane's and the links' own traffic don't count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.asking import Mesh
from tests.lab.fault_table import WAN, Fault
from tests.lab.faults import Place
from tests.lab.lab import EDGES, MESH, PRIMARY, Lab, Played, docker, node, wait_until
from tests.lab.wan_links import (
    EDGE,
    ENDS,
    LINK_NETWORK,
    Association,
    call,
    counted,
    counting,
    device,
    in_node,
    rule,
)

CALLS = 20
# Packets on the other link that are no mistake: connections of earlier calls that are kept alive or end meanwhile.
ALLOWANCE = 8
BOSS = rule("boss")
LEFT = (
    "ip rule | grep '^7[01]'; ip route show table all | grep 'table 71'; nft list tables | grep wan; "
    "ls -d /etc/edge-mesh-wan /run/edge-mesh-wan /etc/systemd/system/edge-mesh-wan* 2>/dev/null; "
    "systemctl is-active edge-mesh-wan || true"
)
HOSTS = ",".join(f"{site}-machine" for site in ENDS)


@dataclass(frozen=True)
class Ground:
    """The mesh with its second network, and the run that made it."""

    lab: Lab
    association: Association
    run: Played


@pytest.fixture(scope="module")
def ground(lab: Lab, second_run: Played) -> Iterator[Ground]:
    assert second_run.rc == 0
    association = Association(lab)
    lab.write_inventory(association.variables(BOSS))
    try:
        yield Ground(lab, association, lab.play("site.yml", "--limit", HOSTS))
    finally:
        lab.write_inventory()


@pytest.fixture
def marked(ground: Ground) -> Association:
    """The rule for boss in force, whatever the test before did."""
    bring(ground.association, BOSS)
    return ground.association


def bring(association: Association, *rules: dict[str, object]) -> None:
    """Bring rules and wait until the proxies of both ends have them."""
    association.mark(*rules)
    wait_until(lambda: not association.verdicts(*rules), f"the rules {rules}", 30)


def on(lab: Lab, caller: str, peer: str, user: str) -> dict[str, int]:
    """Packets of 20 calls that the peer answered, after those that only close what was open before."""
    call(lab, caller, peer, user, 3)
    with counting(caller, lab.address(peer)):
        bad = call(lab, caller, peer, user, CALLS)
        found = counted(caller)
    assert bad == 0
    return found


def leads(lab: Lab, user: str) -> str:
    """The link that a few calls take right now: new routes need a moment until every proxy has them."""
    with counting(EDGE, lab.address(PRIMARY)):
        call(lab, EDGE, PRIMARY, user, 2)
        found = counted(EDGE)
    return "link" if found["out_link"] > found["out_default"] else "default"


def used(found: dict[str, int]) -> str:
    """The one link that the calls took, in both directions."""
    own, other = ("link", "default") if found["out_link"] > found["out_default"] else ("default", "link")
    assert min(found[f"out_{own}"], found[f"in_{own}"]) >= CALLS, found
    assert found[f"out_{other}"] + found[f"in_{other}"] <= ALLOWANCE, found
    return own


def test_the_run_makes_the_link_and_the_checks_know_it(ground: Ground) -> None:
    assert ground.run.rc == 0, ground.run.output[-6000:]
    assert docker("network", "inspect", "--format", '{{index .Labels "edge.mesh/mesh"}}', LINK_NETWORK).strip() == MESH
    checks = ground.association.checks(BOSS)
    assert {check for _site, check in checks} == {"wan.marking", "wan.routing", "wan.fallback"}
    assert {key: record for key, record in checks.items() if record["verdict"] != "ok"} == {}


def test_once_more_changes_nothing(marked: Association) -> None:
    assert not marked.mark(BOSS)
    assert not any(marked.route(site) for site in ENDS)


@pytest.mark.parametrize(("caller", "peer"), [(EDGE, PRIMARY), (PRIMARY, EDGE)])
def test_each_user_has_a_link_in_both_directions(ground: Ground, marked: Association, caller: str, peer: str) -> None:
    boss = on(ground.lab, caller, peer, "boss")
    assert used(boss) == "link"
    # Every packet of the rule carries the link's class, and so does every answer.
    assert (boss["ef_out_link"], boss["ef_in_link"]) == (boss["out_link"], boss["in_link"])
    minion = on(ground.lab, caller, peer, "minion")
    assert used(minion) == "default"
    assert minion["ef_out_default"] + minion["ef_in_default"] == 0


def test_a_capture_shows_the_class(ground: Ground, marked: Association) -> None:
    own = device(EDGE, LINK_NETWORK)
    in_node(EDGE, f"timeout 120 tcpdump -nvi {own} -c 12 tcp port 15443 >/tmp/wan.txt 2>/tmp/wan.said &")
    wait_until(lambda: "listening on" in in_node(EDGE, "cat /tmp/wan.said"), "the capture begins", 60)
    call(ground.lab, EDGE, PRIMARY, "boss", CALLS)
    wait_until(lambda: "packets captured" in in_node(EDGE, "cat /tmp/wan.said"), "the capture has its packets", 60)
    captured = in_node(EDGE, "cat /tmp/wan.txt; rm /tmp/wan.txt /tmp/wan.said")
    assert captured.count("tos 0xb8") == 12
    assert "tos 0x0" not in captured


def test_a_link_that_is_pulled_falls_back_and_returns(ground: Ground, marked: Association) -> None:
    far = device(PRIMARY, LINK_NETWORK)
    in_node(PRIMARY, f"ip link set {far} down")
    try:
        wait_until(lambda: routes() == "", "the way over the dead link is taken out by the node itself", 20)
        wait_until(lambda: answered(ground.lab), "calls are answered again", 20)
        assert used(on(ground.lab, EDGE, PRIMARY, "boss")) == "default"
        assert marked.verdicts(BOSS)[EDGE, "wan.fallback"] == "warning"
    finally:
        in_node(PRIMARY, f"ip link set {far} up")
    wait_until(lambda: routes() != "", "the way comes back", 20)
    wait_until(lambda: answered(ground.lab), "calls are answered again", 20)
    assert used(on(ground.lab, EDGE, PRIMARY, "boss")) == "link"
    wait_until(lambda: not marked.verdicts(BOSS), "all is well", 20)


def routes() -> str:
    return in_node(EDGE, "ip route show table 7101 2>/dev/null || true").strip()


def answered(lab: Lab) -> bool:
    """Whether no call in a row fails; those that were under way on the link that went are lost."""
    return call(lab, EDGE, PRIMARY, "boss", 5) == 0


def test_a_changed_rule_moves_its_traffic_and_no_other(ground: Ground, marked: Association) -> None:
    bring(marked, rule("minion"))
    wait_until(lambda: leads(ground.lab, "minion") == "link", "the other user gets the link", 20)
    users = {user: used(on(ground.lab, EDGE, PRIMARY, user)) for user in ("boss", "minion", "nobody")}
    assert users == {"boss": "default", "minion": "link", "nobody": "default"}


def test_a_rule_that_is_removed_restores_the_default(ground: Ground, marked: Association) -> None:
    bring(marked)
    wait_until(lambda: leads(ground.lab, "boss") == "default", "the user has no link any more", 20)
    found = on(ground.lab, EDGE, PRIMARY, "boss")
    assert used(found) == "default"
    assert found["ef_out_default"] == 0
    kinds = "virtualservice,destinationrule,envoyfilter"
    assert ground.lab.objects(PRIMARY, kinds, "--all-namespaces", "-l", "edge.mesh/set=wan-association") == []


@pytest.mark.deep
@pytest.mark.parametrize("fault", WAN, ids=lambda fault: str(fault.name))
def test_each_fault_turns_its_checks(ground: Ground, marked: Association, fault: Fault) -> None:
    undo = fault.make(Place(Mesh(ground.lab, MESH, PRIMARY, tuple(EDGES)), EDGE))
    try:
        wanted = {(EDGE, check): verdict for check, verdict in fault.turns.items()}
        wanted |= {(PRIMARY, check): verdict for check, verdict in fault.elsewhere.items()}
        wait_until(lambda: marked.verdicts(BOSS) == wanted, f"exactly {wanted} turn", 20)
        assert all(record["hint"] for record in marked.checks(BOSS).values() if record["verdict"] != "ok")
    finally:
        undo()
        marked.mark(BOSS)
        marked.route(EDGE)
    wait_until(lambda: not marked.verdicts(BOSS), "all is well again", 20)


def test_bad_input_is_refused_before_anything_is_touched(ground: Ground, marked: Association) -> None:
    bad = marked.variables(BOSS, {"host": "nobody.nowhere", "link": "express"})
    bad[EDGE]["edge_mesh_wan_links"] = [{"name": "plain", "default": True},
                                        {"name": "express", "dscp": "EF", "interface": "eth9"}]  # fmt: skip
    bad[PRIMARY]["edge_mesh_wan_links"] = [*bad[EDGE]["edge_mesh_wan_links"][:1],
                                           {"name": "express", "dscp": "EF", "interface": "eth0"}]  # fmt: skip
    ground.lab.write_inventory(bad)
    refused = ground.lab.play("site.yml")
    assert refused.rc != 0
    assert refused.changed == 0
    assert "nothing was touched" in refused.output
    assert "its node has no interface eth9" in refused.output
    assert "names the host nobody.nowhere.svc.cluster.local, which nobody knows" in refused.output
    assert marked.verdicts(BOSS) == {}


def test_without_links_nothing_of_them_is_left(ground: Ground) -> None:
    ground.lab.write_inventory()
    removed = ground.lab.play("site.yml", "--limit", HOSTS)
    assert removed.rc == 0, removed.output[-6000:]
    assert docker("network", "ls", "--quiet", "--filter", f"name={LINK_NETWORK}") == ""
    kinds = "virtualservice,destinationrule,envoyfilter"
    assert ground.lab.objects(PRIMARY, kinds, "--all-namespaces", "-l", "edge.mesh/set=wan-association") == []
    for site in ENDS:
        left = in_node(site, LEFT)
        assert left.split() == ["inactive"], f"{node(site)}: {left}"
