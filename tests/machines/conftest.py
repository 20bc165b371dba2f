# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One site machine, a container with systemd and sshd, and an inventory that wants K3s on it. There is no primary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lab import k3s_release
from tests.lab.lab import ROOT, Lab, Played
from tests.lab.machines import Machines

MACHINE = "cove-1"
NOBODY = "shoal-1"  # another site's, which never answers
VERSION = "v1.36.3+k3s1"


class Bench:
    """The machine, and runs of the main job that are limited to it."""

    def __init__(self, lab: Lab, machines: Machines) -> None:
        self.lab = lab
        self.machines = machines
        self.release = machines.directory / "release"
        self.images = machines.directory / "images"

    def play(self, *arguments: str, connection: dict[str, Any] | None = None, **settings: Any) -> Played:
        """Play site.yml with these settings of K3s (without their prefix) and connection variables."""
        self.want(connection, **settings)
        return self.lab.play("site.yml", "--limit", MACHINE, *arguments)

    def want(self, connection: dict[str, Any] | None = None, **settings: Any) -> None:
        """Write the inventory of the next run."""
        options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o IdentitiesOnly=yes"
        host = {
            "ansible_host": self.machines.address(MACHINE), "ansible_user": "site", "ansible_ssh_timeout": 30,
            "ansible_ssh_private_key_file": str(self.machines.key),
            "ansible_ssh_common_args": options,
            **(connection or {}),
        }  # fmt: skip
        wanted = {
            "version": VERSION, "files": str(self.release), "airgap": True, "kubelet_args": ["fail-cgroupv1=false"],
            "images": [str(path) for path in sorted(self.images.glob("*.tar"))], **settings,
        }  # fmt: skip
        sites = {
            "site_cove": {
                "hosts": {MACHINE: host},
                "vars": {f"edge_mesh_k3s_{key}": value for key, value in wanted.items()},
            }
        }
        sites["site_cove"]["vars"]["edge_mesh_provider"] = "k3s"
        nobody = {"ansible_host": "127.0.0.1", "ansible_port": 1}
        sites["site_shoal"] = {"hosts": {NOBODY: nobody}, "vars": sites["site_cove"]["vars"]}
        centre = {"site_core": {"hosts": {"core-machine": {}}, "vars": {"edge_mesh_provider": "kind"}}}
        children = {"mesh_primary": {"children": centre}, "mesh_edge": {"children": sites}}
        self.lab.inventory.mkdir(parents=True, exist_ok=True)
        document = {"all": {"vars": {"edge_mesh_id": "cove"}, "children": children}}
        (self.lab.inventory / "hosts.yml").write_text(yaml.safe_dump(document))

    def sh(self, script: str) -> str:
        """What a shell on the machine prints, without SSH."""
        return self.machines.sh(MACHINE, script)

    def bare(self) -> bool:
        """Whether nothing of K3s is on the machine."""
        return self.machines.left() == []

    def row(self, played: Played) -> dict[str, str]:
        """The site's row of the run's report. It isn't done: at the latest it fails for want of a primary."""
        assert played.rc != 0, played.output[-2000:]
        rows = json.loads((self.lab.state / "reports/run.json").read_text())["results"]
        return next(row for row in rows if row["site"] == "cove")

    def fails(self, **settings: Any) -> str:
        """Why a run fails at the machine."""
        found = self.row(self.play(**settings))
        assert found["step"] in ("preflight", "cluster"), found
        return found["reason"]

    def works(self, **settings: Any) -> Played:
        """A run that makes the cluster: it fails behind that, for there is no primary to join."""
        played = self.play(**settings)
        assert self.row(played)["step"] == "enrolment", played.output[-3000:]
        assert self.ready()
        return played

    def ready(self) -> bool:
        """Whether the node is Ready, as its own API says."""
        return self.machines.state()[MACHINE]["ready"] == "True"


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The machine; what an earlier run left is removed first, what this one made at the end."""
    lab = Lab(ROOT / "tests/output/machines/inventory")
    machines = Machines(ROOT / "tests/output/machines/site", "cove")
    machines.down()
    for directory in (lab.inventory, machines.directory):
        shutil.rmtree(directory, ignore_errors=True)
    machines.up(MACHINE)
    found = Bench(lab, machines)
    k3s_release.release(found.release, VERSION)
    k3s_release.images(found.images)
    yield found
    machines.down()


@pytest.fixture
def clean(bench: Bench) -> Bench:
    """The machine without K3s: a new one, if there is any."""
    if MACHINE not in bench.machines.names() or not bench.bare():
        bench.machines.down()
        bench.machines.up(MACHINE)
    return bench


@pytest.fixture
def running(bench: Bench) -> Bench:
    """The machine with K3s of the first version; a test that wants other settings is followed by a run of its own."""
    if not bench.ready():
        bench.works()
    return bench
