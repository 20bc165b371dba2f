# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Would a pod get its sidecar?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._xds import injection
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Mesh, Site

SITE = Site("lyon", "net-lyon")


def mesh(revision_label: str = "default") -> Mesh:
    return Mesh("istio-system", "istiod", revision_label, "m1", "cluster.local", "default", "gw")


def pod(kind: str, cluster: str = "lyon", network: str | None = "net-lyon") -> dict[str, Any]:
    env = [{"name": "ISTIO_META_CLUSTER_ID", "value": cluster}]
    if network is not None:
        env.append({"name": "ISTIO_META_NETWORK", "value": network})
    spec: dict[str, Any] = {"containers": [{"name": "probe"}]}
    spec.setdefault(kind, []).append({"name": "istio-proxy", "image": "proxyv2", "env": env})
    return {"spec": spec}


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_a_sidecar_is_found_as_a_container_and_as_a_native_sidecar(kind: str) -> None:
    finding = injection.judge(pod(kind), SITE)
    assert finding.verdict == "ok"
    assert finding.evidence["container"] == kind


def test_a_pod_without_a_sidecar_fails() -> None:
    assert injection.judge({"spec": {"containers": [{"name": "probe"}]}}, SITE).verdict == "failed"
    assert injection.judge({}, SITE).verdict == "failed"


@pytest.mark.parametrize(("cluster", "network"), [("oslo", "net-lyon"), ("lyon", "net-oslo"), ("lyon", None)])
def test_a_sidecar_for_another_cluster_or_network_fails_and_the_right_path_is_told(
    cluster: str, network: str | None
) -> None:
    finding = injection.judge(pod("containers", cluster, network), SITE)
    assert finding.verdict == "failed"
    assert "/inject/cluster/lyon/net/net-lyon" in finding.hint


def test_the_probe_asks_for_the_revision_only_if_there_is_one() -> None:
    assert "istio.io/rev" not in injection.probe_pod(mesh())["metadata"]["labels"]
    assert injection.probe_pod(mesh("v2"))["metadata"]["labels"]["istio.io/rev"] == "v2"


@pytest.mark.parametrize(
    ("status", "why", "verdict", "hint"),
    [
        (0, "no connection", "unknown", "couldn't be asked"),
        (401, "Unauthorized", "unknown", "couldn't be asked"),
        (403, 'User "x" cannot create resource "pods"', "unknown", "couldn't be asked"),
        (403, "violates PodSecurity", "failed", "would be refused"),
        (500, "failed calling webhook: x509: certificate signed by unknown authority", "failed", "CA bundle"),
        (500, "failed calling webhook: context deadline exceeded", "failed", "15017"),
        (404, 'namespaces "x" not found', "failed", "would be refused"),
    ],
)
def test_a_refusal_is_a_fact_but_missing_rights_are_not(status: int, why: str, verdict: str, hint: str) -> None:
    finding = injection.refusal(status, why, SITE)
    assert finding.verdict == verdict
    assert hint in finding.hint


def hook(name: str) -> dict[str, Any]:
    client = {"service": {"path": "/inject/cluster/lyon/net/net-lyon"}, "caBundle": ""}
    return {"metadata": {"name": name}, "webhooks": [{"clientConfig": client}]}


def test_at_a_site_that_injects_by_itself_its_own_injector_is_to_blame() -> None:
    own = replace(SITE, local_injector=True)
    for why in ("failed calling webhook: no endpoints available", "failed calling webhook: x509: expired"):
        finding = injection.refusal(500, why, own)
        assert (finding.verdict, "Deployment edge-mesh-injector" in finding.hint) == ("failed", True)
    hooks = [hook("istio-sidecar-injector"), hook("edge-mesh-injector")]
    for site, name in ((SITE, "istio-sidecar-injector"), (own, "edge-mesh-injector")):
        assert injection.webhook_facts(hooks, mesh(), site, "")["configuration"] == name
    # what is said of the primary's CA bundle doesn't hold there
    facts = injection.webhook_facts(hooks, mesh(), own, "")
    assert injection.with_webhook(finding, facts, own).hint == finding.hint
    nothing = injection.webhook_facts(hooks[:1], mesh(), own, "")
    assert "no injection webhook" in injection.with_webhook(finding, nothing, own).hint
