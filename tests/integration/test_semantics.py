# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only a real API server can show: its defaults, its refusals, its controllers, and other managers at work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import READER_TOKEN
from tests.integration.site import Answer, Site


def actions(answer: Answer) -> list[str]:
    assert not answer.get("failed"), answer["msg"]
    return [each["action"] for each in answer["objects"]]


def refused(answer: Answer) -> str:
    assert answer.get("failed"), answer
    assert "Traceback" not in str(answer)
    assert "\n" not in answer["msg"]
    return str(answer["msg"])


def workload(site: Site) -> list[Answer]:
    """Objects whose fields the server fills in and rewrites in every way that we know of."""
    probe = {"httpGet": {"path": "/ready", "port": 80}}
    deployment = site.deployment(
        resources={"limits": {"cpu": "1000m", "memory": "0.5Gi"}, "requests": {"cpu": 0.1}},
        env=[{"name": "A", "value": ""}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}],
        readinessProbe=probe,
        securityContext={},
    )
    ports = [{"port": 53, "name": "udp", "protocol": "UDP"}, {"port": 53, "name": "tcp"}]
    policy = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}, {}]}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    subject = {"kind": "ServiceAccount", "name": "a", "namespace": site.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    endpoints = [{"addresses": ["192.0.2.1"]}]
    return [
        site.namespace,
        deployment,
        site.object("Service", "s", spec={"ports": ports, "selector": {"app": "d"}}),
        site.object("Secret", "s", stringData={"a": "b"}, type="Opaque"),
        site.object("ServiceAccount", "a"),
        site.object("Role", "r", "rbac.authorization.k8s.io/v1", rules=rules),
        site.object("RoleBinding", "r", "rbac.authorization.k8s.io/v1", roleRef=role, subjects=[subject]),
        site.object("NetworkPolicy", "n", "networking.k8s.io/v1", spec=policy),
        site.object("PodDisruptionBudget", "p", "policy/v1", spec={"minAvailable": 1, "selector": {}}),
        site.object(
            "EndpointSlice", "e", "discovery.k8s.io/v1", addressType="IPv4", endpoints=endpoints, ports=[{"port": 1}]
        ),
        site.object(
            "HorizontalPodAutoscaler", "h", "autoscaling/v2",
            spec={"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
        ),
        site.object("ConfigMap", "empty", data={}),
    ]  # fmt: skip


def test_what_the_server_fills_in_or_rewrites_is_no_change(site: Site) -> None:
    objects = workload(site)
    assert actions(site.manifests(*objects)) == ["created"] * len(objects)
    again = site.manifests(*objects)
    assert actions(again) == ["unchanged"] * len(objects)
    assert again["requests"] <= len(objects)


def test_another_tools_field_is_a_conflict_that_names_it(site: Site) -> None:
    site.manifests(site.namespace, site.config_map(a="1"))
    site.apply(f"{site.path}/configmaps/c", site.config_map(a="2"), "argocd")
    for check in (True, False):
        words = refused(site.manifests(site.namespace, site.config_map(a="1"), check=check))
        assert f"{site.name}: ConfigMap {site.name}/c can't be applied: .data.a is managed by argocd" in words
        assert "force_conflicts: true" in words
    assert actions(site.manifests(site.config_map(a="1"), force_conflicts=True)) == ["configured"]
    live = site.get(f"{site.path}/configmaps/c")
    assert live is not None
    assert live["data"]["a"] == "1"


def test_runs_that_add_to_one_list_at_the_same_time_lose_nothing(site: Site) -> None:
    def service(*sources: str) -> Answer:
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "loadBalancerSourceRanges": list(sources)}
        return site.object("Service", "s", spec=spec)

    def let_in(source: str, *, check: bool = False) -> str:
        answer = site.manifests(service(source), keep_items=["spec.loadBalancerSourceRanges"], check=check)
        (action,) = actions(answer)
        return action

    def live() -> list[str]:
        item = site.get(f"{site.path}/services/s")
        assert item is not None
        return list(item["spec"]["loadBalancerSourceRanges"])

    first, sources = "192.0.2.1/32", [f"198.51.100.{number}/32" for number in range(1, 7)]
    site.manifests(site.namespace, service(first))
    assert let_in(sources[0], check=True) == "configured"
    assert live() == [first]
    with ThreadPoolExecutor(len(sources)) as pool:
        assert set(pool.map(let_in, sources)) == {"configured"}
    assert live() == [first, *sources]
    assert [let_in(source, check=check) for source in sources[:1] for check in (True, False)] == ["unchanged"] * 2
    assert actions(site.manifests(service(first, *sources))) == ["unchanged"]
    assert "it isn't a list of text" in refused(site.manifests(service(first), keep_items=["spec.ports"]))
    assert actions(site.manifests(service(first))) == ["configured"]
    assert live() == [first]


def test_an_autoscalers_replicas_are_left_alone(site: Site) -> None:
    site.manifests(site.namespace, site.deployment())
    path = f"/apis/apps/v1/namespaces/{site.name}/deployments/d"
    site.patch(path, {"spec": {"replicas": 3}}, "kube-controller-manager")
    answer = site.manifests(site.namespace, site.deployment())
    assert actions(answer) == ["unchanged", "unchanged"]
    assert answer["objects"][1]["reasons"] == [".spec.replicas is left to its controller"]


def test_an_adopted_object_that_needs_our_fields_keeps_them_and_loses_our_mark(site: Site) -> None:
    """A Service without ports isn't valid: releasing it takes the labels only."""
    site.apply(site.path, site.namespace, "other")
    service = site.object("Service", "s", spec={"ports": [{"port": 80, "name": "http"}]})
    site.apply(f"{site.path}/services/s", service, "other")
    assert actions(site.manifests(service, adopt=True)) == ["adopted"]
    # the first owner lets go: from now on we alone hold the port, which the object can't be without
    site.apply(f"{site.path}/services/s", site.object("Service", "s"), "other")
    for check in (True, False):
        assert actions(site.manifests(state="absent", check=check)) == ["configured"]
    live = site.get(f"{site.path}/services/s")
    assert live is not None
    assert live["spec"]["ports"][0]["port"] == 80
    assert "edge.mesh/set" not in live["metadata"].get("labels", {})
    assert all(entry["manager"] != "edge.mesh" for entry in live["metadata"].get("managedFields", []))


def test_check_mode_predicts_a_pod_whose_account_is_made_in_the_same_call(site: Site) -> None:
    site.manifests(site.namespace)
    pod = site.object("Pod", "p", spec={"serviceAccountName": "a", "containers": [{"name": "m", "image": "x.test/x"}]})
    answer = site.manifests(site.object("ServiceAccount", "a"), pod, check=True)
    assert actions(answer) == ["created", "created"]
    assert "predicted: what it needs isn't there yet" in answer["objects"][1]["reasons"][0]
    assert actions(site.manifests(site.object("ServiceAccount", "a"), pod)) == ["created", "created"]


def test_a_whole_playbooks_calls_in_check_mode_on_a_bare_cluster(site: Site) -> None:
    """The calls of the roles, one after another, none of which finds what the former only said it would make."""
    status = site.object("Service", "s", status={"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})
    for options in (
        {"objects": [site.namespace, site.definition()], "prune": True, "adopt": True, "wait": True},
        {"objects": [site.custom()], "set": "mesh", "prune": True},
        {"objects": [site.deployment(), site.object("Service", "s")], "set": "gateways", "prune": True, "wait": True},
        {"objects": [status], "subresource": "status"},
        {"set": "gateways", "state": "absent", "wait": True},
    ):
        answer = site.manifests(check=True, **options)
        assert not answer.get("failed"), answer["msg"]
        assert answer["changed"] == (options.get("state") != "absent")
    assert site.get(site.path) is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"spec": {"replicas": "many"}}, "got string"),
        ({"spec": {"template": {"spec": {"containres": []}}}}, "field not declared in schema"),
        ({"spec": {"selector": {"matchLabels": {"app": "other"}}}}, "selector"),
    ],
)
def test_a_wrong_object_is_refused_with_the_field(site: Site, spoil: Any, words: str) -> None:
    good = site.deployment()
    bad = {**good, "spec": {**good["spec"], **spoil["spec"]}}
    site.manifests(site.namespace)
    for check in (True, False):
        told = refused(site.manifests(bad, check=check))
        assert f"{site.name}: Deployment {site.name}/d can't be created" in told
        assert words in told


def test_what_cant_be_changed_in_place_is_said(site: Site) -> None:
    before = site.object("Secret", "s", stringData={"a": "hush-1"}, immutable=True)
    after = site.object("Secret", "s", stringData={"a": "hush-2"}, immutable=True)
    site.manifests(site.namespace, before)
    told = refused(site.manifests(after))
    assert "delete the object and run again" in told
    assert "hush" not in told


def test_somebody_without_rights_is_told_which_one_is_missing(site: Site, tmp_path: Path) -> None:
    site.manifests(site.namespace, site.config_map())
    kubeconfig = site.plane.write_kubeconfig(tmp_path / "somebody.yaml", READER_TOKEN)
    told = refused(site.manifests(site.config_map(), kubeconfig=str(kubeconfig)))
    assert 'cannot get resource "configmaps"' in told
    assert "(give this user the right, or use another kubeconfig)" in told
    binding = site.object(
        "RoleBinding", "view", "rbac.authorization.k8s.io/v1",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        subjects=[{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "somebody"}],
    )  # fmt: skip
    site.manifests(binding)
    site.until(lambda: not site.manifests(site.config_map(), kubeconfig=str(kubeconfig)).get("failed"))
    told = refused(site.manifests(site.config_map(a="2"), kubeconfig=str(kubeconfig)))
    assert 'cannot patch resource "configmaps"' in told
    assert READER_TOKEN not in told


def test_a_rejected_token_is_told_with_what_to_do(site: Site, tmp_path: Path) -> None:
    kubeconfig = site.plane.write_kubeconfig(tmp_path / "k.yaml", "not-a-token-of-this-cluster")
    told = refused(site.manifests(site.namespace, kubeconfig=str(kubeconfig)))
    assert "renew the kubeconfig" in told
    assert "not-a-token" not in told


def test_a_definitions_new_version_is_served_before_its_resources_are_written(site: Site) -> None:
    site.manifests(site.namespace, site.definition(), site.custom())
    definition, custom = site.definition(), site.custom(a=2)
    first = definition["spec"]["versions"][0]
    definition["spec"]["versions"] = [{**first, "storage": False}, {**first, "name": "v2", "storage": True}]
    custom["apiVersion"] = f"{site.name}.test/v2"
    assert not site.manifests(definition, custom, check=True).get("failed")
    answer = site.manifests(definition, custom)
    assert not answer.get("failed"), answer
    assert [each["action"] for each in answer["objects"]] == ["configured", "configured"]
    assert actions(site.manifests(definition, custom)) == ["unchanged", "unchanged"]
