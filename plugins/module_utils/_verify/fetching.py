# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many pages of one address, a few at a time over connections that are kept (used by `_verify.routes`)."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.edge.mesh.plugins.module_utils._verify.proportions import Page

__all__ = ["Asked", "fetch"]

_AT_ONCE = 4
_CALL_SECONDS = 10
_GIVE_UP_AFTER = 2  # failures in a row end a worker: an address that is dead needs no more
_SLOW_SECONDS = 3
_ENOUGH = 8  # pages that came slowly and with a flaw: what is behind them is dead, and the rest would say the same
_LARGEST = 1 << 16


@dataclass(frozen=True)
class Asked:
    """Pages to fetch: ``count`` times ``path`` of an address, within ``seconds``."""

    address: str
    port: int
    path: str
    count: int
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)


def fetch(asked: Asked) -> list[Page]:
    """The pages; what goes wrong is a page of status 0. Fewer than asked come from an address that is dead or slow."""
    pages: list[Page] = []
    hopeless: list[Page] = []
    todo = iter(range(asked.count))
    lock = threading.Lock()
    end = time.monotonic() + asked.seconds

    def work() -> None:
        connection = http.client.HTTPConnection(asked.address, asked.port, timeout=_CALL_SECONDS)
        failed = 0
        try:
            while failed < _GIVE_UP_AFTER and len(hopeless) < _ENOUGH and (begun := time.monotonic()) < end:
                with lock:
                    if next(todo, None) is None:
                        return
                page = _get(connection, asked)
                failed = 0 if page.status else failed + 1
                with lock:
                    pages.append(page)
                    if page.flaw and time.monotonic() - begun > _SLOW_SECONDS:
                        hopeless.append(page)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, daemon=True) for _index in range(min(_AT_ONCE, asked.count))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()) + _CALL_SECONDS)
    with lock:
        return list(pages)


def _get(connection: http.client.HTTPConnection, asked: Asked) -> Page:
    try:
        connection.request("GET", asked.path, headers=dict(asked.headers))
        response = connection.getresponse()
        body = response.read(_LARGEST)
        response.read()  # the rest, so that the connection can be used again
        return Page(response.status, body.decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Page(0, getattr(error, "strerror", None) or str(error) or type(error).__name__)
