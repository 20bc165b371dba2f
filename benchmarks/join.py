# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One site joined to a running mesh: ``site.yml --limit`` beside experts' scripts of helm, istioctl and kubectl.

``python -m benchmarks.join`` needs the running lab (`make lab`) and puts a KinD cluster beside it, which goes again.
Both begin at a cluster without anything of Istio, and end with its gateways ready and known to the mesh; then the same
two pods are applied for both, and the clock runs on until each has an answer of the other one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import yaml

from benchmarks.expert import Expert, missing
from benchmarks.measure import Sample, Summary, machine, summarise, table, write_csv, write_section
from benchmarks.playbook import ROOT
from benchmarks.xds_health import LAB, Lab

PAGE = ROOT / "docs/benchmarks/join.md"
RESULTS = ROOT / "benchmarks/results/join.csv"
OURS = "site.yml --limit"
IN_TURN, AT_ONCE = "helm, istioctl, kubectl in turn", "helm, istioctl, kubectl side by side"
JOIN, ANSWERS, NOTHING = "join", "until both directions answer", "nothing to do"
SITE, APPS = "bench", "edge-mesh-bench"
_PATIENCE = 120.0

Json = dict[str, Any]


class Joining:
    """The lab with one site more; ``directory`` holds the inventory and the expert's files."""

    def __init__(self, inventory: Path, directory: Path) -> None:
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


class Calls:
    """A pod at the primary and one at the site, each with its Service known at both, that call each other."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._ends = (lab.primary, SITE)
        self._image = lab.kubectl(
            lab.primary, "get", "deployment", "-A", "-l", "app=helloworld", "-o",
            "jsonpath={.items[0].spec.template.spec.containers[0].image}",
        )  # fmt: skip

    def bring(self, site: str) -> None:
        """Apply the pod and both Services at a site."""
        items: list[Json] = [
            {"apiVersion": "v1", "kind": "Namespace",
             "metadata": {"name": APPS, "labels": {"istio-injection": "enabled"}}},
            *({"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"echo-{end}", "namespace": APPS},
               "spec": {"selector": {"app": f"echo-{end}"}, "ports": [{"name": "http", "port": 5000}]}}
              for end in self._ends),
            self._deployment(site),
        ]  # fmt: skip
        self._lab.kubectl(site, "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(items))

    def take(self, site: str) -> None:
        """Take a site's part away."""
        self._lab.kubectl(site, "delete", "namespace", APPS, "--ignore-not-found")

    def answered(self) -> None:
        """Wait until both have an answer of the other one."""
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(self._call, *ends) for ends in (self._ends, self._ends[::-1])]:
                done.result()

    def _call(self, caller: str, called: str) -> None:
        ask = f"import urllib.request as u; print(u.urlopen('http://echo-{called}:5000/hello', timeout=2).status)"
        command = ["exec", "-n", APPS, f"deployment/echo-{caller}", "-c", "echo", "--", "python3", "-c", ask]
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._lab.kubectl(caller, *command)
            except CalledProcessError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def _deployment(self, site: str) -> Json:
        name = f"echo-{site}"
        container = {
            "name": "echo", "image": self._image, "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 5000}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": 5000}, "periodSeconds": 1},
        }  # fmt: skip
        return {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": APPS},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}},
                             "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}},
            },
        }  # fmt: skip


def measure(joining: Joining, experts: Mapping[str, Expert], calls: Calls, rounds: int) -> list[Sample]:
    """Each joins a cluster that has nothing of Istio, sees traffic both ways, and runs again with nothing to do."""
    joining.ours()  # makes the cluster, too
    for expert in experts.values():
        expert.prepare()
    joining.leave()
    samples = []
    for turn in range(rounds):
        ways = [(OURS, joining.ours, joining.leave)]
        ways += [(name, expert.join, expert.undo) for name, expert in experts.items()]
        for name, work, undo in ways if turn % 2 == 0 else reversed(ways):
            started = time.perf_counter()
            work()
            samples.append(Sample(JOIN, name, turn + 1, time.perf_counter() - started))
            calls.bring(SITE)
            calls.answered()
            samples.append(Sample(ANSWERS, name, turn + 1, time.perf_counter() - started))
            calls.take(SITE)
            started = time.perf_counter()
            work()
            samples.append(Sample(NOTHING, name, turn + 1, time.perf_counter() - started))
            undo()
    return samples


def goals(summaries: Sequence[Summary]) -> list[str]:
    """Whether we take no longer than the experts."""
    median = {(each.row, each.contender): each.median for each in summaries}
    lines = []
    for row in (JOIN, ANSWERS, NOTHING):
        told = []
        for name in (IN_TURN, AT_ONCE):
            ratio = median[row, name] / median[row, OURS]
            told.append(f"{name} takes **{ratio:.2f} times ours, {'met' if ratio >= 1 else 'missed'}**")
        lines.append(f"* {row}: {'; '.join(told)}.")
    return lines


def main(arguments: list[str]) -> int:
    """Run, write the CSV and the table; returns 1 without a lab or helm."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.join", description=__doc__)
    parser.add_argument("--inventory", type=Path, default=LAB, help="the lab's inventory")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each row")
    options = parser.parse_args(arguments)
    if not (options.inventory / ".state/kubeconfig").is_dir():
        print("this benchmark joins a site to the running lab: make lab first", file=sys.stderr)
        return 1
    why = missing()
    if why:
        print(f"there is no helm to compare with: {why}", file=sys.stderr)
        return 1
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="edge-mesh-bench-")))
        lab = Lab(options.inventory)
        joining = Joining(options.inventory.resolve(), directory)
        opened.callback(joining.remove)
        calls = Calls(lab)
        opened.callback(calls.take, lab.primary)
        calls.bring(lab.primary)
        experts = {
            IN_TURN: Expert(lab, SITE, directory, side_by_side=False),
            AT_ONCE: Expert(lab, SITE, directory, side_by_side=True),
        }
        samples = measure(joining, experts, calls, options.rounds)
    summaries = summarise(samples)
    lines = [f"{machine()}.", "", *table(summaries, OURS), "", *goals(summaries)]
    write_csv(RESULTS, samples)
    write_section(PAGE, "join", lines)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
