# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a mesh of a suite's own: what an earlier run left goes first, and what this one made at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.lab.lab import Lab, docker

# For people who work on these tests: the mesh of an earlier call is taken as it is, and stays.
KEEPER = "EDGE_MESH_KEEP_LAB"
KEEP = bool(os.environ.get(KEEPER))


@contextmanager
def of(lab: Lab, mesh: str, describe: Callable[[], None]) -> Iterator[None]:
    """From nothing to nothing; ``describe`` writes the inventory. Of a mesh that is kept nothing is touched."""
    if KEEP:
        yield
        return
    _remove_leftovers(mesh)
    volumes = _unused_volumes()
    shutil.rmtree(lab.inventory, ignore_errors=True)
    describe()
    yield
    removed = lab.play("playbooks/destroy.yml")
    assert removed.rc == 0, f"{mesh} could not be taken away"
    left = docker("ps", "--all", "--quiet", "--filter", f"name=^{mesh}-")
    left += docker("network", "ls", "--quiet", "--filter", f"label=edge.mesh/mesh={mesh}")
    left += " ".join(_unused_volumes() - volumes)  # a person may have some of their own
    assert left == "", f"{mesh} left something in Docker: {left}"


def _unused_volumes() -> set[str]:
    return set(docker("volume", "ls", "--quiet", "--filter", "dangling=true").split())


def _remove_leftovers(mesh: str) -> None:
    """Remove what an earlier run left, by its names, of whatever checkout it was."""
    nodes = docker("ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster", "--filter", f"name=^{mesh}-")
    if nodes:
        docker("rm", "--force", "--volumes", *nodes.split())
    networks = docker("network", "ls", "--quiet", "--filter", f"label=edge.mesh/mesh={mesh}")
    if networks:
        docker("network", "rm", *networks.split())
