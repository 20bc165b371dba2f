# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An edge that injects by itself: joined that way, cut off from its centre, back with the centre's webhook, and gone.

What is gained is that pods are created without the centre. What isn't gained is seen, too: they wait for certificates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.edge.cut import counted, cut_off
from tests.edge.pair import EDGE, HELLO, MESH, PRIMARY, Pair, node
from tests.lab.asking import Mesh
from tests.lab.lab import Played, docker, wait_until

INJECTOR = "edge-mesh-injector"
LATE = "late"
WAITS = "failed to generate workload certificate"
HOOKS = ("mutatingwebhookconfigurations",)
_OF_LATE = ("-n", "sample", "-l", f"app={LATE}")


@pytest.fixture(scope="module")
def joined(pair: Pair) -> Played:
    """An edge that wasn't in the mesh joins it, and injects by itself from the start: its gateways, too."""
    pair.describe("sidecar", edge_mesh_local_injector=True)
    played = pair.play("site.yml", "--diff")
    assert played.rc == 0, played.output[-6000:]
    return played


def hooks(pair: Pair) -> list[str]:
    """The injection webhooks of the edge."""
    return sorted(
        each["metadata"]["name"] for each in pair.objects(EDGE, *HOOKS) if "inject" in each["metadata"]["name"]
    )


def injected(pair: Pair) -> dict[str, Any]:
    """What the edge would make of a pod that asks for a sidecar."""
    container = {"name": "app", "image": "app", "ports": [{"containerPort": 8080, "name": "http"}]}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container], "automountServiceAccountToken": False},
        "metadata": {"name": "dry", "namespace": "sample", "labels": {"app": "dry", "sidecar.istio.io/inject": "true"}},
    }  # fmt: skip
    answer = json.loads(
        pair.kubectl(EDGE, "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod))
    )
    names = [each["name"] for kind in ("containers", "initContainers") for each in answer["spec"].get(kind, [])]
    assert "istio-proxy" in names
    return {"spec": answer["spec"], **{key: answer["metadata"].get(key) for key in ("labels", "annotations")}}


def injects(pair: Pair) -> bool:
    """Whether a pod that asks for a sidecar would get one now."""
    try:
        return bool(injected(pair))
    except AssertionError:
        return False


def test_it_joins_and_verify_knows_who_injects(pair: Pair, joined: Played) -> None:
    assert "PRIVATE KEY" not in joined.output
    assert hooks(pair) == [INJECTOR]
    verified = pair.play("verify.yml")
    assert verified.rc == 0, verified.output[-6000:]
    (webhook,) = pair.records("input.webhook", EDGE)
    assert webhook["evidence"]["configurations"] == [INJECTOR]
    (control,) = pair.records("site.no-control-plane", EDGE)
    assert (control["verdict"], len(control["evidence"]["injector"])) == ("ok", 1)


def test_the_next_run_changes_nothing(pair: Pair, joined: Played) -> None:
    assert joined.rc == 0
    again = pair.play("site.yml")
    assert (again.rc, again.changed) == (0, 0), again.output[-6000:]


def test_maintain_renews_its_certificate_if_that_is_due_and_nothing_else(pair: Pair, joined: Played) -> None:
    assert joined.rc == 0
    idle = pair.play("playbooks/maintain.yml")
    assert (idle.rc, idle.changed) == (0, 0), idle.output[-6000:]
    pair.kubectl(EDGE, "delete", "secret", INJECTOR, "-n", INJECTOR)
    renewed = pair.play("playbooks/maintain.yml")
    assert (renewed.rc, renewed.changed) == (0, 1), renewed.output[-6000:]
    assert "there is no certificate" in renewed.output
    # the kubelet brings a Secret that has changed within about a minute
    wait_until(lambda: injects(pair), "the injector serves with its new certificate", 180)


def test_it_has_no_key_of_the_mesh_and_serves_no_proxy(pair: Pair, joined: Played) -> None:
    assert joined.rc == 0
    secrets = [
        each["metadata"]["name"] for each in pair.objects(EDGE, "secrets", "-A") if "ca" in each["metadata"]["name"]
    ]
    assert not {"cacerts", "istio-ca-secret"} & set(secrets)
    (pod,) = pair.objects(EDGE, "pods", "-n", INJECTOR)
    address = pod["status"]["podIP"]
    # what answers there could be asked for certificates and configuration; the webhook's port shows that calls arrive
    assert {port: listens(address, port) for port in (15017, 15010, 15012, 15014)} == {
        15017: True, 15010: False, 15012: False, 15014: False,
    }  # fmt: skip
    (service,) = pair.objects(EDGE, "services", "-n", INJECTOR)
    assert [each["port"] for each in service["spec"]["ports"]] == [443]
    # it reads, and may not write what the mesh trusts
    account = f"--as=system:serviceaccount:{INJECTOR}:{INJECTOR}"
    allowed = pair.kubectl(EDGE, "auth", "can-i", "--list", "-n", "istio-system", account)
    assert not [line for line in allowed.splitlines() if "configmaps" in line or "secrets" in line]


def listens(address: str, port: int) -> bool:
    """Whether a port of a pod of the edge takes connections from its node."""
    connect = f"(exec 3<>/dev/tcp/{address}/{port}) 2>/dev/null && echo open || echo closed"
    return docker("exec", node(EDGE), "timeout", "5", "bash", "-c", connect).strip() == "open"


@dataclass(frozen=True)
class Drill:
    """What was seen of a pod that was created without the centre."""

    verdict: str
    containers: dict[str, bool]
    log: str
    asked: int
    pod: str


@pytest.fixture(scope="module")
def drill(pair: Pair, joined: Played) -> Iterator[Drill]:
    """The drill: the injector starts again without the centre, and then a pod is made."""
    assert joined.rc == 0
    mesh = Mesh(pair, MESH, PRIMARY, (EDGE,), injecting=(EDGE,))
    assert mesh.addresses[EDGE]
    late = program(pair)
    with cut_off(mesh.addresses[PRIMARY]):
        pair.kubectl(EDGE, "rollout", "restart", "-n", INJECTOR, f"deploy/{INJECTOR}")
        pair.kubectl(EDGE, "rollout", "status", "-n", INJECTOR, f"deploy/{INJECTOR}", "--timeout=90s")
        # a moment passes until nobody is sent to the pod that went
        wait_until(lambda: injects(pair), "the new injector is called", 60)
        (record,) = [
            each for each in mesh.health(15)["checks"] if (each["site"], each["id"]) == (EDGE, "join.injection")
        ]
        pair.apply(EDGE, late)
        wait_until(lambda: bool(pair.objects(EDGE, "pods", *_OF_LATE)), "a pod is created", 60)
        wait_until(lambda: WAITS in told(pair), "the sidecar says what it waits for", 90)
        (pod,) = pair.objects(EDGE, "pods", *_OF_LATE)
        found = Drill(
            verdict=record["verdict"],
            containers=readiness(pod),
            log=told(pair),
            asked=counted().control,
            pod=pod["metadata"]["uid"],
        )
    yield found
    pair.kubectl(EDGE, "delete", "-n", "sample", "deploy", LATE)


def program(pair: Pair) -> dict[str, Any]:
    """A program that nobody has started yet."""
    labels = {"app": LATE}
    container = {"name": LATE, "image": pair.image(EDGE, "helloworld"), "imagePullPolicy": "IfNotPresent",
                 "env": [{"name": "SITE", "value": EDGE}]}  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": LATE, "namespace": "sample"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }  # fmt: skip


def readiness(pod: dict[str, Any]) -> dict[str, bool]:
    """Which of a pod's containers are ready."""
    status = pod["status"]
    listed = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    return {each["name"]: each["ready"] for each in listed if each["name"] in (LATE, "istio-proxy")}


def told(pair: Pair) -> str:
    """The log of the new pod's sidecar; empty before it runs."""
    (pod,) = pair.objects(EDGE, "pods", *_OF_LATE)
    status = pod["status"]
    running = [
        each["name"]
        for each in (*status.get("containerStatuses", []), *status.get("initContainerStatuses", []))
        if "running" in each["state"]
    ]
    if "istio-proxy" not in running:
        return ""
    return pair.kubectl(EDGE, "logs", "-n", "sample", pod["metadata"]["name"], "-c", "istio-proxy")


def test_without_the_centre_the_injector_starts_and_a_pod_is_created(drill: Drill) -> None:
    assert drill.verdict == "ok"
    assert "istio-proxy" in drill.containers


def test_without_the_centre_that_pod_waits_for_a_certificate(drill: Drill) -> None:
    assert not drill.containers["istio-proxy"]
    assert not drill.containers.get(LATE)
    assert any(WAITS in line and ":15012: i/o timeout" in line for line in drill.log.splitlines())
    assert drill.asked > 0, "nothing was asked of the centre at all"


def test_with_the_centre_back_it_becomes_ready_by_itself(pair: Pair, drill: Drill) -> None:
    pair.kubectl(EDGE, "rollout", "status", "-n", "sample", f"deploy/{LATE}", "--timeout=180s")
    (pod,) = pair.objects(EDGE, "pods", *_OF_LATE)
    assert pod["metadata"]["uid"] == drill.pod, "another pod was made"
    health = json.dumps(Mesh(pair, MESH, PRIMARY, (EDGE,), injecting=(EDGE,)).ask(30, traffic=True), default=str)
    assert health == "{}", health


def test_turned_off_it_is_gone_and_the_centre_makes_the_same_of_a_pod(pair: Pair, drill: Drill) -> None:
    assert drill.pod
    own = injected(pair)
    pair.describe("sidecar")
    plan = pair.play("site.yml", "--check", "--diff")
    assert plan.rc == 0, plan.output[-6000:]
    assert hooks(pair) == [INJECTOR]
    turned = pair.play("site.yml")
    assert turned.rc == 0, turned.output[-6000:]
    assert hooks(pair) == ["istio-sidecar-injector"]
    for kind in ("namespace", "clusterrole", "clusterrolebinding"):
        assert INJECTOR not in [each["metadata"]["name"] for each in pair.objects(EDGE, kind)]
    assert injected(pair) == own
    verified = pair.play("verify.yml")
    assert verified.rc == 0, verified.output[-6000:]


def test_turned_on_beside_running_proxies_it_leaves_with_its_site(pair: Pair, drill: Drill) -> None:
    assert drill.pod
    pair.describe("sidecar", edge_mesh_local_injector=True)
    turned = pair.play("site.yml")
    assert turned.rc == 0, turned.output[-6000:]
    assert {each.site for each in pair.answers(EDGE, f"{HELLO}/hello", 16)} == {EDGE, PRIMARY}
    left = pair.play("playbooks/retire_site.yml", "-e", f"edge_mesh_retire={EDGE}")
    assert left.rc == 0, left.output[-6000:]
    assert hooks(pair) == []
    assert INJECTOR not in [each["metadata"]["name"] for each in pair.objects(EDGE, "namespace")]
