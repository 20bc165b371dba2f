# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab of the tests: an inventory of other names than the lab's own, and the playbooks run on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
_RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)"
    r"\s+failed=(?P<failed>\d+)\s+skipped=(?P<skipped>\d+)\s+rescued=(?P<rescued>\d+)",
    re.MULTILINE,
)
_COUNTS = ("ok", "changed", "unreachable", "failed", "skipped", "rescued")


@dataclass(frozen=True)
class Site:
    """A site of the test mesh: its group's suffix and its hosts' names differ from its name on purpose."""

    name: str
    primary: bool
    version: str
    parts: tuple[str, ...] = ()


SITES = (
    Site("core", True, "v4", ("details-v1", "ratings-v1", "reviews-v1", "stock-v1")),
    Site("dock-7", False, "v5", ("productpage-v1", "reviews-v2", "reviews-v3", "stock-v1")),
    Site("farm", False, "v6"),
)
MESH = "trial"
NAMES = [site.name for site in SITES]
EDGES = [site.name for site in SITES if not site.primary]
PRIMARY = next(site.name for site in SITES if site.primary)
ROUTES: list[dict[str, Any]] = [
    {"host": "reviews.sample", "rules": [
        {"match": [{"headers": {"end-user": "banzai"}}], "to": [{"version": "v2"}]},
        {"to": [{"version": "v1", "weight": 33}, {"version": "v2", "weight": 33}, {"version": "v3", "weight": 34}]}]},
    {"host": "stock.sample", "outlier": True, "rules": [
        {"to": [{"site": "local", "weight": 50}, {"site": PRIMARY, "weight": 50, "failover": "any"}]}]},
]  # fmt: skip


@dataclass(frozen=True)
class Played:
    """One finished run of a playbook: ``hosts`` holds the recap's counts, ``seconds`` the wall time."""

    rc: int
    output: str
    seconds: float
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(counts["changed"] for counts in self.hosts.values())


@dataclass(frozen=True)
class Lab:
    """A mesh for tests: ``inventory`` is its directory, where the state directory lies too."""

    inventory: Path

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.inventory / ".state"

    def write_inventory(self, more: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Write the inventory, with ``more`` variables by site.

        One that sets ``ansible_connection: ssh`` must work too, for nothing is connected to.
        """
        common: dict[str, Any] = {
            "edge_mesh_provider": "kind", "edge_mesh_sample_apps": True, "ansible_connection": "ssh",
            "edge_mesh_waves": ["100%"], "edge_mesh_routes": ROUTES,
        }  # fmt: skip
        variables = {
            site.name: {
                "sample_apps_helloworld_version": site.version,
                "edge_mesh_sample_parts": list(site.parts),
                **(more or {}).get(site.name, {}),
            }
            for site in SITES
        }
        write_inventory(self.inventory, MESH, variables, (PRIMARY,), common)

    def start(self, playbook: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a playbook of the checkout."""
        command = [str(VENV / "bin/ansible-playbook"), "-i", str(self.inventory / "hosts.yml"), playbook, *arguments]
        environment = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def play(self, playbook: str, *arguments: str, timeout: float = 2700) -> Played:
        """Run a playbook of the checkout; its output goes to a log beside the inventory and to the result."""
        started = time.monotonic()
        with (self.inventory / "playbooks.log").open("a", encoding="utf-8") as log:
            log.write(f"\n\n$ ansible-playbook {playbook} {' '.join(arguments)}\n")
            log.flush()
            lines = []
            with self.start(playbook, *arguments) as process:
                assert process.stdout is not None
                for line in process.stdout:  # passed on as it comes, so that a person sees how far it is
                    log.write(line)
                    log.flush()
                    lines.append(line)
                rc = process.wait(timeout)
        output = "".join(lines)
        hosts = {found["host"]: {name: int(found[name]) for name in _COUNTS} for found in _RECAP.finditer(output)}
        return Played(rc, output, time.monotonic() - started, hosts)

    def kubeconfig(self, site: str) -> Path:
        """Where the contract says that a site's kubeconfig is."""
        return self.state / "kubeconfig" / f"{site}.yaml"

    def kubectl(self, site: str, *arguments: str, stdin: str | None = None) -> str:
        """The output of kubectl at a site: the second judge, which shares no code with the collection."""
        command = [str(VENV / "bin/kubectl"), "--kubeconfig", str(self.kubeconfig(site)), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, input=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)} at {site}: {done.stderr}"
        return done.stdout

    def objects(self, site: str, *arguments: str) -> list[dict[str, Any]]:
        """The items that kubectl lists."""
        items: list[dict[str, Any]] = json.loads(self.kubectl(site, "get", *arguments, "-o", "json"))["items"]
        return items

    def all_kinds(self, site: str) -> str:
        """Every kind that can be listed and deleted, as kubectl wants them."""
        listed = self.kubectl(site, "api-resources", "--verbs=list,delete", "-o", "name").split()
        return ",".join(sorted(set(listed) - {"events", "events.events.k8s.io"}))

    def address(self, site: str) -> str:
        """The node's own address."""
        entries = self.objects(site, "nodes")[0]["status"]["addresses"]
        return next(str(entry["address"]) for entry in entries if entry["type"] == "InternalIP")

    def report(self, name: str) -> dict[str, Any]:
        """The contents of a JSON report."""
        report: dict[str, Any] = json.loads((self.state / f"reports/{name}.json").read_text())
        return report

    def verified(self) -> dict[str, Any]:
        """The contents of ``verify.json``."""
        return self.report("verify")


def write_inventory(
    directory: Path, mesh: str, sites: Mapping[str, Mapping[str, Any]], primaries: tuple[str, ...],
    common: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write an inventory of one host per site; ``sites`` maps a name to the variables of its group."""
    groups: dict[str, Any] = {"mesh_primary": {"children": {}}, "mesh_edge": {"children": {}}}
    for name, variables in sites.items():
        children = groups["mesh_primary" if name in primaries else "mesh_edge"]["children"]
        children[f"site_{name.replace('-', '_')}"] = {"hosts": {f"{name}-machine": {}}, "vars": dict(variables)}
    directory.mkdir(parents=True, exist_ok=True)
    document = {"all": {"vars": {"edge_mesh_id": mesh, **common}, "children": groups}}
    (directory / "hosts.yml").write_text(yaml.safe_dump(document))


def node(site: str) -> str:
    """The container that is a site's node."""
    return f"{MESH}-{site}-control-plane"


def docker(*words: str) -> str:
    """The output of the docker command."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout


def wait_until(check: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Ask until the answer is yes; fails with ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)
