# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WAN links and the rules that choose among them, as the inventory writes them and as the code uses them.

Pure: what a person wrote in, values and complaints out (used by the site model and the filter `edge.mesh.wan_objects`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import full_name
from ansible_collections.edge.mesh.plugins.module_utils._wan.dscp import value_of

__all__ = ["MOST_LINKS", "Condition", "Link", "Rule", "link_from", "read_link", "read_rule", "rule_from"]

MOST_LINKS = 15  # beside the default one: a link's number has four bits of the packet mark
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")
_INTERFACE = re.compile(r"[A-Za-z0-9_.@-]{1,15}")
_HOST = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?)\.([a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.svc(\.cluster\.local)?)?")
_HEADER = re.compile(r"[a-z0-9-]+|:authority|:method")
_WAYS = ("exact", "prefix", "regex")
_LINK_KEYS = {"name", "default", "dscp", "interface", "next_hop", "to"}
_RULE_KEYS = {"host", "match", "link"}
_MATCH_KEYS = {"headers", "path", "port", "source_labels"}
_LAST_PORT = 65535


@dataclass(frozen=True)
class Link:
    """A link of a site: ``dscp`` is 0 for the default one; ``to`` are the CIDRs that are reached over it.

    Without ``interface`` and ``next_hop`` the run makes the link (provider kind), or the site's router knows it alone.
    """

    name: str
    default: bool
    dscp: int
    interface: str | None = None
    next_hop: str | None = None
    to: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The link as playbooks carry it."""
        return {**asdict(self), "to": list(self.to)}


@dataclass(frozen=True, order=True)
class Condition:
    """One condition of a rule: ``kind`` is header, path, port or label; ``way`` is exact, prefix or regex."""

    kind: str
    key: str
    way: str
    value: str


@dataclass(frozen=True)
class Rule:
    """Calls to ``service`` in ``namespace`` that meet all ``conditions`` take ``link``."""

    service: str
    namespace: str
    link: str
    conditions: frozenset[Condition]

    @property
    def host(self) -> str:
        """The name by which Istio knows the host."""
        return full_name(self.service, self.namespace)

    def as_dict(self) -> dict[str, Any]:
        """The rule as playbooks carry it."""
        conditions = [asdict(condition) for condition in sorted(self.conditions)]
        return {"service": self.service, "namespace": self.namespace, "host": self.host, "link": self.link,
                "conditions": conditions}  # fmt: skip


def link_from(carried: Mapping[str, Any]) -> Link:
    """What :meth:`Link.as_dict` gave."""
    known = {name: carried[name] for name in ("name", "default", "dscp", "interface", "next_hop")}
    return Link(**known, to=tuple(carried["to"]))


def rule_from(carried: Mapping[str, Any]) -> Rule:
    """What :meth:`Rule.as_dict` gave."""
    conditions = frozenset(Condition(**condition) for condition in carried["conditions"])
    return Rule(carried["service"], carried["namespace"], carried["link"], conditions)


def read_link(given: Any, where: str) -> tuple[Link | None, list[str]]:
    """A link of edge_mesh_wan_links, and what is wrong with it; ``where`` names the entry."""
    if not isinstance(given, Mapping):
        return None, [f"{where} is no mapping with a name"]
    wrong = _unknown_keys(given, _LINK_KEYS, where)
    name = str(given.get("name") or "")
    if not _LABEL.fullmatch(name):
        wrong.append(f"{where} needs a name: lower case letters, digits and -, up to 30")
    where = f"the WAN link {name}" if name else where
    default = given.get("default", False)
    if not isinstance(default, bool):
        wrong.append(f"{where}: default is {default!r}; it must be true or false")
    dscp = value_of(given.get("dscp")) if given.get("dscp") is not None else 0
    if dscp is None:
        wrong.append(
            f"{where}: dscp is {given['dscp']!r}; write a number from 0 to 63 or a class such as EF, AF41, CS5"
        )
    elif default is True and dscp:
        wrong.append(f"{where}: the default link's traffic isn't marked, so it takes no dscp")
    elif not default and dscp == 0:
        wrong.append(f"{where}: it needs a dscp above 0; what isn't marked takes the default link")
    wrong += _bad_way(given, where, default is True)
    to = given.get("to") or []
    link = Link(
        name, default is True, dscp or 0, given.get("interface"), _text(given.get("next_hop")),
        tuple(map(str, to)) if isinstance(to, list) else (),
    )  # fmt: skip
    return link, wrong


def read_rule(given: Any, where: str) -> tuple[Rule | None, list[str]]:
    """A rule of edge_mesh_wan_rules, and what is wrong with it; ``where`` names the entry."""
    if not isinstance(given, Mapping):
        return None, [f"{where} is no mapping with host, match and link"]
    wrong = _unknown_keys(given, _RULE_KEYS, where)
    host = _HOST.fullmatch(str(given.get("host") or ""))
    if not host:
        wrong.append(f"{where}: host is {given.get('host')!r}; write <service>.<namespace>, of a Kubernetes Service")
    if not given.get("link"):
        wrong.append(f"{where} names no link")
    conditions, more = _conditions(given.get("match") or {}, where)
    wrong += more
    if not host:
        return None, wrong
    return Rule(host[1], host[3], str(given.get("link") or ""), conditions), wrong


def _conditions(match: Any, where: str) -> tuple[frozenset[Condition], list[str]]:
    if not isinstance(match, Mapping):
        return frozenset(), [f"{where}: match is no mapping of headers, path, port and source_labels"]
    wrong = _unknown_keys(match, _MATCH_KEYS, f"{where}: match")
    found = []
    for kind in ("headers", "source_labels"):
        if not isinstance(match.get(kind) or {}, Mapping):
            return frozenset(), [*wrong, f"{where}: {kind} is no mapping of names and values"]
    for name, value in (match.get("headers") or {}).items():
        key = str(name).lower()
        if not _HEADER.fullmatch(key):
            wrong.append(f"{where}: {name!r} is no name of a header")
        found.append(_matcher("header", key, value, "exact"))
    if match.get("path") is not None:
        found.append(_matcher("path", "", match["path"], "prefix"))
    for name, value in (match.get("source_labels") or {}).items():
        found.append(Condition("label", str(name), "exact", str(value)))
    if match.get("port") is not None:
        port = str(match["port"])
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
            wrong.append(f"{where}: port is {match['port']!r}; it must be a number from 1 to {_LAST_PORT}")
        found.append(Condition("port", "", "exact", port))
    if None in found:
        wrong.append(f"{where}: a header or path is a text, or one of exact, prefix and regex with a text")
    return frozenset(condition for condition in found if condition is not None), wrong


def _matcher(kind: str, key: str, value: Any, way: str) -> Condition | None:
    """The condition of a text (compared in the way given) or of ``{way: text}``."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((way, value),) = value.items()
    usable = way in _WAYS and isinstance(value, (str, int)) and not isinstance(value, bool) and str(value) != ""
    return Condition(kind, key, way, str(value)) if usable else None


def _bad_way(given: Mapping[str, Any], where: str, default: bool) -> list[str]:
    """What is wrong with the interface, the next hop and the destinations of a link."""
    wrong = []
    interface, next_hop, to = given.get("interface"), given.get("next_hop"), given.get("to")
    if interface is not None and not (isinstance(interface, str) and _INTERFACE.fullmatch(interface)):
        wrong.append(f"{where}: {interface!r} is no name of an interface")
    if next_hop is not None and (default or not _is_ipv4(next_hop)):
        why = "the default link's next hop is the node's own default route" if default else "write an IPv4 address"
        wrong.append(f"{where}: next_hop is {next_hop!r}; {why}")
    if to is not None and (default or not isinstance(to, list) or not all(map(_is_cidr, to))):
        why = "the default link leads everywhere" if default else "write a list of IPv4 networks such as 192.0.2.0/24"
        wrong.append(f"{where}: to is {to!r}; {why}")
    return wrong


def _is_ipv4(given: Any) -> bool:
    try:
        address = ipaddress.IPv4Address(str(given))
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def _is_cidr(given: Any) -> bool:
    try:
        ipaddress.IPv4Network(str(given))
    except ValueError:
        return False
    return True


def _unknown_keys(given: Mapping[str, Any], known: set[str], where: str) -> list[str]:
    strange = sorted(str(key) for key in given if key not in known)
    return [f"{where} has {', '.join(strange)}; it takes {', '.join(sorted(known))}"] if strange else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
