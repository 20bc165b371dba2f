# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the code of `_remote` asks of the world: a Kubernetes API and a clock, both handed in (used by `remote_secret`).

`_k8s.client.Client` is the API; tests hand in one that lives in memory. No code here opens a connection by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Api", "Time", "until"]


class Api(Protocol):
    """The part of `_k8s.client.Client` that is used here; every method raises `ApiError`."""

    site: str | None
    requests: int

    def get(self, path: str, **query: Any) -> dict[str, Any] | None: ...

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]: ...

    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]: ...

    def apply(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        field_manager: str = ...,
        force: bool = ...,
        dry_run: bool = ...,
    ) -> dict[str, Any]: ...
    def patch(self, path: str, body: Mapping[str, Any], *, content_type: str = ..., **query: Any) -> dict[str, Any]: ...

    def delete(self, path: str, *, body: Mapping[str, Any] | None = None, **query: Any) -> bool: ...

    def portforward(self, namespace: str, pod: str, port: int) -> AbstractContextManager[tuple[str, int]]: ...

    def logs(self, namespace: str, pod: str, container: str, *, tail: int = ..., since: float | None = ...) -> str: ...


@dataclass(frozen=True)
class Time:
    """The clocks of a run: ``now`` in seconds since 1970, ``clock`` for spans, ``sleep`` to let them pass."""

    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def until(check: Callable[[], bool], time: Time, *, seconds: float, pause: float = 0.2) -> bool:
    """Call ``check`` until it says yes, for at most ``seconds`` (but at least once); whether it did."""
    end = time.clock() + seconds
    while not check():
        left = end - time.clock()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
    return True
