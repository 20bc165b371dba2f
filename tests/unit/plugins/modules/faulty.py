# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small HTTPS server that answers as sick API servers, proxies and networks do (used by the fault tests)."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass

from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply

TOKEN = "t0ken-that-nobody-may-see"
PAGE = b"<html><body><h1>502 Bad Gateway</h1><p>nginx</p></body></html>"


def status(code, reason, message, **details):
    return {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
        "details": details,
    }  # fmt: skip


def refusing(code, reason, message, headers=(), **details):
    return lambda handler, _raw, _server: reply(handler, code, status(code, reason, message, **details), headers)


def saying(code, content, kind="application/json"):
    return lambda handler, _raw, _server: reply(handler, code, content, [("Content-Type", kind)])


def silent(handler, _raw, server):
    server.released.wait(20)
    handler.close_connection = True


def cut(handler, _raw, _server):
    """The headers promise more than comes; then the connection is reset."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"kind":')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def huge(handler, _raw, server):
    """An answer without an end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    chunk = b" " * (1 << 18)
    while not server.released.is_set():
        try:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        except OSError:
            break
    handler.close_connection = True


@dataclass(frozen=True)
class Fault:
    """What the server does, the words that the error must have, and how often a read and a write may be sent."""

    name: str
    answer: object
    words: str
    hint: str
    reads: int = 1
    applies: int = 1


FAULTS = [
    Fault("401", refusing(401, "Unauthorized", "Unauthorized"), "Unauthorized", "renew the kubeconfig"),
    Fault("403", refusing(403, "Forbidden", 'pods is forbidden: User "x"'), "is forbidden", "give this user the right"),
    Fault("409", refusing(409, "Conflict", "the object has been modified"), "has been modified", ""),
    Fault("422", refusing(422, "Invalid", "spec.x: Invalid value"), "Invalid value", ""),
    Fault(
        "429", refusing(429, "TooManyRequests", "slow down", [("Retry-After", "0")]), "slow down", "try again later",
        reads=4, applies=4,
    ),
    Fault("429 without a time", refusing(429, "TooManyRequests", "slow down"), "slow down", "try again later"),
    Fault("500 with a page", saying(500, PAGE, "text/html"), "a web page, not a Kubernetes API's", "API server"),
    Fault("502 with a page", saying(502, PAGE, "text/html"), "a web page, not a Kubernetes API's", "no proxy answers"),
    Fault("200 with a page", saying(200, PAGE, "text/html"), "a web page, not a Kubernetes API's", "no proxy answers"),
    Fault(
        "503", refusing(503, "ServiceUnavailable", "starting", [("Retry-After", "0")]), "starting", "isn't ready",
        reads=4, applies=4,
    ),
    Fault("slow", silent, "in time", ""),
    Fault("cut in the middle", cut, "closed the connection", "try again", reads=4, applies=4),
    Fault("huge", huge, "larger than", ""),
    Fault("half a document", saying(200, b'{"kind": "Lis'), '{"kind": "Lis', "is the site's API server"),
    Fault("another document", saying(200, b"[1, 2]"), "not what a Kubernetes API answers", "is the site's API server"),
    Fault("nothing", saying(200, b""), "empty answer", "is the site's API server"),
    Fault("redirect", saying(302, b"", "text/html"), "redirects", ""),
]  # fmt: skip


class FaultyServer:
    """Answers every request with one fault; ``sent`` counts requests by method and path."""

    def __init__(self, fault, certificate):
        self.fault = fault
        self.sent = Counter()
        self.bodies = []
        self.released = threading.Event()
        self.server = Server(self._answer, certificate=certificate)
        self.url = self.server.url

    def _answer(self, handler, raw):
        self.sent[handler.command, handler.path.partition("?")[0]] += 1
        self.bodies.append(raw)
        self.fault.answer(handler, raw, self)

    def most_reads(self):
        return max((count for (method, _path), count in self.sent.items() if method == "GET"), default=0)

    def close(self):
        self.released.set()
        self.server.close()


def first_then(good, fault):
    """Answers well where ``good`` knows an answer, and with the fault otherwise; for faults of writes alone."""

    def answer(handler, raw, server):
        found = good(handler.command, handler.path)
        if found is None:
            fault.answer(handler, raw, server)
        elif isinstance(found, int):
            reply(handler, found, status(found, "NotFound", "not found"))
        else:
            reply(handler, 200, json.loads(json.dumps(found)))

    return Fault(f"{fault.name} on writes", answer, fault.words, fault.hint, fault.reads, fault.applies)
