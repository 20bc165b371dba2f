# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a site exports is in the proxies of those that it shows it to, and the rest in nobody's: they are read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab, Played, wait_until
from tests.primaries.conftest import KIOSK, NORTH, SITES, SOUTH, inventory

EXPORTS = {KIOSK: {"edge_mesh_exports": [{"service": "till.shop", "to": [NORTH]}]}}


def dump(lab: Lab, site: str) -> str:
    """All that sleep's proxy at a site has, endpoints too."""
    words = ("-c", "istio-proxy", "--", "pilot-agent", "request", "GET", "config_dump?include_eds")
    return lab.kubectl(site, "exec", "-n", "sample", "deploy/sleep", *words)


def gateway_of(lab: Lab, site: str, text: str) -> bool:
    """Whether any endpoint in a dump is a site's gateway."""
    return re.search(rf'"{re.escape(lab.address(site))}",\s*"port_value": 15443', text) is not None


def ask(lab: Lab, site: str, host: str, calls: int = 12) -> str:
    """The answers to calls from a site; the name needs no local Service, for a proxy routes HTTP by its host."""
    call = f"curl -s -m 10 -H 'Host: {host}:5000' http://helloworld.sample:5000/hello"
    script = f"for i in $(seq {calls}); do {call}; echo; done"
    return lab.kubectl(site, "exec", "-n", "sample", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", script)


def deploy(lab: Lab, name: str) -> None:
    """A service of the namespace shop at the edge: another helloworld."""
    found = json.loads(lab.kubectl(KIOSK, "get", "deployment", "helloworld", "-n", "sample", "-o", "json"))
    labels = {"app": name}
    template = found["spec"]["template"]
    template["metadata"] = {"labels": {**labels, "version": "v1"}}
    template["spec"]["serviceAccountName"] = "default"
    workload = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }  # fmt: skip
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 5000}]},
    }  # fmt: skip
    items = {"apiVersion": "v1", "kind": "List", "items": [service, workload]}
    lab.kubectl(KIOSK, "apply", "-f", "-", stdin=json.dumps(items))
    lab.kubectl(KIOSK, "rollout", "status", f"deployment/{name}", "-n", "shop", "--timeout=120s")


@pytest.fixture(scope="module")
def before(lab: Lab, first_run: Played) -> Iterator[dict[str, str]]:
    """The mesh with two more services at the edge, and what other sites' proxies have while nothing is hidden."""
    assert first_run.rc == 0
    namespace = {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"istio-injection": "enabled"}},
    }  # fmt: skip
    lab.kubectl(KIOSK, "apply", "-f", "-", stdin=json.dumps(namespace))
    for name in ("till", "safe"):
        deploy(lab, name)
    wait_until(lambda: "safe.shop" in dump(lab, SOUTH), "a service of the edge in the configuration of others")
    yield {site: dump(lab, site) for site in (NORTH, SOUTH)}
    lab.kubectl(KIOSK, "delete", "namespace", "shop", "--wait=true")


@pytest.fixture(scope="module")
def exported(lab: Lab, before: dict[str, str]) -> Iterator[Played]:
    """The mesh while the edge shows one service to one site; afterwards everybody shows everything again."""
    assert before
    inventory(lab, sites=EXPORTS)
    yield lab.play("site.yml")
    inventory(lab)
    undone = lab.play("site.yml")
    assert undone.rc == 0, undone.output[-4000:]
    for site in SITES:
        kinds = lab.kubectl(site, "get", "customresourcedefinitions", "-o", "name")
        assert "serviceexports" not in kinds
        assert "edge-mesh-export" not in lab.kubectl(site, "get", "clusterroles", "-o", "name")
    for site in (NORTH, SOUTH):
        wait_until(lambda site=site: "safe.shop" in dump(lab, site), "what was hidden, shown again")  # type: ignore[misc]


def test_by_default_everything_is_shown(lab: Lab, before: dict[str, str]) -> None:
    for text in before.values():
        assert "till.shop.svc.cluster.local" in text
        assert "safe.shop.svc.cluster.local" in text
        assert gateway_of(lab, KIOSK, text)


def test_the_site_that_is_shown_a_service_has_it_and_nothing_else(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0, exported.output[-4000:]
    wait_until(lambda: "safe.shop" not in dump(lab, NORTH), "what isn't exported, gone")
    assert "till.shop.svc.cluster.local" in dump(lab, NORTH)
    assert gateway_of(lab, KIOSK, dump(lab, NORTH))
    assert "pod=till-" in ask(lab, NORTH, "till.shop")
    assert f"site={KIOSK}" not in ask(lab, NORTH, "helloworld.sample")


def test_another_site_has_nothing_of_it_neither_name_nor_endpoint(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0
    wait_until(lambda: ".shop." not in dump(lab, SOUTH), "what isn't shown, gone")
    assert not gateway_of(lab, KIOSK, dump(lab, SOUTH))
    assert "pod=till-" not in ask(lab, SOUTH, "till.shop")


def test_the_link_is_one_way(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0
    answers = ask(lab, KIOSK, "helloworld.sample", 30)
    assert set(re.findall(r"site=(\S+)", answers)) == set(SITES)
    assert "pod=safe-" in ask(lab, KIOSK, "safe.shop", 2)


def test_what_is_deployed_later_is_hidden_from_the_start(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0
    deploy(lab, "late")
    wait_until(lambda: "pod=late-" in ask(lab, KIOSK, "late.shop", 1), "the new service at its own site")
    for site in (NORTH, SOUTH):
        assert "pod=late-" not in ask(lab, site, "late.shop", 6)
    assert not gateway_of(lab, KIOSK, dump(lab, SOUTH))


def test_a_run_hides_its_name_and_the_next_one_changes_nothing(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0
    assert lab.play("site.yml").rc == 0
    wait_until(lambda: "late.shop" not in dump(lab, SOUTH), "the name of the new service, gone")
    again = lab.play("site.yml")
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]


def test_verify_expects_what_a_site_may_see(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0
    verified = lab.play("verify.yml")
    assert verified.rc == 0, verified.output[-4000:]
    pairs = {(item["site"], item["peer"]) for item in lab.verified()["checks"] if item["id"] == "traffic.reach"}
    assert (NORTH, KIOSK) not in pairs
    assert {(KIOSK, NORTH), (KIOSK, SOUTH), (NORTH, SOUTH)} <= pairs


def test_half_of_a_name_is_refused(lab: Lab, exported: Played) -> None:
    assert exported.rc == 0
    inventory(lab, sites={KIOSK: {"edge_mesh_exports": [{"service": "helloworld.sample", "to": [NORTH]}]}})
    refused = lab.play("site.yml")
    inventory(lab, sites=EXPORTS)
    assert refused.rc != 0
    assert refused.changed == 0
    said = " ".join(refused.output.split())
    assert (
        f"helloworld.sample of {KIOSK} can't be hidden from {SOUTH} alone: {SOUTH} has a service of that name" in said
    )
