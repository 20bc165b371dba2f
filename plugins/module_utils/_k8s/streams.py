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
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import websocket

from ansible_collections.edge.mesh.plugins.module_utils._k8s import errors
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client

__all__ = ["execute", "forward", "result_of"]

_EXEC_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
_FORWARD_PROTOCOLS = ["v4.channel.k8s.io"]
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
    first = _open_forward(client, path, port)
    listener = socket.create_server(("127.0.0.1", 0))
    carriers: list[_Carrier] = []
    acceptor = threading.Thread(
        target=_accept, args=(listener, client, path, port, first, carriers), name="portforward", daemon=True
    )
    acceptor.start()
    try:
        host, local = listener.getsockname()[:2]
        yield str(host), int(local)
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(timeout=1)
        for carrier in carriers:
            carrier.close()
        if not carriers:
            _close(first)


def _accept(
    listener: socket.socket, client: Client, path: str, port: int, first: Any, carriers: list[_Carrier]
) -> None:
    while True:
        try:
            local, _address = listener.accept()
        except OSError:  # the listener is closed: the context has ended
            return
        try:
            remote = _open_forward(client, path, port) if carriers else first
        except ApiError:
            local.close()  # the caller sees a closed connection, as from a pod that refuses it
            continue
        carriers.append(_Carrier(local, remote))


class _Carrier:
    """Two threads that copy bytes between a local connection and a WebSocket until either side ends."""

    def __init__(self, local: socket.socket, remote: Any) -> None:
        self._local = local
        self._remote = remote
        for target in (self._out, self._back):
            threading.Thread(target=target, name="portforward", daemon=True).start()

    def _out(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            while data := self._local.recv(1 << 15):
                self._remote.send_binary(b"\x00" + data)
        self.close()

    def _back(self) -> None:
        greeted: set[int] = set()
        with suppress(OSError, websocket.WebSocketException):
            while True:
                opcode, frame = self._remote.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE or not frame:
                    break
                channel = frame[0]
                if channel not in greeted:  # the channel's first frame is the port number
                    greeted.add(channel)
                elif channel == 0:
                    self._local.sendall(frame[1:])
                else:
                    break
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._local.shutdown(socket.SHUT_RDWR)
        self._local.close()
        _close(self._remote)


def _open_forward(client: Client, path: str, port: int) -> Any:
    connection = _connect(client, path, [("ports", str(port))], _FORWARD_PROTOCOLS, client.remaining())
    connection.settimeout(None)
    return connection


def _connect(client: Client, path: str, query: list[tuple[str, str]], protocols: list[str], seconds: float) -> Any:
    """An open WebSocket over our own socket, so that TLS is exactly the REST client's."""
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
