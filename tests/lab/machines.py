# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Site machines for tests: containers with systemd and sshd on networks of their own, and a router between networks.

``python -m tests.lab.machines <command> <directory> <prefix> <argument>...`` serves Molecule's playbooks: see COMMANDS.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.lab import k3s_release, machine_image
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
        # systemd's own word for itself comes as soon as it can be talked to.
        running = "systemctl is-system-running || true"
        wait_until(lambda: self.sh(name, running).strip() not in ("", "offline"), "systemd")
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

    def unroute(self) -> None:
        """Take the router away; the other network belongs to somebody else, who can't remove it while it is there."""
        docker("rm", "--force", "--volumes", self.name("router"))

    def names(self) -> list[str]:
        """The machines that run, without the router."""
        label = f"label=edge.mesh/lab={self.prefix}"
        found = docker("ps", "--filter", label, "--filter", "status=running", "--format", "{{.Names}}").split()
        return sorted(name.removeprefix(f"{self.prefix}-") for name in found if name != self.name("router"))

    def write_inventory(self, group: str, *names: str) -> None:
        """``inventory/hosts.yml``: the machines as members of a group, the first one as the server."""
        hosts = {
            name: {"ansible_host": self.address(name), "edge_mesh_k3s_role": "agent" if number else "server"}
            for number, name in enumerate(names)
        }
        arguments = f"-o UserKnownHostsFile={self.directory}/known_hosts -o StrictHostKeyChecking=accept-new"
        access = {
            "ansible_user": USERS[0],
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": arguments,
        }
        document = {"all": {"children": {group: {"hosts": hosts, "vars": access}}}}
        inventory = self.directory / "inventory"
        (inventory / "group_vars").mkdir(parents=True, exist_ok=True)
        (inventory / "hosts.yml").write_text(yaml.safe_dump(document))

    def state(self) -> dict[str, dict[str, object]]:
        """How K3s is at every machine that runs, seen without SSH and without the collection."""
        server = self.names()[0]
        nodes = self.sh(
            server, "if test -e /etc/rancher/k3s/k3s.yaml; then k3s kubectl get nodes -o json; else echo '{}'; fi"
        )
        ready = {
            node["metadata"]["name"]: next(
                each["status"] for each in node["status"]["conditions"] if each["type"] == "Ready"
            )
            for node in json.loads(nodes).get("items", [])
        }
        return {name: {**self._state(name), "ready": ready.get(name, "")} for name in self.names()}

    def _state(self, name: str) -> dict[str, object]:
        admin = "k3s kubectl config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d"
        kubelet = "/var/lib/rancher/k3s/agent/pki/kubelet-client-current.pem"
        script = {
            "k3s": "k3s --version 2>/dev/null | sed -n 's/k3s version \\([^ ]*\\).*/\\1/p'",
            "since": "systemctl show 'k3s*' -p ActiveEnterTimestamp --value",
            "config": "cat /etc/rancher/k3s/config.yaml 2>/dev/null || true",
            "token": "stat -c '%a %U' /etc/rancher/k3s/*token 2>/dev/null | sort -u",
            "certificate": f"({admin}; cat {kubelet}) 2>/dev/null | openssl x509 -noout -serial 2>/dev/null",
            "pods": "pgrep containerd-shim | sort | tr '\\n' ' ' || true",
        }
        return {what: self.sh(name, f"{words} || true").strip() for what, words in script.items()}

    def left(self) -> list[str]:
        """What K3s left at the machines, looked for by names and places that its documentation gives."""
        script = """
            find / -xdev \\( -path /proc -o -path /sys -o -path /opt/standin -o -path /var/log \\) -prune -o \\
                \\( -iname '*k3s*' -o -iname '*rancher*' -o -iname '*kubelet*' -o -iname '*.before' \\) -print 2>&- |
                grep -v kubelet.slice || true
            for place in /etc/rancher /var/lib/rancher /var/lib/kubelet /var/lib/cni /run/k3s; do
                test ! -e $place || echo $place
            done
            (iptables-save; ip6tables-save) 2>/dev/null | grep -E 'KUBE|CNI' || true
            grep -E ' /(run/k3s|var/lib/(rancher|kubelet)|run/netns/cni)' /proc/self/mounts || true
            ip -o link | grep -E 'cni0|flannel|veth' || true
            pgrep -a 'k3s|kube|etcd|containerd' || true
        """
        return [f"{name}: {line}" for name in self.names() for line in self.sh(name, script).splitlines()]

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


def _up(machines: Machines, names: list[str]) -> None:
    """Start machines, write them into an inventory, and have releases for them at hand."""
    machines.up(*names)
    machines.write_inventory(f"site_{machines.prefix}", *names)
    for version in ("v1.36.3+k3s1", "v1.36.3+k3s2"):
        k3s_release.release(machines.directory / "releases" / version, version)
    k3s_release.images(machines.directory / "images")


def _route(machines: Machines, words: list[str]) -> None:
    """Put a router between the machines and a network with a container."""
    machines.route_to(words[0], words[1:], machines.names())


def _remember(machines: Machines, _words: list[str]) -> None:
    (machines.directory / "before.json").write_text(json.dumps(machines.state()))


def _wake(machines: Machines, _words: list[str]) -> None:
    """Start machines that were killed."""
    label = f"label=edge.mesh/lab={machines.prefix}"
    for container in docker("ps", "--filter", label, "--filter", "status=exited", "--format", "{{.Names}}").split():
        docker("start", container)
        machines._let_in(container.removeprefix(f"{machines.prefix}-"))


def _left(machines: Machines, _words: list[str]) -> None:
    """List what stays. The kernel takes the interfaces of a pod's namespace away a moment after the namespace."""
    end = time.monotonic() + 20
    while (found := machines.left()) and time.monotonic() < end:
        time.sleep(1)
    print("\n".join(found))


COMMANDS: dict[str, Callable[[Machines, list[str]], None]] = {
    "up": _up,
    "route": _route,
    "unroute": lambda machines, _words: machines.unroute(),
    "remember": _remember,
    "wake": _wake,
    "state": lambda machines, _words: print(json.dumps(machines.state())),
    "left": _left,
    "down": lambda machines, _words: machines.down(),
}


def main(words: list[str]) -> None:
    """Do what a command says."""
    command, directory, prefix, *rest = words
    COMMANDS[command](Machines(Path(directory).absolute(), prefix), rest)


if __name__ == "__main__":
    main(sys.argv[1:])
