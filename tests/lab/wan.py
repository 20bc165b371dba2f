# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad links: a TCP proxy between the controller and a site's API, which delays, slows, breaks off or says nothing."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

__all__ = ["Link", "Quality"]

_CHUNK = 1 << 12


@dataclass(frozen=True)
class Quality:
    """Seconds that each direction adds, bits a second of each direction, and what is wrong.

    ``mute`` takes connections and says nothing, ``reset_after`` resets one after that many bytes of answers.
    """

    delay: float = 0.0
    rate: float = 0.0
    mute: bool = False
    reset_after: int = 0


class Link:
    """Listens on a loopback port while it is open; ``carried`` counts the bytes of answers."""

    def __init__(self, host: str, port: int, quality: Quality) -> None:
        self._target = (host, port)
        self._quality = quality
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._next_free = 0.0  # all connections of a link share its rate
        self.carried = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _peer = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            if not self._quality.mute:
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        time.sleep(self._quality.delay)  # what the handshake costs on the way
        try:
            far = socket.create_connection(self._target, timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._sockets.append(far)
        threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
        self._carry(far, near, True)

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        """Pass on what comes, each piece ``delay`` after it came: pieces under way overlap, as on a real line."""
        queue: list[tuple[float, bytes]] = []
        ready = threading.Condition()
        sender = threading.Thread(target=self._send, args=(queue, ready, sink, answers), daemon=True)
        sender.start()
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                with ready:
                    queue.append((time.monotonic() + self._quality.delay, data))
                    ready.notify()
        with ready:
            queue.append((time.monotonic() + self._quality.delay, b""))
            ready.notify()

    def _send(
        self, queue: list[tuple[float, bytes]], ready: threading.Condition, sink: socket.socket, answers: bool
    ) -> None:
        while True:
            with ready:
                while not queue:
                    ready.wait()
                due, data = queue.pop(0)
            time.sleep(max(0.0, due - time.monotonic()) + self._slowness(len(data)))
            with contextlib.suppress(OSError):
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
                if answers:
                    self.carried += len(data)
                    if 0 < self._quality.reset_after < self.carried:
                        sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        sink.shutdown(socket.SHUT_RD)  # ends the other direction's wait, which would keep it open
                        sink.close()
                        return
                continue
            return

    def _slowness(self, size: int) -> float:
        """Seconds until the line has room for so many bytes."""
        if not self._quality.rate:
            return 0.0
        with self._lock:
            begin = max(self._next_free, time.monotonic())
            self._next_free = begin + size * 8 / self._quality.rate
            return max(0.0, self._next_free - time.monotonic())
