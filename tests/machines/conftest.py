# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines without a primary: that of site cove, or the three servers of isle; containers with systemd and sshd."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lab import k3s_release
from tests.lab.lab import ROOT, Lab, Played
from tests.lab.machines import Machines

MACHINE = "cove-1"
SERVERS = ("isle-1", "isle-2", "isle-3")
VERSION = "v1.36.3+k3s1"


class Bench:
    """A site's machines, all of them servers, and runs of the main job that are limited to it."""

    def __init__(self, site: str, *hosts: str) -> None:
        directory = ROOT / "tests/output/machines" / site
        self.site = site
        self.hosts = hosts
        self.addresses: dict[str, str] = {}  # of one that doesn't run, where it was
        self.lab = Lab(directory / "inventory")
        self.machines = Machines(directory / "site", site)
        self.release = self.machines.directory / "release"
        self.images = self.machines.directory / "images"

    def play(self, *arguments: str, connection: dict[str, Any] | None = None, **settings: Any) -> Played:
        """Play site.yml with these settings of K3s (without their prefix) and connection variables."""
        self.want(connection, **settings)
        return self.lab.play("site.yml", "--limit", f"site_{self.site}", *arguments)

    def want(self, connection: dict[str, Any] | None = None, **settings: Any) -> None:
        """Write the inventory of the next run."""
        options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o IdentitiesOnly=yes"
        access = {
            "ansible_user": "site",
            "ansible_ssh_timeout": 30,
            "ansible_ssh_private_key_file": str(self.machines.key),
            "ansible_ssh_common_args": options,
            **(connection or {}),
        }
        wanted = {
            "role": "server", "version": VERSION, "files": str(self.release), "airgap": True,
            "kubelet_args": ["fail-cgroupv1=false"],
            "images": [str(path) for path in sorted(self.images.glob("*.tar"))], **settings,
        }  # fmt: skip
        variables = {f"edge_mesh_k3s_{key}": value for key, value in wanted.items()} | access
        self.addresses |= {host: self.machines.address(host) for host in self.machines.names()}
        hosts = {host: {"ansible_host": self.addresses[host]} for host in self.hosts}
        edge = {f"site_{self.site}": {"hosts": hosts, "vars": {"edge_mesh_provider": "k3s", **variables}}}
        centre = {"site_core": {"hosts": {"core-machine": {}}, "vars": {"edge_mesh_provider": "kind"}}}
        children = {"mesh_primary": {"children": centre}, "mesh_edge": {"children": edge}}
        self.lab.inventory.mkdir(parents=True, exist_ok=True)
        document = {"all": {"vars": {"edge_mesh_id": self.site}, "children": children}}
        (self.lab.inventory / "hosts.yml").write_text(yaml.safe_dump(document))

    def sh(self, script: str, host: str = "") -> str:
        """What a shell on a machine, the first one unless said, prints without SSH."""
        return self.machines.sh(host or self.hosts[0], script)

    def bare(self) -> bool:
        """Whether nothing of K3s is on the machines."""
        return self.machines.left() == []

    def row(self, played: Played) -> dict[str, Any]:
        """The site's row of the run's report. It isn't done: at the latest it fails for want of a primary."""
        assert played.rc != 0, played.output[-2000:]
        report = self.lab.report("run")
        assert report.get("finished", True), played.output[-2000:]
        return next(row for row in report["results"] if row["site"] == self.site)

    def fails(self, **settings: Any) -> str:
        """Why a run fails at the machines."""
        found = self.row(self.play(**settings))
        assert found["step"] in ("preflight", "cluster"), found
        return str(found["reason"])

    def works(self, **settings: Any) -> Played:
        """A run that makes the cluster: it fails behind that, for there is no primary to join."""
        played = self.play(**settings)
        assert self.row(played)["step"] == "enrolment", played.output[-3000:]
        assert self.ready()
        return played

    def ready(self) -> bool:
        """Whether every node is Ready, as their own API says."""
        found = self.machines.state()
        return bool(found) and {each["ready"] for each in found.values()} == {"True"}

    def started(self) -> dict[str, object]:
        """When K3s was started at each machine that runs."""
        return {host: each["since"] for host, each in self.machines.state().items()}

    def begin(self) -> None:
        """Start the machines; what an earlier run left is removed first."""
        self.end()
        for directory in (self.lab.inventory, self.machines.directory):
            shutil.rmtree(directory, ignore_errors=True)
        self.machines.up(*self.hosts)
        k3s_release.release(self.release, VERSION)
        k3s_release.images(self.images)

    def end(self) -> None:
        """Take the machines away."""
        self.machines.down()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """The one machine of site cove."""
    found = Bench("cove", MACHINE)
    found.begin()
    yield found
    found.end()


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


@pytest.fixture(scope="module")
def three() -> Iterator[Bench]:
    """The three servers of site isle, on one etcd."""
    found = Bench("isle", *SERVERS)
    found.begin()
    found.works()
    yield found
    found.end()
