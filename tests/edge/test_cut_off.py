# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Features at an edge hold without the centre: each is seen, then the centre is cut off, and each is seen again.

One drill for all. What needs the centre is seen, too: a new pod, because its sidecar is injected there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.edge import features
from tests.edge.cut import Counted, counted, cut_off
from tests.edge.pair import EDGE, MESH, PRIMARY, Pair
from tests.lab.asking import Mesh
from tests.lab.lab import Played, wait_until

_PATIENCE = 60


@dataclass(frozen=True)
class Drill:
    """What was seen while the centre was cut off."""

    refusal: bool
    retries: bool
    mirror: bool
    limit: bool
    before: Counted
    after: Counted
    at_the_end: Counted
    restarted: int
    refused_pods: str
    injection: str
    hint: str


@pytest.fixture(scope="module")
def running(pair: Pair, with_sidecars: Played) -> Iterator[Pair]:
    """The programs run at the edge."""
    assert with_sidecars.rc == 0
    pair.apply(EDGE, *features.programs(pair))
    for name in (features.FLAKY, f"{features.FLAKY}-dead", features.SHADOW, features.LIMITED):
        pair.kubectl(EDGE, "rollout", "status", "-n", "sample", f"deploy/{name}", "--timeout=120s")
    yield pair
    pair.kubectl(EDGE, "delete", "-n", "sample", "deploy,service", features.FLAKY, features.SHADOW, features.LIMITED)
    pair.kubectl(EDGE, "delete", "-n", "sample", "deploy", f"{features.FLAKY}-dead")


@pytest.fixture(scope="module")
def featured(running: Pair) -> Iterator[Pair]:
    """The features are on, too."""
    running.apply(PRIMARY, *features.policies(attempts=3))
    yield running
    for kind, name in (
        ("authorizationpolicy", "no-admin"),
        ("virtualservice", features.FLAKY),
        ("envoyfilter", "limit"),
    ):
        running.kubectl(PRIMARY, "delete", "-n", "sample", kind, name, "--ignore-not-found")


def test_a_dead_instance_shows_where_nothing_is_tried_again(running: Pair) -> None:
    running.apply(PRIMARY, *features.policies(attempts=0))
    wait_until(lambda: features.failures(running) > 0, "calls fail", _PATIENCE)


def test_each_feature_is_seen_at_the_edge(featured: Pair) -> None:
    wait_until(lambda: features.refusal_is_in_force(featured), "the refusal", _PATIENCE)
    wait_until(lambda: features.retries_are_in_force(featured), "retries", _PATIENCE)
    wait_until(features.mirror_is_in_force(featured, "before"), "the mirror", _PATIENCE)
    wait_until(lambda: features.limit_is_in_force(featured), "the limit", _PATIENCE)


@pytest.fixture(scope="module")
def drill(featured: Pair) -> Drill:
    """The one drill: everything is looked at while the centre is cut off."""
    wait_until(lambda: features.refusal_is_in_force(featured), "the refusal", _PATIENCE)
    mesh = Mesh(featured, MESH, PRIMARY, (EDGE,))
    assert mesh.addresses[EDGE]
    with cut_off(mesh.addresses[PRIMARY]):
        before = counted()
        refusal = features.refusal_is_in_force(featured)
        retries = features.retries_are_in_force(featured)
        mirrored = features.mirror_is_in_force(featured, "during")
        limit = features.limit_is_in_force(featured)
        wait_until(mirrored, "the mirror", 20)
        mirror = mirrored()
        after = counted()
        restarted = _restart_program(featured)
        featured.kubectl(EDGE, "delete", "pod", "-n", "sample", "-l", f"app={features.LIMITED}", "--wait=true")
        refused = _refused_pods(featured)
        (record,) = [
            each for each in mesh.health(15)["checks"] if (each["site"], each["id"]) == (EDGE, "join.injection")
        ]
        at_the_end = counted()
    return Drill(
        refusal, retries, mirror, limit, before, after, at_the_end, restarted, refused, record["verdict"],
        f"{record['evidence']} {record['hint']}",
    )  # fmt: skip


def _restart_program(pair: Pair) -> int:
    """End a program in its pod, which Kubernetes starts again there without the centre; how often it has done so."""
    pod = ("-n", "sample", "-l", f"app={features.SHADOW}")
    pair.kubectl(EDGE, "exec", "-n", "sample", f"deploy/{features.SHADOW}", "-c", features.SHADOW, "--",
                 "python3", "-c", "import os, signal; os.kill(1, signal.SIGINT)")  # fmt: skip

    def restarts() -> int:
        statuses = [each for item in pair.objects(EDGE, "pods", *pod) for each in item["status"]["containerStatuses"]]
        return sum(each["restartCount"] for each in statuses if each["name"] == features.SHADOW and each["ready"])

    wait_until(lambda: restarts() > 0, "the program runs again in its pod", 60)
    return restarts()


def _refused_pods(pair: Pair) -> str:
    """Why Kubernetes can't make a pod anew, in its own words."""

    def told() -> str:
        events = pair.objects(EDGE, "events", "-n", "sample", "--field-selector", "reason=FailedCreate")
        return " ".join(each["message"] for each in events if features.LIMITED in each["involvedObject"]["name"])

    wait_until(lambda: bool(told()), "Kubernetes tells why there is no pod", 60)
    return told()


def test_each_feature_is_in_force_without_the_centre(drill: Drill) -> None:
    assert (drill.refusal, drill.retries, drill.mirror, drill.limit) == (True, True, True, True)


def test_requests_inside_the_site_need_no_packet_to_the_centre(drill: Drill) -> None:
    # proxies go on asking for istiod, and the API goes on telling it; nothing else wants to leave, whatever is called
    assert (drill.before.other, drill.after.other) == (0, 0)
    assert drill.at_the_end.control > 0, "nothing was counted at all"


def test_a_program_that_ends_is_started_again_and_a_new_pod_is_refused_and_told(drill: Drill) -> None:
    assert drill.restarted == 1
    assert "failed calling webhook" in drill.refused_pods
    assert drill.injection == "failed"
    assert "15017" in drill.hint


def test_everything_is_well_again_when_the_centre_is_back(featured: Pair, drill: Drill) -> None:
    assert drill.refused_pods
    # Kubernetes waits longer after each refusal: its owner need not
    featured.kubectl(EDGE, "rollout", "restart", "-n", "sample", f"deploy/{features.LIMITED}")
    featured.kubectl(EDGE, "rollout", "status", "-n", "sample", f"deploy/{features.LIMITED}", "--timeout=180s")
    wait_until(lambda: features.limit_is_in_force(featured), "the limit at the new pod", _PATIENCE)
    told = json.dumps(Mesh(featured, MESH, PRIMARY, (EDGE,)).ask(30, traffic=True), default=str)
    assert told == "{}", told
