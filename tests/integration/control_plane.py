# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, no node.

The programs are those that the lab's node image is made of, from the cache of built artifacts; what is missing there is
built. Everything that a control plane does happens for real; what a kubelet does (pods that run, logs) doesn't.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import catalogue
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache, cache_root
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import Docker
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.engine import Engine, default_jobs
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import go_version
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import line
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.service import architecture
from tests.integration.pki import Pki, make_pki

__all__ = ["ADMIN_TOKEN", "ControlPlane", "Started", "programs"]

ROOT = Path(__file__).resolve().parents[2]
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
ADMIN_TOKEN = "admin-token-of-the-tests"
_PATIENCE = 90.0
_GRACE = 20.0
# what objects of ours meet in a cluster; nothing of nodes, volumes or clouds
_CONTROLLERS = (
    "namespace-controller", "serviceaccount-controller", "serviceaccount-token-controller", "deployment-controller",
    "replicaset-controller", "statefulset-controller", "daemonset-controller", "job-controller",
    "endpointslice-controller", "garbage-collector-controller", "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)  # fmt: skip


def programs(*names: str) -> dict[str, Path]:
    """The built programs of those names, built first if the cache lacks one; raises MeshError."""
    toolchain, _version = go_version()
    engine = Engine(
        components=catalogue.components(),
        cache=Cache(cache_root(os.environ)),
        images=Docker(),
        files=ROOT / "roles" / "artifacts" / "files",
        arch=architecture(),
        toolchain={"go": toolchain},
        report=lambda event: print(line(event), flush=True),
        jobs=default_jobs(),
    )
    engine.run(engine.plan(names))
    return {name: engine.path(name, name) for name in names}


@dataclass(frozen=True)
class Started:
    """A running program: its process and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class ControlPlane:
    """A context manager; everything it writes is below ``directory`` (0700), and nothing outlives this process.

    ``users`` maps further bearer tokens to user names without any right. ``audit`` counts requests by user agent.
    Without ``controllers`` there are only etcd and the API server.
    """

    def __init__(
        self,
        directory: Path,
        *,
        users: Mapping[str, str] | None = None,
        audit: bool = False,
        controllers: bool = True,
    ) -> None:
        self.directory = directory
        self.users = dict(users or {})
        self.audit = audit
        self.controllers = controllers
        self.pki: Pki
        self.url = ""
        self._running: list[Started] = []

    def __enter__(self) -> Self:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.pki = make_pki(self.directory / "pki")
        try:
            self._start(programs(*(CONTROL_PLANE if self.controllers else CONTROL_PLANE[:2])))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for started in reversed(self._running):
            started.process.send_signal(signal.SIGTERM)
            try:
                started.process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()
        self._running.clear()

    # -- for tests ----------------------------------------------------------------------------------------------------

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "admin.yaml"

    def write_kubeconfig(self, path: Path, token: str, *, server: str | None = None, extra: str = "") -> Path:
        """A kubeconfig with that token; ``extra`` is put into its cluster, as JSON members."""
        ca = base64.b64encode(self.pki.ca.encode()).decode()
        path.touch(mode=0o600)
        cluster = f"{{server: '{server or self.url}', certificate-authority-data: {ca}{extra}}}"
        path.write_text(
            f"apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {cluster}}}]\n"
            "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"
            f"users: [{{name: u, user: {{token: {token}}}}}]\n",
            encoding="utf-8",
        )
        return path

    def requests(self, agent: str = "") -> int:
        """How many requests were answered so far to clients whose user agent begins with ``agent``."""
        text = (self.directory / "audit.log").read_bytes()
        return text.count(b'"userAgent":"' + agent.encode())

    # -- starting -----------------------------------------------------------------------------------------------------

    def _start(self, paths: Mapping[str, Path]) -> None:
        etcd, peer, api = _free_ports(3)
        self.url = f"https://127.0.0.1:{api}"
        self._run(
            paths["etcd"],
            f"--data-dir={self.directory / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
        )  # fmt: skip
        self._run(paths["kube-apiserver"], f"--etcd-servers=http://127.0.0.1:{etcd}", *self._api_flags(api))
        self.write_kubeconfig(self.kubeconfig, ADMIN_TOKEN)
        self._await("/readyz")
        if not self.controllers:
            return
        self._run(
            paths["kube-controller-manager"],
            f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0",
            f"--controllers={','.join(_CONTROLLERS)}", f"--root-ca-file={self.pki.directory / 'ca.pem'}",
            f"--service-account-private-key-file={self.pki.directory / 'service-accounts.pem'}",
            "--concurrent-namespace-syncs=4", "--kube-api-qps=200", "--kube-api-burst=400",
        )  # fmt: skip
        self._run(paths["kube-scheduler"], f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0")
        self._await("/api/v1/namespaces/default/serviceaccounts/default")

    def _api_flags(self, port: int) -> list[str]:
        pki = self.pki.directory
        tokens = self.directory / "tokens.csv"
        tokens.touch(mode=0o600)
        lines = [
            f'{ADMIN_TOKEN},admin,1,"system:masters"',
            *(f"{token},{user},{user}" for token, user in self.users.items()),
        ]
        tokens.write_text("\n".join(lines) + "\n", encoding="utf-8")
        flags = [
            f"--secure-port={port}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            f"--tls-cert-file={pki / 'server.pem'}", f"--tls-private-key-file={pki / 'server.pem'}",
            f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc", "--endpoint-reconciler-type=none",
            f"--service-account-signing-key-file={pki / 'service-accounts.pem'}",
            f"--service-account-key-file={pki / 'service-accounts.pem'}", "--watch-cache=true",
        ]  # fmt: skip
        if self.audit:
            policy = self.directory / "audit-policy.yaml"
            policy.write_text(
                "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
            )
            log = self.directory / "audit.log"
            log.touch()
            flags += [f"--audit-policy-file={policy}", f"--audit-log-path={log}", "--audit-log-mode=blocking"]
        return flags

    def _run(self, program: Path, *flags: str) -> None:
        log = self.directory / f"{program.name}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [program, *flags], stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip
        self._running.append(Started(program.name, process, log))

    def _await(self, path: str) -> None:
        """Wait until the API answers ``path`` with 200; raises RuntimeError with the log of what ended or hangs."""
        context = ssl.create_default_context(cadata=self.pki.ca)
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            for started in self._running:
                if started.process.poll() is not None:
                    raise RuntimeError(f"{started.name} ended with {started.process.returncode}:\n{started.tail()}")
            with contextlib.suppress(OSError), opener.open(request, timeout=5):
                return
            time.sleep(0.1)
        raise RuntimeError(f"the API isn't ready ({path}):\n" + "\n".join(each.tail() for each in self._running))


def _free_ports(count: int) -> Sequence[int]:
    """Ports of 127.0.0.1 that were free a moment ago."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _turn in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _die_with_parent() -> None:
    """In a started program: end when the tests do, however they end (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
