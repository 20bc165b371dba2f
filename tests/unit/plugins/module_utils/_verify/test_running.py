# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs at a site: a control plane is found whatever it calls itself, and gateways are ready only when they are."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._istio import local_injector
from ansible_collections.edge.mesh.plugins.module_utils._verify import running
from tests.unit.plugins.module_utils._verify import fakes

EDGE = running.gateway_names("edge")


def test_a_site_with_gateways_and_sidecars_only_has_no_control_plane() -> None:
    found = running.no_control_plane(fakes.shop().answers["/api/v1/pods"])
    assert found.verdict == "ok"
    assert found.evidence["seen"] == "4 pods, 3 with a proxy, none of istiod"
    assert found.evidence["proxies"][-1] == "sample/sleep-1"


@pytest.mark.parametrize(
    "pod",
    [
        fakes.pod("x", "istio-system", {"app": "istiod"}, anything="image:1"),
        fakes.pod("x", "elsewhere", None, some_name="registry.example:5000/istio/pilot:1.31"),
        fakes.pod("x", "elsewhere", None, some_name="docker.io/istio/pilot@sha256:00"),
        fakes.pod("x", "istio-system", None, discovery="renamed:1"),
    ],
)
def test_a_control_plane_is_found_whatever_it_calls_itself(pod: dict[str, Any]) -> None:
    found = running.no_control_plane([pod])
    assert found.verdict == "failed"
    assert found.evidence["control_plane"] == [f"{pod['metadata']['namespace']}/x"]


@pytest.mark.parametrize(
    "pod",
    [
        fakes.pod("x", "shop", None, discovery="registry.example/our/discovery:1"),
        fakes.pod("x", "shop", None, app="registry.example/pilot/app:1"),
    ],
)
def test_an_app_with_a_similar_name_isnt_a_control_plane(pod: dict[str, Any]) -> None:
    assert running.no_control_plane([pod]).verdict == "ok"


def test_a_native_sidecar_counts_as_a_proxy() -> None:
    pod = fakes.pod("app", "sample", None, app="app:1")
    pod["spec"]["initContainers"] = [{"name": "istio-proxy", "image": "proxyv2:1", "restartPolicy": "Always"}]
    assert running.no_control_plane([pod]).evidence["proxies"] == ["sample/app"]


def injector(**changes: Any) -> dict[str, Any]:
    source = local_injector.Source(image="istio/pilot:1")
    (deployment,) = [
        each
        for each in local_injector.objects("shop", "default", source, {"ca.crt": b""})
        if each["kind"] == "Deployment"
    ]
    namespace = changes.pop("namespace", "edge-mesh-injector")
    return {
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {**deployment["spec"]["template"]["spec"], **changes},
    }


def test_an_injector_only_is_let_be_where_the_inventory_wants_one() -> None:
    found = running.no_control_plane([injector()], injects=True)
    assert (found.verdict, found.evidence["injector"]) == ("ok", ["edge-mesh-injector/one"])
    assert "only injects" in found.evidence["seen"]
    assert running.no_control_plane([injector()]).verdict == "failed"


def test_more_than_an_injector_fails_also_where_the_inventory_wants_one() -> None:
    key = {"name": "cacerts", "secret": {"secretName": "cacerts"}}
    found = running.no_control_plane([injector(volumes=[key])], injects=True)
    assert (found.verdict, found.evidence["excess"]) == ("failed", ["edge-mesh-injector/one has the Secret cacerts"])
    elsewhere = running.no_control_plane([injector(), injector(namespace="istio-system")], injects=True)
    assert (elsewhere.verdict, elsewhere.evidence["control_plane"]) == ("failed", ["istio-system/one"])


def ready(deployments: list[dict[str, Any]], pods: list[dict[str, Any]] | None = None) -> Any:
    found = fakes.shop().answers[f"{fakes.SYSTEM}/pods"] if pods is None else pods
    return running.gateways_ready(deployments, found, EDGE)


def test_gateways_whose_pods_are_all_ready_are_ready() -> None:
    found = ready([fakes.gateway(name) for name in EDGE])
    assert (found.verdict, found.evidence["seen"]) == ("ok", "2 gateways, 2 pods ready")


def test_a_primary_needs_the_gateway_of_istiod_too() -> None:
    found = running.gateways_ready([fakes.gateway(name) for name in EDGE], [], running.gateway_names("primary"))
    assert found.evidence["faults"] == ["there is no Deployment istiod-gateway"]


def test_a_gateway_with_too_few_pods_fails_and_says_why_they_wait() -> None:
    waiting = fakes.pod("w", "istio-system", {"app": EDGE[1]}, istio_proxy="proxyv2:1")
    waiting["status"] = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    found = ready([fakes.gateway(EDGE[0]), fakes.gateway(EDGE[1], ready=0)], [waiting])
    assert (found.verdict, found.evidence["seen"]) == (
        "failed",
        f"{EDGE[1]} has 0 of 1 pods ready (ImagePullBackOff)",
    )


def test_a_gateway_whose_change_isnt_rolled_out_isnt_ready() -> None:
    old = fakes.gateway(EDGE[0])
    old["metadata"]["generation"] = 3
    assert ready([old, fakes.gateway(EDGE[1])]).verdict == "failed"


def test_a_gateway_scaled_to_nothing_isnt_ready() -> None:
    none = fakes.gateway(EDGE[0])
    none["spec"]["replicas"] = 0
    assert ready([none, fakes.gateway(EDGE[1])]).verdict == "failed"


def test_a_pod_that_no_webhook_filled_in_fails() -> None:
    bare = fakes.pod("bare", "istio-system", {"app": EDGE[0]}, istio_proxy="auto")
    found = ready([fakes.gateway(name) for name in EDGE], [bare])
    assert (found.verdict, found.evidence["seen"]) == ("failed", "istio-system/bare wasn't filled in by injection")


def address(services: list[dict[str, Any]], *expected: str) -> Any:
    return running.gateway_address(services, network="net-shop", expected=expected, wanted=EDGE)


def services(*addresses: str, network: str = "net-shop") -> list[dict[str, Any]]:
    return [fakes.gateway_service(name, network, *addresses) for name in EDGE]


def test_gateways_with_the_expected_addresses_are_ok_in_any_order() -> None:
    found = address(services("192.0.2.21", "192.0.2.20"), "192.0.2.20", "192.0.2.21")
    assert (found.verdict, found.evidence["seen"]) == ("ok", "192.0.2.21, 192.0.2.20")


def test_host_names_and_external_addresses_count() -> None:
    named = services()
    named[0]["status"]["loadBalancer"]["ingress"] = [{"hostname": "gw.example"}]
    named[1]["spec"] = {"externalIPs": ["192.0.2.30"]}
    assert address(named).evidence["addresses"] == {EDGE[0]: ["gw.example"], EDGE[1]: ["192.0.2.30"]}


@pytest.mark.parametrize(
    ("listed", "expected", "fault"),
    [
        (services("192.0.2.20")[:1], [], f"there is no Service {EDGE[1]}"),
        (services(), [], f"{EDGE[0]} has no address yet"),
        (services("192.0.2.9"), ["192.0.2.20"], f"{EDGE[1]} has 192.0.2.9, not 192.0.2.20"),
        (services("192.0.2.20", network="other"), [], f"{EDGE[1]} is labelled with network other, not net-shop"),
    ],
)
def test_an_address_that_the_mesh_cant_use_fails(listed: list[dict[str, Any]], expected: list[str], fault: str) -> None:
    found = address(listed, *expected)
    assert found.verdict == "failed"
    assert fault in found.evidence["faults"]
