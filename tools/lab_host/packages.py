# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian packages that the lab needs, installed by apt-get when their program or file isn't there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.lab_host.errors import LabHostError
from tools.lab_host.host import Paths, find_program, service_manager

__all__ = ["DOCKER", "NEEDED", "RUNTIME", "Need", "install", "missing"]


@dataclass(frozen=True)
class Need:
    """A package, and the program (a name) or file (an absolute path) that shows that it is there in whatever way."""

    package: str
    shown_by: str


# A daemon that already answers needs none of these, wherever it came from.
DOCKER = (
    Need("docker.io", "dockerd"),
    Need("containerd", "containerd"),
    Need("runc", "runc"),
    Need("iptables", "iptables"),
)
NEEDED = (
    Need("nftables", "nft"),
    Need("iproute2", "ip"),
    Need("mmdebstrap", "mmdebstrap"),
    Need("debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg"),
    Need("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
)
RUNTIME = (Need("python3-minimal", "/usr/bin/python3"),)
# Newer releases have Docker's command line in a package of its own; older ones don't know that package.
DOCKER_CLI = Need("docker-cli", "docker")


def missing(needs: tuple[Need, ...], present: Callable[[str], bool] | None = None) -> list[str]:
    """The packages of ``needs`` that have to be installed, in order."""
    present = present or _present
    return [need.package for need in needs if not present(need.shown_by)]


def _present(shown_by: str) -> bool:
    return Path(shown_by).exists() if shown_by.startswith("/") else find_program(shown_by) is not None


def install(packages: list[str], paths: Paths, say: Callable[[str], None]) -> None:
    """Install packages by apt-get. Raises LabHostError with apt's own last words."""
    if not packages:
        return
    if find_program("apt-get") is None:
        raise LabHostError(
            f"this machine lacks {', '.join(packages)}, and it has no apt-get to install them with",
            hint="install them by hand; Debian and Ubuntu are set up by themselves",
        )
    say(f"installing {' '.join(packages)}")
    _apt(["update"], paths)
    _apt(["install", "--yes", "--no-install-recommends", *packages], paths)
    if "docker.io" in packages and not _present(DOCKER_CLI.shown_by):
        _apt(["install", "--yes", "--no-install-recommends", DOCKER_CLI.package], paths)


def _apt(words: list[str], paths: Paths) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    if not service_manager(paths):
        # invoke-rc.d starts nothing in runlevel 1: the daemon is started by us then, and so can be stopped by us.
        environment["RUNLEVEL"] = "1"
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", *words]
    answer = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        said = " / ".join((answer.stderr or answer.stdout).strip().splitlines()[-3:])
        raise LabHostError(f"apt-get {words[0]} failed: {said}", hint="run it by hand, then try again")
