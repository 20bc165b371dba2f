# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One site joined to a running mesh: ``site.yml --limit`` beside an expert's script of istioctl and kubectl.

``python -m benchmarks.join`` needs the running lab (`make lab`) and puts a KinD cluster beside it, which goes again.
Both begin at a cluster without anything of Istio, and end with its gateways ready and known to the mesh. The expert has
every file ready, knows what has to be waited for, and checks nothing else. helm's part is done by istioctl, which holds
the same charts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import (
    Contender,
    Sample,
    Summary,
    alternate,
    machine,
    summarise,
    table,
    write_csv,
    write_section,
)
from benchmarks.playbook import ROOT
from benchmarks.xds_health import LAB, Lab, said

PAGE = ROOT / "docs/benchmarks/join.md"
RESULTS = ROOT / "benchmarks/results/join.csv"
OURS, EXPERT = "site.yml --limit", "istioctl, kubectl"
JOIN, NOTHING = "join", "nothing to do"
SITE = "bench"
_WEBHOOK = "mutatingwebhookconfiguration/istio-sidecar-injector"
_PATIENCE = 120.0
_WRITTEN = ("name", "namespace", "labels", "annotations")
_GIVEN = ("clusterIP", "clusterIPs", "finalizers")
_GATEWAYS = ("istio-eastwestgateway", "istio-ingressgateway")

Json = dict[str, Any]


class Joining:
    """The lab with one site more; ``directory`` holds the inventory and the expert's files."""

    def __init__(self, lab: Lab, inventory: Path, directory: Path) -> None:
        self._lab = lab
        self._directory = directory
        document = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))
        variables = document["all"].setdefault("vars", {})
        variables |= {"edge_mesh_state_dir": str(inventory / ".state"), "edge_mesh_sample_apps": False}
        variables.pop("edge_mesh_routes", None)  # nothing of them is at an edge
        document["all"]["children"]["mesh_edge"]["children"][f"site_{SITE}"] = {"hosts": {SITE: {}}}
        self.inventory = directory / "hosts.yml"
        self.inventory.write_text(yaml.safe_dump(document), encoding="utf-8")

    # -- ours ----------------------------------------------------------------------------------------------------------

    def play(self, playbook: str, *arguments: str) -> None:
        """Run a playbook; raises RuntimeError with its last lines if it fails."""
        command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(self.inventory), f"playbooks/{playbook}"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        done = subprocess.run(
            [*command, *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(done.stdout[-4000:] + done.stderr[-2000:])

    def ours(self) -> None:
        """Join, or see that nothing has to be done."""
        self.play("site.yml", "--limit", f"site_{SITE}")

    def leave(self) -> None:
        """Take the site out of the mesh; its cluster stays, without anything of Istio."""
        self.play("retire_site.yml", "-e", f"edge_mesh_retire={SITE}")

    def remove(self) -> None:
        """Take the site out, and its cluster away."""
        self.play("retire_site.yml", "-e", f"edge_mesh_retire={SITE}", "-e", "edge_mesh_delete_cluster=true")

    # -- the expert ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Write the expert's files; the gateways are those that our run has made, in this site's own words."""
        kept = self._listed("serviceaccount,service,deployment", "edge.mesh/set=gateways")
        self._write("gateways.yaml", "---\n".join(yaml.safe_dump(_bare(item)) for item in kept))
        namespace = json.loads(self._kubectl("get", "namespace", "istio-system", "-o", "json"))
        self._write("namespace.yaml", yaml.safe_dump(_bare(namespace)))
        values = {
            "defaultRevision": "",
            "global": {
                "meshID": "mesh1",
                "network": f"net-{SITE}",
                "multiCluster": {"clusterName": SITE},
                "remotePilotAddress": self._lab.istiod,
            },
            "istiodRemote": {"injectionPath": f"/inject/cluster/{SITE}/net/net-{SITE}"},
        }
        operator = {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator",
                    "spec": {"profile": "remote", "values": values}}  # fmt: skip
        self._write("remote.yaml", yaml.safe_dump(operator))
        nodes = json.loads(self._kubectl("get", "nodes", "-o", "json"))["items"]
        self._address = next(
            entry["address"] for entry in nodes[0]["status"]["addresses"] if entry["type"] == "InternalIP"
        )
        gateway = json.loads(self._at_primary("get", "-n", "istio-system", "service", "istiod-gateway", "-o", "json"))
        self._sources = {"spec": {"loadBalancerSourceRanges": gateway["spec"]["loadBalancerSourceRanges"]}}

    def expert(self) -> None:
        """What somebody types who has done it often."""
        self._kubectl("apply", "--server-side", "--force-conflicts", "-f", str(self._directory / "namespace.yaml"))
        rendered = self._istioctl("manifest", "generate", "--filename", str(self._directory / "remote.yaml"))
        self._kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=rendered)
        secret = self._istioctl(
            "create-remote-secret", "--kubeconfig", self._lab.kubeconfig(SITE), "--name", SITE, "--server",
            f"https://{self._address}:6443",
        )  # fmt: skip
        self._at_primary("apply", "-f", "-", stdin=secret)
        self._at_primary(
            "patch", "-n", "istio-system", "service", "istiod-gateway", "--type=merge", "-p", json.dumps(self._sources)
        )
        # without its CA bundle nothing is injected, and a gateway's image is none
        self._await(lambda: bool(self._kubectl("get", _WEBHOOK, "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}")))
        self._kubectl("apply", "--server-side", "--force-conflicts", "-f", str(self._directory / "gateways.yaml"))
        published = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": self._address}]}}})
        for name in _GATEWAYS:
            self._kubectl("patch", "-n", "istio-system", "service", name, "--subresource=status", "--type=merge", "-p",
                          published)  # fmt: skip
        for name in _GATEWAYS:
            self._kubectl("rollout", "status", "-n", "istio-system", f"deployment/{name}", "--timeout=120s")

    def undo(self) -> None:
        """Take away what the expert's script has made."""
        self._at_primary("delete", "-n", "istio-system", "secret", f"istio-remote-secret-{SITE}", "--ignore-not-found")
        rendered = self._istioctl("manifest", "generate", "--filename", str(self._directory / "remote.yaml"))
        self._kubectl("delete", "--ignore-not-found", "-f", str(self._directory / "gateways.yaml"))
        self._kubectl("delete", "--ignore-not-found", "-f", "-", stdin=rendered)
        self._kubectl("delete", "--ignore-not-found", "-f", str(self._directory / "namespace.yaml"))

    # -- tools ---------------------------------------------------------------------------------------------------------

    def _listed(self, kinds: str, selector: str) -> list[Json]:
        items: list[Json] = json.loads(self._kubectl("get", kinds, "-n", "istio-system", "-l", selector, "-o", "json"))[
            "items"
        ]
        return items

    def _write(self, name: str, text: str) -> None:
        (self._directory / name).write_text(text, encoding="utf-8")

    def _kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self._lab.kubectl(SITE, *words, stdin=stdin)

    def _at_primary(self, *words: str, stdin: str | None = None) -> str:
        return self._lab.kubectl(self._lab.primary, *words, stdin=stdin)

    def _istioctl(self, *words: str) -> str:
        return said([str(ROOT / ".venv/bin/istioctl"), *words])

    @staticmethod
    def _await(check: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not check():
            if time.monotonic() > end:
                raise RuntimeError("istiod hasn't done its part at the site")
            time.sleep(0.2)


def _bare(item: Json) -> Json:
    """An object as somebody would write it: without what the API server and we have added."""
    metadata = {
        key: value for key, value in item["metadata"].items() if key in ("name", "namespace", "labels", "annotations")
    }
    for key in ("labels", "annotations"):
        kept = {name: value for name, value in metadata.get(key, {}).items() if "edge.mesh/" not in name}
        metadata[key] = {name: value for name, value in kept.items() if not name.startswith(("kubectl", "deployment"))}
    spec = {
        key: value
        for key, value in item.get("spec", {}).items()
        if key not in ("clusterIP", "clusterIPs", "finalizers")
    }
    if item["kind"] == "Service":
        spec["ports"] = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec["ports"]]
    bare = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}
    return bare | ({"spec": spec} if spec else {})


def measure(joining: Joining, rounds: int) -> list[Sample]:
    """Each joins a cluster that has nothing of Istio, and then runs again with nothing to do."""
    joining.ours()  # makes the cluster, too
    joining.prepare()
    joining.leave()
    samples = []
    for turn in range(rounds):
        ways = [(OURS, joining.ours, joining.leave), (EXPERT, joining.expert, joining.undo)]
        for name, work, undo in ways if turn % 2 == 0 else reversed(ways):
            for row in (JOIN, NOTHING):
                found = alternate(row, [Contender(name, work)], 1)
                samples += [Sample(row, name, turn + 1, each.seconds) for each in found]
            undo()
    return samples


def goals(summaries: Sequence[Summary]) -> list[str]:
    """Whether we take no longer than the expert."""
    median = {(each.row, each.contender): each.median for each in summaries}
    lines = []
    for row in (JOIN, NOTHING):
        ratio = median[row, EXPERT] / median[row, OURS]
        lines.append(f"* {row}: the expert takes **{ratio:.1f} times ours, {'met' if ratio >= 1 else 'missed'}**.")
    return lines


def main(arguments: list[str]) -> int:
    """Run, write the CSV and the table; returns 1 without a lab."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.join", description=__doc__)
    parser.add_argument("--inventory", type=Path, default=LAB, help="the lab's inventory")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each row")
    options = parser.parse_args(arguments)
    if not (options.inventory / ".state/kubeconfig").is_dir():
        print("this benchmark joins a site to the running lab: make lab first", file=sys.stderr)
        return 1
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="edge-mesh-bench-")))
        joining = Joining(Lab(options.inventory), options.inventory.resolve(), directory)
        opened.callback(joining.remove)
        samples = measure(joining, options.rounds)
    summaries = summarise(samples)
    lines = [f"{machine()}.", "", *table(summaries, OURS), "", *goals(summaries)]
    write_csv(RESULTS, samples)
    write_section(PAGE, "join", lines)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
