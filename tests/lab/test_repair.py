# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repair: an object of every kind is deleted, one of every kind is changed by hand, and a run mends exactly these.

Damage of one table is done at once and mended by one run: what must not change is then seen over many kinds, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab.holdings import Held, held, ours
from tests.lab.lab import EDGES, NAMES, PRIMARY, Lab, Played, wait_until

EDGE = EDGES[0]
SYSTEM = "istio-system"


@dataclass(frozen=True)
class Damage:
    """One object at one site, and what is done to it: deleted, or changed by a JSON patch (``None`` deletes)."""

    site: str
    what: str
    patch: list[dict[str, Any]] | None = None
    # A credential in a Secret has no former value to come back to.
    anew: bool = False

    def __str__(self) -> str:
        how = "deleted" if self.patch is None else self.patch[0]["path"].replace("~1", "/")
        return f"{self.site}: {self.what} {how}"

    def do(self, lab: Lab) -> None:
        kind, _space, place = self.what.partition(" ")
        namespace, _slash, name = place.rpartition("/")
        where = ["-n", namespace] if namespace else []
        if self.patch is None:
            lab.kubectl(self.site, "delete", kind, name, *where, "--wait=true")
        else:
            lab.kubectl(self.site, "patch", kind, name, *where, "--type=json", "-p", json.dumps(self.patch))


def put(path: str, value: Any) -> list[dict[str, Any]]:
    """A change of one field by hand."""
    return [{"op": "replace", "path": path, "value": value}]


def drop(path: str) -> list[dict[str, Any]]:
    """A field taken away by hand."""
    return [{"op": "remove", "path": path}]


DELETED = (
    Damage(EDGE, f"Deployment {SYSTEM}/istio-eastwestgateway"),
    Damage(EDGE, f"Service {SYSTEM}/istio-ingressgateway"),
    Damage(EDGE, f"ServiceAccount {SYSTEM}/istio-ingressgateway"),
    Damage(EDGE, f"EndpointSlice {SYSTEM}/istiod"),
    Damage(EDGE, "MutatingWebhookConfiguration istio-sidecar-injector"),
    Damage(EDGE, f"ConfigMap {SYSTEM}/values"),
    Damage(EDGE, "CustomResourceDefinition telemetries.telemetry.istio.io"),
    Damage(PRIMARY, f"Secret {SYSTEM}/cacerts"),
    Damage(PRIMARY, f"ConfigMap {SYSTEM}/edge-mesh"),
    Damage(PRIMARY, f"Gateway {SYSTEM}/cross-network"),
    Damage(PRIMARY, "VirtualService sample/helloworld"),
    Damage(PRIMARY, f"VirtualService {SYSTEM}/route-reviews-sample"),
    Damage(PRIMARY, f"DestinationRule {SYSTEM}/route-stock-sample"),
    Damage(PRIMARY, f"PeerAuthentication {SYSTEM}/default"),
    Damage(PRIMARY, "ValidatingWebhookConfiguration istio-validator-istio-system"),
    Damage(PRIMARY, f"RoleBinding {SYSTEM}/istiod"),
    Damage(PRIMARY, "ServiceAccount sample/helloworld"),
)
# Apart from the webhook: without rights istiod can't fill that in, and gets a new token to look again.
RIGHTS = (
    Damage(EDGE, "ClusterRole istio-reader-edge-mesh-istio-system"),
    Damage(EDGE, "ClusterRoleBinding istio-reader-edge-mesh-istio-system"),
    Damage(EDGE, f"Role {SYSTEM}/istio-reader-edge-mesh"),
    Damage(EDGE, f"RoleBinding {SYSTEM}/istio-reader-edge-mesh"),
)
CHANGED = (
    Damage(EDGE, f"Namespace {SYSTEM}", drop("/metadata/labels/topology.istio.io~1network")),
    Damage(EDGE, f"Deployment {SYSTEM}/istio-ingressgateway", put("/spec/replicas", 0)),
    Damage(EDGE, f"Service {SYSTEM}/istio-eastwestgateway", put("/spec/ports/0/port", 15444)),
    Damage(EDGE, "Service sample/helloworld", drop("/metadata/labels/app")),
    Damage(EDGE, f"EndpointSlice {SYSTEM}/istiod", put("/endpoints/0/addresses/0", "192.0.2.9")),
    Damage(EDGE, "MutatingWebhookConfiguration istio-sidecar-injector",
           put("/webhooks/0/clientConfig/service/path", "/inject/cluster/x/net/y")),
    Damage(EDGE, f"ConfigMap {SYSTEM}/values", put("/data/merged-values", "{}")),
    Damage(EDGE, f"ServiceAccount {SYSTEM}/istio-eastwestgateway", drop("/metadata/labels/edge.mesh~1set")),
    Damage(EDGE, "ClusterRole istio-reader-edge-mesh-istio-system", put("/rules/0/verbs", ["get"])),
    Damage(EDGE, "ClusterRoleBinding istio-reader-edge-mesh-istio-system", put("/subjects/0/name", "somebody")),
    Damage(EDGE, f"Role {SYSTEM}/istio-reader-edge-mesh", put("/rules/0/verbs", ["get"])),
    Damage(EDGE, f"RoleBinding {SYSTEM}/istio-reader-edge-mesh", put("/subjects/0/name", "somebody")),
    Damage(PRIMARY, "Namespace sample", drop("/metadata/labels/istio-injection")),
    Damage(PRIMARY, f"Secret {SYSTEM}/cacerts", drop("/data/cert-chain.pem")),
    Damage(PRIMARY, f"ConfigMap {SYSTEM}/edge-mesh", put("/data/primary", "elsewhere")),
    Damage(PRIMARY, f"VirtualService {SYSTEM}/istiod", put("/spec/hosts", ["x.example"])),
    Damage(PRIMARY, f"VirtualService {SYSTEM}/route-stock-sample", put("/spec/http/0/route/0/weight", 10)),
    Damage(PRIMARY, f"DestinationRule {SYSTEM}/route-reviews-sample", put("/spec/subsets/0/labels/version", "v9")),
    Damage(PRIMARY, f"Gateway {SYSTEM}/istiod", put("/spec/selector/istio", "ingressgateway")),
    Damage(PRIMARY, f"PeerAuthentication {SYSTEM}/default", put("/spec/mtls/mode", "DISABLE")),
    Damage(PRIMARY, f"Service {SYSTEM}/istiod-gateway", put("/spec/loadBalancerSourceRanges", ["0.0.0.0/0"])),
    Damage(PRIMARY, "ClusterRole istiod-clusterrole-istio-system", put("/rules/0/verbs", ["get"])),
    Damage(PRIMARY, "CustomResourceDefinition gateways.networking.istio.io", drop("/metadata/labels/edge.mesh~1set")),
    Damage(PRIMARY, "ValidatingWebhookConfiguration istio-validator-istio-system",
           put("/webhooks/0/rules/0/operations", ["CREATE"])),
    Damage(PRIMARY, "Deployment sample/sleep", put("/spec/template/spec/containers/0/image", "nowhere/sleep:1")),
)  # fmt: skip
CREDENTIALS = (
    Damage(PRIMARY, f"Secret {SYSTEM}/istio-remote-secret-{EDGE}", anew=True),
    Damage(PRIMARY, f"Secret {SYSTEM}/istio-remote-secret-{EDGES[1]}", put(f"/data/{EDGES[1]}", "e30K"), anew=True),
)
ROUNDS = {"deleted": DELETED, "rights": RIGHTS, "changed": CHANGED, "credentials": CREDENTIALS}


@dataclass
class Round:
    """One table's damage: what was held before, after it, and after the run that mended it."""

    before: dict[str, dict[str, Held]]
    broken: dict[str, dict[str, Held]]
    run: Played
    after: dict[str, dict[str, Held]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def rounds(lab: Lab, second_run: Played) -> Callable[[str], Round]:
    """Damages and mends, each once."""
    assert second_run.rc == 0
    done: dict[str, Round] = {}

    def get(name: str) -> Round:
        if name not in done:
            before = {site: held(lab, site) for site in NAMES}
            for damage in ROUNDS[name]:
                damage.do(lab)
            broken = {site: held(lab, site) for site in NAMES}
            done[name] = Round(before, broken, lab.play("site.yml", "--diff"))
            wait_until(lambda: settled(lab), "the workloads", 60)
            done[name].after = {site: held(lab, site) for site in NAMES}
        return done[name]

    return get


def settled(lab: Lab) -> bool:
    """Whether no pod of the mesh is on its way in or out."""
    return all(
        condition["status"] == "True"
        for site in NAMES
        for pod in lab.objects(site, "pods", "--all-namespaces")
        for condition in pod["status"].get("conditions") or []
        if condition["type"] == "Ready"
    )


def kinds(damages: tuple[Damage, ...]) -> set[str]:
    return {damage.what.partition(" ")[0] for damage in damages}


def test_the_tables_hold_every_kind_that_the_tool_makes(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    made = {name.partition(" ")[0] for site in (PRIMARY, EDGE) for name in ours(lab, site)}
    assert made - kinds(DELETED + RIGHTS) == {"Namespace"}  # deleted in a test of its own
    assert made - kinds(CHANGED) == set()


CASES = [(name, damage) for name, damages in ROUNDS.items() for damage in damages]


@pytest.mark.parametrize(("name", "damage"), CASES, ids=[f"{name}: {damage}" for name, damage in CASES])
def test_it_is_mended(rounds: Callable[[str], Round], name: str, damage: Damage) -> None:
    found = rounds(name)
    assert found.run.rc == 0, found.run.output[-6000:]
    before, broken, after = (state[damage.site] for state in (found.before, found.broken, found.after))
    assert broken.get(damage.what) != before[damage.what], "nothing was damaged"
    assert damage.what in after
    if not damage.anew:
        assert after[damage.what].meaning == before[damage.what].meaning


@pytest.mark.parametrize("name", ROUNDS)
def test_nothing_else_is_touched(rounds: Callable[[str], Round], name: str) -> None:
    found = rounds(name)
    damaged = {(damage.site, damage.what) for damage in ROUNDS[name]}
    touched = {
        (site, what)
        for site in NAMES
        for what in found.before[site].keys() | found.after[site].keys()
        if found.before[site].get(what) != found.after[site].get(what)
    }
    # A new credential lives in a Secret of its own at the site.
    token = re.compile(r"Secret istio-system/istio-reader-edge-mesh-token")
    tokens = {(site, what) for site, what in touched if token.match(what)}
    assert tokens if name == "credentials" else not tokens
    assert touched - tokens <= damaged


@pytest.mark.parametrize("name", ROUNDS)
def test_the_difference_that_is_shown_holds_no_secret(rounds: Callable[[str], Round], name: str) -> None:
    output = rounds(name).run.output
    assert "PRIVATE KEY" not in output
    assert not re.search(r"eyJ[A-Za-z0-9_-]{20,}", output)  # a token
    assert not re.search(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}", output)  # PEM in base64


@pytest.mark.deep
def test_a_namespace_that_was_deleted_comes_back_with_all_in_it(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    before = {site: held(lab, site) for site in (PRIMARY, EDGE)}
    for site in before:
        lab.kubectl(site, "delete", "namespace", "sample", "--wait=true", "--timeout=90s")
    assert lab.play("site.yml").rc == 0
    for site, things in before.items():
        after = held(lab, site)
        assert things.keys() == after.keys()
        assert {name: held_now.meaning for name, held_now in after.items()} == {
            name: held_before.meaning for name, held_before in things.items()
        }


def test_the_mesh_is_proven_after_all_that(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    proven = lab.play("verify.yml")
    assert proven.rc == 0, proven.output[-6000:]


def test_verify_notices_a_gateway_that_is_gone(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    lab.kubectl(EDGE, "delete", "deployment", "istio-eastwestgateway", "-n", SYSTEM)
    sick = lab.play("verify.yml")
    assert sick.rc != 0
    failed = {(record["site"], record["id"]) for record in lab.verified()["checks"] if record["verdict"] != "ok"}
    assert (EDGE, "gateway.ready") in failed
    mended = lab.play("site.yml")
    assert (mended.rc, mended.changed) == (0, 1)
