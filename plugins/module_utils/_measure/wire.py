# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes between a site's node and its primary's, counted on the node's own interface (used by `_measure.survey`).

A packet socket in the node's network namespace reads headers and changes nothing. It needs root, and a node that is a
container on this machine, as KinD's are.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._measure.figures import Figure

__all__ = ["Counts", "Wire", "figures", "talk_of"]

# Whose talk it is, by the port that one side listens on.
TALKS = {15012: "xDS", 15017: "injection", 6443: "the site's API", 15443: "calls"}
OTHER = "other"
_INTERFACE = "eth0"
_ALL_PROTOCOLS = 0x0003
_ETHERNET, _IPV4, _TCP = 14, 0x0800, 6
_HEADERS = 128

Counts = Counter[tuple[str, bool]]  # (talk, whether it came from the peer) -> bytes


class Wire:
    """Counts from entry to exit of the context, ``counts`` is whole then. Raises MeshError where it can't count.

    ``run_command`` is AnsibleModule's.
    """

    def __init__(self, run_command: Callable[..., tuple[int, str, str]], container: str, peer: str) -> None:
        self._run_command = run_command
        self._container = container
        self._peer = socket.inet_aton(peer)
        self._stop = threading.Event()
        self.counts: Counts = Counter()

    def __enter__(self) -> Wire:
        self._socket = _opened(self._run_command, self._container)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._reader.join()
        self._socket.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(socket.timeout):
                found = talk_of(self._socket.recv(_HEADERS), self._peer)
                if found:
                    self.counts[found[0], found[1]] += found[2]


def talk_of(frame: bytes, peer: bytes) -> tuple[str, bool, int] | None:
    """Talk, whether it comes from the peer, and bytes of a frame (its head suffices); None if it is another's."""
    if len(frame) < _ETHERNET + 20 or struct.unpack_from("!H", frame, 12)[0] != _IPV4:
        return None
    source, target = frame[_ETHERNET + 12 : _ETHERNET + 16], frame[_ETHERNET + 16 : _ETHERNET + 20]
    if peer not in (source, target):
        return None
    size = _ETHERNET + struct.unpack_from("!H", frame, _ETHERNET + 2)[0]
    talk = OTHER
    begin = _ETHERNET + (frame[_ETHERNET] & 0x0F) * 4
    if frame[_ETHERNET + 9] == _TCP and len(frame) >= begin + 4:
        ports = struct.unpack_from("!HH", frame, begin)
        talk = next((name for port, name in TALKS.items() if port in ports), OTHER)
    return talk, peer == source, size


def figures(site: str, primary: str, counts: Counts, what: str) -> list[Figure]:
    """A figure of each direction, with whose talk it was."""
    found = []
    for incoming in (True, False):
        talks = {talk: size for (talk, comes), size in sorted(counts.items()) if comes is incoming}
        told = ", ".join(f"{talk} {size}" for talk, size in talks.items())
        way = "from" if incoming else "to"
        found.append(Figure(site, primary, f"{what}, {way} the primary", {"sum": sum(talks.values())}, "B", told))
    return found


def _opened(run_command: Callable[..., tuple[int, str, str]], container: str) -> socket.socket:
    """A packet socket in the namespace of a container; a socket stays in the one of the thread that opened it."""
    rc, told, _why = run_command(["timeout", "20", "docker", "inspect", "--format", "{{.State.Pid}}", container])
    pid = told.strip()
    if rc or not pid.isdigit() or pid == "0":
        raise MeshError("the link can't be watched", why=f"its node {container} is no container on this machine")
    opened: list[socket.socket] = []
    problems: list[Exception] = []

    def work() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                os.setns(namespace, os.CLONE_NEWNET)
            finally:
                os.close(namespace)
            opened.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)))
            opened[0].bind((_INTERFACE, 0))
            opened[0].settimeout(0.2)
        except OSError as error:
            problems.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    if problems:
        raise MeshError("the link can't be watched", why=str(problems[0]), hint="it takes root")
    return opened[0]
