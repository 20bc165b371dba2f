# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Site machines for tests: containers with systemd and sshd on networks of their own, and a router between networks.

``python -m tests.lab.machines up|down <directory> <prefix> <machine>...`` serves Molecule's playbooks.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import machine_image
from tests.lab.lab import docker, wait_until

USERS = ("site", "guest")  # the first one may use sudo


@dataclass(frozen=True)
class Machines:
    """The machines of one site: all names in Docker begin with ``prefix``; the key lies in ``directory``."""

    directory: Path
    prefix: str

    @property
    def key(self) -> Path:
        """The private key that was made for this run."""
        return self.directory / "id_ed25519"

    @property
    def network(self) -> str:
        """The site's network."""
        return f"{self.prefix}-site"

    def name(self, machine: str) -> str:
        """A machine's container."""
        return f"{self.prefix}-{machine}"

    def up(self, *names: str) -> None:
        """Start machines; those that are there stay as they are."""
        machine_image.make()
        if not self.key.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.prefix, "-f", str(self.key))
        if self.network not in docker("network", "ls", "--format", "{{.Name}}").split():
            docker("network", "create", self.network)
        for name in names:
            if not docker("ps", "--all", "--quiet", "--filter", f"name=^{self.name(name)}$"):
                self._start(name)
        for name in names:
            self._let_in(name)

    def _start(self, name: str) -> None:
        docker(
            *("run", "--detach", "--privileged", "--cgroupns=private", "--name", self.name(name), "--hostname", name),
            *("--network", self.network, "--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/var"),
            *("--volume", "/lib/modules:/lib/modules:ro", "--security-opt", "seccomp=unconfined"),
            *("--label", f"edge.mesh/lab={self.prefix}", machine_image.IMAGE),
        )

    def _let_in(self, name: str) -> None:
        public = self.key.with_suffix(".pub").read_text()
        for user in USERS:
            file = f"/home/{user}/.ssh/authorized_keys"
            self.sh(name, f"cat > {file} && chown {user}: {file} && chmod 600 {file}", stdin=public)
        self.sh(name, "ssh-keygen -A && rm -f /run/nologin && systemctl --no-block restart ssh")
        wait_until(lambda: self._listens(name), f"sshd on {name}", 30)

    def _listens(self, name: str) -> bool:
        return "SSH-2.0" in _run("bash", "-c", f"exec 3<>/dev/tcp/{self.address(name)}/22; head -c 7 <&3", check=False)

    def sh(self, name: str, script: str, stdin: str = "") -> str:
        """The output of a shell on a machine, as root, without SSH: the second judge and the saboteur."""
        return _run("docker", "exec", "--interactive", self.name(name), "sh", "-ec", script, stdin=stdin)

    def address(self, name: str) -> str:
        """A machine's address in the site's network."""
        where = f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}'
        return docker("inspect", "--format", where, self.name(name)).strip()

    def route_to(self, network: str, members: Sequence[str], names: Sequence[str]) -> None:
        """Put a router between the site's network and another one, whose containers ``members`` learn the way back."""
        router = self.name("router")
        if not docker("ps", "--all", "--quiet", "--filter", f"name=^{router}$"):
            self._start("router")
            docker("network", "connect", network, router)
        _run("docker", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        here, there = self.address("router"), _address(router, network)
        for member in members:
            _run("docker", "exec", member, "ip", "route", "replace", _subnet(self.network), "via", there)
        for name in names:
            self.sh(name, f"ip route replace {_subnet(network)} via {here}")

    def down(self) -> None:
        """Take away everything whose name begins with the prefix, whoever made it."""
        if found := docker("ps", "--all", "--quiet", "--filter", f"label=edge.mesh/lab={self.prefix}").split():
            docker("rm", "--force", "--volumes", *found)
        if self.network in docker("network", "ls", "--format", "{{.Name}}").split():
            docker("network", "rm", self.network)


def _address(container: str, network: str) -> str:
    where = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    return docker("inspect", "--format", where, container).strip()


def _subnet(network: str) -> str:
    return docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", network).strip()


def _run(*words: str, stdin: str = "", check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, input=stdin)
    assert not check or done.returncode == 0, f"{' '.join(words[:4])}: {done.stderr}"
    return done.stdout


def main(words: list[str]) -> None:
    """``up`` or ``down``."""
    state, directory, prefix, *names = words
    machines = Machines(Path(directory), prefix)
    if state == "down":
        machines.down()
        return
    started = time.monotonic()
    machines.up(*names)
    print(f"{len(names)} machines after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
