# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what istiod said to verdicts: a fault seen is failed, a doubt is unknown, and only the whole truth is ok."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._xds import checks
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import (
    ClusterState,
    Mesh,
    NetworkGateway,
    ProxyState,
    Replica,
    ServiceEndpoint,
    Site,
    Snapshot,
    State,
    TypeState,
)

MESH = Mesh(
    namespace="istio-system",
    istiod_name="istiod",
    revision_label="default",
    mesh_id="m1",
    trust_domain="cluster.local",
    service_account="default",
    gateway="istio-eastwestgateway",
    networks={"hub": "net-hub", "lyon": "net-lyon"},
)
SITE = Site("lyon", "net-lyon")
A, B = Replica("istiod-a", "port-forward", True), Replica("istiod-b", "port-forward", True)
SILENT = replace(B, answered=False, error="refused")


def known(istiod: str, status: str = "synced") -> ClusterState:
    return ClusterState("lyon", status, "istio-system/istio-remote-secret-lyon", istiod)


@pytest.mark.parametrize(
    ("snapshot", "verdict"),
    [
        (Snapshot((A,), (known("istiod-a"),)), "ok"),
        (Snapshot((A, B), (known("istiod-a"), known("istiod-b"))), "ok"),
        (Snapshot((A, B), (known("istiod-a"),)), "failed"),
        (Snapshot((A, B), (known("istiod-a"), known("istiod-b", "syncing"))), "failed"),
        (Snapshot((A,), (known("istiod-a", "timeout"),)), "failed"),
        (Snapshot((A,), ()), "failed"),
        (Snapshot((A, SILENT), (known("istiod-a"),)), "unknown"),
        (Snapshot((A, SILENT), (known("istiod-a", "closed"),)), "failed"),
        (Snapshot((SILENT,), ()), "unknown"),
        (Snapshot(()), "unknown"),
        (Snapshot(error="no route"), "unknown"),
    ],
)
def test_a_cluster_is_synced_only_if_every_replica_says_so(snapshot: Snapshot, verdict: str) -> None:
    assert checks.cluster_synced(SITE, snapshot).verdict == verdict


def test_a_missing_cluster_is_told_with_those_that_are_known() -> None:
    finding = checks.cluster_synced(SITE, Snapshot((A,), (replace(known("istiod-a"), cluster="lion"),)))
    assert finding.evidence["known"] == ["lion"]
    assert "remote secret" in finding.hint
    assert "clusterName" in checks.cluster_synced(replace(SITE, is_primary=True), Snapshot((A,), ())).hint


def proxy(name: str = "istio-eastwestgateway-1", namespace: str = "istio-system", **states: State) -> ProxyState:
    kinds: dict[str, State] = {"CDS": "acked", "LDS": "acked", "EDS": "acked", "RDS": "acked", **states}
    types = tuple(TypeState(kind, state) for kind, state in kinds.items())
    return ProxyState(f"{name}.{namespace}", "lyon", namespace, "1.30", "istiod-a", types)


APP = proxy("hello-1", "sample")


@pytest.mark.parametrize(
    ("proxies", "replicas", "verdict"),
    [
        ((proxy(),), (A,), "ok"),
        ((proxy(), APP), (A, B), "ok"),
        ((), (A,), "failed"),
        ((APP,), (A,), "failed"),
        ((proxy(namespace="sample"),), (A,), "failed"),
        ((replace(proxy(), cluster="oslo"),), (A,), "failed"),
        ((proxy(CDS="stale"),), (A,), "failed"),
        ((proxy(RDS="nacked"),), (A,), "failed"),
        ((proxy(LDS="never-sent"),), (A,), "failed"),
        ((proxy(ECDS="never-sent"),), (A,), "ok"),
        ((proxy(CDS="unknown"),), (A,), "unknown"),
        ((replace(proxy(), types=()),), (A,), "failed"),
        ((replace(proxy(), types=(TypeState("CDS", "acked"),)),), (A,), "failed"),
        ((proxy(), replace(APP, types=(TypeState("Address", "acked"),))), (A,), "ok"),
        ((proxy(), proxy("hello-1", "sample", EDS="stale")), (A,), "failed"),
        ((proxy(),), (A, SILENT), "unknown"),
        ((), (A, SILENT), "unknown"),
        ((proxy(LDS="nacked"),), (A, SILENT), "failed"),
        ((), (), "unknown"),
    ],
)
def test_proxies_are_synced_only_with_the_gateway_and_without_a_problem(
    proxies: tuple[ProxyState, ...], replicas: tuple[Replica, ...], verdict: str
) -> None:
    assert checks.proxy_synced(SITE, MESH, Snapshot(replicas, (), proxies)).verdict == verdict


def test_many_problems_are_counted_and_a_few_are_shown() -> None:
    proxies = tuple(proxy(f"hello-{number}", "sample", CDS="stale") for number in range(50))
    evidence = checks.proxy_synced(SITE, MESH, Snapshot((A,), (), proxies)).evidence
    assert evidence["problem_count"] == 50
    assert len(evidence["problems"]) == 10


HUB_GATEWAY = NetworkGateway("net-hub", "hub", "172.31.0.2", 15443)
LYON_GATEWAY = NetworkGateway("net-lyon", "lyon", "172.31.0.3", 15443)
BOTH = (HUB_GATEWAY, LYON_GATEWAY)
OWN = ServiceEndpoint("hello", "10.0.0.5", 5000, "lyon", "hello")
THROUGH = ServiceEndpoint("hello", "172.31.0.2", 15443, "hub", "")
DIRECT = ServiceEndpoint("hello", "10.0.0.2", 5000, "hub", "hello")


@pytest.mark.parametrize(
    ("endpoints", "gateways", "verdict"),
    [
        ((OWN, THROUGH), BOTH, "ok"),
        ((OWN,), BOTH, "ok"),
        ((OWN, DIRECT), BOTH, "failed"),
        ((OWN, DIRECT), (LYON_GATEWAY,), "failed"),
        ((OWN,), (LYON_GATEWAY,), "failed"),
        ((), BOTH, "unknown"),
        ((OWN, replace(THROUGH, port=5000)), BOTH, "failed"),
        ((replace(OWN, cluster=""), replace(DIRECT, cluster="")), BOTH, "unknown"),
        ((replace(OWN, cluster=""), replace(THROUGH, cluster="")), BOTH, "ok"),
    ],
)
def test_endpoints_of_other_networks_must_be_gateways(
    endpoints: tuple[ServiceEndpoint, ...], gateways: tuple[NetworkGateway, ...], verdict: str
) -> None:
    assert checks.endpoints_of_other_networks(SITE, MESH, endpoints, gateways).verdict == verdict


def test_two_clusters_of_one_network_reach_each_other_directly() -> None:
    mesh = replace(MESH, networks={"hub": "net-lyon", "lyon": "net-lyon"})
    assert checks.endpoints_of_other_networks(SITE, mesh, [OWN, DIRECT], ()).verdict == "ok"


def test_an_address_that_the_inventory_gives_counts_more_than_istiods() -> None:
    mesh = replace(MESH, gateway_addresses={"hub": ("172.31.0.9",)})
    stale = checks.endpoints_of_other_networks(SITE, mesh, [OWN, THROUGH], BOTH)
    assert stale.verdict == "failed"
    assert "old one" in stale.hint
    moved = replace(THROUGH, address="172.31.0.9")
    assert checks.endpoints_of_other_networks(SITE, mesh, [OWN, moved], BOTH).verdict == "ok"


def test_a_gateway_given_by_name_is_judged_by_what_istiod_knows() -> None:
    mesh = replace(MESH, gateway_addresses={"hub": ("gw.example.org",)})
    assert checks.endpoints_of_other_networks(SITE, mesh, [OWN, THROUGH], BOTH).verdict == "ok"


def test_a_cluster_is_summed_up_as_synced_only_if_all_replicas_agree() -> None:
    snapshot = Snapshot((A, B), (known("istiod-a"), known("istiod-b", "timeout"), replace(known("x"), cluster="hub")))
    hub, lyon = checks.cluster_summary(snapshot)
    assert (hub["cluster"], hub["status"]) == ("hub", "synced")
    assert (lyon["status"], lyon["states"]) == ("timeout", {"istiod-a": "synced", "istiod-b": "timeout"})
