# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KinD clusters through the `kind` and `docker` command lines (used by the module `kind_cluster`).

A cluster is whole when its node holds the marker file, which is written last. A node without it is half-created: the
run that made it was cut off. Only clusters on a network that carries our label are ever touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["Kind", "Node", "Wanted"]

MESH_LABEL = "edge.mesh/mesh"
LINK_LABEL = "edge.mesh/link"
_KIND_LABEL = "io.x-k8s.kind.cluster"
_MARKER = "/kind/edge-mesh-complete"
_NO_FILE = ("could not find the file", "no such container:path")
_CREATE_SECONDS = 600
_COMMAND_SECONDS = 120
# Exit codes of coreutils' timeout.
_TIMED_OUT = 124
_NO_PROGRAM = 127
_CONTROL_PLANE = "^(etcd|kube-apiserver|kube-controller-manager|kube-scheduler) "
_NOBODY = 1  # pkill's word for no such process


@dataclass(frozen=True)
class Wanted:
    """A cluster as it should be: ``config`` is KinD's own YAML."""

    name: str
    mesh: str
    network: str
    image: str
    config: str
    kubeconfig: Path


@dataclass(frozen=True)
class Node:
    """The container that is the cluster's only node."""

    name: str
    running: bool
    networks: tuple[str, ...]
    image: str
    paused: bool = False
    started: float | None = None  # seconds since 1970
    api_port: str | None = None  # where the controller reaches its API on loopback


@dataclass(frozen=True)
class Done:
    """What a program did."""

    rc: int
    stdout: str
    stderr: str


class Kind:
    """``kind`` and ``docker`` are paths or names of the two programs; ``run_command`` is AnsibleModule's."""

    def __init__(self, run_command: Callable[..., tuple[int, str, str]], kind: str, docker: str = "docker") -> None:
        self._run_command = run_command
        self._kind = kind
        self._docker = docker

    def there(self) -> bool:
        """Whether there is a `docker` program at all; without one there can be no cluster."""
        return self._run_command(["timeout", "20", self._docker, "--version"], data=None, environ_update={})[0] == 0

    def node(self, cluster: str) -> Node | None:
        """The cluster's node, or None; raises MeshError if Docker doesn't answer."""
        done = self._run([self._docker, "container", "inspect", f"{cluster}-control-plane"], check=False)
        if done.rc != 0:
            if "No such container" in done.stderr:
                return None
            raise self._failure("Docker doesn't answer", done.stderr, "start it, or run `make lab`")
        found: Mapping[str, Any] = json.loads(done.stdout)[0]
        return Node(
            name=f"{cluster}-control-plane",
            running=bool(found["State"]["Running"]),
            networks=tuple(found["NetworkSettings"]["Networks"]),
            image=found["Config"]["Image"],
            paused=bool(found["State"].get("Paused")),
            started=_seconds(found["State"].get("StartedAt", "")),
            api_port=_api_port(found["NetworkSettings"].get("Ports") or {}),
        )

    def is_ours(self, node: Node, mesh: str) -> bool:
        """Whether the node stands on a network that this collection made for this mesh."""
        return any(self._network_label(network) == mesh for network in node.networks)

    def is_whole(self, node: Node) -> bool:
        """Whether the cluster's creation was finished; works for a stopped node too."""
        done = self._run([self._docker, "cp", f"{node.name}:{_MARKER}", "-"], check=False)
        # Only Docker's own word that the file is missing counts: a cluster is deleted for it.
        if done.rc != 0 and not any(words in done.stderr.lower() for words in _NO_FILE):
            raise self._failure(
                f"the node {node.name} can't be looked into", done.stderr, "mend Docker, then run again"
            )
        return done.rc == 0

    def start(self, node: Node) -> None:
        """Start a stopped node."""
        self._run([self._docker, "start", node.name])

    def create(self, wanted: Wanted) -> None:
        """Create the network if need be and the cluster; the marker is written when it stands."""
        self._ensure_network(wanted, wanted.network, {})
        environment = {"KIND_EXPERIMENTAL_DOCKER_NETWORK": wanted.network}
        # KinD insists on writing a kubeconfig: it goes to a private directory and is dropped, at the latest next time.
        private = wanted.kubeconfig.parent / f".kind-{wanted.name}"
        shutil.rmtree(private, ignore_errors=True)
        private.mkdir(mode=0o700)
        try:
            command = [self._kind, "create", "cluster", "--name", wanted.name, "--image", wanted.image, "--config", "-"]
            command += ["--kubeconfig", f"{private}/config", "--wait", "0s", "--quiet"]
            self._run(command, stdin=wanted.config, timeout=_CREATE_SECONDS, environment=environment)
        finally:
            shutil.rmtree(private, ignore_errors=True)
        self._run([self._docker, "exec", f"{wanted.name}-control-plane", "touch", _MARKER])

    def kubeconfig(self, cluster: str) -> str:
        """The admin kubeconfig, with the API on a loopback port of the controller."""
        return self._run([self._kind, "get", "kubeconfig", "--name", cluster]).stdout

    def renew(self, node: Node) -> None:
        """Have kubeadm renew all certificates of the control plane, and end its processes, which read them at start.

        The kubelet brings them back, and renews its own client certificate by itself. They are killed, because an API
        server that is asked to end answers for another minute with what it has.
        """
        self._run([self._docker, "exec", node.name, "kubeadm", "certs", "renew", "all"])
        end = ["pkill", "--signal", "KILL", "--full", _CONTROL_PLANE]
        done = self._run([self._docker, "exec", node.name, *end], check=False)
        if done.rc not in (0, _NOBODY):
            raise self._failure(f"the control plane of {node.name} doesn't end", done.stderr, "docker restart it")

    def delete(self, cluster: str) -> None:
        """Delete the cluster's containers and volumes."""
        # KinD locks the kubeconfig that it takes the cluster out of: each deletion has one of its own, and it is empty
        with tempfile.TemporaryDirectory(prefix="edge-mesh-kind-") as private:
            self._run([self._kind, "delete", "cluster", "--name", cluster, "--kubeconfig", f"{private}/config"])

    def delete_network(self, network: str, mesh: str) -> bool:
        """Delete the mesh's network if it is ours and nothing is attached; says whether it is gone."""
        if self._network_label(network) != mesh:
            return False
        return self._run([self._docker, "network", "rm", network], check=False).rc == 0

    def strangers_on(self, network: str) -> list[str]:
        """The containers on a network that are no nodes of KinD clusters: while they run, nobody can remove it."""
        template = f'{{{{.Names}}}} {{{{.Label "{_KIND_LABEL}"}}}}'
        command = ["ps", "--filter", f"network={network}", "--format", template]
        lines = [line.split() for line in self._run([self._docker, *command]).stdout.splitlines()]
        return sorted(line[0] for line in lines if len(line) == 1)

    def links(self, mesh: str) -> dict[str, str]:
        """The networks of the mesh that are WAN links: network -> link."""
        template = f'{{{{.Name}}}} {{{{.Label "{LINK_LABEL}"}}}}'
        command = ["network", "ls", "--filter", f"label={MESH_LABEL}={mesh}", "--filter", f"label={LINK_LABEL}"]
        done = self._run([self._docker, *command, "--format", template])
        lines = [line.split() for line in done.stdout.splitlines()]
        return {line[0]: line[1] for line in lines if len(line) > 1}

    def link(self, wanted: Wanted, network: str, link: str) -> None:
        """Put the cluster's node on the network that is a WAN link; the network is made if need be."""
        self._ensure_network(wanted, network, {LINK_LABEL: link})
        self._run([self._docker, "network", "connect", network, f"{wanted.name}-control-plane"])

    def unlink(self, wanted: Wanted, network: str) -> None:
        """Take the node off a link's network, and the network away if nothing is left on it."""
        self._run([self._docker, "network", "disconnect", network, f"{wanted.name}-control-plane"])
        self.delete_network(network, wanted.mesh)

    def _network_label(self, network: str) -> str | None:
        template = f'{{{{index .Labels "{MESH_LABEL}"}}}}'
        done = self._run([self._docker, "network", "inspect", "--format", template, network], check=False)
        return done.stdout.strip() if done.rc == 0 else None

    def _ensure_network(self, wanted: Wanted, network: str, labels: Mapping[str, str]) -> None:
        with _locked(
            wanted.kubeconfig.parent / ".network.lock"
        ):  # Docker makes two networks of one name if asked at once
            label = self._network_label(network)
            if label is None:
                command = [self._docker, "network", "create", "--label", f"{MESH_LABEL}={wanted.mesh}"]
                for name, value in labels.items():
                    command += ["--label", f"{name}={value}"]
                command += ["--opt", "com.docker.network.bridge.enable_ip_masquerade=true", network]
                self._run(command)
            elif label != wanted.mesh:
                raise MeshError(
                    f"the Docker network {network} exists and is not this mesh's",
                    hint=f"remove it, or give the mesh another edge_mesh_id than {wanted.mesh}",
                )

    def _run(
        self,
        command: list[str],
        *,
        stdin: str | None = None,
        timeout: int = _COMMAND_SECONDS,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Done:
        bounded = ["timeout", str(timeout), *command]
        done = Done(*self._run_command(bounded, data=stdin, environ_update=dict(environment or {})))
        if done.rc == _NO_PROGRAM:
            raise MeshError(f"{command[0]} can't be run", why="no such program", hint="run the role artifacts")
        if done.rc == _TIMED_OUT:
            raise MeshError(f"`{_short(command)}` didn't end within {timeout} s", hint="run again")
        if check and done.rc != 0:
            raise self._failure(f"`{_short(command)}` failed", done.stderr, "run again: what is half-made is replaced")
        return done

    @staticmethod
    def _failure(what: str, stderr: str, hint: str) -> MeshError:
        lines = [line for line in stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line] or lines[-3:]
        return MeshError(what, why=" ".join(errors)[:600], hint=hint)


def _api_port(ports: Mapping[str, Any]) -> str | None:
    published: list[dict[str, str]] = ports.get("6443/tcp") or [{}]
    return published[0].get("HostPort")


def _seconds(moment: str) -> float | None:
    """Docker's timestamp in UTC, to the second; None for one that can't be read."""
    try:
        return datetime.fromisoformat(f"{moment[:19]}+00:00").timestamp()
    except ValueError:
        return None


def _short(command: list[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:4]])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
