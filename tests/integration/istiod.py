# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real istiod (pilot-discovery) on loopback, beside the control plane of these tests; its CA is a directory."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.integration.control_plane import ControlPlane, Started, _die_with_parent, _free_ports, programs

__all__ = ["CLUSTER", "Istiod"]

CLUSTER = "central"
_PATIENCE = 90.0
_GRACE = 20.0


class Istiod:
    """A context manager; ``directory`` is its working directory, ``cacerts`` below it what a pod would have mounted.

    ``environment`` is put into its own. Entering starts the program and doesn't wait: :meth:`await_port`,
    :meth:`await_log` and :meth:`ended` do.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        directory: Path,
        bundle: Mapping[str, bytes],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.cacerts = directory / "cacerts"
        self._kubeconfig = control_plane.kubeconfig
        self._bundle = bundle
        self._environment = dict(environment or {})
        self._started: Started
        self.address = ("127.0.0.1", 0)
        self.monitoring = ("127.0.0.1", 0)

    def __enter__(self) -> Self:
        self.cacerts.mkdir(mode=0o700, parents=True)
        self.put(self._bundle)
        secure, *others = _free_ports(5)
        self.address = ("127.0.0.1", secure)
        names = ("grpcAddr", "httpsAddr", "httpAddr", "monitoringAddr")
        flags = [f"--{name}=127.0.0.1:{port}" for name, port in zip(names, others, strict=True)]
        self.monitoring = ("127.0.0.1", others[-1])
        log = self.directory / "istiod.log"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "POD_NAME": "istiod-of-the-tests",
            "POD_NAMESPACE": "istio-system",
            "CLUSTER_ID": CLUSTER,
            "ROOT_CA_DIR": str(self.cacerts),
            **self._environment,
        }
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [
                    programs("pilot-discovery")["pilot-discovery"], "discovery", f"--kubeconfig={self._kubeconfig}",
                    f"--secureGRPCAddr=127.0.0.1:{secure}", *flags, "--ctrlz_port=0", "--profile=false",
                ],
                cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip
        self._started = Started("istiod", process, log)
        return self

    def __exit__(self, *_error: object) -> None:
        process = self._started.process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def put(self, bundle: Mapping[str, bytes]) -> None:
        """Make the files what istiod finds at its CA's place, as the kubelet does when the secret changes."""
        for name, content in bundle.items():
            path = self.cacerts / name
            path.touch(mode=0o600)
            path.write_bytes(content)

    def debug(self, path: str) -> Any:
        """The JSON answer of its debug API, which trusts whoever comes from the same machine."""
        connection = http.client.HTTPConnection(*self.monitoring, timeout=10)
        try:
            connection.request("GET", f"/debug/{path}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def log(self) -> str:
        """All that it said so far."""
        return self._started.log.read_text(errors="replace")

    def await_port(self) -> None:
        """Wait until it serves proxies; raises RuntimeError if it ends before, or never does."""
        self._await(self._serves, "never served")

    def _serves(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(self.address, 1):
            return True
        return False

    def await_log(self, text: str) -> None:
        """Wait until it has said something; raises RuntimeError if it ends before, or never does."""
        self._await(lambda: text in self.log(), f"never said {text!r}")

    def _await(self, done: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not done():
            if self._started.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"istiod {otherwise}:\n{self._started.tail()}")
            time.sleep(0.05)

    def ended(self) -> str:
        """Wait until it gives up by itself, and return its log; raises RuntimeError if it goes on."""
        try:
            self._started.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"istiod goes on:\n{self._started.tail()}") from None
        assert self._started.process.returncode != 0
        return self.log()
