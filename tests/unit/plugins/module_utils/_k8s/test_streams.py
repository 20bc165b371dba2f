# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""exec and port forward against a small WebSocket server that speaks Kubernetes' channel protocol."""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import socket
import struct
import threading

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._k8s.streams import result_of
from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Socket:
    """The server's end of a WebSocket."""

    def __init__(self, handler):
        self.handler = handler
        key = handler.headers["Sec-WebSocket-Key"].encode()
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode())
        handler.send_header("Sec-WebSocket-Protocol", handler.headers["Sec-WebSocket-Protocol"].split(",")[0])
        handler.end_headers()
        handler.close_connection = True

    def send(self, channel, content):
        frame = bytes([channel]) + content
        size = len(frame)
        head = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size)
        self.handler.wfile.write(b"\x82" + head + frame)

    def receive(self):
        """The channel and content of the next frame, None at the end."""
        head = self.handler.rfile.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", self.handler.rfile.read(2))[0]
        mask = self.handler.rfile.read(4)
        content = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.handler.rfile.read(size)))
        return content[0], content[1:]


@pytest.fixture
def client(pki):
    """Make a client of a loopback server with an answerer, over TLS or not."""
    servers, clients = [], []

    def make(answer, tls=True):
        servers.append(Server(answer, certificate=pki.server_file if tls else None))
        endpoint = Endpoint(servers[-1].url, "x", ca_pem=pki.ca, token="t")
        clients.append(Client(endpoint, site="paris", timeout=5))
        return clients[-1]

    yield make
    for each in clients:
        each.close()
    for each in servers:
        each.close()


def command(*frames, seen=None):
    def answer(handler, _raw):
        if seen is not None:
            seen.append((handler.path, handler.headers["Authorization"], handler.headers["Sec-WebSocket-Protocol"]))
        connection = Socket(handler)
        for channel, content in frames:
            connection.send(channel, content)

    return answer


SUCCESS = b'{"status":"Success"}'
CAUSES = {"causes": [{"reason": "ExitCode", "message": "7"}]}
EXIT = json.dumps({"status": "Failure", "message": "command terminated", "details": CAUSES}).encode()


def test_a_command_returns_what_it_wrote_and_its_exit_code(client):
    seen = []
    answer = command((1, b""), (1, b"out"), (2, b"err"), (1, b"put"), (3, EXIT), seen=seen)
    result = client(answer).exec("n", "p", "c", ["sh", "-c", "echo a&b"], timeout=5)
    assert (result.rc, result.stdout, result.stderr) == (7, "output", "err")
    path, token, protocols = seen[0]
    assert path == (
        "/api/v1/namespaces/n/pods/p/exec?container=c&stdout=true&stderr=true&command=sh&command=-c&command=echo+a%26b"
    )
    assert token == "Bearer t"
    assert "v5.channel.k8s.io" in protocols


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (SUCCESS, (0, "")),
        (EXIT, (7, "command terminated")),
        (b'{"status":"Failure","message":"no such file"}', (None, "no such file")),
        (b"garbage", (None, "garbage")),
        (b'{"status":"Failure"}', (None, "no reason given")),
    ],
)
def test_the_end_of_a_command_is_read(status, result):
    assert result_of(status) == result


def test_a_command_that_cant_run_is_an_error(client):
    answer = command((3, b'{"status":"Failure","message":"executable not found"}'))
    with pytest.raises(ApiError, match=r"^paris: exec .* failed: executable not found"):
        client(answer, tls=False).exec("n", "p", "c", ["x"], timeout=5)


def test_a_command_cut_off_is_an_error(client):
    with pytest.raises(ApiError, match="closed before the command's result"):
        client(command((1, b"half"))).exec("n", "p", "c", ["x"], timeout=5)


def test_a_command_that_doesnt_end_is_an_error(client):
    done = threading.Event()

    def answer(handler, _raw):
        Socket(handler)
        done.wait(5)

    with pytest.raises(ApiError, match=r"didn't end in 0\.1 s") as caught:
        client(answer).exec("n", "p", "c", ["x"], timeout=0.1)
    done.set()
    assert caught.value.reason == "Timeout"


def test_a_refused_stream_says_why(client):
    body = {"kind": "Status", "message": 'User "u" cannot create pods/exec'}

    def answer(handler, _raw):
        reply(handler, 403, body)

    with pytest.raises(ApiError, match='403: User "u" cannot create pods/exec') as caught:
        client(answer).exec("n", "p", "c", ["x"], timeout=5)
    assert caught.value.status == 403
    with pytest.raises(ApiError, match="403"), client(answer).portforward("n", "p", 80):
        pass


def echo(handler, _raw):
    connection = Socket(handler)
    port = struct.pack("<H", 80)
    connection.send(0, port)
    connection.send(1, port)
    while (frame := connection.receive()) is not None:
        connection.send(0, frame[1])


def exchange(address, content):
    with socket.create_connection(address, timeout=5) as local:
        local.sendall(content)
        got = b""
        while len(got) < len(content):
            part = local.recv(1 << 16)
            assert part, "the connection ended early"
            got += part
        return got


@pytest.mark.parametrize("tls", [True, False])
def test_a_forwarded_port_carries_bytes_both_ways(client, tls):
    with client(echo, tls).portforward("n", "p", 80) as address:
        assert address[0] == "127.0.0.1"
        assert exchange(address, b"hello") == b"hello"
        content = bytes(range(256)) * 400
        assert exchange(address, content) == content


def test_forwarded_connections_dont_disturb_each_other(client):
    forwarding = client(echo)
    results = []

    def check(address, content):
        results.append(exchange(address, content) == content)

    for _turn in range(5):
        with forwarding.portforward("n", "p", 80) as address:
            threads = [threading.Thread(target=check, args=(address, bytes([n]) * 20000)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
    assert results == [True] * 20


def test_a_forward_ends_with_its_context_and_leaves_nothing(client):
    forwarding = client(echo)
    before = {thread for thread in threading.enumerate() if thread.name == "portforward"}
    with forwarding.portforward("n", "p", 80) as address:
        local = socket.create_connection(address, timeout=5)
        local.sendall(b"x")
        assert local.recv(1) == b"x"
    assert local.recv(1) == b""
    local.close()
    assert {thread for thread in threading.enumerate() if thread.name == "portforward"} == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=1)
    gc.collect()


def test_an_error_in_the_pod_ends_the_connection(client):
    def answer(handler, _raw):
        connection = Socket(handler)
        connection.send(0, b"\x50\x00")
        connection.send(1, b"\x50\x00")
        connection.send(1, b"connection refused")

    with client(answer).portforward("n", "p", 80) as address:
        local = socket.create_connection(address, timeout=5)
        assert local.recv(1) == b""
        local.close()
