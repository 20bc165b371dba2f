# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands and port forwards in pods, over WebSockets (used by the client only).

Kubernetes' channel protocol: each binary frame starts with one byte, the channel. exec: 1 stdout, 2 stderr, 3 the end
result as a Status. Port forward, for one port: 0 data, 1 error text; the first frame of each channel is the port as
two bytes.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import errors
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError

try:
    import websocket

    MISSING: str | None = None
except ImportError as error:
    MISSING = str(error)
    if not TYPE_CHECKING:
        websocket = None

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client

__all__ = ["execute", "forward", "result_of"]

_EXEC_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
_FORWARD_PROTOCOLS = ["v4.channel.k8s.io"]
_STALL_SECONDS = 30.0
_LARGEST_OUTPUT = 64 << 20


def execute(client: Client, path: str, query: list[tuple[str, str]], *, timeout: float) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command; raises ApiError if it can't be started or doesn't end in time."""
    end = time.monotonic() + client.remaining(timeout)
    connection = _connect(client, path, query, _EXEC_PROTOCOLS, client.remaining(timeout))
    output: dict[int, list[bytes]] = {1: [], 2: [], 3: []}
    size = 0
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the command didn't end in time")
            connection.settimeout(left)
            opcode, frame = connection.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            if frame and frame[0] in output:
                output[frame[0]].append(frame[1:])
                size += len(frame)
                if frame[0] == 3:
                    break
            if size > _LARGEST_OUTPUT:
                raise OSError(f"the command wrote more than {_LARGEST_OUTPUT} bytes")
    except websocket.WebSocketConnectionClosedException:
        pass
    except (websocket.WebSocketTimeoutException, TimeoutError) as error:
        raise _not_ended(client, path, timeout) from error
    except (websocket.WebSocketException, OSError) as error:
        raise errors.from_exception(error, "exec", path, server=client.endpoint.server, site=client.site) from error
    finally:
        with suppress(Exception):
            connection.close(timeout=0)
    status = b"".join(output[3])
    if not status:
        raise ApiError(
            f"exec {path} failed", status=0, reason="Reset", site=client.site,
            why="the connection closed before the command's result", hint="is the container still running?",
        )  # fmt: skip
    code, why = result_of(status)
    if code is None:
        raise ApiError(f"exec {path} failed", status=0, reason="Exec", site=client.site, why=why)
    return code, b"".join(output[1]).decode("utf-8", "replace"), b"".join(output[2]).decode("utf-8", "replace")


def result_of(status: bytes) -> tuple[int | None, str]:
    """The exit code in exec's end result, and the message; None as code if the command didn't run at all."""
    try:
        answer = json.loads(status)
    except ValueError:
        return None, status.decode("utf-8", "replace")[:200]
    message = str(answer.get("message", ""))
    if answer.get("status") == "Success":
        return 0, message
    for cause in (answer.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"]), message
    return None, message or "no reason given"


@contextmanager
def forward(client: Client, path: str, port: int) -> Iterator[tuple[str, int]]:
    """Listen on 127.0.0.1 and carry every connection to ``port`` over a WebSocket of its own.

    The first WebSocket is opened at once, so a pod that can't be reached is an ApiError here and not a silent reset.
    """
    forwarder = _Forwarder(client, path, port)
    try:
        yield forwarder.address
    finally:
        forwarder.close()


class _Forwarder:
    """A listener, a thread that accepts, and one thread for each connection.

    A TLS connection may be used by one thread at a time, and a descriptor must not be closed under a thread that reads
    it: so each connection belongs to its thread, which alone closes it; others only shut the local side down.
    """

    def __init__(self, client: Client, path: str, port: int) -> None:
        self._client = client
        self._path = path
        self._query = [("ports", str(port))]
        self._spare: Any = self._open()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._locals: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="portforward", daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def close(self) -> None:
        """End the listener and every connection, and wait for their threads."""
        self._closing.set()
        for item in [self._listener, *self._locals]:
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=2)
        self._listener.close()
        if self._spare is not None:
            _close(self._spare)

    def _open(self) -> Any:
        return _connect(self._client, self._path, self._query, _FORWARD_PROTOCOLS, self._client.remaining())

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                local, _address = self._listener.accept()
            except OSError:  # the listener is shut down
                return
            try:
                remote = self._spare if self._spare is not None else self._open()
            except ApiError:
                local.close()  # the caller sees a closed connection, as from a pod that refuses it
                continue
            self._spare = None
            self._locals.append(local)
            thread = threading.Thread(target=_carry, args=(local, remote), name="portforward", daemon=True)
            self._threads.append(thread)
            thread.start()
            if self._closing.is_set():
                with suppress(OSError):
                    local.shutdown(socket.SHUT_RDWR)


def _carry(local: socket.socket, remote: Any) -> None:
    """Copy bytes both ways between a local connection and a WebSocket until either side ends, then close both."""
    greeted: set[int] = set()
    try:
        local.settimeout(_STALL_SECONDS)
        while True:
            buffered = isinstance(remote.sock, ssl.SSLSocket) and remote.sock.pending() > 0
            readable, _write, _error = select.select([local, remote.sock], [], [], 0 if buffered else None)
            if local in readable:
                data = local.recv(1 << 15)
                if not data:
                    return
                remote.settimeout(_STALL_SECONDS)
                remote.send_binary(b"\x00" + data)
            if (buffered or remote.sock in readable) and not _back(local, remote, greeted):
                return
    except (OSError, websocket.WebSocketException):
        return
    finally:
        local.close()
        _close(remote)


def _back(local: socket.socket, remote: Any, greeted: set[int]) -> bool:
    """Hand on one frame if a whole one is there; False at the end. A part of a frame stays in the library's buffer."""
    remote.settimeout(0)
    try:
        opcode, frame = remote.recv_data()
    except (BlockingIOError, ssl.SSLWantReadError, websocket.WebSocketTimeoutException):
        return True
    if opcode == websocket.ABNF.OPCODE_CLOSE or not frame:
        return False
    channel = frame[0]
    if channel not in greeted:  # the channel's first frame is the port number
        greeted.add(channel)
        return True
    if channel != 0:
        return False
    local.sendall(frame[1:])
    return True


def _connect(client: Client, path: str, query: list[tuple[str, str]], protocols: list[str], seconds: float) -> Any:
    """An open WebSocket over our own socket, so that TLS is exactly the REST client's."""
    if MISSING is not None:
        hint = "install websocket-client for the Python that runs Ansible on the controller"
        raise MeshError("no stream can be opened", why=f"a Python library can't be imported ({MISSING})", hint=hint)
    if seconds <= 0:
        raise errors.out_of_time("GET", path, site=client.site)
    url, host, port, name, headers = client.stream_address(path, query)
    raw: socket.socket | None = None
    try:
        raw = socket.create_connection((host, port), timeout=min(seconds, 5.0))
        raw.settimeout(seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.startswith("wss:"):
            raw = client.tls.wrap_socket(raw, server_hostname=name)
        return websocket.create_connection(
            url, socket=raw, header=headers, subprotocols=protocols, timeout=seconds, suppress_origin=True,
            enable_multithread=True,
        )  # fmt: skip
    except websocket.WebSocketBadStatusException as error:
        _quiet_close(raw)
        body = error.resp_body if isinstance(error.resp_body, bytes) else str(error.resp_body or "").encode()
        raise errors.from_answer(
            "GET", path, error.status_code, body, server=client.endpoint.server, site=client.site
        ) from error
    except (websocket.WebSocketException, OSError) as error:
        _quiet_close(raw)
        raise errors.from_exception(error, "GET", path, server=client.endpoint.server, site=client.site) from error


def _close(connection: Any) -> None:
    with suppress(Exception):
        connection.close(timeout=0)
    with suppress(Exception):
        connection.shutdown()


def _quiet_close(raw: socket.socket | None) -> None:
    if raw is not None:
        raw.close()


def _not_ended(client: Client, path: str, timeout: float) -> ApiError:
    return ApiError(
        f"exec {path} failed", status=0, reason="Timeout", site=client.site,
        why=f"the command didn't end in {timeout:g} s", hint="give it a longer timeout",
    )  # fmt: skip
