# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EXAMPLES are run by a real ``ansible-playbook``, and what comes back is compared with RETURN.

Files lie below a directory of the test, nothing but loopback is called, and long times are cut: this is replaced. What
an example needs to be there (kubeconfigs, a rendered file, an outside root) is put there first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.control_plane import ControlPlane
from tests.integration.documented import differences, examples, returned
from tests.integration.injecting import chart_webhook, primary
from tests.integration.running import ROOT, Played, play, run_module
from tests.integration.site import Site

MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
RUN = {
    "local_injector", "manifests", "mesh_ca", "mesh_ca_info", "mesh_measure",
    "mesh_traffic", "remote_secret_info", "report", "route_checks",
    "service_info", "site_checks",
    "site_cluster_info", "site_remnants", "state_backup", "state_restore", "wan_info", "xds_health",
}  # fmt: skip
# Examples that can't be run here, and where the module's answer is compared instead.
ELSEWHERE = {
    "artifacts": "builds for minutes; the lab's first task is its first example",
    "k3s_machine_info": "reads the machine it runs on; compared in tests/unit/plugins/module_utils/_k3s",
    "k3s_release": "fetches a release of K3s; compared in tests/unit/plugins/plugin_utils/k3s",
    "k3s_removed": "empties the machine it runs on; the scenario k3s runs it by its role",
    "kind_cluster": "makes containers; the lab runs it by its role",
    "remote_secret": "a primary can't reach loopback, and the examples name no proxy; test_remote_secret_answers below",
    "wan_node": "changes the kernel of the machine that it runs on; tests/unit/plugins/modules/test_wan_node.py",
    "sites": "reads the inventory of a mesh; the lab's first task is its example",
}
PATHS = re.compile(
    r"\{\{ (?:edge_mesh_state_dir|inventory_dir) \}\}"
    r"|(?<![\w/])(?:/etc/edge|/srv/\w+|/media/\w+|/var/lib|\.?state)(?=/)"
)
ADDRESSES = re.compile(r"\b(?:192\.0\.2|172\.20\.0)\.\d+(?::15012)?")


def test_every_module_has_examples_that_are_run_or_says_why_not() -> None:
    assert sorted([*RUN, *ELSEWHERE]) == MODULES
    for module in MODULES:
        for task in examples(module):
            assert task["name"][0].isupper()
            assert any(key.startswith(("edge.mesh.", "ansible.builtin.")) for key in task)


class Ground:
    """Where the examples work."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self.plane = plane
        self.directory = directory
        self.site = Site(plane, "examples")
        metadata = {"name": "istio-system", "annotations": {"topology.istio.io/controlPlaneClusters": "centre"}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.site.apply("/api/v1/namespaces/istio-system", namespace, "setup")
        service = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer", "ports": [{"port": 15443}]}}
        service["metadata"] = {"name": "istio-eastwestgateway", "namespace": "istio-system"}
        self.site.apply("/api/v1/namespaces/istio-system/services/istio-eastwestgateway", service, "setup")
        primary(self.site)
        self._authority()

    def _authority(self) -> None:
        made = run_module("mesh_ca", {"path": str(self.directory / "company"), "intermediates": [{"name": "centre"}]})
        root, centre = Path(made["root"]["path"]), self.directory / "company" / "centre"
        files = {
            "company-root.pem": root / "root-cert.pem", "edge-mesh/ca/root/root-cert.pem": root / "root-cert.pem",
            "company-root.key": root / "root-key.pem", "ca/centre/root-cert.pem": centre / "root-cert.pem",
            "ca/centre/ca-cert.pem": centre / "ca-cert.pem", "ca/centre/ca-key.pem": centre / "ca-key.pem",
        }  # fmt: skip
        for name, source in files.items():
            target = self.directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())

    def moved(self, task: dict[str, Any]) -> dict[str, Any]:
        """The task with files of ours, loopback addresses, and what it needs put in place."""
        text = ADDRESSES.sub("127.0.0.1:1", PATHS.sub(str(self.directory), json.dumps(task)))
        text = text.replace("'company-root.pem'", f"'{self.directory}/company-root.pem'")
        text = text.replace("https://127.0.0.1:1:6443", self.plane.url).replace('"127.0.0.1:1"', '"127.0.0.1"')
        task = json.loads(text)
        for path in re.findall(r'"kubeconfig": "([^"]+)"', text):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            if not Path(path).exists():
                self.plane.write_kubeconfig(Path(path), "admin-token-of-the-tests")
        for path in re.findall(r'"src": "([^"]+)"', text):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(yaml.safe_dump_all([self.site.namespace, self.site.config_map()]))
        return task

    def variables(self) -> dict[str, Any]:
        """What examples take from variables."""
        kubeconfig = str(self.plane.kubeconfig)
        site = {"name": "centre", "role": "primary", "network": "n", "primary": "centre", "kubeconfig": kubeconfig}
        record = {
            "id": "join.tls", "site": "shop", "peer": None, "title": "t", "verdict": "ok", "evidence": {}, "hint": "",
            "from": "controller", "took_ms": 1,
        }  # fmt: skip
        return {
            "vaulted_root_passphrase": "p", "vaulted_company_passphrase": None, "sites": [site], "checks": [record],
            "primaries": [{"name": "centre", "kubeconfig": kubeconfig}], "vaulted_backup_passphrase": "long and random",
            "edge_mesh_state_dir": str(self.directory), "root_pem": "",
            "rendered": {"manifest": json.dumps(chart_webhook())},
        }  # fmt: skip


def shorten(task: dict[str, Any]) -> None:
    """Seconds instead of minutes for what never comes: no istiod, no gateway."""
    for name, options in task.items():
        if name in (
            "edge.mesh.site_checks",
            "edge.mesh.mesh_traffic",
            "edge.mesh.route_checks",
            "edge.mesh.wan_info",
            "edge.mesh.xds_health",
        ):
            options.update({"timeout": 3, **({"wait": 1} if "wait" in options else {})})
        elif name == "edge.mesh.local_injector":
            options["wait"] = False  # no kubelet runs its pod
        elif name == "edge.mesh.mesh_measure":
            options.update({"timeout": 3, "idle": 1})


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A cluster of its own: the examples name their namespaces, and leave in them what they make."""
    with ControlPlane(tmp_path_factory.mktemp("cluster-of-examples"), audit=True) as plane:
        yield Ground(plane, tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def played(ground: Ground) -> Played:
    """All examples in one play; a task that fails doesn't keep the next from running."""
    tasks = []
    for module in sorted(RUN):
        for number, task in enumerate(examples(module)):
            if not any(key.startswith("edge.mesh.") for key in task):
                continue  # what people do with the answer
            shorten(task)
            moved = ground.moved({key: value for key, value in task.items() if key not in ("delegate_to", "run_once")})
            if module == "mesh_ca":  # each example is a CA of its own
                moved["edge.mesh.mesh_ca"]["path"] += f"-{number}"
            tasks.append({**moved, "name": f"{module} {number}", "ignore_errors": True})
    return play(ground.directory / "play", tasks, "--diff", variables=ground.variables())


@pytest.mark.parametrize("module", sorted(RUN))
def test_examples_run_and_answer_as_documented(played: Played, module: str) -> None:
    answers = {name: result for name, result in played.results.items() if name.startswith(f"{module} ")}
    assert answers, played.output[-2000:]
    for name, answer in answers.items():
        assert not answer.get("failed"), f"{name}: {answer.get('msg')}"
        assert not list(differences(returned(module), answer)), name


def test_remote_secret_answers_as_documented(ground: Ground) -> None:
    kubeconfig = str(ground.plane.kubeconfig)
    options = {
        "cluster": "documented", "site": {"kubeconfig": kubeconfig}, "proxy_url": "http://proxy.test:3128",
        "primaries": [{"name": "centre", "kubeconfig": kubeconfig}], "api_server": "https://192.0.2.20:6443",
        "reader": {"service_account": "documented"},
    }  # fmt: skip
    for state in ("present", "absent"):
        answer = run_module("remote_secret", {**options, "state": state})
        assert not answer.get("failed"), answer
        assert not list(differences(returned("remote_secret"), answer))
