# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outages: a site whose API is dropped, and a machine that goes down with Docker and all its containers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab.interrupt import descendants
from tests.lab.lab import MESH, NAMES, ROOT, docker, node, wait_until
from tools.lab_host import daemon
from tools.lab_host.host import Paths

# From outside only: the node itself goes on talking to its API.
DROP = ("INPUT", "-i", "eth0", "-p", "tcp", "--dport", "6443", "-j", "DROP")


def cut(site: str) -> None:
    """Drop what comes for the site's API from outside; nothing is refused."""
    docker("exec", node(site), "iptables", "-I", *DROP)


def mend(site: str) -> None:
    """Let everybody in again; fine for a site that isn't cut."""
    command = ["docker", "exec", node(site), "iptables", "-D", *DROP]
    while subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0:
        continue


def addresses() -> dict[str, str]:
    """Each node's address on the mesh's network."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return {name: docker("inspect", "--format", template, node(name)).strip() for name in NAMES}


def go_down() -> str:
    """Kill Docker with everything that it runs, or only our nodes where it runs something else too; what was killed."""
    others = [name for name in docker("ps", "--format", "{{.Names}}").split() if not name.startswith(f"{MESH}-")]
    pid = daemon.ours(Paths())
    if pid is None or others:
        docker("kill", *(node(name) for name in NAMES))
        return "our nodes only: Docker isn't ours alone"
    doomed = [*descendants(pid), *(each for shim in _shims() for each in descendants(shim))]
    for process in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    # after a reboot there are no processes that nobody has asked the end of
    wait_until(lambda: not any(Path("/proc", str(each)).exists() for each in doomed), "the end of Docker", 30)
    return f"dockerd and {len(doomed) - 1} processes of its"


def come_up() -> None:
    """Start Docker again, and the nodes so that no one gets the address that it had."""
    command = [sys.executable, "-m", "tools.lab_host", "up"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=180, stdin=subprocess.DEVNULL)


def permute(before: dict[str, str]) -> None:
    """Give the nodes one another's addresses: Docker hands them out in the order of starting."""
    running = docker("ps", "--quiet", "--filter", f"name={MESH}-").split()
    if running:
        docker("kill", *running)
    order = sorted(NAMES, key=lambda name: before[name])
    for name in [*order[1:], order[0]]:
        docker("start", node(name))


def _shims() -> list[int]:
    """The processes that hold this machine's containers for a dockerd."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"containerd-shim-runc-v2") and b"moby" in words:
                found.append(int(entry.name))
    return found
