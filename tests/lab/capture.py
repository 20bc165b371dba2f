# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over a site's link: every frame on the node's own interface, read from its network namespace."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.lab.lab import docker

_ALL_PROTOCOLS = 0x0003
_IPV4, _TCP = 0x0800, 6
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 0x16, 0x01, 0x0000


@dataclass(frozen=True)
class Segment:
    """A TCP segment with content."""

    source_port: int
    target_port: int
    content: bytes


class Capture:
    """A context manager: frames of the interface are kept from entry to exit; nothing is changed."""

    def __init__(self, container: str, interface: str = "eth0") -> None:
        self._pid = int(docker("inspect", "--format", "{{.State.Pid}}", container))
        self._interface = interface
        self._frames: list[bytes] = []
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        # A socket belongs to the namespace of the thread that opened it, and only that thread moves there.
        opened: list[socket.socket] = []
        opener = threading.Thread(target=lambda: opened.append(self._open()))
        opener.start()
        opener.join()
        self._socket = opened[0]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._reader.join()
        self._socket.close()

    def of_port(self, port: int) -> list[Segment]:
        """The segments with content from or to a port."""
        segments = [segment for frame in list(self._frames) if (segment := _segment(frame)) is not None]
        return [each for each in segments if port in (each.source_port, each.target_port)]

    def _open(self) -> socket.socket:
        namespace = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY)
        try:
            os.setns(namespace, os.CLONE_NEWNET)
        finally:
            os.close(namespace)
        found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        found.bind((self._interface, 0))
        found.settimeout(0.2)
        return found

    def _read(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                self._frames.append(self._socket.recv(1 << 16))


def _segment(frame: bytes) -> Segment | None:
    if len(frame) < 34 or struct.unpack_from("!H", frame, 12)[0] != _IPV4 or frame[23] != _TCP:
        return None
    begin = 14 + (frame[14] & 0x0F) * 4
    end = 14 + struct.unpack_from("!H", frame, 16)[0]
    source, target = struct.unpack_from("!HH", frame, begin)
    content = frame[begin + (frame[begin + 12] >> 4) * 4 : end]
    return Segment(source, target, content) if content else None


def server_name(content: bytes) -> str | None:
    """The SNI of a TLS ClientHello (RFC 8446, RFC 6066); None for anything else."""
    if len(content) < 44 or content[0] != _HANDSHAKE or content[5] != _CLIENT_HELLO:
        return None
    place = 43  # after record, handshake, version and random comes the session id
    place += 1 + content[place]
    place += 2 + struct.unpack_from("!H", content, place)[0]
    place += 1 + content[place]
    end = place + 2 + struct.unpack_from("!H", content, place)[0]
    place += 2
    while place + 4 <= min(end, len(content)):
        kind, length = struct.unpack_from("!HH", content, place)
        if kind == _SERVER_NAME:
            return content[place + 9 : place + 4 + length].decode("ascii")
        place += 4 + length
    return None
