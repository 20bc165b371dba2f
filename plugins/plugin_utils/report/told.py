# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen, in one clause for people (used by `records`).

Pure. Evidence may bring its own clause (``seen``); that of `edge.mesh.xds_health` is told here for checks that are ok.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["plain", "told"]

Json = Mapping[str, Any]

_LONGEST_VALUE = 80
_FIRST = ("error", "reason", "problem", "why", "message")  # keys that say most if something is wrong

_WELL: Mapping[str, Callable[[Json], str]] = {
    "join.address": lambda seen: f"{seen['address']} connects",
    "join.tls": lambda seen: f"{seen['issuer']}, {seen['days_left']:.0f} days left",
    "join.token": lambda seen: seen["subject"].removeprefix("system:serviceaccount:").replace(":", "/"),
    "join.ads": lambda seen: f"{seen['clusters']} clusters, {seen['listeners']} listeners",
    "join.endpoints": lambda seen: f"{seen['through_gateways']} of {seen['endpoints']} lead to gateways",
    "join.csr": lambda seen: seen["identity"][0],
    "join.injection": lambda seen: f"{seen['image'].rpartition('/')[2]} as {seen['cluster']} in {seen['network']}",
    "istiod.cluster-synced": lambda seen: f"by {_count(len(seen['states']), 'replica')} of istiod",
    "proxy.synced": lambda seen: f"{_count(seen['proxies'], 'proxy', 'proxies')}",
}


def told(check: str, verdict: str, evidence: Json) -> str:
    """The clause for a record's evidence; what came from outside is made printable."""
    if evidence.get("seen"):
        return plain(str(evidence["seen"]))
    if verdict == "ok" and check in _WELL:
        try:
            return plain(_WELL[check](evidence))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):  # evidence of another shape
            pass
    return plain("; ".join(_values(evidence)))


def _values(evidence: Json) -> list[str]:
    """The evidence's short values, those first that say why."""
    names = [name for name in _FIRST if name in evidence] + [name for name in evidence if name not in _FIRST]
    parts = []
    for name in names:
        value = evidence[name]
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if value in (None, "", [], {}) or isinstance(value, Mapping):
            continue
        if name in _FIRST:
            parts.append(text)
        elif len(text) <= _LONGEST_VALUE:
            parts.append(f"{name.replace('_', ' ')} {text}")
    return parts


def plain(text: str) -> str:
    """One line of printable text: answers from outside may hold what terminals and XML must not get."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"
