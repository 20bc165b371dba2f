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

from tests.lab.lab import Played, docker
from tests.machines.conftest import MACHINE, Bench

pytestmark = pytest.mark.deep


def test_a_full_disk_is_named_and_the_next_run_finishes(clean: Bench) -> None:
    images = "/var/lib/rancher/k3s/agent/images"
    clean.sh(f"mkdir -p {images} && mount -t tmpfs -o size=100k tmpfs {images}")
    said = clean.fails()
    for words in (MACHINE, "bring archives of images", "No space left", "run this again"):
        assert words in said, said
    clean.sh(f"umount {images}")
    clean.works()


@pytest.mark.parametrize(
    "spot", ["/etc/rancher/k3s/edge-mesh.pending", "/usr/local/bin/k3s", "/run/k3s/containerd/containerd.sock"]
)
def test_a_machine_that_dies_is_named_and_the_next_run_finishes(clean: Bench, spot: str) -> None:
    clean.want()
    with clean.lab.start("site.yml", "--limit", "site_cove") as running:
        end = time.monotonic() + 300
        container = clean.machines.name(MACHINE)
        while subprocess.run(["docker", "exec", container, "test", "-e", spot], check=False).returncode:
            assert time.monotonic() < end, f"{spot} didn't come"
            time.sleep(0.2)
        docker("kill", container)
        said, _none = running.communicate(timeout=400)
    found = clean.row(Played(running.returncode, said, 0.0))
    assert found["result"] == "failed"
    for words in (MACHINE, "run this again"):
        assert words in found["reason"], found
    docker("start", container)
    clean.machines.up(MACHINE)
    clean.works()
