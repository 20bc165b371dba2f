# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of a mesh: what should be gone, what is others', and what only its owner can restart."""

from __future__ import annotations

from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import remnants
from ansible_collections.edge.mesh.plugins.module_utils._istio.remnants import Remnant

ROOT = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
OURS = [{"manager": "edge.mesh", "operation": "Apply", "fieldsV1": {"f:x": {}}}]


def item(name: str, *, kind: str = "ConfigMap", namespace: str = "", ours: bool = False, **metadata: Any) -> Any:
    own = {"managedFields": OURS} if ours else {}
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, **own, **metadata}}


def labelled(name: str, set_name: str | None, **metadata: Any) -> Any:
    labels = {"edge.mesh/origin": "created"} | ({"edge.mesh/set": set_name} if set_name else {})
    return item(name, ours=True, labels=labels, **metadata)


def verdicts(found: list[Remnant]) -> dict[str, str]:
    return {each.name: each.verdict for each in found}


def unused(*items: Any) -> list[Any]:
    return [(each, ()) for each in items]


def test_what_carries_our_label_should_be_gone_unless_it_is_another_set() -> None:
    owner = [{"controller": True, "kind": "Deployment", "name": "x"}]
    found = remnants.made_by_us(
        unused(
            labelled("role", "gateways"),
            labelled("bare", None),
            labelled("own", "my-things"),
            labelled("copy", "gateways", ownerReferences=owner),
        )
    )
    assert verdicts(found) == {"role": "left", "bare": "left", "own": "kept"}
    assert "the set 'my-things'" in found[-1].why


def test_a_definition_that_others_use_stays_until_they_do_not_any_more() -> None:
    (found,) = remnants.made_by_us([(labelled("virtualservices", "site-enrollment"), ["VirtualService shop/theirs"])])
    assert (found.verdict, found.why) == (
        "kept",
        "others use it (VirtualService shop/theirs): retire again when they don't any more",
    )


def test_an_object_on_its_way_out_is_told_as_such() -> None:
    (found,) = remnants.made_by_us(unused(labelled("role", "gateways", deletionTimestamp="2026-01-01T00:00:00Z")))
    assert (found.verdict, found.why) == ("left", "its deletion is under way")


def test_a_root_certificate_is_ours_by_its_content() -> None:
    ours = {**item("istio-ca-root-cert", namespace="a"), "data": {"root-cert.pem": ROOT.replace("\n", "\r\n")}}
    other = {**item("istio-ca-root-cert", namespace="b"), "data": {"root-cert.pem": "x"}}
    empty = item("istio-ca-root-cert", namespace="c")
    unrelated = item("kube-root-ca.crt", namespace="d")
    lists = [item("istio-ca-crl", namespace=namespace) for namespace in ("a", "b", "e")]
    found = {f"{each.namespace}/{each.name}": each.verdict for each in remnants.roots(
        [ours, other, empty, unrelated, *lists], ROOT)}  # fmt: skip
    assert found == {
        "a/istio-ca-root-cert": "left",
        "a/istio-ca-crl": "left",
        "b/istio-ca-root-cert": "kept",
        "b/istio-ca-crl": "kept",
        "c/istio-ca-root-cert": "kept",
        "e/istio-ca-crl": "left",
    }


def test_without_a_known_root_no_certificate_counts_as_ours() -> None:
    empty = item("istio-ca-root-cert", namespace="c")
    assert [each.verdict for each in remnants.roots([empty], "")] == ["kept"]


def test_webhooks_of_others_are_told_and_stay() -> None:
    found = remnants.webhooks([item("istio-sidecar-injector"), item("istiod-x", ours=True), item("cert-manager")])
    assert verdicts(found) == {"istio-sidecar-injector": "kept"}


def test_a_namespace_that_still_names_a_network_is_told() -> None:
    found = remnants.namespaces(
        [
            item("istio-system", labels={"topology.istio.io/network": "n"}),
            item("old", annotations={"topology.istio.io/controlPlaneClusters": "centre"}),
            item("default"),
        ]
    )
    assert verdicts(found) == {"istio-system": "kept", "old": "kept"}


def test_istios_definitions_that_are_not_ours_are_told() -> None:
    found = remnants.definitions(
        [item("gateways.networking.istio.io"), item("certificates.cert-manager.io"), item("a.istio.io", ours=True)]
    )
    assert verdicts(found) == {"gateways.networking.istio.io": "kept"}


GATEWAY = {"inject.istio.io/templates": "gateway"}


def pod(name: str, where: str, container: str, owner: str = "", **metadata: Any) -> Any:
    owners = [{"kind": "ReplicaSet", "controller": True, "uid": owner}] if owner else []
    return {
        **item(name, kind="Pod", namespace="shop", ownerReferences=owners, **metadata),
        "spec": {"nodeName": "n1", where: [{"name": container}]},
    }


def test_pods_with_a_proxy_are_named_whether_it_is_a_sidecar_or_a_native_one() -> None:
    found = remnants.workloads(
        [
            pod("plain", "containers", "app", deletionTimestamp="2026-01-01T00:00:00Z"),
            pod("sidecar", "containers", "istio-proxy"),
            pod("native", "initContainers", "istio-proxy"),
            pod("istiod", "containers", "discovery"),
        ],
        [],
    )
    assert verdicts(found) == {"sidecar": "workload", "native": "workload"}


def test_a_pod_of_istio_that_is_on_its_way_out_is_still_there() -> None:
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    deployment = item("d", kind="Deployment", uid="d")
    standing = item("s", uid="s", ownerReferences=[{"kind": "Deployment", "controller": True, "uid": "d"}])
    orphan = item("o", uid="o", ownerReferences=[{"kind": "Deployment", "controller": True, "uid": "gone"}])
    daemons = [{"kind": "DaemonSet", "controller": True, "uid": "not-asked-for"}]
    found = remnants.workloads(
        [
            pod("gateway", "containers", "istio-proxy", "s", annotations=GATEWAY, **ending),
            pod("workload", "containers", "istio-proxy", "s", **ending),
            pod("istiod", "containers", "discovery", **ending),
            pod("set-gone", "containers", "istio-proxy", "gone", annotations=GATEWAY),
            pod("deployment-gone", "containers", "istio-proxy", "o"),
            pod("stays", "containers", "istio-proxy", "s"),
            {**pod("daemon", "containers", "istio-proxy"),
             "metadata": {"name": "daemon", "namespace": "shop", "ownerReferences": daemons}},
        ],
        [deployment, standing, orphan],
    )  # fmt: skip
    assert verdicts(found) == {
        "gateway": "left",
        "workload": "leaving",
        "istiod": "left",
        "set-gone": "left",
        "deployment-gone": "leaving",
        "stays": "workload",
        "daemon": "workload",
    }
    assert found[0].why == "its deletion is under way; does its node n1 answer?"
