# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of a mesh: `xds_health` beside ``istioctl proxy-status`` with ``istioctl remote-clusters``.

``python -m benchmarks.xds_health`` needs the running lab (`make lab`) and changes nothing on it, but for proxies of our
own that connect to its istiod and go again. By number of proxies all ways are tasks of one playbook, as in the other
benchmarks, and an empty task is timed beside them; by number of sites each is a process of its own, for the module
itself refuses a site that stands there twice.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
from benchmarks.playbook import EMPTY, ROOT, play, turns

LAB = ROOT / "inventories/lab"
PAGE = ROOT / "docs/benchmarks/xds_health.md"
RESULTS = ROOT / "benchmarks/results/xds_health.csv"

ISTIOCTL = "istioctl proxy-status, remote-clusters"
ISTIOD = "xds_health, istiod alone"
WALKS = "xds_health, istiod and sites"
_TIMEOUT = 15.0
# two medians that differ by less say nothing
_NOISE = 1.1
_READY_SECONDS = 180.0

Json = dict[str, Any]


class Lab:
    """The running lab: its primary and its edges."""

    def __init__(self, inventory: Path) -> None:
        self.directory = inventory / ".state/kubeconfig"
        groups = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]
        self.primary = _names(groups["mesh_primary"])[0]
        self.edges = _names(groups["mesh_edge"])
        self.istiod = self.address(self.primary)

    def kubeconfig(self, site: str) -> str:
        return str(self.directory / f"{site}.yaml")

    def kubectl(self, site: str, *words: str, stdin: str | None = None) -> str:
        """The output of kubectl at a site; raises CalledProcessError, with what it said as a note."""
        command = [str(ROOT / ".venv/bin/kubectl"), "--kubeconfig", self.kubeconfig(site), *words]
        return said(command, stdin)

    def site(self, name: str) -> Json:
        """A site as `xds_health` wants it."""
        return {
            "cluster": name,
            "network": f"net-{name}",
            "kubeconfig": self.kubeconfig(name),
            "istiod_address": self.istiod,
        }

    def address(self, site: str) -> str:
        """The address of a site's first node."""
        nodes = json.loads(self.kubectl(site, "get", "nodes", "-o", "json"))["items"]
        return next(str(item["address"]) for item in nodes[0]["status"]["addresses"] if item["type"] == "InternalIP")


def said(command: Sequence[str], stdin: str | None = None) -> str:
    """A command's standard output; raises CalledProcessError, with its standard error as a note."""
    try:
        return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise


def _names(group: Mapping[str, Any]) -> list[str]:
    return [name.removeprefix("site_").replace("_", "-") for name in group["children"]]


def sites(lab: Lab, count: int, dark: Sequence[Json] = ()) -> list[Json]:
    """``count`` sites: the lab's edges again and again, the last of them replaced by the ``dark`` ones."""
    names = [lab.edges[number % len(lab.edges)] for number in range(count - len(dark))]
    return [*(lab.site(name) for name in names), *dark]


def black_hole(lab: Lab, directory: Path, number: int, opened: ExitStack) -> Json:
    """A site that takes connections and never says a word: two listeners, for its API and for istiod's address."""
    listeners = [opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _each in range(2)]
    api, istiod = (f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)
    config = yaml.safe_load(Path(lab.kubeconfig(lab.edges[0])).read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = f"https://{api}"
    path = directory / f"dark-{number}.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return {**lab.site(f"dark-{number}"), "kubeconfig": str(path), "istiod_address": istiod}


class Asked:
    """`xds_health` in a process of its own, and how many requests it has sent so far."""

    def __init__(self, lab: Lab, asked: Sequence[Json], *, dark: int = 0) -> None:
        primary = {"kubeconfig": lab.kubeconfig(lab.primary)}
        self._order = json.dumps({"primary": primary, "sites": list(asked), "mesh_id": "bench", "timeout": _TIMEOUT})
        self._sites = len(asked)
        self._dark = dark
        self.proxies = 0
        self._requests = 0

    def work(self) -> None:
        """One run; raises RuntimeError if it didn't see what it should."""
        command = [sys.executable, "-m", "benchmarks.xds_ask"]
        done = subprocess.run(command, cwd=ROOT, input=self._order, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-2000:])
        result = json.loads(done.stdout)
        good = [check for check in result["checks"] if check["id"] == "join.csr" and check["verdict"] == "ok"]
        if len(good) != self._sites - self._dark or not result["replicas"][0]["answered"]:
            ill = [check for check in result["checks"] if check["verdict"] != "ok" and "dark" not in check["site"]]
            raise RuntimeError(f"{len(good)} of {self._sites - self._dark} sites are well: {ill[:3]}")
        self.proxies = len(result["proxies"])
        self._requests += result["requests"]

    def sent(self) -> int:
        """Requests to Kubernetes APIs so far."""
        return self._requests


def istioctl(lab: Lab) -> None:
    """Both of its commands, one after the other as a person types them."""
    for command in ("proxy-status", "remote-clusters"):
        words = [str(ROOT / ".venv/bin/istioctl"), "--kubeconfig", lab.kubeconfig(lab.primary), command]
        subprocess.run(words, check=True, capture_output=True)


@contextmanager
def more_proxies(lab: Lab, directory: Path, count: int) -> Iterator[None]:
    """``count`` fake proxies connected to the lab's istiod."""
    if count <= 0:
        yield
        return
    root, token = directory / "root.pem", directory / "token"
    root.write_text(lab.kubectl(lab.primary, "get", "configmap", "istio-ca-root-cert", "-n", "istio-system",
                                "-o", "jsonpath={.data.root-cert\\.pem}"), encoding="utf-8")  # fmt: skip
    token.touch(mode=0o600)
    made = lab.kubectl(lab.primary, "create", "token", "default", "-n", "istio-system", "--audience=istio-ca")
    token.write_text(made.strip(), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "benchmarks.fake_proxies",
        f"{lab.istiod}:15012",
        str(root),
        str(token),
        lab.primary,
    ]
    process = subprocess.Popen(
        [*command, str(count)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the fake proxies didn't get ready")
        yield
    finally:
        process.communicate(timeout=_READY_SECONDS)


def connected(lab: Lab) -> int:
    """How many proxies istiod lists."""
    asked = Asked(lab, [])
    asked.work()
    return asked.proxies


def by_proxies(lab: Lab, directory: Path, counts: Sequence[int], rounds: int) -> list[Sample]:
    """All ways as tasks of a playbook, with more and more proxies."""
    samples = []
    own = connected(lab)
    for count in (own, *counts):
        with more_proxies(lab, directory, count - own):
            tasks = turns({f"{count} proxies": rounds}, (ISTIOCTL, ISTIOD, WALKS), _tasks(lab, count))
            samples += [
                Sample(line["row"], line["contender"], line["round"], line["seconds"])
                for line in play(directory, tasks, {}, venv=ROOT / ".venv")
            ]
    return samples


def _tasks(lab: Lab, proxies: int) -> Callable[[str, str, int], Iterator[Json]]:
    """The task of a row, a way and a turn; a run that doesn't see every proxy fails."""
    ours: Json = {"primary": {"kubeconfig": lab.kubeconfig(lab.primary)}, "mesh_id": "bench"}
    seen = {"register": "health", "failed_when": f"health.proxies | length != {proxies}"}
    command = [str(ROOT / ".venv/bin/istioctl"), "--kubeconfig", lab.kubeconfig(lab.primary)]
    ways: dict[str, Json] = {
        ISTIOCTL: {
            "ansible.builtin.command": {"argv": [*command, "{{ item }}"]},
            "loop": ["proxy-status", "remote-clusters"],
        },
        ISTIOD: {"edge.mesh.xds_health": ours, **seen},
        WALKS: {"edge.mesh.xds_health": {**ours, "sites": sites(lab, len(lab.edges))}, **seen},
    }

    def tasks(row: str, way: str, turn: int) -> Iterator[Json]:
        yield {"name": f"{row} | {way} | {turn}", **ways[way]}

    return tasks


def _sites(count: int) -> str:
    return "1 site" if count == 1 else f"{count} sites"


def by_sites(lab: Lab, directory: Path, counts: Sequence[int], rounds: int) -> list[Sample]:
    """The lab's own proxies, and more and more sites, all well or a tenth of them dark."""
    samples = []
    for count in counts:
        well = Asked(lab, sites(lab, count))
        ways = [
            Contender(ISTIOCTL, lambda: istioctl(lab)),
            Contender(WALKS, well.work, requests=well.sent),
        ]
        samples += alternate(_sites(count), ways, rounds)
        if count >= 10:
            with ExitStack() as opened:
                dark = [black_hole(lab, directory, number, opened) for number in range(count // 10)]
                some = Asked(lab, sites(lab, count, dark), dark=len(dark))
                way = Contender(WALKS, some.work, requests=some.sent)
                samples += alternate(f"{_sites(count)}, {len(dark)} of them dark", [way], max(2, rounds // 2))
    return samples


def goals(summaries: Sequence[Summary]) -> list[str]:
    """Whether it is faster than istioctl over an empty task, and whether the time is flat, by proxies and by sites."""
    median = {(each.row, each.contender): each.median for each in summaries}
    lines = []
    rows = [row for row, contender in median if contender == EMPTY]
    for row in rows:
        ours, theirs = (median[row, way] - median[row, EMPTY] for way in (ISTIOD, ISTIOCTL))
        ratio = theirs / ours
        lines.append(f"* {row}, istiod alone, faster than istioctl: **{ratio:.1f} times, {_met(ratio)}**.")
    few, many = (median[row, ISTIOD] - median[row, EMPTY] for row in (rows[0], rows[-1]))
    lines.append(_flat(rows[0], rows[-1], many / few))
    by_site = [row for row, contender in median if contender == WALKS and row not in rows and "dark" not in row]
    few, many = (median[row, WALKS] for row in (by_site[0], by_site[-1]))
    lines.append(_flat(by_site[0], by_site[-1], many / few))
    return lines


def _flat(few: str, many: str, ratio: float) -> str:
    return f"* From {few} to {many}, flat (less than twice the time): **{ratio:.1f} times, {_met(2 / ratio)}**."


def _met(ratio: float) -> str:
    """In a word; what differs by less than the runs do among themselves is neither."""
    if 1 / _NOISE < ratio < _NOISE:
        return "even"
    return "met" if ratio > 1 else "missed"


def report(samples: Sequence[Sample]) -> list[str]:
    """The page's lines: a table by proxies, what that means, and a table by sites."""
    summaries = summarise(samples)
    empty = {each.row: each.median for each in summaries if each.contender == EMPTY}
    return [
        f"{machine()}; the machine did other work beside it where the spread is wide.",
        "",
        *table([each for each in summaries if each.row in empty], ISTIOD, over=empty, costs="over an empty task"),
        "",
        "By sites, each way a process of its own:",
        "",
        *table([each for each in summaries if each.row not in empty], WALKS),
        "",
        *goals(summaries),
    ]


def main(arguments: list[str]) -> int:
    """Run, write the CSV and the table; returns 1 without a lab, and if a goal was missed and ``--strict`` given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xds_health", description=__doc__)
    parser.add_argument("--inventory", type=Path, default=LAB, help="the lab's inventory")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each row")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args(arguments)
    if not (options.inventory / ".state/kubeconfig").is_dir():
        print("this benchmark asks a running lab: make lab first", file=sys.stderr)
        return 1
    lab = Lab(options.inventory)
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="edge-mesh-bench-")))
        samples = by_proxies(lab, directory, (100, 1000), options.rounds)
        samples += by_sites(lab, directory, (1, 10, 50), options.rounds)
    lines = report(samples)
    write_csv(RESULTS, samples)
    write_section(PAGE, "xds_health", lines)
    print("\n".join(lines))
    return int(options.strict and any("missed" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
