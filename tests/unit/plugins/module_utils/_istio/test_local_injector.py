# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An injector at an edge: it has what the primary injects with, and nothing by which it could be more than that."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import local_injector
from ansible_collections.edge.mesh.plugins.module_utils._istio.remnants import SETS

TLS = {"tls.crt": b"certificate", "tls.key": b"key", "ca.crt": b"certificate"}
NAME = "edge-mesh-injector"


def deployment(**variables: str) -> dict[str, Any]:
    env: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in variables.items()]
    env.append({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    containers = [{"name": "discovery", "image": "hub.example/pilot:1", "env": env}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


INJECTION = {"data": {"config": "templates: {}", "values": "{}"}}
MESH = {"data": {"mesh": "trustDomain: td\ndefaultConfig: {discoveryAddress: 'istiod.istio-system.svc:15012'}\n"}}


def made(**variables: str) -> dict[str, dict[str, Any]]:
    source = local_injector.source_of(deployment(**variables), INJECTION, MESH)
    return {each["kind"]: each for each in local_injector.objects("shop", "default", source, TLS)}


def pod(**variables: str) -> dict[str, Any]:
    template = made(**variables)["Deployment"]["spec"]["template"]
    return {"metadata": {"namespace": NAME, "name": "x"}, "spec": template["spec"]}


def variables_of(found: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in found["spec"]["containers"][0]["env"]}


def test_it_injects_with_what_the_primary_has() -> None:
    data = made()["ConfigMap"]["data"]
    assert (data["config"], data["values"]) == ("templates: {}", "{}")
    mesh = yaml.safe_load(data["mesh"])
    # proxies get their certificates and configuration from the address that they have everywhere: the primary's
    assert mesh["defaultConfig"]["discoveryAddress"] == "istiod.istio-system.svc:15012"
    assert (mesh["trustDomain"], mesh["ingressControllerMode"]) == ("td", "OFF")
    assert pod()["spec"]["containers"][0]["image"] == "hub.example/pilot:1"


def test_what_has_a_say_in_injection_is_taken_over_and_nothing_else() -> None:
    found = variables_of(
        pod(ENABLE_NATIVE_SIDECARS="false", EXTERNAL_ISTIOD="true", SOMETHING="else", CLUSTER_ID="hub")
    )
    assert (found["ENABLE_NATIVE_SIDECARS"], found["EXTERNAL_ISTIOD"], found["CLUSTER_ID"]) == (
        "false",
        "false",
        "shop",
    )
    assert "SOMETHING" not in found
    assert "value" not in next(
        each for each in pod()["spec"]["containers"][0]["env"] if each["name"] == "INJECTION_WEBHOOK_CONFIG_NAME"
    )


def test_its_service_leads_to_the_webhook_only() -> None:
    objects = made()
    assert [each["targetPort"] for each in objects["Service"]["spec"]["ports"]] == [15017]
    assert objects["Service"]["spec"]["selector"].items() <= (
        objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    )
    # a pod of the injector that asked for injection would wait for itself
    assert objects["Deployment"]["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


def test_it_may_read_and_nothing_else() -> None:
    objects = made()
    for kind in ("ClusterRole", "Role"):
        assert {verb for rule in objects[kind]["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "secrets" not in str(objects["ClusterRole"])
    assert objects["RoleBinding"]["metadata"]["namespace"] == NAME


def test_what_is_made_is_no_more_than_an_injector() -> None:
    assert local_injector.is_ours(pod())
    assert local_injector.excess(pod()) == []
    # not even where the primary's own istiod has it otherwise
    assert local_injector.excess(pod(ENABLE_CA_SERVER="true")) == []


def more_arguments(found: dict[str, Any]) -> None:
    found["spec"]["containers"][0]["args"].remove("--secureGRPCAddr=")


def open_port(found: dict[str, Any]) -> None:
    found["spec"]["containers"][0]["args"].remove("--grpcAddr=127.0.0.1:15010")


def authority(found: dict[str, Any]) -> None:
    for each in found["spec"]["containers"][0]["env"]:
        if each["name"] == "ENABLE_CA_SERVER":
            each["value"] = "true"


def key_of_the_mesh(found: dict[str, Any]) -> None:
    found["spec"]["volumes"].append({"name": "x", "secret": {"secretName": "cacerts"}})


def projected_key(found: dict[str, Any]) -> None:
    found["spec"]["volumes"].append({"name": "x", "projected": {"sources": [{"secret": {"name": "istio-ca-secret"}}]}})


def second_container(found: dict[str, Any]) -> None:
    found["spec"]["containers"].append({"name": "other", "image": "pilot"})


def nothing_at_all(found: dict[str, Any]) -> None:
    found["spec"] = {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (more_arguments, "runs without --secureGRPCAddr="),
        (open_port, "runs without --grpcAddr=127.0.0.1:15010"),
        (authority, "ENABLE_CA_SERVER isn't false"),
        (key_of_the_mesh, "has the Secret cacerts"),
        (projected_key, "has the Secret istio-ca-secret"),
        (second_container, "ENABLE_CA_SERVER isn't false"),
        (nothing_at_all, "holds no container"),
    ],
)
def test_what_is_more_than_an_injector_is_named(change: Any, told: str) -> None:
    found = pod()
    change(found)
    assert told in local_injector.excess(found)


def test_the_webhook_of_the_chart_is_led_to_it_and_is_none_of_the_primarys() -> None:
    chart = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "istio-sidecar-injector", "labels": {"istio.io/rev": "default"}},
        "webhooks": [{
            "name": "object.sidecar-injector.istio.io", "failurePolicy": "Fail",
            "clientConfig": {
                "service": {"name": "istiod", "namespace": "istio-system", "path": "/inject/x", "port": 443}
            },
        }],
    }  # fmt: skip
    found = local_injector.webhook(chart, b"PEM")
    assert found["metadata"]["name"] == NAME
    assert "istio.io/rev" not in found["metadata"]["labels"]  # istiod writes its root into what carries it
    assert found["webhooks"] == [{
        "name": "object.sidecar-injector.istio.io", "failurePolicy": "Fail",
        "clientConfig": {
            "service": {"name": NAME, "namespace": NAME, "path": "/inject/x", "port": 443},
            "caBundle": base64.b64encode(b"PEM").decode(),
        },
    }]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ((None, INJECTION, MESH), "isn't there"),
        ((deployment(), None, MESH), "isn't there"),
        ((deployment(), INJECTION, None), "isn't there"),
        ((deployment(), {"data": {"config": "x"}}, MESH), "isn't of the shape"),
        ((deployment(), INJECTION, {}), "isn't of the shape"),
        ((deployment(), INJECTION, {"data": {"mesh": "- a list"}}), "is no mapping"),
    ],
)
def test_a_primary_that_cant_be_read_is_told(found: Any, told: str) -> None:
    with pytest.raises(MeshError, match=told):
        local_injector.source_of(*found)


def test_its_set_is_one_that_retire_looks_for() -> None:
    assert local_injector.SET in SETS
