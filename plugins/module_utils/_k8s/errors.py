# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between us and a Kubernetes API, each in one line (used by the client).

``ApiError`` is the only error the client raises. Its text says what failed, at which site, why, and what to do next.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["ApiError", "Cause", "from_answer", "from_exception", "no_stream", "out_of_time", "strange"]


# Reasons of a missing answer that a dead site or link has; a wrong name or certificate is a mistake, not an outage.
_UNANSWERED = frozenset({"Name", "Refused", "Timeout", "Reset", "Network"})


@dataclass(frozen=True)
class Cause:
    """One entry of a Status' ``details.causes``: for a conflict the field and the message that names its owner."""

    reason: str
    message: str
    field: str


class ApiError(MeshError):
    """A request that failed; ``status`` is the HTTP status, 0 if there was no answer.

    ``reason`` is the Status' own word (``Forbidden``, ``Conflict``, ``Invalid`` ...) or one of ours when there was no
    answer: ``Refused``, ``Timeout``, ``Name``, ``TLS``, ``Reset``, ``Network``.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        reason: str,
        site: str | None = None,
        why: str | None = None,
        hint: str | None = None,
        causes: tuple[Cause, ...] = (),
    ) -> None:
        self.status = status
        self.unanswered = status == 0 and reason in _UNANSWERED
        self.reason = reason
        self.causes = causes
        super().__init__(what, site=site, why=why, hint=hint)


_HINTS: Mapping[int, str] = {
    401: "its credential is unknown or expired: renew the kubeconfig",
    403: "give this user the right, or use another kubeconfig",
    413: "the object is too large for the API server",
    429: "the API server is overloaded: try again later",
    500: "look at the API server's log",
    503: "the API server isn't ready: try again later",
    504: "the API server gave up waiting: try again later",
}


def from_answer(method: str, path: str, status: int, body: bytes, *, server: str, site: str | None) -> ApiError:
    """The error that an answer outside 2xx means; ``path`` may hold a query, which isn't told."""
    what = f"{method} {path.partition('?')[0]} failed with {status}"
    answer = _status_object(body)
    if answer is None:
        text = body.decode("utf-8", "replace").strip()
        if 300 <= status < 400:
            why = "the server redirects, which a Kubernetes API doesn't"
        elif text.startswith("<"):
            why = "the answer is a web page, not a Kubernetes API's"
        else:
            why = text[:200] or "empty answer"
        hint = _HINTS.get(status) or f"check that {server} is the site's API server and no proxy answers in its place"
        return ApiError(what, status=status, reason="", site=site, why=why, hint=hint)
    details = answer.get("details") or {}
    causes = tuple(
        Cause(str(cause.get("reason", "")), str(cause.get("message", "")), str(cause.get("field", "")))
        for cause in (details.get("causes") or [])
        if isinstance(cause, dict)
    )
    return ApiError(
        what,
        status=status,
        reason=str(answer.get("reason") or ""),
        site=site,
        why=str(answer.get("message") or answer.get("reason") or "no reason given"),
        hint=_HINTS.get(status),
        causes=causes,
    )


def from_exception(error: BaseException, method: str, path: str, *, server: str, site: str | None) -> ApiError:
    """The error that a failed connection means: the deepest known cause decides, whatever library wrapped it."""
    what = f"{method} {path.partition('?')[0]} failed"
    parts = urlsplit(server)
    address = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    reason, why, hint = _network(error, address)
    return ApiError(what, status=0, reason=reason, site=site, why=why, hint=hint)


def out_of_time(method: str, path: str, *, site: str | None) -> ApiError:
    """The error of a client whose deadline has passed."""
    what = f"{method} {path.partition('?')[0]} was not sent"
    return ApiError(what, status=0, reason="Timeout", site=site, why="the time is up", hint="give it a longer timeout")


def strange(method: str, path: str, *, server: str, site: str | None) -> ApiError:
    """The error of an answer that is JSON, but no object or no list of objects."""
    what = f"{method} {path.partition('?')[0]} failed"
    why, hint = "that is not what a Kubernetes API answers", f"check that {server} is the site's API server"
    return ApiError(what, status=200, reason="Strange", site=site, why=why, hint=hint)


def no_stream(path: str, *, site: str | None) -> ApiError:
    """The error of exec and port-forward where a proxy stands in between."""
    why, hint = "streams don't go through a proxy", "reach the site's API without the kubeconfig's proxy-url"
    return ApiError(f"{path} was not opened", status=0, reason="Proxy", site=site, why=why, hint=hint)


def _status_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else None


def _chain(error: BaseException) -> list[BaseException]:
    """The error and all that it wraps, outermost first."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found


def _network(error: BaseException, address: str) -> tuple[str, str, str]:
    """Reason, why and hint of a failed connection to ``address`` (``host:port``)."""
    chain = _chain(error)
    told = _tls(chain, address)
    if told is not None:
        return told
    names = {type(item).__name__ for item in chain}
    if "ProxyError" in names:
        why = "the proxy of the kubeconfig's proxy-url doesn't let us through"
        return "Proxy", f"{why} to {address}", "is the proxy running, and may it reach the site's API server?"
    for item in chain:
        if isinstance(item, socket.gaierror):
            return "Name", f"the name in {address} can't be resolved", "check the server's name and the resolver"
        if isinstance(item, ConnectionRefusedError):
            return "Refused", f"{address} refuses connections", "is the cluster running, and is this its address?"
    if any(isinstance(item, TimeoutError) for item in chain) or names & {"ConnectTimeoutError", "ReadTimeoutError"}:
        if "ReadTimeoutError" in names or "WebSocketTimeoutException" in names:
            return "Timeout", f"{address} didn't answer in time", "is the API server overloaded, or the timeout short?"
        return "Timeout", f"no connection to {address} in time", "check the route and the firewalls in between"
    if any(isinstance(item, ConnectionError) for item in chain) or names & {"ProtocolError", "IncompleteRead"}:
        return "Reset", f"{address} closed the connection", "try again; is the API server restarting?"
    text = next((str(item) for item in reversed(chain) if isinstance(item, OSError) and item.strerror), str(error))
    return "Network", f"{address}: {text[:200]}", "check the network between here and the site"


def _tls(chain: Iterable[BaseException], address: str) -> tuple[str, str, str] | None:
    """As :func:`_network`, for what TLS says; None if it says nothing."""
    found = [item for item in chain if isinstance(item, ssl.SSLError)]
    for item in found:
        if isinstance(item, ssl.SSLCertVerificationError):
            return "TLS", *_certificate(item, address)
    for item in found:
        if isinstance(item, ssl.SSLEOFError):
            # a link or a proxy breaks off; a server that doesn't like a certificate says so
            why = f"{address} closed the connection while TLS began"
            return "Reset", why, "try again; does the link or a proxy break off?"
        word = (item.reason or str(item)).replace("_", " ").lower()
        hint = "check that this is an https port of the site's API server and that the client certificate is valid"
        return "TLS", f"no TLS with {address}: {word}", hint
    return None


def _certificate(error: ssl.SSLCertVerificationError, address: str) -> tuple[str, str]:
    """Why and hint for a server certificate that didn't verify (OpenSSL's own words in ``verify_message``)."""
    message = error.verify_message
    if "ostname mismatch" in message or "IP address mismatch" in message:
        hint = "use a name that the certificate holds, or set tls-server-name in the kubeconfig"
        return f"the certificate of {address} isn't for this name", hint
    if re.search("expired|not yet valid", message):
        return f"the certificate of {address}: {message}", "renew the API server's certificate, and check the clocks"
    hint = "the kubeconfig's certificate-authority-data isn't this cluster's: get a new kubeconfig"
    return f"the certificate of {address} isn't trusted: {message}", hint
