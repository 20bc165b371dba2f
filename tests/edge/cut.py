# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge cut off from its centre, by a packet filter on the edge's node that counts what it drops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.edge.pair import EDGE, node
from tests.lab.lab import docker

__all__ = ["Counted", "counted", "cut_off"]

_CHAIN = "EDGE-MESH-TEST"
# What has nothing to do with calls: xDS and certificates, injection, and answers to istiod's watches of the site's API.
_CONTROL = ("--dport 15012", "--dport 15017", "--sport 6443")


@dataclass(frozen=True)
class Counted:
    """Packets that wanted to leave the site for the centre and were dropped."""

    control: int
    other: int


@contextmanager
def cut_off(address: str) -> Iterator[None]:
    """Drop all between the edge and an address, both ways, and count what wants to go there."""
    for words in ("-N {0}", *(f"-A {{0}} -p tcp {port} -j DROP" for port in _CONTROL), "-A {0} -j DROP",
                  "-I FORWARD -d {1} -j {0}", "-I OUTPUT -d {1} -j {0}",
                  "-I FORWARD -s {1} -j DROP", "-I INPUT -s {1} -j DROP"):  # fmt: skip
        _iptables(words.format(_CHAIN, address))
    try:
        yield
    finally:
        for words in ("-D FORWARD -d {1} -j {0}", "-D OUTPUT -d {1} -j {0}", "-D FORWARD -s {1} -j DROP",
                      "-D INPUT -s {1} -j DROP", "-F {0}", "-X {0}"):  # fmt: skip
            _iptables(words.format(_CHAIN, address))


def _iptables(words: str) -> str:
    return docker("exec", node(EDGE), "iptables", "-w", *words.split())


def counted() -> Counted:
    """What was dropped since the cut."""
    lines = [line.split() for line in _iptables(f"-L {_CHAIN} -v -x -n").splitlines()[2:]]
    packets = [int(words[0]) for words in lines if words]
    return Counted(sum(packets[: len(_CONTROL)]), packets[-1])
