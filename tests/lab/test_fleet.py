# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's days: its status, what is due is renewed and nothing else, addresses that changed are followed."""

from __future__ import annotations

import json

import pytest

from tests.lab.lab import EDGES, NAMES, PRIMARY, Lab, Played

SITE = EDGES[0]
GATEWAY = ("-n", "istio-system", "service", "istio-eastwestgateway")
OTHER = ("-n", "istio-system", "service", "istio-ingressgateway")
ELSEWHERE = "192.0.2.77"


def status(lab: Lab) -> dict[str, tuple[str, str]]:
    return {row["site"]: (row["status"], row["reason"]) for row in lab.report("status")["sites"]}


def test_a_mesh_that_is_well_is_told_so_by_its_status(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    before = lab.report("run")
    found = lab.play("playbooks/status.yml")
    assert (found.rc, found.changed) == (0, 0), found.output[-4000:]
    assert status(lab) == dict.fromkeys(NAMES, ("healthy", ""))
    rows = {row["site"]: row for row in lab.report("status")["sites"]}
    assert rows[PRIMARY]["token_expires_at"] is None
    for site in EDGES:
        assert rows[site]["gateways"] == "2/2"
        assert rows[site]["token_expires_at"]
        assert rows[site]["certificate_expires_at"]
    assert "CERT EXPIRES" in found.output
    assert lab.report("run") == before


@pytest.fixture(scope="module")
def moved(lab: Lab, second_run: Played) -> str:
    """A gateway's address that isn't its own, and a port that somebody has changed."""
    assert second_run.rc == 0
    wrong = {"status": {"loadBalancer": {"ingress": [{"ip": ELSEWHERE}]}}}
    lab.kubectl(SITE, "patch", *GATEWAY, "--subresource=status", "--type=merge", "-p", json.dumps(wrong))
    port = [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8079}]
    lab.kubectl(SITE, "patch", *OTHER, "--type=json", "-p", json.dumps(port))
    return ELSEWHERE


def test_an_address_that_drifted_is_seen(lab: Lab, moved: str) -> None:
    found = lab.play("playbooks/status.yml", "--limit", f"site_{SITE.replace('-', '_')}")
    assert found.rc == 2
    assert list(status(lab)) == [SITE]
    assert status(lab)[SITE][0] == "failed"
    seen = {record["id"]: record for record in lab.report("status")["checks"]}["gateway.address"]
    assert seen["verdict"] == "failed"
    assert f"istio-eastwestgateway has {moved}, not {lab.address(SITE)}" in seen["evidence"]["seen"]


def test_upkeep_follows_the_address_renews_what_is_due_and_leaves_the_rest(lab: Lab, moved: str) -> None:
    kept = lab.play("playbooks/maintain.yml", "-e", "edge_mesh_token_ttl=60d")
    assert kept.rc == 0, kept.output[-4000:]
    rows = {row["site"]: (row["result"], row["reason"]) for row in lab.report("maintain")["results"]}
    assert rows[PRIMARY] == ("done", "nothing was due")
    for site in EDGES:
        assert rows[site][0] == "done"
        assert "wanted 60 d" in rows[site][1]
    assert "Service istio-eastwestgateway: .status" in rows[SITE][1]
    service = json.loads(lab.kubectl(SITE, "get", *GATEWAY, "-o", "json"))
    assert [entry["ip"] for entry in service["status"]["loadBalancer"]["ingress"]] == [lab.address(SITE)]
    assert lab.kubectl(SITE, "get", *OTHER, "-o", "jsonpath={.spec.ports[0].targetPort}") == "8079"


def test_upkeep_has_nothing_to_do_twice(lab: Lab, moved: str) -> None:
    again = lab.play("playbooks/maintain.yml", "-e", "edge_mesh_token_ttl=60d")
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]
    assert {row["reason"] for row in lab.report("maintain")["results"]} == {"nothing was due"}


def test_a_run_mends_what_upkeep_left_and_names_it(lab: Lab, moved: str) -> None:
    run = lab.play("site.yml")
    assert run.rc == 0, run.output[-4000:]
    changed = {row["site"]: row["changes"]["changed"] for row in lab.report("run")["results"]}
    assert "Service istio-system/istio-ingressgateway" in changed[SITE]
    assert "Service istio-system/istio-ingressgateway" not in changed[PRIMARY]
