# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The twelve-step contract of every module that changes something."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.integration.contract import twelve_steps
from tests.integration.injecting import chart_webhook, primary
from tests.integration.running import ROOT, run_module
from tests.integration.site import Answer, Site

# Where the contract of a module is tested, and why not here.
HERE = {"local_injector", "manifests", "mesh_ca", "remote_secret", "site_remnants"}
READ_ONLY = {
    "k3s_machine_info", "mesh_ca_info", "mesh_measure", "mesh_traffic", "remote_secret_info", "route_checks",
    "service_info", "site_checks", "site_cluster_info", "sites", "wan_info", "xds_health",
}  # fmt: skip
ELSEWHERE = {
    # makes containers: check mode, creation, a second run and removal are steps of the lab
    "kind_cluster": ("tests/lab/test_main_job.py", "tests/unit/plugins/module_utils/_kind/test_cluster.py"),
    # the controller's own files, by a server on loopback
    "k3s_release": ("tests/unit/plugins/plugin_utils/k3s/test_release.py",),
    # empties the machine that it runs on: a machine laid out by a test, and the machines of a scenario
    "k3s_removed": ("tests/unit/plugins/module_utils/_k3s/test_removal.py", "extensions/molecule/k3s/destroy.yml"),
    # builds for minutes or loads releases: the steps run with a catalogue of small components
    "artifacts": ("tests/unit/plugins/plugin_utils/artifacts/test_service.py",),
    # the controller's own files; changed, again, check mode and what is refused
    "state_backup": ("tests/unit/plugins/plugin_utils/backup/test_service.py", "tests/lab/test_state_backup.py"),
    "state_restore": ("tests/unit/plugins/plugin_utils/backup/test_service.py", "tests/lab/test_state_backup.py"),
    # changes a machine's kernel: the steps run on a scripted node, and on a KinD node in the lab
    "wan_node": ("tests/unit/plugins/modules/test_wan_node.py", "tests/lab/test_wan_association.py"),
    # writes a report, which never counts as a change
    "report": ("tests/unit/plugins/action/test_report.py",),
}


def test_every_module_is_accounted_for() -> None:
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    assert HERE | READ_ONLY | set(ELSEWHERE) == modules
    for files in ELSEWHERE.values():
        assert all((ROOT / file).is_file() for file in files)


def listed(site: Site) -> dict[str, str]:
    """Version and kind of everything that the test may have made, as the API has it."""
    group = f"{site.name}.test"
    paths = [
        f"{site.path}", f"{site.path}/configmaps/c", f"{site.path}/secrets/s", f"{site.path}/services/s",
        f"/apis/apps/v1/namespaces/{site.name}/deployments/d", f"/apis/{group}/v1/namespaces/{site.name}/foos/f",
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/foos.{group}",
    ]  # fmt: skip
    found = {path: site.get(path) for path in paths}
    # what controllers write beside us isn't ours: generation and our own record tell what we did
    return {
        path: f"{item['metadata']['uid']} {item['metadata'].get('generation')} {ours(item)}"
        for path, item in found.items()
        if item is not None
    }


def ours(item: Answer) -> list[Any]:
    return [entry for entry in item["metadata"].get("managedFields", []) if entry["manager"] == "edge.mesh"]


def test_manifests(site: Site) -> None:
    service = site.object("Service", "s", spec={"ports": [{"port": 80, "name": "http"}], "selector": {"app": "d"}})
    secret = site.object("Secret", "s", stringData={"password": "hush-hush"})
    resources = {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}
    fixed = [secret, service, site.custom(), site.definition(), site.namespace]
    first = [site.config_map(a="1", b="2"), site.deployment(resources=resources), *fixed]
    second = [site.config_map(a="9"), site.deployment(resources=resources, image="example.test/x:2"), *fixed]
    steps = twelve_steps(
        lambda check, objects, **options: site.manifests(*objects, check=check, **options),
        {"objects": first},
        {"objects": second},
        {"objects": second, "state": "absent", "wait": {"timeout": 60}},
        lambda: listed(site),
    )
    told = [[each["action"] for each in step.done["objects"]] for step in steps]
    assert told == [
        ["created"] * 7,
        ["unchanged"] * 7,
        ["configured"] * 2 + ["unchanged"] * 5,
        ["unchanged"] * 7,
        ["deleted"] * 7,
        ["unchanged"] * 7,
    ]
    for step in steps:
        assert [each["action"] for each in step.predicted["objects"]] == [
            each["action"] for each in step.done["objects"]
        ]
        assert step.predicted["diff"] == step.done["diff"]
    assert steps[1].done["requests"] == 7  # one for each object, nothing is sent and nothing is discovered
    assert steps[2].done["objects"][0]["reasons"] == [".data.a changed", ".data.b changed"]
    assert "hush" not in str(steps)
    assert base64.b64encode(b"hush-hush").decode() not in str(steps)


def test_mesh_ca(tmp_path: Path) -> None:
    directory = tmp_path / "ca"

    def state() -> dict[str, str]:
        return {
            str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.rglob("*.pem")
        }

    def run(check: bool, **options: Any) -> Answer:
        return run_module("mesh_ca", {"path": str(directory), **options}, check=check)

    steps = twelve_steps(
        run,
        {"intermediates": [{"name": "centre"}]},
        {"intermediates": [{"name": "centre"}, {"name": "harbour"}]},
        {"state": "absent"},
        state,
    )
    for step in steps:
        assert len(step.predicted["intermediates"]) == len(step.done["intermediates"])
    assert [each["action"] for each in steps[2].done["intermediates"]] == ["kept", "issued"]
    assert "PRIVATE KEY" not in str(steps)


def test_site_remnants(site: Site) -> None:
    """It only takes away, so its steps are the last ones: clean, and clean again."""
    root = (
        "-----BEGIN CERTIFICATE-----\n"
        + base64.b64encode(site.name.encode()).decode()
        + "\n-----END CERTIFICATE-----\n"
    )
    path = f"{site.path}/configmaps/istio-ca-root-cert"
    site.apply(site.path, site.namespace, "setup")
    site.apply(path, site.object("ConfigMap", "istio-ca-root-cert", data={"root-cert.pem": root}), "pilot-discovery")
    options = {"kubeconfig": str(site.plane.kubeconfig), "site": site.name, "root": root, "clean": True}
    predicted = site.run("site_remnants", check=True, **options)
    assert predicted["changed"]
    assert site.get(path) is not None
    done = site.run("site_remnants", **options)
    assert done["changed"]
    assert site.get(path) is None
    assert not site.run("site_remnants", check=True, **options)["changed"]
    assert not site.run("site_remnants", **options)["changed"]


@pytest.fixture
def two_sides(site: Site) -> Site:
    """The site's own system namespace, and istiod's on the primary, which is the same API server here."""
    annotations = {"topology.istio.io/controlPlaneClusters": "centre"}
    labels = {"topology.istio.io/network": "net-shop"}
    own = {**site.namespace, "metadata": {"name": site.name, "labels": labels, "annotations": annotations}}
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}
    site.apply(site.path, own, "setup")
    site.apply("/api/v1/namespaces/istio-system", system, "setup")
    return site


def test_remote_secret(two_sides: Site) -> None:
    site = two_sides
    kubeconfig = str(site.plane.kubeconfig)
    reader = {"namespace": site.name, "service_account": f"reader-{site.name}"}
    common = {
        "cluster": site.name,
        "site": {"kubeconfig": kubeconfig},
        "primaries": [{"name": "centre", "kubeconfig": kubeconfig}],
        "reader": reader,
        "proxy_url": "http://proxy.test:3128",  # the API's address is loopback, which no primary could reach
    }

    def state() -> Any:
        secret = site.get(f"/api/v1/namespaces/istio-system/secrets/istio-remote-secret-{site.name}")
        accounts = site.get(f"{site.path}/serviceaccounts/{reader['service_account']}")
        tokens = site.get(f"{site.path}/secrets") or {}
        roles = site.get("/apis/rbac.authorization.k8s.io/v1/clusterroles?labelSelector=x!=y&limit=500") or {}
        return (
            secret and secret["data"],
            accounts and accounts["metadata"]["uid"],
            sorted(item["metadata"]["uid"] for item in tokens.get("items", [])),
            sorted(item["metadata"]["name"] for item in roles["items"] if site.name in item["metadata"]["name"]),
        )

    steps = twelve_steps(
        lambda check, **options: site.run("remote_secret", check=check, **common, **options),
        {"api_server": "https://192.0.2.20:6443"},
        {"api_server": "https://192.0.2.21:6443"},
        {"state": "absent"},
        state,
    )
    assert [step.done["primaries"][0]["action"] for step in steps] == [
        "created", "kept", "renewed", "kept", "deleted", "absent",
    ]  # fmt: skip
    for step in steps:
        assert step.predicted["primaries"][0]["action"] == step.done["primaries"][0]["action"]
    assert state() == (None, None, [], [])
    data = steps[0].done
    assert data["primaries"][0]["istiod"] == "not installed"
    assert data["token_digest"].startswith("sha256:")
    assert "eyJ" not in str(steps)


INJECTOR = (
    "/api/v1/namespaces/{0}", "/api/v1/namespaces/{0}/secrets/{0}", "/api/v1/namespaces/{0}/configmaps/{0}",
    "/api/v1/namespaces/{0}/services/{0}", "/apis/apps/v1/namespaces/{0}/deployments/{0}",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/{0}",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{0}",
)  # fmt: skip


def test_local_injector(site: Site) -> None:
    primary(site)
    kubeconfig = str(site.plane.kubeconfig)
    common = {"kubeconfig": kubeconfig, "site": site.name, "wait": False}
    made = {"primary": {"kubeconfig": kubeconfig, "name": "centre"}}

    def state() -> dict[str, Any]:
        found = {path: site.get(path.format("edge-mesh-injector")) for path in INJECTOR}
        return {
            path: [item["metadata"]["uid"], item["metadata"].get("generation"), ours(item)]
            for path, item in found.items()
            if item is not None and "deletionTimestamp" not in item["metadata"]
        }

    steps = twelve_steps(
        lambda check, **options: site.run("local_injector", check=check, **common, **options),
        {**made, "webhook": chart_webhook()},
        {**made, "webhook": chart_webhook("/inject/cluster/shop/net/other")},
        {"state": "absent"},
        state,
    )
    told = [{each["kind"]: each["action"] for each in step.done["objects"]} for step in steps]
    assert set(told[0].values()) == {"created"}
    assert len(told[0]) == 11
    assert {kind for kind, action in told[2].items() if action != "unchanged"} == {"MutatingWebhookConfiguration"}
    assert set(told[4].values()) == {"deleted"}
    assert steps[0].done["reasons"] == ["there is no certificate"]
    assert "PRIVATE KEY" not in str(steps)
