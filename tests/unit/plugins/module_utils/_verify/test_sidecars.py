# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What at a gateway-only site has a sidecar or demands one, by name."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only as istio
from ansible_collections.edge.mesh.plugins.module_utils._verify import sidecars
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Finding

Json = dict[str, Any]
OURS = [{"manager": "edge.mesh", "operation": "Apply", "fieldsV1": {"f:metadata": {}}}]
WIDE: Json = {"metadata": {"name": "istio-sidecar-injector"}, "webhooks": [{"name": "rev.namespace"}]}
(NARROW,) = istio.narrowed([{**WIDE, "kind": "MutatingWebhookConfiguration"}])
INJECT = {"sidecar.istio.io/inject": "true"}


def named(name: str, namespace: str = "", **metadata: Any) -> Json:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {}), **metadata}}


def workload(name: str, namespace: str, labels: Json, kind: str = "Deployment") -> Json:
    return {**named(name, namespace), "kind": kind, "spec": {"template": {"metadata": {"labels": labels}}}}


def pod(name: str, namespace: str, *containers: str, **metadata: Any) -> Json:
    return {**named(name, namespace, **metadata), "spec": {"containers": [{"name": each} for each in containers]}}


def ours(namespace: Json) -> Json:
    metadata = namespace["metadata"]
    labels = {**metadata.get("labels", {}), "edge.mesh/origin": "created", "edge.mesh/set": "sample-apps"}
    return {"metadata": {**metadata, "labels": labels, "managedFields": OURS}}


GATEWAY = workload("istio-eastwestgateway", "istio-system", {"app": "istio-eastwestgateway", **INJECT})
GATEWAY_POD = pod(
    "istio-eastwestgateway-1", "istio-system", "istio-proxy", labels={"app": "istio-eastwestgateway", **INJECT}
)


def judge(
    namespaces: tuple[Json, ...] = (), workloads: tuple[Json, ...] = (), pods: tuple[Json, ...] = (),
    webhooks: tuple[Json, ...] = (NARROW,),
) -> Finding:  # fmt: skip
    return sidecars.gateway_only(list(namespaces), [*workloads, GATEWAY], [*pods, GATEWAY_POD], list(webhooks))


def test_a_site_with_gateways_alone_is_well_and_says_what_it_gives_up() -> None:
    found = judge((named("shop"),), (workload("till", "shop", {"app": "till"}),), (pod("till-1", "shop", "till"),))
    assert found.verdict == "ok"
    assert found.evidence["gives_up"] == list(sidecars.GIVES_UP)
    assert "plain text inside" in found.evidence["seen"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"namespaces": (named("shop", labels={"istio-injection": "enabled"}),)}, "namespace shop"),
        ({"namespaces": (named("shop", labels={"istio.io/rev": "any"}),)}, "namespace shop"),
        ({"workloads": (workload("till", "shop", INJECT),)}, "Deployment shop/till"),
        ({"workloads": (workload("db", "shop", {"istio.io/rev": "r"}, "StatefulSet"),)}, "StatefulSet shop/db"),
        ({"workloads": (workload("ingress", "shop", {"app": "gate", **INJECT}),)}, "Deployment shop/ingress"),
        ({"pods": (pod("bare", "shop", "app", labels=INJECT),)}, "pod shop/bare"),
        ({"pods": (pod("bare", "shop", "app", annotations=INJECT),)}, "pod shop/bare"),
        ({"pods": (pod("till-1", "shop", "app", "istio-proxy"),)}, "pod shop/till-1"),
    ],
)  # fmt: skip
def test_what_demands_a_sidecar_is_named(given: dict[str, Any], expected: str) -> None:
    found = judge(**given)
    assert found.verdict == "failed"
    assert found.evidence["others"] == [expected]
    assert expected in found.evidence["seen"]
    assert "edge_mesh_mode: sidecar" in found.hint


def test_what_opts_out_or_belongs_to_a_named_workload_demands_nothing() -> None:
    found = judge(
        (named("shop", labels={"istio-injection": "disabled"}),),
        (workload("till", "shop", {"istio.io/rev": "r", "sidecar.istio.io/inject": "false"}),),
        (
            pod("till-1", "shop", "app", labels=INJECT, ownerReferences=[{"controller": True}]),
            pod("going", "shop", "istio-proxy", deletionTimestamp="now"),
        ),
    )
    assert found.verdict == "ok"


def test_what_is_ours_fails_the_check_and_refuses_no_run() -> None:
    found = judge(
        (ours(named("sample", labels={"istio-injection": "enabled"})),),
        pods=(pod("sleep-1", "sample", "sleep", "istio-proxy"),),
    )
    assert found.verdict == "failed"
    assert found.evidence["others"] == []
    assert found.evidence["demands"] == ["namespace sample", "pod sample/sleep-1 (has one)"]
    assert found.hint.startswith("run site.yml again")


def test_a_webhook_that_injects_more_than_the_gateways_is_named() -> None:
    found = judge(webhooks=(WIDE,))
    assert found.verdict == "failed"
    assert found.evidence["webhooks"] == ["istio-sidecar-injector"]
