# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many clusters in one API server: a proxy on loopback that shows each of its ports a cluster of its own.

Every object that a site has is kept under another name: namespaces and what belongs to no namespace get the prefix of
the site on the way in and lose it on the way out, and lists show the site's own objects only. All that the API server
does (admission, server-side apply, tokens, rights) it does for real; requests are counted by site.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

__all__ = ["Tenants", "inward", "inward_path", "outward"]

Json = dict[str, Any]

# what all sites see as it is
_SHARED_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease"}
_OWN_KINDS = {
    "Namespace", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
_OWN_PLURALS = {
    "clusterroles", "clusterrolebindings", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
    "validatingadmissionpolicies", "validatingadmissionpolicybindings",
}  # fmt: skip
_PLACE = re.compile(r"^/(?:api/v1|apis/[^/]+/[^/]+)/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?")
_EVERY = re.compile(rb"zz[0-9]{3}-")  # the prefix of any site
_HOP = {"connection", "content-length", "transfer-encoding", "host", "accept-encoding", "keep-alive"}


def _named(name: str, prefix: str) -> str:
    return name if name in _SHARED_NAMESPACES or name.startswith(prefix) else prefix + name


def inward_path(path: str, prefix: str) -> str:
    """The path of a request as the API server knows it."""
    found = _PLACE.match(path)
    if found is None or found["name"] is None or found["plural"] not in _OWN_PLURALS | {"namespaces"}:
        return path
    start, end = found.span("name")
    return path[:start] + _named(found["name"], prefix) + path[end:]


def inward(body: Any, prefix: str) -> Any:
    """An object as the API server keeps it; where its names stand is the same in every kind."""
    if isinstance(body, list):
        return [inward(each, prefix) for each in body]
    if not isinstance(body, Mapping):
        return body
    done = {key: inward(value, prefix) for key, value in body.items()}
    if isinstance(done.get("namespace"), str) and done["namespace"]:
        done["namespace"] = _named(done["namespace"], prefix)
    if isinstance(done.get("kind"), str) and done["kind"] in _OWN_KINDS:
        for holder in (done.get("metadata"), done if "apiGroup" in done else None):
            if isinstance(holder, dict) and isinstance(holder.get("name"), str):
                holder["name"] = _named(holder["name"], prefix)
    return done


def outward(text: bytes, prefix: str) -> bytes:
    """An answer as the site sees it: of a list only its own items and the shared ones, and no prefix anywhere."""
    own = prefix.encode()
    if _EVERY.search(text.replace(own, b"")):
        body = json.loads(text)
        items = body.get("items") or []
        body["items"] = [
            each for each in items if not _EVERY.search(json.dumps(each["metadata"]).encode().replace(own, b""))
        ]
        text = json.dumps(body).encode()
    return text.replace(own, b"")


class Tenants:
    """A context manager: ``count`` ports of 127.0.0.1, each a cluster; ``requests[i]`` counts what its clients sent."""

    def __init__(self, upstream: str, ca: str, server_pem: Path, count: int) -> None:
        split = urlsplit(upstream)
        self.upstream = (str(split.hostname), int(split.port or 443))
        self.trust = ssl.create_default_context(cadata=ca)
        self._serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._serving.load_cert_chain(server_pem)
        self.requests = [0] * count
        self.tokens: dict[str, str] = {}
        self._servers = [self._server(number) for number in range(count)]
        self.urls = [f"https://127.0.0.1:{server.server_address[1]}" for server in self._servers]

    def __enter__(self) -> Tenants:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @staticmethod
    def prefix(number: int) -> str:
        """What the names of a site begin with in the API server."""
        return f"zz{number:03}-"

    def shown_token(self, answer: bytes, prefix: str) -> bytes:
        """An answer whose token names the site's own namespaces; this proxy takes it, and hands on the real one."""
        body = json.loads(answer)
        token = body["status"]["token"]
        head, claims, signature = token.split(".")
        text = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).replace(prefix.encode(), b"")
        shown = ".".join((head, base64.urlsafe_b64encode(text).decode().rstrip("="), signature))
        self.tokens[f"Bearer {shown}"] = f"Bearer {token}"
        body["status"]["token"] = shown
        return json.dumps(body).encode()

    def _server(self, number: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"tenants": self, "number": number, "prefix": self.prefix(number)})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.socket = self._serving.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        return server


class _Handler(BaseHTTPRequestHandler):
    """One connection to the port of one site."""

    tenants: ClassVar[Tenants]
    number: ClassVar[int]
    prefix: ClassVar[str]
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet

    def setup(self) -> None:
        super().setup()
        host, port = self.tenants.upstream
        self._api = http.client.HTTPSConnection(host, port, context=self.tenants.trust, timeout=60)

    def finish(self) -> None:
        super().finish()
        self._api.close()

    def _serve(self) -> None:
        self.tenants.requests[self.number] += 1
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if body:
            body = json.dumps(inward(json.loads(body), self.prefix)).encode()
        self._api.request(self.command, inward_path(self.path, self.prefix), body, self._headers())
        answer = self._api.getresponse()
        text = outward(answer.read(), self.prefix)
        if self.path.endswith("/token") and answer.status == http.client.CREATED:
            text = self.tenants.shown_token(text, self.prefix)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    def _headers(self) -> dict[str, str]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        shown = headers.get("Authorization", "")
        return headers | {"Authorization": self.tenants.tokens.get(shown, shown)}

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_words: object) -> None:
        """Say nothing."""
