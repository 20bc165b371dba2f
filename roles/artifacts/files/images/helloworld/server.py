# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sample service that says where it runs and who called it; standard library only.

``GET /hello`` answers one line ``version=<v> site=<site> pod=<pod>``, ``GET /identity`` the same as JSON with the
header in which a sidecar names its peer (``x-forwarded-client-cert``, null without one), ``GET /healthz`` ``ok``.
VERSION, SITE and POD_NAME come from the environment, PORT too (5000).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WHO = {name.lower().removesuffix("_name"): os.environ.get(name, "unknown") for name in ("VERSION", "SITE", "POD_NAME")}


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; connections are kept, as proxies want them."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: on a kept connection the second would wait 40 ms for a delayed acknowledgement.
    disable_nagle_algorithm = True
    server_version = "helloworld"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/hello":
            self._answer("text/plain", f"version={WHO['version']} site={WHO['site']} pod={WHO['pod']}\n")
        elif path == "/identity":
            peer = self.headers.get("x-forwarded-client-cert")
            self._answer("application/json", json.dumps({"x-forwarded-client-cert": peer, **WHO}) + "\n")
        elif path == "/healthz":
            self._answer("text/plain", "ok\n")
        else:
            self._answer("text/plain", "not found\n", 404)

    do_HEAD = do_GET  # noqa: N815 (the base class calls it by that name)

    def _answer(self, kind: str, text: str, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """One line a request would drown the log under load."""


class Server(ThreadingHTTPServer):
    """Many connections at once; none of them keeps the process from ending."""

    daemon_threads = True
    request_queue_size = 128


def main() -> int:
    server = Server(("", int(os.environ.get("PORT", "5000"))), Handler)
    # shutdown() waits for serve_forever() to notice, so it can't be called in the thread that serves.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"helloworld {WHO['version']} at {WHO['site']} listens on port {server.server_port}\n")
    server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
