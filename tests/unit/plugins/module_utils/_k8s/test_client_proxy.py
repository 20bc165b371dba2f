# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An allowed proxy between the client and the API: it carries a tunnel, and TLS ends at the API server."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply

TOKEN = "s3cr3t-token"


class Proxy:
    """An HTTP proxy on loopback that knows CONNECT only; ``asked`` holds its request lines, ``seen`` all it carried."""

    def __init__(self, status=200):
        self.asked = []
        self.seen = b""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                line = self.rfile.readline().decode()
                outer.asked.append(line.strip())
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(f"HTTP/1.1 {status} x\r\n\r\n".encode())
                if status != 200:
                    return
                host, _colon, port = line.split()[1].rpartition(":")
                with socket.create_connection((host, int(port))) as server:
                    self.carry(server)

            def carry(self, server):
                other = {self.connection: server, server: self.connection}
                while True:
                    for source in select.select(list(other), [], [], 5)[0]:
                        part = source.recv(1 << 16)
                        if not part:
                            return
                        outer.seen += part
                        other[source].sendall(part)

        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def api(pki):
    server = Server(lambda handler, _raw: reply(handler, 200, {"kind": "X"}), certificate=pki.server_file)
    yield server.url
    server.close()


def through(proxy_url, api, pki):
    return Client(Endpoint(api, "x", ca_pem=pki.ca, token=TOKEN, proxy_url=proxy_url), site="paris", timeout=5)


def test_requests_go_through_the_tunnel_and_the_proxy_reads_nothing(api, pki):
    with contextlib.closing(Proxy()) as proxy:
        with through(proxy.url, api, pki) as client:
            assert client.get("/api/v1/x") == {"kind": "X"}
        assert proxy.asked == [f"CONNECT {api.removeprefix('https://')} HTTP/1.1"]
        assert proxy.seen
        assert TOKEN.encode() not in proxy.seen


def test_no_proxy_of_the_environment_is_used(api, pki, monkeypatch):
    with contextlib.closing(Proxy()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with through(None, api, pki) as client:
            assert client.get("/api/v1/x") == {"kind": "X"}
        assert proxy.asked == []


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_named(api, pki, status):
    with (
        contextlib.closing(Proxy(status)) as proxy,
        through(proxy.url, api, pki) as client,
        pytest.raises(ApiError, match=r"paris: .*the proxy of the kubeconfig's proxy-url doesn't let us through"),
    ):
        client.get("/api/v1/x")


def test_a_proxy_that_isnt_there_is_named(api, pki):
    proxy = Proxy()
    proxy.close()
    with through(proxy.url, api, pki) as client, pytest.raises(ApiError, match="proxy"):
        client.get("/api/v1/x")


def test_streams_say_that_they_cant(api, pki):
    with (
        through("http://127.0.0.1:1", api, pki) as client,
        pytest.raises(ApiError, match="streams don't go through a proxy"),
    ):
        client.exec("n", "p", "c", ["true"], timeout=1)
