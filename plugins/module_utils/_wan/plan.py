# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node's WAN links come to on that node, and whether they are in place (used by the module `wan_node`).

Pure: links as the inventory has them and what was seen of the node in, routes and verdicts out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, Verdict, record
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._wan.model import Link
from ansible_collections.edge.mesh.plugins.module_utils._wan.node import Live, Seen
from ansible_collections.edge.mesh.plugins.module_utils._wan.ruleset import TABLE, Resolved, files

__all__ = ["Peer", "Wanted", "differences", "fallback", "refuse", "resolve", "routing"]

_EVERYWHERE = "0.0.0.0/0"
_NEEDED = {"ip": "iproute2", "nft": "nftables", "systemctl": "systemd", "unshare": "util-linux"}
_RERUN = "run site.yml again for this site"


@dataclass(frozen=True)
class Peer:
    """The other end of a link that the run made: its address on the link, and the one by which the mesh knows it."""

    link_address: str
    mesh_address: str


@dataclass(frozen=True)
class Wanted:
    """What a node should have: its files, and its links as they are on it."""

    links: tuple[Resolved, ...]
    files: Mapping[str, str]


def refuse(seen: Seen, site: str) -> None:
    """Raise MeshError for a node that lacks a program."""
    missing = [program for program in _NEEDED if program not in seen.programs]
    if missing:
        packages = ", ".join(_NEEDED[program] for program in missing)
        raise MeshError(
            "its node can't route by WAN link", site=site, why=f"it has no {', '.join(missing)}",
            hint=f"install {packages} there, or leave edge_mesh_wan_links out",
        )  # fmt: skip


def resolve(
    links: Sequence[Link], seen: Seen, site: str, *, route_to: Callable[[str], str | None],
    own: Mapping[str, str], peers: Mapping[str, Sequence[Peer]],
) -> Wanted:  # fmt: skip
    """The links as they are on this node; raises MeshError for an interface that isn't there.

    ``own`` and ``peers`` are of the links that the run made: the node's address on each, and who is at the other ends.
    ``route_to`` tells the device by which a next hop is reached directly.
    """
    refuse(seen, site)
    default = next((link for link in links if link.default), None)
    default_device = seen.default_device
    if default and default.interface:
        default_device = _device(default, default.interface, seen, site)
    found = []
    for number, link in enumerate((link for link in links if not link.default), 1):
        if link.name in own:
            device = next((name for name, held in seen.devices.items() if own[link.name] in held), None)
            if device is None:
                raise _bad(link, f"no interface of its node has {own[link.name]}", _RERUN, site)
            routes: list[tuple[str | None, str]] = [
                (peer.link_address, f"{peer.mesh_address}/32") for peer in peers[link.name]
            ]
        else:
            device = _device(link, link.interface or route_to(link.next_hop or ""), seen, site)
            routes = [(link.next_hop, to) for to in link.to or (_EVERYWHERE,)]
        found.append(Resolved(link.name, number, link.dscp, device, tuple(routes), shared=device == default_device))
    return Wanted(tuple(found), files(found, default_device))


def differences(wanted: Wanted, live: Live) -> list[str]:
    """What isn't on the node as it should be, for people; routes are the watcher's."""
    reasons = [
        f"{path} differs" for path, text in wanted.files.items() if live.files.get(path, "") != text.rstrip("\n")
    ]
    if not live.enabled:
        reasons.append("the service doesn't start with the node")
    if not live.active:
        reasons.append("the service doesn't run")
    if live.live != live.wanted:
        reasons.append(f"nftables table {TABLE} {'differs' if live.live else 'is missing'}")
    missing = _rules(wanted) - live.rules
    if missing:
        reasons.append(f"routing rules {', '.join(map(str, sorted(missing)))} are missing")
    return reasons


def routing(site: str, wanted: Wanted, live: Live, took_ms: int) -> Record:
    """The record ``wan.routing``: marks and rules are in the kernel as the inventory wants them."""
    wrong = differences(wanted, live)
    ours = ("nftables", "routing rules")
    wrong = [reason for reason in wrong if reason.startswith(ours) or reason.startswith("/etc")]
    evidence = {"seen": "; ".join(wrong) or f"marks and rules for {_named(wanted)}", "differences": wrong,
                "links": {link.name: link.device for link in wanted.links}}  # fmt: skip
    return _record("wan.routing", site, "failed" if wrong else "ok", evidence, _RERUN if wrong else "", took_ms)


def fallback(site: str, wanted: Wanted, live: Live, seen: Seen, took_ms: int) -> Record:
    """The record ``wan.fallback``: there is a default route, and the links' next hops are watched."""
    down = [
        f"{link.name} to {to}" for link in wanted.links for _hop, to in link.routes
        if (link.table, to) not in live.routes
    ]  # fmt: skip
    evidence: dict[str, Any] = {
        "default": seen.default_device, "watched": live.active, "starts_with_the_node": live.enabled, "down": down,
    }  # fmt: skip
    if seen.default_device is None:
        hint = "give the node a default route: it is where traffic goes when a link is down"
        return _record("wan.fallback", site, "failed", {"seen": "no default route", **evidence}, hint, took_ms)
    if not (live.active and live.enabled):
        seen_as = "nobody watches the next hops" if not live.active else "the watch doesn't start with the node"
        return _record("wan.fallback", site, "failed", {"seen": seen_as, **evidence}, _RERUN, took_ms)
    if down:
        hint = "mend the link or its next hop; until then its traffic takes the default link"
        told = f"down: {', '.join(down)}; {seen.default_device} is used"
        return _record("wan.fallback", site, "warning", {"seen": told, **evidence}, hint, took_ms)
    told = f"{_named(wanted)} up and watched, {seen.default_device} behind it"
    return _record("wan.fallback", site, "ok", {"seen": told, **evidence}, "", took_ms)


def _record(check: str, site: str, verdict: Verdict, evidence: Mapping[str, Any], hint: str, took_ms: int) -> Record:
    return record(check, site, verdict, origin="node", evidence=evidence, hint=hint, took_ms=took_ms)


def _rules(wanted: Wanted) -> set[int]:
    lines = next(text for path, text in wanted.files.items() if path.endswith("/links")).splitlines()
    return {int(line.split()[1]) for line in lines if line.startswith("rule ")}


def _named(wanted: Wanted) -> str:
    return ", ".join(link.name for link in wanted.links)


def _device(link: Link, device: str | None, seen: Seen, site: str) -> str:
    if device is not None and device in seen.devices:
        return device
    there = ", ".join(name for name in seen.devices if name != "lo" and not name.startswith("veth"))
    why = f"its node has no interface {device}" if device else f"no interface of its node leads to {link.next_hop}"
    raise _bad(link, why, f"there are {there}", site)


def _bad(link: Link, why: str, hint: str, site: str) -> MeshError:
    return MeshError(f"the WAN link {link.name} can't be used", site=site, why=why, hint=hint)
