# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bookinfo in one program: a page about a book that four services make; standard library only.

APP says which service this is: `productpage` (``GET /productpage``, a page that ends in ``</html>``), `details`
(``/details/<id>``), `reviews` (``/reviews/<id>``; v1 without stars, v2 with black and v3 with red ones) and `ratings`
(``/ratings/<id>``); all answer ``GET /health``. VERSION, SITE and POD_NAME come from the environment, PORT too (9080).

Each hop passes on the headers that name the request, its trace and its user, and every answer says who gave it. The
page lists them in ``<tr data-app=… data-version=… data-site=… data-pod=… data-request=…>``.
"""

from __future__ import annotations

import html
import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]

PORT = int(os.environ.get("PORT", "9080"))
# Where the other services are: their Services' names, or one host for tests.
ADDRESSES = {
    name: os.environ.get(f"{name.upper()}_ADDRESS", f"{name}:{PORT}") for name in ("details", "reviews", "ratings")
}
SECONDS = 5
# What a request carries through all services: the user, and what Envoy, W3C, B3 and OpenCensus call a trace.
PASSED_ON = (
    "end-user", "user-agent", "x-request-id", "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid",
    "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "x-ot-span-context", "x-cloud-trace-context", "grpc-trace-bin",
)  # fmt: skip
STARS = {"v2": "black", "v3": "red"}
REVIEWS = {
    "Reviewer1": "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
    "Reviewer2": "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays.",
}
BOOK = {
    "title": "The Comedy of Errors", "author": "William Shakespeare", "year": 1595, "type": "paperback", "pages": 200,
    "language": "English",
}  # fmt: skip


def who(headers: Mapping[str, str]) -> Json:
    """Who answers, and to which request."""
    return {
        "app": os.environ.get("APP", "unknown"),
        "version": os.environ.get("VERSION", "unknown"),
        "site": os.environ.get("SITE", "unknown"),
        "pod": os.environ.get("POD_NAME", "unknown"),
        "request": headers.get("x-request-id", ""),
    }


def ask(service: str, path: str, headers: Mapping[str, str]) -> Json | None:
    """What a service answers, or None if it can't be had."""
    connection = http.client.HTTPConnection(ADDRESSES[service], timeout=SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read()
        answer: Json | None = json.loads(body) if response.status == 200 else None
        return answer
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def details(book: str, headers: Mapping[str, str]) -> Json:
    return {"who": [who(headers)], "id": book, **BOOK}


def ratings(book: str, headers: Mapping[str, str]) -> Json:
    return {"who": [who(headers)], "id": book, "ratings": {"Reviewer1": 5, "Reviewer2": 4}}


def reviews(book: str, headers: Mapping[str, str]) -> Json:
    own = who(headers)
    color = STARS.get(own["version"], "")
    found = ask("ratings", f"/ratings/{book}", headers) if color else None
    rows = []
    for reviewer, text in REVIEWS.items():
        row: Json = {"reviewer": reviewer, "text": text}
        if color:
            row["rating"] = {"stars": found["ratings"][reviewer], "color": color} if found else {"error": "no ratings"}
        rows.append(row)
    return {"who": [own, *(found["who"] if found else [])], "id": book, "reviews": rows}


def page(book: str, headers: Mapping[str, str]) -> str:
    """The page; what can't be had is said in its place, so it is a page all the same."""
    about, said = ask("details", f"/details/{book}", headers), ask("reviews", f"/reviews/{book}", headers)
    answered = [who(headers), *(about["who"] if about else []), *(said["who"] if said else [])]
    facts = "".join(f"<dt>{key}</dt><dd>{_text(value)}</dd>" for key, value in (about or {}).items() if key in BOOK)
    rows = "".join(
        f"<tr{''.join(f' data-{key}={_quoted(value)}' for key, value in each.items())}>"
        f"<td>{_text(each['app'])}</td><td>{_text(each['version'])}</td><td>{_text(each['site'])}</td>"
        f"<td>{_text(each['pod'])}</td></tr>\n"
        for each in answered
    )
    user = headers.get("end-user", "")
    signed_in = f"Signed in as {_text(user)}" if user else "Nobody is signed in"
    listed = "".join(map(_review, said["reviews"])) if said else "<p>The reviews are not available.</p>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>bookinfo</title></head><body>\n'
        f"<h1>{_text(BOOK['title'])}</h1>\n<p>{signed_in}</p>\n"
        f"<h2>Details</h2>\n{f'<dl>{facts}</dl>' if about else '<p>The details are not available.</p>'}\n"
        f"<h2>Reviews</h2>\n{listed}"
        f"<h2>Who answered</h2>\n<table>\n{rows}</table>\n</body></html>\n"
    )


def _review(row: Json) -> str:
    rating = row.get("rating") or {}
    stars = "\u2605" * rating.get("stars", 0)
    shown = f'<span class="stars" style="color: {_text(rating.get("color", ""))}">{stars}</span>' if stars else ""
    missing = "<em>The ratings are not available.</em>" if "error" in rating else ""
    return f"<blockquote>{_text(row['text'])} <cite>{_text(row['reviewer'])}</cite> {shown}{missing}</blockquote>\n"


def _text(value: object) -> str:
    return html.escape(str(value))


def _quoted(value: object) -> str:
    return f'"{html.escape(str(value))}"'


SERVICES: Mapping[str, Callable[[str, Mapping[str, str]], Json]] = {
    "details": details, "reviews": reviews, "ratings": ratings,
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """Answers GET as the service that APP names; connections are kept, as proxies want them."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: on a kept connection the second would wait 40 ms for a delayed acknowledgement.
    disable_nagle_algorithm = True
    server_version = "bookinfo"
    sys_version = ""

    def do_GET(self) -> None:
        app = os.environ.get("APP", "")
        path = self.path.partition("?")[0]
        first, _slash, book = path.strip("/").partition("/")
        passed = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        if path == "/health":
            self._answer("application/json", json.dumps({"status": f"{app} is healthy"}))
        elif app == "productpage" and path == "/productpage":
            self._answer("text/html", page("0", passed))
        elif first == app and app in SERVICES and book.isascii() and book.isdigit():
            self._answer("application/json", json.dumps(SERVICES[app](book, passed)))
        else:
            self._answer("text/plain", "not found\n", 404)

    def _answer(self, kind: str, text: str, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """One line a request would drown the log under load."""


class Server(ThreadingHTTPServer):
    """Many connections at once; none of them keeps the process from ending."""

    daemon_threads = True
    request_queue_size = 128


def main() -> int:
    server = Server(("", PORT), Handler)
    # shutdown() waits for serve_forever() to notice, so it can't be called in the thread that serves.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"{os.environ.get('APP', 'nobody')} listens on port {server.server_port}\n")
    server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
