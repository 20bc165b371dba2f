# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a remote site, applied by ``manifests`` and by what a person would use instead.

Each contender has an API server of its own, on loopback, so that none works on what another owns. All are tasks of one
playbook, run by one ``ansible-playbook`` with the same Python, and take turns; an empty task is timed beside them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import Sample, Summary, machine, summarise, table, write_csv, write_section
from benchmarks.playbook import EMPTY, ROOT, Task, play, turns
from tests.integration import rendered
from tests.integration.control_plane import ControlPlane, programs

PAGE = ROOT / "docs" / "benchmarks" / "manifests.md"
RESULTS = ROOT / "benchmarks" / "results" / "manifests.csv"

OURS = "edge.mesh.manifests"
CORE_FILE = "kubernetes.core.k8s, one file"
CORE_EACH = "kubernetes.core.k8s, one task per object"
KUBECTL = "kubectl apply --server-side"
CONTENDERS = (OURS, KUBECTL, CORE_FILE, CORE_EACH)
FIRST, AGAIN, CHANGED = "first time", "nothing to do", "one field changed by hand"
_MOST_ROUNDS_OF_EACH = 2  # 22 tasks each; nobody doubts which is slowest
CONFIG_MAP = ("-n", "istio-system", "configmap", "values")


class Bench:
    """The files and API servers of one run."""

    def __init__(self, directory: Path, planes: Mapping[str, ControlPlane]) -> None:
        self.planes = planes
        self.directory = directory
        self.kubectl = str(programs("kubectl")["kubectl"])
        self.source = directory / "site.yaml"
        text = rendered.remote_site(reader=True)
        self.objects = [item for item in yaml.safe_load_all(text) if item]
        self.source.write_text(text, encoding="utf-8")
        self.parts = []
        for number, item in enumerate(self.objects):
            self.parts.append(str(directory / f"object-{number:02}.yaml"))
            Path(self.parts[-1]).write_text(yaml.safe_dump(item, sort_keys=False), encoding="utf-8")

    def timed(self, row: str, contender: str, turn: int) -> Task:
        """The task that is timed."""
        kubeconfig, source = str(self.planes[contender].kubeconfig), str(self.source)
        # a field that a hand took is given back by nobody unless asked to
        server_side = {"field_manager": "bench", "force_conflicts": True}
        core = {"kubeconfig": kubeconfig, "state": "present", "apply": True, "server_side_apply": server_side}
        apply = ["apply", "--server-side", "--force-conflicts", "-f", source]
        tasks: dict[str, Task] = {
            OURS: {"edge.mesh.manifests": {"kubeconfig": kubeconfig, "src": source, "set": "site"}},
            KUBECTL: {"ansible.builtin.command": {"argv": [*self.ctl(contender), *apply]}},
            CORE_FILE: {"kubernetes.core.k8s": {**core, "src": source}},
            CORE_EACH: {
                "kubernetes.core.k8s": {**core, "src": "{{ item }}"},
                "loop": self.parts,
            },
        }
        return {"name": f"{row} | {contender} | {turn}", **tasks[contender]}

    def ctl(self, contender: str) -> list[str]:
        """The beginning of a kubectl command."""
        return [self.kubectl, "--kubeconfig", str(self.planes[contender].kubeconfig)]

    def prepared(self, row: str, contender: str) -> list[Task]:
        """What has to be done before, untimed."""
        if row == AGAIN:
            return []
        command = [*self.ctl(contender), "delete", "--ignore-not-found", "-f", str(self.source)]
        if row == CHANGED:
            patch = json.dumps({"data": {"merged-values": "{}"}})
            command = [*self.ctl(contender), "patch", *CONFIG_MAP, "--type=merge", "--field-manager=hand", "-p", patch]
        return [{"name": "prepare", "ansible.builtin.command": {"argv": command}}]

    def tasks(self, row: str, contender: str, turn: int) -> Iterator[Task]:
        """What has to be done before, and what is timed."""
        if contender != CORE_EACH or turn <= _MOST_ROUNDS_OF_EACH:
            yield from self.prepared(row, contender)
            yield self.timed(row, contender, turn)


def checked(lines: list[dict[str, Any]]) -> list[Sample]:
    """The samples; raises RuntimeError if a contender didn't do the row's work, or did some where there was none."""
    samples = []
    for line in lines:
        if line["contender"] in (OURS, CORE_FILE, CORE_EACH) and line["changed"] != (line["row"] != AGAIN):
            raise RuntimeError(f"{line['contender']}, {line['row']}: changed is {line['changed']}")
        samples.append(Sample(line["row"], line["contender"], line["round"], line["seconds"], line["requests"]))
    return samples


def goals(summaries: list[Summary]) -> list[str]:
    """Each goal with the ratio that was measured, over the cost of an empty task."""
    median = {(each.row, each.contender): each.median for each in summaries}
    cost = {key: seconds - median[key[0], EMPTY] for key, seconds in median.items()}
    core = cost[AGAIN, CORE_FILE] / cost[AGAIN, OURS]
    kubectl = cost[AGAIN, KUBECTL] / cost[AGAIN, OURS]
    words = [
        ("at least 5 times faster than `kubernetes.core.k8s` with one file", core, core >= 5),
        ("faster than `kubectl apply --server-side`", kubectl, kubectl > 1),
    ]
    return [
        f"* Nothing to do, {goal}: **{ratio:.1f} times, {'met' if met else 'missed'}**." for goal, ratio, met in words
    ]


def main(arguments: list[str]) -> int:
    """Run, write the CSV and the table; returns 1 if a goal was missed and ``--strict`` given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.manifests", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the row 'nothing to do'; others have fewer")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args(arguments)
    few = max(2, options.rounds // 2)
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="edge-mesh-bench-")))
        planes = {}
        for number, name in enumerate(CONTENDERS):
            plane = ControlPlane(directory / f"api-{number}", audit=True, controllers=False)
            planes[name] = opened.enter_context(plane)
        bench = Bench(directory, planes)
        for name in CONTENDERS:
            subprocess.run([*bench.ctl(name), "create", "namespace", "istio-system"], check=True, capture_output=True)
        print(f"{len(bench.objects)} objects, {bench.source.stat().st_size} bytes; {machine()}", flush=True)
        rounds = {FIRST: few, AGAIN: options.rounds, CHANGED: few}
        samples = checked(play(directory, turns(rounds, CONTENDERS, bench.tasks), planes))
    summaries = summarise(samples)
    empty = {each.row: each.median for each in summaries if each.contender == EMPTY}
    lines = [
        f"{len(bench.objects)} objects; {machine()}; the machine did other work beside it where the spread is wide.",
        "",
        *table(summaries, OURS, over=empty, costs="over an empty task"),
        "",
        *goals(summaries),
    ]
    write_csv(RESULTS, samples)
    write_section(PAGE, "manifests", lines)
    print("\n".join(lines))
    return int(options.strict and any("missed" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
