# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages over kept connections, from a server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._verify import fetching
from ansible_collections.edge.mesh.plugins.module_utils._verify.fetching import Asked, fetch
from ansible_collections.edge.mesh.plugins.module_utils._verify.proportions import Page


class Server(ThreadingHTTPServer):
    """Counts connections and keeps the headers of requests; answers with ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.connections = 0
        self.users: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.users.append(self.headers.get("end-user"))
        body = f"page of {self.path}".encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def asked(server: Server, count: int = 20, **headers: str) -> Asked:
    return Asked("127.0.0.1", server.server_port, "/productpage", count, 20, headers)


def test_all_pages_come_over_a_few_connections(server: Server) -> None:
    pages = fetch(asked(server, user="x"))
    assert pages == [Page(200, "page of /productpage")] * 20
    assert server.connections <= 4


def test_headers_go_with_every_request(server: Server) -> None:
    fetch(Asked("127.0.0.1", server.server_port, "/", 3, 20, {"end-user": "banzai"}))
    assert server.users == ["banzai"] * 3


def test_a_status_is_told(server: Server) -> None:
    server.status = 503
    assert fetch(asked(server, 2)) == [Page(503, "page of /productpage")] * 2


def test_an_address_where_nobody_listens_is_given_up(server: Server) -> None:
    server.server_close()
    pages = fetch(Asked("127.0.0.1", 1, "/", 100, 20))
    assert 1 <= len(pages) <= 8
    assert {page.status for page in pages} == {0}
    assert all(page.body for page in pages)


def test_pages_that_come_slowly_and_with_a_flaw_end_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.status = 500
    monkeypatch.setattr(fetching, "_SLOW_SECONDS", 0)
    # a page that is under way on another connection still comes
    assert 8 <= len(fetch(asked(server, 40))) < 12


def test_fast_pages_with_a_flaw_are_all_fetched(server: Server) -> None:
    server.status = 500
    assert len(fetch(asked(server, 40))) == 40
