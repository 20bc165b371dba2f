# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that is full and a machine that dies in the middle: a clear error, and the next run finishes.

What runs there is the lab's stand-in, not K3s.
"""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.lab.lab import docker
from tests.machines.conftest import MACHINE, Bench
from tests.machines.test_refusals import row

pytestmark = pytest.mark.deep


def ready(bench: Bench) -> bool:
    """Whether the node is Ready, as its own API says."""
    return bench.machines.state()[MACHINE]["ready"] == "True"


def cluster(bench: Bench) -> str:
    """What the run said of the cluster: where it isn't to blame, the site fails later, for there is no primary."""
    return row(bench.play(), bench)["reason"]


def test_a_full_disk_is_named_and_the_next_run_finishes(bench: Bench) -> None:
    images = "/var/lib/rancher/k3s/agent/images"
    bench.sh(f"mkdir -p {images} && mount -t tmpfs -o size=100k tmpfs {images}")
    said = cluster(bench)
    assert MACHINE in said
    assert "bring archives of images" in said
    assert "No space left" in said or "Failure" in said, said
    bench.sh(f"umount {images}")
    assert "primary" in cluster(bench)
    assert ready(bench)


@pytest.mark.parametrize(
    "spot", ["/etc/rancher/k3s/edge-mesh.pending", "/usr/local/bin/k3s", "/run/k3s/containerd/containerd.sock"]
)
def test_a_machine_that_dies_is_finished_by_the_next_run(bench: Bench, spot: str) -> None:
    bench.play("--tags", "never")  # the inventory of this run is written
    removed = bench.lab.play("playbooks/destroy.yml", "--limit", MACHINE)
    assert removed.rc == 0, removed.output[-2000:]
    assert bench.bare()
    with bench.lab.start("site.yml", "--limit", MACHINE) as running:
        end = time.monotonic() + 300
        while subprocess.run(
            ["docker", "exec", bench.machines.name(MACHINE), "test", "-e", spot], check=False
        ).returncode:
            assert time.monotonic() < end, f"{spot} didn't come"
            time.sleep(0.2)
        docker("kill", bench.machines.name(MACHINE))
        assert running.stdout is not None
        running.stdout.read()
        assert running.wait(300) != 0
    docker("start", bench.machines.name(MACHINE))
    bench.machines.up(MACHINE)
    assert "primary" in cluster(bench)
    assert ready(bench)
