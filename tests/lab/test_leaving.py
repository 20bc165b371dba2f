# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites that leave: both sides are listed, by kubectl too; a dead one is cleaned on the primary.

The clusters that have left then make a second mesh, with provider `existing`, which adopts what was there and leaves it
there. Nothing of the first mesh could stay unnoticed under it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.holdings import name_of
from tests.lab.lab import EDGES, PRIMARY, Lab, Played, docker, node
from tests.lab.test_dead_site import DROP

HUB, SHOP = "store-1", "kiosk"  # the second mesh's names for the two edges of the first
CLUSTER = {HUB: EDGES[0], SHOP: EDGES[1]}
SYSTEM = ("-n", "istio-system")


def retire(lab: Lab, site: str, *arguments: str) -> Played:
    return lab.play("playbooks/retire_site.yml", "-e", f"edge_mesh_retire={site}", *arguments)


def everything(lab: Lab, site: str) -> dict[str, dict[str, Any]]:
    """Every object of the cluster by its name."""
    return {name_of(item): item for item in lab.objects(site, lab.all_kinds(site), "--all-namespaces")}


def of_the_mesh(lab: Lab, site: str) -> list[str]:
    """Whatever reminds of Istio or of us; a node remembers the images that it has."""
    return sorted(
        name
        for name, item in everything(lab, site).items()
        if not name.startswith("Node ") and ("istio" in json.dumps(item) or "edge.mesh/" in json.dumps(item))
    )


@pytest.mark.usefixtures("second_run")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "name the site to take out of the mesh: -e edge_mesh_retire=<site>"),
        (("-e", "edge_mesh_retire=nowhere"), "there is no site nowhere (the inventory has "),
        (("-e", f"edge_mesh_retire={PRIMARY}"), f"{PRIMARY} is the primary of {', '.join(EDGES)}; retire those first"),
        (("-e", f"edge_mesh_retire={EDGES[0]}", "--limit", f"{PRIMARY}-machine"), "the run is limited to other sites"),
    ],
)
def test_what_cant_be_retired_is_refused(lab: Lab, arguments: tuple[str, ...], expected: str) -> None:
    refused = lab.play("playbooks/retire_site.yml", *arguments)
    assert refused.rc != 0
    said = " ".join(refused.output.split())
    assert "nothing was touched" in said
    assert expected in said, said[-2000:]


@pytest.fixture(scope="module")
def dead(lab: Lab, second_run: Played) -> Iterator[Played]:
    """A site is retired while its API is dropped."""
    assert second_run.rc == 0
    docker("exec", node(EDGES[1]), "iptables", "-I", *DROP)
    try:
        yield retire(lab, EDGES[1])
    finally:
        docker("exec", node(EDGES[1]), "iptables", "-D", *DROP)


def test_a_dead_site_is_cleaned_on_the_primary(lab: Lab, dead: Played) -> None:
    assert dead.rc == 0, dead.output[-4000:]
    secrets = [item["metadata"]["name"] for item in lab.objects(PRIMARY, "secrets", *SYSTEM)]
    assert f"istio-remote-secret-{EDGES[1]}" not in secrets
    assert f"istio-remote-secret-{EDGES[0]}" in secrets
    service = json.loads(lab.kubectl(PRIMARY, "get", "service", "istiod-gateway", *SYSTEM, "-o", "json"))
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", node(EDGES[1]))
    assert f"{address.strip()}/32" not in service["spec"]["loadBalancerSourceRanges"]


def test_what_the_dead_site_still_has_is_listed(lab: Lab, dead: Played) -> None:
    assert dead.rc == 0
    rows = {(row["site"], row["step"]): row for row in lab.report("retire")["results"]}
    assert rows[PRIMARY, "listed"]["reason"] == f"nothing of {EDGES[1]} is left"
    assert "it gave no answer, so it still has its gateways, webhook" in rows[EDGES[1], "site"]["reason"]


@pytest.fixture(scope="module")
def left(lab: Lab, dead: Played) -> dict[str, Played]:
    """Both edges leave; the dead one has come back."""
    docker("exec", node(EDGES[1]), "iptables", "-D", *DROP)
    try:
        assert dead.rc == 0
        return {site: retire(lab, site) for site in EDGES}
    finally:
        docker("exec", node(EDGES[1]), "iptables", "-I", *DROP)
        docker("exec", node(EDGES[1]), "iptables", "-D", *DROP)
        docker(
            "exec",
            node(EDGES[1]),
            "iptables",
            "-I",
            "INPUT",
            "-i",
            "eth0",
            "-p",
            "tcp",
            "--dport",
            "6443",
            "-j",
            "ACCEPT",
        )


@pytest.mark.parametrize("site", EDGES)
def test_a_site_that_left_has_nothing_of_the_mesh(lab: Lab, left: dict[str, Played], site: str) -> None:
    assert left[site].rc == 0, left[site].output[-4000:]
    assert of_the_mesh(lab, site) == []


@pytest.mark.parametrize("site", EDGES)
def test_the_primary_knows_nothing_of_a_site_that_left(lab: Lab, left: dict[str, Played], site: str) -> None:
    assert left[site].rc == 0
    assert not [name for name in everything(lab, PRIMARY) if name.endswith(f"istio-remote-secret-{site}")]


def test_retiring_again_changes_nothing(lab: Lab, left: dict[str, Played]) -> None:
    assert left
    again = retire(lab, EDGES[0])
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]
