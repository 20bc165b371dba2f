# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's part of WAN association: read, compared, put in, taken away (used by the module `wan_node`).

A node is this machine, or a container that Docker runs as one (KinD). All that is asked is asked by one shell command
each time, because starting a command in a container is what costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._wan import ruleset

__all__ = ["Live", "Node", "Seen"]

_SECONDS = 120
_TIMED_OUT = 124
_PROGRAMS = ("ip", "nft", "systemctl", "unshare")
_ABSENT = ("no such container", "is not running", "is paused")
_PATH = "PATH=$PATH:/usr/sbin:/sbin; "
_SAY = "say() { printf '\\n@@%s\\n' \"$1\"; }; "
_SEE = _SAY + (
    f"say programs; for each in {' '.join(_PROGRAMS)}; do command -v $each >/dev/null && echo $each; done; "
    "say addresses; ip -j -4 addr show; say routes; ip -j -4 route show table main; true"
)
# nft writes a ruleset in a way of its own, which differs from version to version: so the wanted one is loaded into a
# network namespace that nobody uses, and written out from there.
_TRY = (
    f"say wanted; cat >/tmp/.{ruleset.SERVICE}.$$; "
    f'unshare -n sh -c "nft -f /tmp/.{ruleset.SERVICE}.$$ && nft -s list table {ruleset.TABLE}"; '
    f"rm -f /tmp/.{ruleset.SERVICE}.$$; "
)
_LOOK = (
    f"say live; nft -s list table {ruleset.TABLE} 2>/dev/null; "
    "say rules; ip -j -4 rule show; say routes; ip -j -4 route show table all; say service; "
    f"systemctl is-enabled {ruleset.SERVICE} 2>/dev/null; systemctl is-active {ruleset.SERVICE} 2>/dev/null; "
)
_FILE = 'say "file {path}"; cat {path} 2>/dev/null; '
_START = "systemctl daemon-reload && systemctl enable --quiet {service} && systemctl restart {service}"
_STOP = "systemctl disable --now --quiet {service} 2>/dev/null; rm -rf {directory} {unit}; systemctl daemon-reload"


@dataclass(frozen=True)
class Seen:
    """A node's network: ``devices`` maps a device to its IPv4 addresses, ``default_device`` has the default route."""

    programs: frozenset[str]
    devices: Mapping[str, tuple[str, ...]]
    default_device: str | None


@dataclass(frozen=True)
class Live:
    """What a node has of ours: ``wanted`` and ``live`` are the ruleset as nft itself writes it."""

    wanted: str
    live: str
    rules: frozenset[int]
    routes: frozenset[tuple[int, str]]
    enabled: bool
    active: bool
    files: Mapping[str, str] = field(default_factory=dict)


class Node:
    """A node by its container's name, or this machine (None); ``run_command`` is AnsibleModule's."""

    def __init__(
        self, run_command: Callable[..., tuple[int, str, str]], container: str | None, docker: str = "docker"
    ) -> None:
        self._run_command = run_command
        self._prefix = [docker, "exec", "-i", container] if container else []
        self._name = container or "this machine"

    def see(self) -> Seen | None:
        """The node's network, or None for a container that isn't there or doesn't run."""
        parts = self._parts(_SEE, None)
        if parts is None:
            return None
        routes = [route for route in _json(parts, "routes") if route["dst"] == "default"]
        routes.sort(key=lambda route: route.get("metric", 0))
        devices = {
            link["ifname"]: tuple(address["local"] for address in link.get("addr_info", []) if address.get("local"))
            for link in _json(parts, "addresses")
            if link.get("ifname")
        }
        return Seen(
            programs=frozenset(parts.get("programs", "").split()),
            devices=devices,
            default_device=routes[0].get("dev") if routes else None,
        )

    def route_to(self, address: str) -> str | None:
        """The device by which an address is reached without a hop between, or None."""
        done = self._shell(f"ip -j -4 route get {address}", None)
        found = json.loads(done[1] or "[]") if done[0] == 0 else []
        return found[0].get("dev") if found and "gateway" not in found[0] else None

    def look(self, wanted: Mapping[str, str]) -> Live:
        """What there is beside ``wanted``, the files by path; raises MeshError where nft refuses the ruleset."""
        found = self.peek(wanted)
        if found is None:
            raise self._error("it can't be looked at", "it isn't running", "start it, then run again")
        return found

    def peek(self, wanted: Mapping[str, str]) -> Live | None:
        """As :meth:`look`, and None for a container that isn't there or doesn't run."""
        rules = wanted.get(f"{ruleset.DIRECTORY}/rules.nft", "")
        paths = list(wanted) or list(ruleset.files([], None))
        script = _SAY + (_TRY if rules else "") + _LOOK + "".join(_FILE.format(path=path) for path in paths) + "true"
        parts = self._parts(script, rules)
        if parts is None:
            return None
        if rules and not parts.get("wanted"):
            raise self._error("its nftables can't take the ruleset", "nft refused it", "see `nft -f` on the node")
        enabled, active = [*parts.get("service", "").split("\n"), "", ""][:2]
        return Live(
            wanted=parts.get("wanted", ""),
            live=parts.get("live", ""),
            rules=frozenset(rule["priority"] for rule in _json(parts, "rules") if ruleset.is_ours(rule["priority"])),
            routes=frozenset(
                (int(route["table"]), _network(route["dst"]))
                for route in _json(parts, "routes")
                if str(route.get("table", "")).isdigit() and ruleset.is_ours(int(route["table"]))
            ),
            enabled=enabled == "enabled",
            active=active == "active",
            files={path: parts.get(f"file {path}", "") for path in paths},
        )

    def write(self, texts: Mapping[str, str]) -> None:
        """Write files; each appears whole."""
        for path, text in texts.items():
            self._do(f"mkdir -p {ruleset.DIRECTORY} && cat >{path}.new && chmod 644 {path}.new && mv {path}.new {path}",
                     text)  # fmt: skip

    def start(self) -> None:
        """Let the service take up what the files say, now and at each start of the node."""
        self._do(_START.format(service=ruleset.SERVICE), None)

    def clear(self) -> None:
        """Stop and remove the service and its files, and take everything of ours out of the kernel."""
        words = {"service": ruleset.SERVICE, "directory": ruleset.DIRECTORY, "unit": ruleset.UNIT}
        self._do(_STOP.format(**words), None)
        self._do("sh -s clear", ruleset.CLEAR)

    def _do(self, script: str, stdin: str | None) -> None:
        rc, _stdout, stderr = self._shell(script, stdin)
        if rc != 0:
            raise self._error("its WAN links can't be set up", stderr or f"exit code {rc}", "run site.yml again")

    def _parts(self, script: str, stdin: str | None) -> dict[str, str] | None:
        rc, stdout, stderr = self._shell(script, stdin)
        if rc != 0 and self._prefix and any(words in stderr.lower() for words in _ABSENT):
            return None
        if rc != 0:
            raise self._error(
                "it can't be looked at", stderr or f"exit code {rc}", "is Docker up, is this run as root?"
            )
        found = {}
        for part in ("\n" + stdout).split("\n@@")[1:]:
            name, _newline, text = part.partition("\n")
            found[name] = text.rstrip("\n")
        return found

    def _shell(self, script: str, stdin: str | None) -> tuple[int, str, str]:
        command = ["timeout", str(_SECONDS), *self._prefix, "sh", "-c", _PATH + script]
        rc, stdout, stderr = self._run_command(command, data=stdin)
        if rc == _TIMED_OUT:
            raise self._error("it doesn't answer", f"no end within {_SECONDS} s", "look at the node, then run again")
        return rc, stdout, stderr

    def _error(self, what: str, why: str, hint: str) -> MeshError:
        return MeshError(f"{self._name}: {what}", why=why.strip()[-300:], hint=hint)


def _json(parts: Mapping[str, str], name: str) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = json.loads(parts.get(name) or "[]")
    return found


def _network(destination: str) -> str:
    """A destination as a CIDR: ip leaves out the length of a host's and calls the widest one default."""
    if destination == "default":
        return "0.0.0.0/0"
    return destination if "/" in destination else f"{destination}/32"
