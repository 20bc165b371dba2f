# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job end to end, on real clusters: what it leaves behind is looked at with kubectl, not with our own code."""

from __future__ import annotations

import itertools
import json
import stat
import subprocess
from xml.etree import ElementTree

import pytest

from tests.lab.lab import EDGES, MESH, NAMES, PRIMARY, SITES, Lab, Played, docker, node


def test_check_mode_before_anything_exists_says_what_it_cannot_know(lab: Lab, plan: Played) -> None:
    assert plan.rc == 0, plan.output[-4000:]
    assert "there is no cluster yet" in plan.output
    assert f"{MESH}: {len(SITES)} sites: {len(SITES)} skipped" in plan.output
    assert sorted(path.name for path in lab.state.iterdir()) == ["reports"]


def test_the_main_job_ends_well(first_run: Played) -> None:
    assert first_run.rc == 0, first_run.output[-4000:]
    assert len(first_run.hosts) == len(SITES)


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize("site", NAMES)
def test_a_kubeconfig_is_private_and_works_from_the_host(lab: Lab, site: str) -> None:
    assert stat.S_IMODE(lab.kubeconfig(site).stat().st_mode) == 0o600
    assert lab.kubectl(site, "get", "--raw", "/readyz") == "ok"


@pytest.mark.usefixtures("first_run")
def test_all_clusters_have_the_same_pod_network(lab: Lab) -> None:
    ranges = {lab.objects(site, "nodes")[0]["spec"]["podCIDR"] for site in NAMES}
    assert len(ranges) == 1


@pytest.mark.usefixtures("first_run")
def test_a_node_sees_no_cgroup_of_another_nodes_pods() -> None:
    listed = "find /sys/fs/cgroup -maxdepth 5 -name '*pod*.slice' -path '*kubelet*' -printf '%f\\n'"
    seen = [set(docker("exec", node(site), "sh", "-c", listed).split()) for site in NAMES]
    pods = [{name for name in names if "-pod" in name} for names in seen]
    assert all(pods)
    assert not any(one & other for one, other in itertools.combinations(pods, 2))


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize("site", EDGES)
def test_no_control_plane_pod_runs_at_an_edge(lab: Lab, site: str) -> None:
    pods = lab.objects(site, "pods", "--all-namespaces")
    images = {container["image"] for pod in pods for container in pod["spec"]["containers"]}
    assert any("proxyv2" in image for image in images)
    assert not any("pilot" in image for image in images)


@pytest.mark.usefixtures("first_run")
def test_istiod_runs_at_the_primary_with_the_plugged_in_ca(lab: Lab) -> None:
    assert list(lab.objects(PRIMARY, "pods", "-n", "istio-system", "-l", "app=istiod"))
    secret = json.loads(lab.kubectl(PRIMARY, "get", "secret", "cacerts", "-n", "istio-system", "-o", "json"))
    assert sorted(secret["data"]) == ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize("site", NAMES)
def test_every_site_trusts_the_one_root(lab: Lab, site: str) -> None:
    found = json.loads(lab.kubectl(site, "get", "cm", "istio-ca-root-cert", "-n", "sample", "-o", "json"))
    assert found["data"]["root-cert.pem"].strip() == (lab.state / f"ca/{PRIMARY}/root-cert.pem").read_text().strip()


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize("site", EDGES)
def test_the_webhook_of_an_edge_names_the_site_and_its_network(lab: Lab, site: str) -> None:
    hook = json.loads(lab.kubectl(site, "get", "mutatingwebhookconfiguration", "istio-sidecar-injector", "-o", "json"))
    for webhook in hook["webhooks"]:
        assert webhook["clientConfig"]["service"]["path"] == f"/inject/cluster/{site}/net/net-{site}"
        assert webhook["clientConfig"]["caBundle"]


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize(("caller", "answerer"), list(itertools.product(NAMES, NAMES)))
def test_calls_from_every_site_are_answered_by_every_site(lab: Lab, caller: str, answerer: str) -> None:
    loop = "for i in $(seq 60); do curl -s --max-time 5 http://helloworld.sample:5000/hello; done"
    answers = lab.kubectl(caller, "exec", "-n", "sample", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", loop)
    version = next(site.version for site in SITES if site.name == answerer)
    assert f"version={version} site={answerer} pod=helloworld-" in answers


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize("site", NAMES)
def test_a_plain_text_call_is_refused(lab: Lab, site: str) -> None:
    address = lab.objects(site, "pods", "-n", "sample", "-l", "app=helloworld")[0]["status"]["podIP"]
    node = f"{MESH}-{site}-control-plane"
    call = ["docker", "exec", node, "curl", "-s", "--max-time", "5", f"http://{address}:5000/hello"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "version=" not in done.stdout


@pytest.mark.usefixtures("first_run")
def test_istiod_is_closed_to_strangers(lab: Lab) -> None:
    service = json.loads(lab.kubectl(PRIMARY, "get", "svc", "istiod-gateway", "-n", "istio-system", "-o", "json"))
    assert len(service["spec"]["loadBalancerSourceRanges"]) == len(SITES) + 1


def test_the_second_run_changes_nothing(second_run: Played) -> None:
    assert second_run.rc == 0, second_run.output[-4000:]
    assert second_run.changed == 0, second_run.output[-4000:]


def test_check_mode_on_the_running_mesh_shows_no_change(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    checked = lab.play("site.yml", "--check", "--diff")
    assert (checked.rc, checked.changed) == (0, 0), checked.output[-4000:]
    assert "PRIVATE KEY" not in checked.output


def test_verify_ends_well(verified: Played) -> None:
    assert verified.rc == 0, verified.output[-6000:]


def test_the_report_has_a_record_of_every_check(lab: Lab, verified: Played) -> None:
    report = lab.verified()
    assert report["healthy"] is (verified.rc == 0)
    assert report["mesh"] == MESH
    shape = {"id", "site", "peer", "title", "verdict", "evidence", "hint", "from", "took_ms"}
    assert all(set(record) == shape for record in report["checks"])
    by_site: dict[str, set[str]] = {name: set() for name in NAMES}
    for record in report["checks"]:
        by_site[record["site"]].add(record["id"])
    everywhere = {"join.ads", "join.csr", "join.injection", "proxy.synced", "gateway.ready", "gateway.address"}
    everywhere |= {"traffic.reach", "traffic.mtls", "traffic.ingress"}
    inputs = {"site.no-control-plane", "input.webhook", "input.reader", "input.trust", "input.istiod-address"}
    inputs |= {"input.namespace", "istiod.cluster-synced"}
    for site in EDGES:
        assert by_site[site] >= everywhere | inputs, (everywhere | inputs) - by_site[site]
    assert by_site[PRIMARY] >= {"proxy.synced", "gateway.ready", "traffic.reach", "traffic.mtls", "traffic.ingress"}


@pytest.mark.usefixtures("verified")
def test_junit_has_a_suite_for_every_site(lab: Lab) -> None:
    root = ElementTree.parse(lab.state / "reports/verify.xml").getroot()
    assert {suite.get("name") for suite in root.iter("testsuite")} == set(NAMES)


def test_a_run_limited_to_a_site_lets_it_reach_istiod_again(lab: Lab, second_run: Played) -> None:
    assert second_run.rc == 0
    gateway = ("istiod-gateway", "-n", "istio-system")
    before = json.loads(lab.kubectl(PRIMARY, "get", "svc", *gateway, "-o", "json"))["spec"]["loadBalancerSourceRanges"]
    site = EDGES[-1]
    node = lab.objects(site, "nodes")[0]["status"]["addresses"]
    own = next(entry["address"] for entry in node if entry["type"] == "InternalIP") + "/32"
    without = {"spec": {"loadBalancerSourceRanges": [entry for entry in before if entry != own]}}
    lab.kubectl(PRIMARY, "patch", "svc", *gateway, "--type", "merge", "-p", json.dumps(without))
    limited = lab.play("site.yml", "--limit", f"site_{site.replace('-', '_')}")
    assert (limited.rc, limited.changed, len(limited.hosts)) == (0, 1, 1), limited.output[-4000:]
    after = json.loads(lab.kubectl(PRIMARY, "get", "svc", *gateway, "-o", "json"))["spec"]["loadBalancerSourceRanges"]
    assert sorted(after) == sorted(before)
