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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
_RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)"
    r"\s+failed=(?P<failed>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Site:
    """A site of the test mesh: its group's suffix and its hosts' names differ from its name on purpose."""

    name: str
    primary: bool
    version: str


SITES = (Site("core", True, "v4"), Site("dock-7", False, "v5"), Site("farm", False, "v6"))
MESH = "trial"


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
    """The test mesh: ``inventory`` is its directory, where the state directory lies too."""

    inventory: Path

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.inventory / ".state"

    def write_inventory(self) -> None:
        """Write the inventory; one that sets ``ansible_connection: ssh`` must work too, for nothing is connected to."""
        groups: dict[str, Any] = {"mesh_primary": {"children": {}}, "mesh_edge": {"children": {}}}
        for site in SITES:
            group = groups["mesh_primary" if site.primary else "mesh_edge"]["children"]
            variables = {"sample_apps_helloworld_version": site.version}
            group[f"site_{site.name.replace('-', '_')}"] = {"hosts": {f"{site.name}-machine": {}}, "vars": variables}
        common = {
            "edge_mesh_id": MESH,
            "edge_mesh_provider": "kind",
            "edge_mesh_sample_apps": True,
            "ansible_connection": "ssh",
        }
        self.inventory.mkdir(parents=True, exist_ok=True)
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": common, "children": groups}}))

    def play(self, playbook: str, *arguments: str, timeout: float = 2700) -> Played:
        """Run a playbook of the checkout; its output goes to a log beside the inventory and to the result."""
        command = [str(VENV / "bin/ansible-playbook"), "-i", str(self.inventory), playbook, *arguments]
        environment = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.monotonic()
        with (self.inventory / "playbooks.log").open("a", encoding="utf-8") as log:
            log.write(f"\n\n$ ansible-playbook {playbook} {' '.join(arguments)}\n")
            log.flush()
            lines = []
            with subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as process:  # fmt: skip
                assert process.stdout is not None
                for line in process.stdout:  # passed on as it comes, so that a person sees how far it is
                    log.write(line)
                    log.flush()
                    lines.append(line)
                rc = process.wait(timeout)
        output = "".join(lines)
        names = ("ok", "changed", "unreachable", "failed")
        hosts = {found["host"]: {name: int(found[name]) for name in names} for found in _RECAP.finditer(output)}
        return Played(rc, output, time.monotonic() - started, hosts)

    def kubeconfig(self, site: str) -> Path:
        """Where the contract says that a site's kubeconfig is."""
        return self.state / "kubeconfig" / f"{site}.yaml"

    def kubectl(self, site: str, *arguments: str) -> str:
        """The output of kubectl at a site: the second judge, which shares no code with the collection."""
        command = [str(VENV / "bin/kubectl"), "--kubeconfig", str(self.kubeconfig(site)), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)} at {site}: {done.stderr}"
        return done.stdout

    def objects(self, site: str, *arguments: str) -> list[dict[str, Any]]:
        """The items that kubectl lists."""
        items: list[dict[str, Any]] = json.loads(self.kubectl(site, "get", *arguments, "-o", "json"))["items"]
        return items

    def verified(self) -> dict[str, Any]:
        """The contents of ``verify.json``."""
        report: dict[str, Any] = json.loads((self.state / "reports/verify.json").read_text())
        return report
