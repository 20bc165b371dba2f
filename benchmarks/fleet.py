# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks over many sites: ``site.yml`` with nothing to do, one changed site among many, ``status.yml``.

The primary has a real API server, and all edge sites share a second one through a proxy that shows each a cluster of
its own (benchmarks/tenants.py); there are no nodes, no containers and no istiod (benchmarks/stand_ins.py). Measured are
the playbook's processes alone: wall time, CPU and memory, and the requests that reached the edge sites' API.
"""

from __future__ import annotations

import argparse
import base64
import csv
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.measure import machine, write_section
from benchmarks.playbook import ROOT
from benchmarks.stand_ins import Hands
from benchmarks.tenants import Tenants
from tests.integration.control_plane import ADMIN_TOKEN, ControlPlane
from tests.integration.site import Site

PAGE = ROOT / "docs/benchmarks/fleet.md"
RESULTS = ROOT / "benchmarks/results/fleet.csv"
PRIMARY = "centre"
NOTHING, ONE, STATUS = "site.yml, nothing to do", "site.yml, one site changed", "status.yml"
_CACERTS = "/api/v1/namespaces/istio-system/secrets/cacerts"
_SAMPLED_SECONDS = 0.25


@dataclass(frozen=True)
class Measured:
    """One run over ``sites`` edge sites: seconds, MiB at the peak, and requests to the edge sites' API servers."""

    run: str
    sites: int
    round: int
    seconds: float
    cpu: float
    memory: float
    requests: int
    changed: int


class Fleet:
    """An inventory of ``count`` edge sites in a directory, and the playbooks run on it."""

    def __init__(
        self, directory: Path, count: int, primary: ControlPlane, shared: ControlPlane, ports: Tenants
    ) -> None:
        self._directory = directory
        self._ports = ports
        self._judge = Site(shared, "bench")
        self.count = count
        self.names = [f"shop-{number + 1:03}" for number in range(count)]
        sites: dict[str, Any] = {"mesh_primary": {"children": {}}, "mesh_edge": {"children": {}}}
        config = primary.write_kubeconfig(directory / f"{PRIMARY}.yaml", ADMIN_TOKEN)
        sites["mesh_primary"]["children"][f"site_{PRIMARY}"] = _group(PRIMARY, config, primary.url, _own_address())
        for number, name in enumerate(self.names):
            config = shared.write_kubeconfig(directory / f"{name}.yaml", ADMIN_TOKEN, server=ports.urls[number])
            group = _group(name, config, ports.urls[number], f"198.51.100.{number + 1}")
            sites["mesh_edge"]["children"][f"site_{name.replace('-', '_')}"] = group
        variables = {
            "edge_mesh_id": "fleet", "edge_mesh_provider": "existing", "edge_mesh_waves": ["100%"],
            "edge_mesh_artifacts": "build", "edge_mesh_state_dir": str(directory / "state"),
        }  # fmt: skip
        document = {"all": {"vars": variables, "children": sites}}
        (directory / "hosts.yml").write_text(yaml.safe_dump(document), encoding="utf-8")

    def play(self, playbook: str, run: str, turn: int, *arguments: str, may_fail: bool = False) -> Measured:
        """Run a playbook of the collection; raises RuntimeError with its last lines if it fails and may not."""
        command = [
            str(ROOT / ".venv/bin/ansible-playbook"),
            "-i",
            "hosts.yml",
            str(ROOT / "playbooks" / playbook),
            *arguments,
        ]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        log = self._directory / f"{playbook}-{run.partition(',')[2].strip().replace(' ', '-')}.log"
        before = sum(self._ports.requests)
        with log.open("w", encoding="utf-8") as sink:
            started = time.monotonic()
            process = subprocess.Popen(
                command, cwd=self._directory, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
            with _Memory(process.pid) as memory:
                _pid, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        text = log.read_text(encoding="utf-8")
        if process.returncode != 0 and not may_fail:
            raise RuntimeError(f"{playbook} ended with {process.returncode}:\n{text[-6000:]}")
        changed = sum(1 for line in text.splitlines() if " changed=" in line and " changed=0 " not in line)
        sent = sum(self._ports.requests) - before
        cpu = usage.ru_utime + usage.ru_stime
        return Measured(run, self.count, turn, seconds, cpu, memory.peak, sent, changed)

    def drift(self, number: int) -> None:
        """Somebody takes the network's label off a site's namespace."""
        place = f"/api/v1/namespaces/{self._ports.prefix(number)}istio-system"
        self._judge.patch(place, {"metadata": {"labels": {"topology.istio.io/network": None}}})


class _Memory:
    """Samples what a process and all below it hold, shared pages counted once (PSS); ``peak`` is in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak = 0.0

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLED_SECONDS):
            self.peak = max(self.peak, sum(_pss(pid) for pid in _tree(self._pid)))


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    return found


def _pss(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _group(name: str, kubeconfig: Path, url: str, address: str) -> dict[str, Any]:
    """A site; its API's address is spelt so that it passes for one of another machine, its gateways' is never asked."""
    variables = {
        "edge_mesh_kubeconfig": str(kubeconfig),
        "edge_mesh_api_server": url.replace("127.0.0.1", "0x7f.1"),
        "edge_mesh_gateway_addresses": [address],
    }
    return {"hosts": {name: {}}, "vars": variables}


def _own_address() -> str:
    """An address of this machine that isn't a loopback address; asking for it sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def measure(count: int, rounds: int, directory: Path, primary: ControlPlane, shared: ControlPlane) -> list[Measured]:
    """Join ``count`` sites, untimed, and then time the runs, ``rounds`` times each in turn."""
    judge = Site(primary, "bench")

    def root() -> str:
        found = judge.get(_CACERTS) or {"data": {}}
        return base64.b64decode(found["data"].get("root-cert.pem", "")).decode()

    with ExitStack() as opened:
        ports = opened.enter_context(Tenants(shared.url, shared.pki.ca, shared.pki.directory / "server.pem", count))
        for plane in (primary, shared):
            opened.enter_context(Hands(Site(plane, "hands"), root))
        fleet = Fleet(directory, count, primary, shared, ports)
        # the sites share what belongs to no namespace and can't be named anew, so one of them makes it
        fleet.play("site.yml", "first", 0, "--limit", f"{PRIMARY},{fleet.names[0]}")
        fleet.play("site.yml", "first", 0)
        found = []
        for turn in range(1, rounds + 1):
            found.append(fleet.play("site.yml", NOTHING, turn))
            fleet.drift(count // 2)
            found.append(fleet.play("site.yml", ONE, turn))
            # without istiod nobody is well: it ends with 2, as it should
            found.append(fleet.play("status.yml", STATUS, turn, may_fail=True))
            print(*(_line(each) for each in found[-3:]), sep="\n", flush=True)
    for each in found:
        if each.changed != (1 if each.run == ONE else 0):
            raise RuntimeError(f"{each.run} at {count} sites changed {each.changed} of them")
    return found


def _line(each: Measured) -> str:
    return (
        f"{each.sites} sites, {each.run}: {each.seconds:.1f} s, {each.cpu:.1f} s CPU, {each.memory:.0f} MiB, "
        f"{each.requests} requests"
    )


def report(found: Sequence[Measured]) -> list[str]:
    """The page's lines: a table, and the cost of one site more."""
    groups: dict[tuple[str, int], list[Measured]] = {}
    for each in found:
        groups.setdefault((each.run, each.sites), []).append(each)
    lines = [
        f"{machine()}; medians, and the fastest and slowest run where there are several.",
        "",
        "| run | edge sites | wall time | CPU | CPU per site | memory at the peak | requests per site |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (run, sites), group in sorted(
        groups.items(), key=lambda entry: ((NOTHING, ONE, STATUS).index(entry[0][0]), entry[0][1])
    ):
        walls = sorted(each.seconds for each in group)
        wall = f"{median(walls):.1f} s" + (f" ({walls[0]:.1f} to {walls[-1]:.1f})" if len(walls) > 1 else "")
        cpu, memory = median(each.cpu for each in group), max(each.memory for each in group)
        sent = median(each.requests for each in group) / sites
        lines.append(
            f"| {run} | {sites} | {wall} | {cpu:.1f} s | {cpu / sites:.2f} s | {memory:.0f} MiB | {sent:.1f} |"
        )
    return [*lines, "", *growth(groups)]


def growth(groups: Mapping[tuple[str, int], Sequence[Measured]]) -> list[str]:
    """What one site more costs, from the fewest sites to the most."""
    lines = []
    for run in (NOTHING, ONE, STATUS):
        sizes = sorted(sites for each, sites in groups if each == run)
        if len(sizes) < 2:
            continue
        few, many = sizes[0], sizes[-1]
        cpu = [median(each.cpu for each in groups[run, sites]) for sites in (few, many)]
        wall = [median(each.seconds for each in groups[run, sites]) for sites in (few, many)]
        step = many - few
        lines.append(
            f"* {run}: from {few} to {many} sites, one site more costs **{(cpu[1] - cpu[0]) / step:.2f} s of CPU** and "
            f"{(wall[1] - wall[0]) / step:.2f} s of wall time."
        )
    return lines


def main(arguments: list[str]) -> int:
    """Run, write the CSV and the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--sites", type=int, nargs="*", default=[1, 10, 50], help="numbers of edge sites")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each run")
    parser.add_argument("--keep", action="store_true", help="add to the results there are (for 200 sites, once)")
    options = parser.parse_args(arguments)
    found = []
    if options.keep:
        found = [each for each in _read() if each.sites not in options.sites]
    for count in options.sites:
        with ExitStack() as opened:
            directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="edge-mesh-bench-")))
            planes = [
                opened.enter_context(ControlPlane(directory / name, controllers=False))
                for name in ("primary", "shared")
            ]
            found += measure(count, options.rounds, directory, *planes)
    _write(found)
    lines = report(found)
    write_section(PAGE, "fleet", lines)
    print("\n".join(lines))
    return 0


def _write(found: Sequence[Measured]) -> None:
    with RESULTS.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(field.name for field in fields(Measured))
        writer.writerows(astuple(each) for each in found)


def _read() -> list[Measured]:
    with RESULTS.open(encoding="utf-8", newline="") as stream:
        return [
            Measured(
                line["run"], int(line["sites"]), int(line["round"]), float(line["seconds"]), float(line["cpu"]),
                float(line["memory"]), int(line["requests"]), int(line["changed"]),
            )
            for line in csv.DictReader(stream)
        ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
