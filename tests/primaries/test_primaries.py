# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two primaries under one root: one mesh for calls, two for control; with one of them down the other half goes on."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lab.lab import Lab, Played, docker, wait_until
from tests.primaries.conftest import KIOSK, NORTH, OWNER, PRIMARIES, SITES, SOUTH, node

SYSTEM = ("-n", "istio-system")
HELLO = "http://helloworld.sample:5000/hello"
PEER = "istio-reader-edge-mesh-peer"


def curl(lab: Lab, site: str, calls: int, *, patience: int = 10) -> list[str]:
    """What helloworld answers to calls from a site, one after the other; an empty line for none."""
    script = f"for i in $(seq {calls}); do curl -s -m {patience} {HELLO} || echo; done"
    return lab.kubectl(
        site, "exec", "-n", "sample", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", script
    ).splitlines()


def answering(lab: Lab, site: str, calls: int = 24) -> set[str]:
    """The sites that answer calls from a site."""
    return set(re.findall(r"site=(\S+)", "\n".join(curl(lab, site, calls))))


def new_pod(lab: Lab, site: str) -> str:
    """Replace helloworld's pod at a site; the new one's containers, once it is ready."""
    lab.kubectl(site, "rollout", "restart", "deployment/helloworld", "-n", "sample")
    lab.kubectl(site, "rollout", "status", "deployment/helloworld", "-n", "sample", "--timeout=90s")
    found = lab.objects(site, "pods", "-n", "sample", "-l", "app=helloworld", "--field-selector=status.phase=Running")
    spec = next(pod["spec"] for pod in found if "deletionTimestamp" not in pod["metadata"])
    return " ".join(each["name"] for each in spec.get("initContainers", []) + spec["containers"])


def well(lab: Lab) -> bool:
    """Whether verify has nothing to say against the mesh."""
    return lab.play("verify.yml").rc == 0


def test_the_mesh_is_proven_and_the_second_run_changes_nothing(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    verified = lab.play("verify.yml")
    assert verified.rc == 0, verified.output[-4000:]
    again = lab.play("site.yml")
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]


def test_every_check_between_primaries_was_made(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    seen = {(item["id"], item["site"], item["peer"]): item["verdict"] for item in lab.verified()["checks"]}
    for site in SITES:
        for primary in PRIMARIES:
            if primary not in (site, OWNER[site]):
                assert seen["istiod.cluster-synced", site, primary] == "ok"
                assert seen["input.reader", site, primary] == "ok"
        assert seen["istiod.cluster-synced", site, None] == "ok"
        assert [verdict for (check, of, _peer), verdict in seen.items() if (check, of) == ("traffic.reach", site)]
    assert ("site.no-control-plane", KIOSK, None) in seen
    assert ("site.no-control-plane", SOUTH, None) not in seen


def test_one_root_signs_an_intermediate_each(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    bundles = [
        json.loads(lab.kubectl(name, "get", "secret", "cacerts", *SYSTEM, "-o", "json"))["data"] for name in PRIMARIES
    ]
    assert bundles[0]["root-cert.pem"] == bundles[1]["root-cert.pem"]
    assert bundles[0]["ca-cert.pem"] != bundles[1]["ca-cert.pem"]


def test_another_primary_can_neither_write_at_a_site_nor_serve_its_proxies(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    namespace = json.loads(lab.kubectl(KIOSK, "get", "namespace", "istio-system", "-o", "json"))
    assert namespace["metadata"]["annotations"]["topology.istio.io/controlPlaneClusters"] == NORTH
    secret = json.loads(lab.kubectl(SOUTH, "get", "secret", f"istio-remote-secret-{KIOSK}", *SYSTEM, "-o", "json"))
    held = yaml.safe_load(base64.b64decode(secret["data"][KIOSK]))
    token = held["users"][0]["user"]["token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub"] == f"system:serviceaccount:istio-system:{PEER}"
    may = [
        lab.kubectl(KIOSK, "auth", "can-i", "--list", f"--as={claims['sub']}", "--no-headers", *where)
        for where in ((), SYSTEM)
    ]
    given = [
        line
        for text in may
        for line in text.splitlines()
        if "selfsubject" not in line and not line.lstrip().startswith("[")
    ]
    verbs = {verb for line in given for verb in re.findall(r"\[([a-z ]*)\]\s*$", line)[0].split()}
    assert verbs == {"get", "list", "watch"}, given
    assert not [line for line in given if "tokenreviews" in line]


def test_calls_from_every_site_are_answered_by_every_site(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    for site in SITES:
        assert answering(lab, site) == set(SITES)


# -- one primary down --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_south(lab: Lab, first_run: Played) -> Iterator[None]:
    """The mesh while one primary's cluster stands still."""
    assert first_run.rc == 0
    docker("stop", "--time", "20", node(SOUTH))
    yield
    docker("start", node(SOUTH))


def test_the_other_side_keeps_answering(lab: Lab, without_south: None) -> None:
    """Without an outlier policy dead endpoints stay in rotation, so a third of first tries ends there."""
    for site in (NORTH, KIOSK):
        wait_until(lambda site=site: answering(lab, site, 6) == {NORTH, KIOSK}, f"calls from {site}")  # type: ignore[misc]
        answered = [line for line in curl(lab, site, 10) if "site=" in line]
        assert {line.split("site=")[1].split()[0] for line in answered} <= {NORTH, KIOSK}
        assert len(answered) > 5, answered


def test_the_other_side_starts_new_pods(lab: Lab, without_south: None) -> None:
    for site in (NORTH, KIOSK):
        assert "istio-proxy" in new_pod(lab, site)
    wait_until(lambda: answering(lab, KIOSK, 8) == {NORTH, KIOSK}, "answers from the new pods")


def test_a_run_serves_the_other_side_and_names_the_dead_one(lab: Lab, without_south: None) -> None:
    lab.kubectl(KIOSK, "delete", "deployment", "istio-eastwestgateway", *SYSTEM)
    played = lab.play("site.yml", "--limit", f"{NORTH}-machine,{KIOSK}-machine")
    assert played.rc == 0, played.output[-4000:]
    rows = {row["site"]: row["result"] for row in lab.report("run")["results"]}
    assert rows == {NORTH: "done", KIOSK: "done"}
    wait_until(lambda: answering(lab, NORTH, 8) == {NORTH, KIOSK}, "calls to the gateway that was made anew")


def test_status_blames_the_dead_primary_alone(lab: Lab, without_south: None) -> None:
    asked = lab.play("playbooks/status.yml")
    assert asked.rc != 0
    rows = {row["site"]: row["status"] for row in lab.report("status")["sites"]}
    assert rows == {NORTH: "healthy", KIOSK: "healthy", SOUTH: "unreachable"}


def test_back_again_everything_heals(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    docker("start", node(SOUTH))
    again = lab.play("site.yml")
    assert again.rc == 0, again.output[-4000:]
    wait_until(lambda: well(lab), "a mesh that is well again", 240)
    for site in SITES:
        assert answering(lab, site) == set(SITES)


# -- an edge whose own primary is down ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def north_paused(lab: Lab, first_run: Played) -> Iterator[Played]:
    """A run while the edge's own primary gives no answer, with the other primary's row to be seen."""
    assert first_run.rc == 0
    docker("pause", node(NORTH))
    try:
        yield lab.play("site.yml")
    finally:
        unpause(NORTH)


def unpause(site: str) -> None:
    """Let a site's node go on, if it is paused."""
    if docker("inspect", "--format", "{{.State.Paused}}", node(site)).strip() == "true":
        docker("unpause", node(site))


def test_an_edge_whose_primary_is_dead_waits_and_says_so(lab: Lab, north_paused: Played) -> None:
    assert north_paused.rc != 0
    rows: dict[str, Any] = {row["site"]: row for row in lab.report("run")["results"]}
    assert rows[SOUTH]["result"] == "done"
    assert (rows[NORTH]["result"], rows[NORTH]["step"]) == ("failed", "cluster")
    assert "docker unpause" in rows[NORTH]["reason"]
    assert rows[KIOSK]["result"] == "not started"
    assert f"its primary {NORTH} failed at the stage cluster" in rows[KIOSK]["reason"]


def test_the_primary_that_is_left_keeps_answering_and_starts_new_pods(lab: Lab, north_paused: Played) -> None:
    assert north_paused.rc != 0
    assert "istio-proxy" in new_pod(lab, SOUTH)
    wait_until(lambda: SOUTH in answering(lab, SOUTH, 6), f"calls from {SOUTH} without {NORTH}")


# -- leaving -----------------------------------------------------------------------------------------------------------


def test_an_edge_leaves_all_primaries(lab: Lab, first_run: Played) -> None:
    assert first_run.rc == 0
    unpause(NORTH)
    wait_until(lambda: lab.play("site.yml").rc == 0, "a run that finishes what was left", 240)
    left = lab.play("playbooks/retire_site.yml", "-e", f"edge_mesh_retire={KIOSK}")
    assert left.rc == 0, left.output[-4000:]
    for primary in PRIMARIES:
        names = [item["metadata"]["name"] for item in lab.objects(primary, "secrets", *SYSTEM)]
        assert f"istio-remote-secret-{KIOSK}" not in names
    wait_until(lambda: answering(lab, SOUTH) == set(PRIMARIES), "calls among those that stay")
