# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node gets to route marked packets: a ruleset for nftables, a list of routes, a watcher, and its service.

Pure: resolved links in, texts out (used by `_wan.node`). Everything lies in one directory, and the service is the only
thing that puts it into the kernel: what a start loads, a stop takes away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["CLEAR", "DIRECTORY", "SERVICE", "TABLE", "Resolved", "files", "is_ours", "links_file", "ruleset"]

SERVICE = "edge-mesh-wan"
TABLE = "inet edge_mesh_wan"
DIRECTORY = "/etc/edge-mesh-wan"
UNIT = f"/etc/systemd/system/{SERVICE}.service"

# Four bits of the packet and connection mark that kube-proxy (0xc000), Cilium, Calico and Tailscale leave alone.
_MASK = 0xF0
_KEPT = 0xFFFFFFFF ^ _MASK
_BASE = 7100  # routing tables 7101 to 7115, rules from 7103 on


@dataclass(frozen=True)
class Resolved:
    """A link as one node has it: ``number`` is 1 to 15, ``routes`` are (next hop or None, destination CIDR) pairs.

    ``shared`` says that the default link uses the same device, so that a packet's arrival doesn't tell its link.
    """

    name: str
    number: int
    dscp: int
    device: str
    routes: tuple[tuple[str | None, str], ...]
    shared: bool = False

    @property
    def mark(self) -> int:
        """The link's value of the bits that are ours."""
        return self.number << 4

    @property
    def table(self) -> int:
        """Its routing table."""
        return _BASE + self.number


def ruleset(links: Sequence[Resolved], default_device: str | None) -> str:
    """The nftables file: a connection gets its link's mark, and its packets are routed by that.

    Connections that begin at the site are told by the proxy's DSCP, those that come in by the device. Answers take the
    connection's link and carry its DSCP.
    """
    outside = sorted({link.device for link in links} | ({default_device} if default_device else set()))
    listed = "{ " + ", ".join(f'"{device}"' for device in outside) + " }"
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    lines += ["\tchain prerouting {", "\t\ttype filter hook prerouting priority mangle; policy accept;"]
    lines += [
        f'\t\tiifname "{link.device}" ct state new ct mark set ct mark & {_KEPT:#x} | {link.mark:#x}'
        for link in links
        if not link.shared
    ]
    lines.append(f"\t\tiifname {listed} return")
    for link in links:
        lines.append(f"\t\tct state new ip dscp {link.dscp:#x} ct mark set ct mark & {_KEPT:#x} | {link.mark:#x}")
    lines += [f"\t\t{_of(link)} {_routed(link)}" for link in links]
    lines += ["\t}", "\tchain output {", "\t\ttype route hook output priority mangle; policy accept;"]
    lines += [f"\t\tct direction reply {_of(link)} {_routed(link)}" for link in links]
    lines += ["\t}", "\tchain postrouting {", "\t\ttype filter hook postrouting priority mangle; policy accept;"]
    lines += [f"\t\toifname {listed} ct direction reply {_of(link)} ip dscp set {link.dscp:#x}" for link in links]
    return "\n".join([*lines, "\t}", "}"]) + "\n"


def links_file(links: Iterable[Resolved]) -> str:
    """What the watcher reads: devices, rules and watched routes, a line each.

    A marked packet takes its link's table for the destinations that are named there, then what the node itself knows
    better than a default route (its pods and neighbours), then the link's own default route.
    """
    lines = ["# device <name>; rule <preference> <mark> <table> [suppress]; route <table> <device> <next hop> <to>"]
    for link in links:
        first = _BASE + 3 * link.number
        mark = f"{link.mark:#x}/{_MASK:#x}"
        lines += [
            f"# {link.name}",
            f"device {link.device}",
            f"rule {first} {mark} {link.table} suppress",
            f"rule {first + 1} {mark} main suppress",
            f"rule {first + 2} {mark} {link.table}",
        ]
        lines += [f"route {link.table} {link.device} {hop or '-'} {to}" for hop, to in link.routes]
    return "\n".join(lines) + "\n"


def files(links: Sequence[Resolved], default_device: str | None) -> dict[str, str]:
    """All files of the node by their path."""
    return {
        f"{DIRECTORY}/watch": _WATCH,
        f"{DIRECTORY}/rules.nft": ruleset(links, default_device),
        f"{DIRECTORY}/links": links_file(links),
        UNIT: _UNIT_TEXT,
    }


def is_ours(preference: int) -> bool:
    """Whether a routing rule is one of ours."""
    return _BASE <= preference < _BASE + 100


def _of(link: Resolved) -> str:
    return f"ct mark & {_MASK:#x} == {link.mark:#x}"


def _routed(link: Resolved) -> str:
    return f"meta mark set meta mark & {_KEPT:#x} | {link.mark:#x}"


_UNIT_TEXT = f"""\
[Unit]
Description=edge.mesh: WAN links by packet mark, with a watch on their next hops
After=network.target

[Service]
ExecStart=/bin/sh {DIRECTORY}/watch
ExecStopPost=/bin/sh {DIRECTORY}/watch clear
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

_WATCH = """\
#!/bin/sh
# WAN links of this node: packet marks, routes by mark, and every second a look at each next hop (edge.mesh, role
# wan_association). Works until it is stopped; `watch clear` takes everything of it out of the kernel.
set -u
PATH=$PATH:/usr/sbin:/sbin
here=/etc/edge-mesh-wan
run=/run/edge-mesh-wan
settled=3 # a link that was down is used again after so many good looks in a row

clear_all() {
    ip -4 rule show | while IFS=: read -r preference _; do
        if [ "$preference" -ge 7100 ] && [ "$preference" -lt 7200 ]; then ip -4 rule del pref "$preference"; fi
    done
    table=7101
    while [ "$table" -le 7115 ]; do
        ip -4 route flush table "$table" 2>/dev/null
        table=$((table + 1))
    done
    nft delete table inet edge_mesh_wan 2>/dev/null
    for saved in "$run"/*; do
        [ -f "$saved" ] || continue
        cat "$saved" >"/proc/sys/net/ipv4/conf/${saved##*/}/rp_filter" 2>/dev/null
    done
    rm -rf "$run"
}

# With the strict check, what comes in over a link is dropped if an unmarked answer would leave by another one.
loosen() {
    filter=/proc/sys/net/ipv4/conf/$1/rp_filter
    if [ -e "$run/$1" ] || [ ! -e "$filter" ]; then return; fi
    read -r own <"$filter"
    read -r all </proc/sys/net/ipv4/conf/all/rp_filter
    if [ "$own" -eq 1 ] || { [ "$own" -eq 0 ] && [ "$all" -eq 1 ]; }; then
        echo "$own" >"$run/$1"
        echo 2 >"$filter"
    fi
}

# Whether a next hop answers, by the kernel's own check of neighbours, which is asked to look anew: three unanswered
# probes of a second each make it FAILED.
answers() {
    state=down
    { read -r state <"/sys/class/net/$1/operstate"; } 2>/dev/null
    case $state in up | unknown) ;; *) return 1 ;; esac
    [ "$2" != - ] || return 0
    case $(ip -4 neigh show to "$2" dev "$1") in
        *REACHABLE* | *STALE* | *DELAY*) ip -4 neigh change "$2" dev "$1" nud probe 2>/dev/null ;;
        *PROBE* | *PERMANENT* | *NOARP*) ;;
        *)
            ip -4 neigh replace "$2" dev "$1" use 2>/dev/null
            return 1
            ;;
    esac
    return 0
}

# Puts a route in or takes it out; traffic of a route that is out takes the default link.
route() { # table device next-hop destination wanted
    there=$(ip -4 route show exact "$4" table "$1" 2>/dev/null)
    via=
    [ "$3" = - ] || via="via $3"
    if [ "$5" = yes ] && [ -z "$there" ]; then
        # shellcheck disable=SC2086 # two words or none
        ip -4 route add "$4" $via dev "$2" table "$1" && echo "$4 $via dev $2: up"
    elif [ "$5" = no ] && [ -n "$there" ]; then
        ip -4 route del "$4" table "$1" && echo "$4 $via dev $2: down, its traffic takes the default link"
    fi
}

# One look at everything; what somebody took out of the kernel comes back.
look() {
    nft list table inet edge_mesh_wan >/dev/null 2>&1 || nft -f "$here/rules.nft"
    rules=$(ip -4 rule show)
    number=0
    while read -r kind one two three four; do
        case $kind in
            device) loosen "$one" ;;
            rule)
                case $rules in *"$one:"*) continue ;; esac
                # shellcheck disable=SC2086 # two words or none
                ip -4 rule add pref "$one" fwmark "$two" lookup "$three" ${four:+suppress_prefixlength 0}
                ;;
            route)
                number=$((number + 1))
                eval "good=\\${good_$number:-$settled}"
                if answers "$two" "$three"; then good=$((good + 1)); else good=0; fi
                if [ "$good" -ge "$settled" ]; then route "$one" "$two" "$three" "$four" yes; fi
                if [ "$good" -eq 0 ]; then route "$one" "$two" "$three" "$four" no; fi
                eval "good_$number=$good"
                ;;
        esac
    done <"$here/links"
}

# The kernel gets to know the next hops before the first look, so that links that are up are used at once.
greet() {
    while read -r kind _ device hop _; do
        [ "$kind" = route ] && [ "$hop" != - ] && ip -4 neigh replace "$hop" dev "$device" use 2>/dev/null
    done <"$here/links"
    sleep 1
}

clear_all
[ "${1:-}" != clear ] || exit 0
mkdir -p "$run"
greet
while :; do
    look
    sleep 1
done
"""

CLEAR = _WATCH  # run as `sh -s clear`, it needs no file of its own
