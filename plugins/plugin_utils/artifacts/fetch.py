# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files over HTTP, with their checksums (used by the ``upstream`` source and its probe; the only file here that does
HTTP)."""

from __future__ import annotations

import hashlib
import re
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

if TYPE_CHECKING:
    import urllib3
else:
    try:
        import urllib3
    except ImportError:  # the documentation must load without it; the role says what is missing
        urllib3 = None

__all__ = ["FetchError", "Fetcher", "parse_checksum", "reachable"]

_CHUNK = 1 << 20
_TEXT_LIMIT = 1 << 16
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
# A listing by `sha256sum`: digest, a space, a space or an asterisk, the name. Or only the digest.
_LINE = re.compile(r"^([0-9a-fA-F]{64})(?:[ \t]+\*?(\S.*))?$")


def _timeout() -> urllib3.Timeout:
    return urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)


class FetchError(MeshError):
    """A file can't be fetched; ``status`` is the HTTP status where the server answered."""

    def __init__(self, url: str, why: str, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(f"{url} can't be fetched", why=why, hint=hint)
        self.status = status


def parse_checksum(text: str, file: str) -> str | None:
    """The SHA-256 of ``file`` in a publisher's checksum file, lower case; None if it isn't in it.

    Takes a lone digest, and ``sha256sum`` listings of one or many files (names may have directories before them).
    """
    found = [match for line in text.splitlines() if (match := _LINE.match(line.strip()))]
    for digest, name in (match.groups() for match in found):
        if name is not None and name.rpartition("/")[2] == file:
            return str(digest).lower()
    if len(found) == 1 and found[0][2] is None and len(text.split()) == 1:
        return str(found[0][1]).lower()
    return None


class Fetcher:
    """Gets files; a proxy of the environment is used, and a redirect away from HTTPS is refused.

    ``backoff`` is the pause before a second attempt to connect, in seconds; it doubles for the third.
    """

    def __init__(self, backoff: float = 0.5) -> None:
        self._retries = urllib3.Retry(connect=2, read=0, status=0, other=0, redirect=5, backoff_factor=backoff)

    def text(self, url: str) -> str:
        """A small text file; raises :class:`FetchError`."""
        response = self._open(url)
        try:
            return response.read(_TEXT_LIMIT).decode("utf-8", errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise FetchError(url, _reason(error)) from error
        finally:
            response.release_conn()

    def file(self, url: str, target: Path, stop: threading.Event | None = None) -> str:
        """Write a file and return its SHA-256; raises :class:`FetchError`, also for a body that ends too early."""
        digest = hashlib.sha256()
        response = self._open(url)
        try:
            with target.open("wb") as sink:
                for chunk in response.stream(_CHUNK):
                    if stop is not None and stop.is_set():
                        raise FetchError(url, "the run was stopped")
                    digest.update(chunk)
                    sink.write(chunk)
        except urllib3.exceptions.HTTPError as error:
            raise FetchError(url, _reason(error)) from error
        finally:
            response.close()
        return digest.hexdigest()

    def _open(self, url: str) -> urllib3.BaseHTTPResponse:
        try:
            response = _pool(url).request("GET", url, preload_content=False, timeout=_timeout(), retries=self._retries)
        except urllib3.exceptions.HTTPError as error:
            raise FetchError(url, _reason(error)) from error
        hops = [hop.redirect_location or "" for hop in response.retries.history] if response.retries else []
        if urlsplit(url).scheme == "https" and any(urlsplit(hop).scheme == "http" for hop in hops):
            response.close()
            raise FetchError(url, "the server redirects to an address without TLS")
        if response.status != 200:
            response.close()
            raise FetchError(url, f"the server answered {response.status} {response.reason or ''}", response.status)
        return response


def reachable(urls: Sequence[str], seconds: float) -> dict[str, bool]:
    """Whether a server answers at each address, whatever it answers; all are asked at once and none is waited for
    longer than ``seconds``."""
    answers = dict.fromkeys(urls, False)

    def ask(url: str) -> None:
        try:
            response = _pool(url).request(
                "HEAD", url, timeout=urllib3.Timeout(total=seconds), retries=False, redirect=False
            )
            # A gateway's or proxy's own error isn't the server.
            answers[url] = response.status < 500 and response.status not in (403, 407)
        except (urllib3.exceptions.HTTPError, OSError):
            return

    # Daemons, joined with a deadline: looking up a name may take longer than any timeout of ours.
    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    ends = threading.Event()
    timer = threading.Timer(seconds, ends.set)
    timer.daemon = True
    timer.start()
    for thread in threads:
        thread.start()
    while not ends.is_set() and any(thread.is_alive() for thread in threads):
        ends.wait(0.02)
    timer.cancel()
    return dict(answers)


def _pool(url: str) -> urllib3.PoolManager:
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _reason(error: Exception) -> str:
    """One line of what urllib3 says, without the objects in it."""
    cause = getattr(error, "reason", None) or error
    text = re.sub(r"<[^>]*>:? ?", "", str(cause))
    return text if len(text) < 200 else text[:200] + "…"
