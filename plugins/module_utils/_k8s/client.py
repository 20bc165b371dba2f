# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cluster's API over one set of pooled connections (used by everything that talks to Kubernetes).

The only file that does Kubernetes REST. Thread-safe. JSON in and out, errors as :class:`ApiError`. Nothing here knows
what the objects mean.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._k8s import errors, tls
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._k8s.libraries import require, urllib3

__all__ = ["FIELD_MANAGER", "ApiError", "Client", "ExecResult"]

FIELD_MANAGER = "edge.mesh"

_CONNECT_SECONDS = 5.0
_ATTEMPTS = 4
_LONGEST_RETRY_AFTER = 10.0
_LARGEST_ANSWER = 256 << 20


@dataclass(frozen=True)
class ExecResult:
    """What a command in a container did: its exit code and all it wrote."""

    rc: int
    stdout: str
    stderr: str


class Client:
    """A context manager; ``timeout`` (seconds) bounds each request, ``deadline`` (of ``clock``) all of them together.

    Paths are absolute ("/api/v1/namespaces/x/secrets"), their segments already quoted. Every method raises ApiError.
    ``requests`` counts the HTTP requests sent.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = 30,
        site: str | None = None,
        pool: int = 8,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        require()
        self.endpoint = endpoint
        self.site = site
        self.timeout = timeout
        self.requests = 0
        self._deadline = deadline
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        url = urlsplit(endpoint.server)
        self._prefix = url.path.rstrip("/")
        self._headers = {"User-Agent": "edge.mesh", "Accept": "application/json", "Accept-Encoding": "gzip"}
        if endpoint.token:
            self._headers["Authorization"] = f"Bearer {endpoint.token}"
        host, port = url.hostname or "", url.port
        options: dict[str, Any] = {"maxsize": pool, "block": True}
        self._pool: urllib3.HTTPConnectionPool
        if url.scheme == "https":
            self.tls = tls.context_for(endpoint, site=site)
            options |= {
                "ssl_context": self.tls,
                "cert_reqs": "CERT_REQUIRED",
                "server_hostname": endpoint.tls_server_name,
            }
            if endpoint.proxy_url:  # it only sees a tunnel: TLS ends at the API server
                proxies = urllib3.ProxyManager(endpoint.proxy_url)
                self._pool = proxies.connection_from_host(host, port or 443, "https", pool_kwargs=options)
            else:
                self._pool = urllib3.HTTPSConnectionPool(host, port or 443, **options)
        else:
            self._pool = urllib3.HTTPConnectionPool(host, port or 80, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every pooled connection."""
        self._pool.close()

    # -- objects ------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> dict[str, Any] | None:
        """The object at ``path``, None if there is none (404)."""
        try:
            found = self.call("GET", path, query=query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return dict(found)

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The items of a collection, each with the ``apiVersion`` and ``kind`` that the API leaves out of lists."""
        found = self.call("GET", path, query=query)
        kind = str(found.get("kind", "")).removesuffix("List")
        items: list[dict[str, Any]] = found.get("items") or []
        if not isinstance(items, list) or not all(isinstance(item, dict) and "metadata" in item for item in items):
            raise errors.strange("GET", path, server=self.endpoint.server, site=self.site)
        for item in items:
            item.setdefault("apiVersion", found.get("apiVersion"))
            item.setdefault("kind", kind)
        return items

    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """POST ``body`` to a collection; also for TokenRequest, TokenReview and access reviews."""
        return dict(self.call("POST", path, query=query, body=body))

    def apply(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        field_manager: str = FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply of ``body`` to the object at ``path``; returns the object as the server now has it."""
        query = {"fieldManager": field_manager, "force": force, **({"dryRun": "All"} if dry_run else {})}
        return dict(self.call("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml"))

    def patch(
        self,
        path: str,
        body: Mapping[str, Any] | Sequence[Any],
        *,
        content_type: str = "application/merge-patch+json",
        **query: Any,
    ) -> dict[str, Any]:
        """PATCH the object at ``path``."""
        return dict(self.call("PATCH", path, query=query, body=body, content_type=content_type))

    def delete(self, path: str, *, body: Mapping[str, Any] | None = None, **query: Any) -> bool:
        """Delete the object at ``path``; False if there was none (404)."""
        try:
            self.call("DELETE", path, query=query, body=body)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        tail: int = 20,
        previous: bool = False,
        since: float | None = None,
    ) -> str:
        """The last ``tail`` lines of a container's log, of the last ``since`` seconds only if given.

        ``previous`` asks for the log before its last restart.
        """
        query: dict[str, Any] = {"container": container, "tailLines": tail, "previous": previous}
        if since is not None:
            query["sinceSeconds"] = max(1, math.ceil(since))
        return self.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", **query)

    def text(self, path: str, **query: Any) -> str:
        """What is at ``path``, which need not be JSON: a log, or what a pod answers through the API's proxy."""
        return self._send("GET", path, query, None, {"Accept": "*/*"}).decode("utf-8", "replace")

    # -- streams ------------------------------------------------------------------------------------------------------

    def exec(self, namespace: str, pod: str, container: str, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Run ``command`` in a container for at most ``timeout`` seconds; a failing command is a result, no error."""
        from ansible_collections.edge.mesh.plugins.module_utils._k8s import streams  # only where a stream is needed

        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        return ExecResult(*streams.execute(self, path, query, timeout=timeout))

    @contextmanager
    def portforward(self, namespace: str, pod: str, port: int) -> Iterator[tuple[str, int]]:
        """A local address (host, port) whose connections end at ``port`` of the pod, as long as the context lasts."""
        from ansible_collections.edge.mesh.plugins.module_utils._k8s import streams  # only where a stream is needed

        with streams.forward(self, f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward", port) as address:
            yield address

    def stream_address(self, path: str, query: Sequence[tuple[str, str]]) -> tuple[str, str, int, str, dict[str, str]]:
        """URL, host, port, TLS name and headers for a WebSocket at ``path``; counts as one request."""
        if self.endpoint.proxy_url:
            raise errors.no_stream(path, site=self.site)
        url = urlsplit(self.endpoint.server)
        secure = url.scheme == "https"
        target = f"{'wss' if secure else 'ws'}://{url.netloc}{self._prefix}{path}?{urlencode(query)}"
        headers = {name: value for name, value in self._headers.items() if name != "Accept"}
        self._count()
        host = url.hostname or ""
        return target, host, url.port or (443 if secure else 80), self.endpoint.tls_server_name or host, headers

    def remaining(self, timeout: float | None = None) -> float:
        """Seconds that one step may still take: ``timeout`` (default: the client's), cut by the deadline."""
        seconds = self.timeout if timeout is None else timeout
        return seconds if self._deadline is None else min(seconds, self._deadline - self._clock())

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """One request with a JSON answer, which is an object; ``body`` is anything that JSON can hold."""
        headers = {"Accept": accept}
        content = None
        if body is not None:
            headers["Content-Type"] = content_type
            content = json.dumps(body, separators=(",", ":")).encode()
        answer = self._send(method, path, query or {}, content, headers)
        try:
            found = json.loads(answer)
        except ValueError:
            raise errors.from_answer(method, path, 200, answer, server=self.endpoint.server, site=self.site) from None
        if not isinstance(found, dict):
            raise errors.strange(method, path, server=self.endpoint.server, site=self.site)
        return found

    def _send(
        self, method: str, path: str, query: Mapping[str, Any], content: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        """Send, retry where the API allows it, and return the body of a 2xx answer."""
        target = f"{self._prefix}{path}"
        if query:
            target += "?" + urlencode({name: _text(value) for name, value in query.items()}, doseq=True)
        # applying the same object twice is the same as once; creating or deleting isn't
        repeatable = method == "GET" or (method == "PATCH" and "apply" in headers.get("Content-Type", ""))
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                status, answer, retry_after = self._once(method, target, content, {**self._headers, **headers})
            except (urllib3.exceptions.HTTPError, OSError) as error:
                failure = errors.from_exception(error, method, path, server=self.endpoint.server, site=self.site)
                if not (repeatable and failure.reason == "Reset" and attempt < _ATTEMPTS):
                    raise failure from error
                pause = 0.1 * attempt
            else:
                if 200 <= status < 300:
                    return answer
                failure = errors.from_answer(method, path, status, answer, server=self.endpoint.server, site=self.site)
                if not (status in (429, 503) and retry_after is not None and attempt < _ATTEMPTS):
                    raise failure
                pause = min(retry_after, _LONGEST_RETRY_AFTER)
            if pause >= self.remaining():
                raise failure
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _once(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, float | None]:
        """One HTTP exchange: status, body and the seconds of Retry-After."""
        seconds = self.remaining()
        if seconds <= 0:
            raise errors.out_of_time(method, target, site=self.site)
        limit = urllib3.Timeout(connect=min(seconds, _CONNECT_SECONDS), read=seconds)
        end = self._clock() + seconds
        self._count()
        response = self._pool.request(
            method, target, body=content, headers=headers, retries=False, redirect=False, timeout=limit,
            preload_content=False,
        )  # fmt: skip
        parts: list[bytes] = []
        size = 0
        try:
            for part in response.stream(1 << 16, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > _LARGEST_ANSWER:
                    raise OSError(f"the answer is larger than {_LARGEST_ANSWER} bytes")
                if self._clock() > end:
                    raise TimeoutError("the answer came too slowly")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, b"".join(parts), _seconds(response.headers.get("Retry-After"))

    def _count(self) -> None:
        with self._lock:
            self.requests += 1


def _text(value: Any) -> Any:
    """A query value as the API spells it."""
    return str(value).lower() if isinstance(value, bool) else value


def _seconds(value: str | None) -> float | None:
    """The seconds of a Retry-After header; the API server sends whole seconds, never a date."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
