# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remote secret of a site, made and renewed by ``remote_secret`` and by what a person would use instead.

Each contender has an API server of its own, on loopback, that is site and primary in one. No istiod runs there, so
nobody waits for one: only the work on the two APIs is compared. istioctl can't renew; its recipe is to delete the
token's Secret first, which cuts the primary off until the new one is there.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.measure import Sample, Summary, machine, summarise, table, write_csv, write_section
from benchmarks.playbook import EMPTY, ROOT, Task, play, turns
from tests.integration.control_plane import ControlPlane, programs

PAGE = ROOT / "docs" / "benchmarks" / "remote_secret.md"
RESULTS = ROOT / "benchmarks" / "results" / "remote_secret.csv"

OURS = "edge.mesh.remote_secret"
ISTIOCTL = "istioctl create-remote-secret \\| kubectl apply"
CONTENDERS = (OURS, ISTIOCTL)
FIRST, AGAIN, RENEWAL = "first time", "nothing to do", "renewal"
SITE = "shop"
SERVER = "https://192.0.2.20:6443"
TOKEN_SECRET = "istio-reader-service-account-istio-remote-secret-token"


class Bench:
    """The API servers of one run."""

    def __init__(self, planes: Mapping[str, ControlPlane]) -> None:
        self.planes = planes
        self.programs = programs("kubectl", "istioctl")

    def tasks(self, row: str, contender: str, turn: int) -> Iterator[Task]:
        """What has to be done before, and what is timed."""
        if row == FIRST:
            yield {"name": "prepare", **self.gone(contender)}
        name = f"{row} | {contender} | {turn}"
        if contender == OURS:
            # the same on purpose: a credential that is good is replaced, as one near its end is
            yield {"name": name, "edge.mesh.remote_secret": {**self.ours(), "recreate": row == RENEWAL}}
        else:
            revoke = f"{self.kubectl()} -n istio-system delete secret {TOKEN_SECRET} && " if row == RENEWAL else ""
            yield {"name": name, **self.shell(revoke + self.pipe())}

    def ours(self) -> dict[str, Any]:
        """Our options; the API's real address is loopback, which no primary could reach without a proxy."""
        kubeconfig = str(self.planes[OURS].kubeconfig)
        return {
            "cluster": SITE, "site": {"kubeconfig": kubeconfig}, "api_server": SERVER,
            "primaries": [{"name": "centre", "kubeconfig": kubeconfig}], "proxy_url": "http://proxy.test:3128",
        }  # fmt: skip

    def gone(self, contender: str) -> Task:
        """Take away what the contender makes, at both sides."""
        if contender == OURS:
            return {"edge.mesh.remote_secret": {**self.ours(), "state": "absent", "wait": False}}
        kubectl, reader = self.kubectl(), "istio-reader-service-account"
        roles = "clusterrole,clusterrolebinding"
        return self.shell(
            f"{kubectl} -n istio-system delete --ignore-not-found secret istio-remote-secret-{SITE} {TOKEN_SECRET}; "
            f"{kubectl} -n istio-system delete --ignore-not-found serviceaccount {reader}; "
            f"{kubectl} get {roles} -o name | grep istio-reader | xargs -r {kubectl} delete"
        )

    def kubectl(self) -> str:
        """The beginning of a kubectl command."""
        return f"{shlex.quote(str(self.programs['kubectl']))} --kubeconfig {self.planes[ISTIOCTL].kubeconfig}"

    def pipe(self) -> str:
        """istioctl's recipe, as its help has it."""
        istioctl = f"{shlex.quote(str(self.programs['istioctl']))} --kubeconfig {self.planes[ISTIOCTL].kubeconfig}"
        # its first call fails now and then: it doesn't wait until the token's Secret is filled
        make = f"{istioctl} create-remote-secret --name {SITE} --server {SERVER}"
        return f'set -o pipefail; until made=$({make}); do :; done; echo "$made" | {self.kubectl()} apply -f -'

    @staticmethod
    def shell(script: str) -> Task:
        """A task that runs a script."""
        return {"ansible.builtin.shell": {"cmd": script, "executable": "/bin/bash"}}


def checked(lines: list[dict[str, Any]]) -> list[Sample]:
    """The samples; raises RuntimeError if ours didn't do the row's work, or did some where there was none."""
    samples = []
    for line in lines:
        if line["contender"] == OURS and line["changed"] != (line["row"] != AGAIN):
            raise RuntimeError(f"{OURS}, {line['row']}: changed is {line['changed']}")
        samples.append(Sample(line["row"], line["contender"], line["round"], line["seconds"], line["requests"]))
    return samples


def goals(summaries: list[Summary]) -> list[str]:
    """Each goal with the ratio that was measured, over the cost of an empty task."""
    median = {(each.row, each.contender): each.median for each in summaries}
    cost = {key: seconds - median[key[0], EMPTY] for key, seconds in median.items()}
    lines = []
    for row in (FIRST, AGAIN, RENEWAL):
        ratio = cost[row, ISTIOCTL] / cost[row, OURS]
        met = "met" if ratio > 1 else "missed"
        lines.append(f"* {row.capitalize()}, faster than istioctl and kubectl: **{ratio:.1f} times, {met}**.")
    return lines


def main(arguments: list[str]) -> int:
    """Run, write the CSV and the table; returns 1 if a goal was missed and ``--strict`` given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remote_secret", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each row")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args(arguments)
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="edge-mesh-bench-")))
        planes = {
            name: opened.enter_context(ControlPlane(directory / f"api-{number}", audit=True))
            for number, name in enumerate(CONTENDERS)
        }
        bench = Bench(planes)
        for plane in planes.values():
            command = [str(bench.programs["kubectl"]), "--kubeconfig", str(plane.kubeconfig)]
            command += ["create", "namespace", "istio-system"]
            subprocess.run(command, check=True, capture_output=True)
        print(machine(), flush=True)
        rounds = dict.fromkeys((FIRST, AGAIN, RENEWAL), options.rounds)
        samples = checked(play(directory, turns(rounds, CONTENDERS, bench.tasks), planes))
    summaries = summarise(samples)
    empty = {each.row: each.median for each in summaries if each.contender == EMPTY}
    lines = [
        f"{machine()}; the machine did other work beside it where the spread is wide.",
        "",
        *table(summaries, OURS, over=empty, costs="over an empty task"),
        "",
        *goals(summaries),
    ]
    write_csv(RESULTS, samples)
    write_section(PAGE, "remote_secret", lines)
    print("\n".join(lines))
    return int(options.strict and any("missed" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
