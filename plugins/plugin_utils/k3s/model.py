# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A K3s site as data: what is wanted of it, and what its machines said (used by judge, plan and filters).

Pure: dictionaries of Ansible in, frozen values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ARCHITECTURES", "Image", "Looked", "Machine", "Site", "looked_of", "site_of"]

_LONGEST = 300  # characters of a machine's words
# What ssh itself adds, which is no reason.
_SSH = ("Shared connection to ", "Connection to ", "Warning: Permanently added ")
# The kernel's word for an architecture -> that of K3s's releases.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True)
class Machine:
    """A machine as the inventory has it; ``address`` is empty where the machine itself says it."""

    host: str
    role: str  # server or agent
    address: str = ""
    external_address: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """An archive of images on the controller: its name at the machine, and its SHA-256."""

    name: str
    path: str
    sha256: str
    architecture: str = ""  # empty: for all machines


@dataclass(frozen=True)
class Site:
    """What is wanted: the settings of ``edge_mesh_k3s_*`` without that prefix, and what the run knows beside them."""

    name: str
    mesh: str
    machines: tuple[Machine, ...]
    settings: Mapping[str, Any]
    pod_subnet: str = ""
    service_subnet: str = ""
    api_names: tuple[str, ...] = ()  # names and addresses by which others reach the API
    renew_until: str = ""  # certificates that end before are due, as the API writes times; empty: none is
    registries_digest: str = ""  # SHA-256 of registries.yaml as wanted; empty for none
    units: Mapping[str, str] = field(default_factory=dict)  # role -> text of its systemd unit
    release: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # architecture -> {path, sha256}
    images: tuple[Image, ...] = ()

    @property
    def servers(self) -> list[Machine]:
        """The machines that run the API, in the inventory's order."""
        return [machine for machine in self.machines if machine.role == "server"]


@dataclass(frozen=True)
class Looked:
    """What came of looking at a machine: its facts, or why there are none."""

    host: str
    facts: Mapping[str, Any] | None
    why: str = ""
    unreachable: bool = False

    @property
    def k3s(self) -> Mapping[str, Any]:
        """What of K3s is there."""
        return self.facts["k3s"] if self.facts else {}


def site_of(given: Mapping[str, Any]) -> Site:
    """The site of a role's dictionary; raises TypeError or KeyError for one that isn't complete."""
    machines = tuple(
        Machine(
            host=str(each["host"]), role=str(each["role"]), address=str(each.get("address") or ""),
            external_address=str(each.get("external_address") or ""), labels=tuple(each.get("labels") or ()),
        )
        for each in given["machines"]
    )  # fmt: skip
    images = tuple(
        Image(str(each["name"]), str(each["path"]), str(each["sha256"]), str(each.get("architecture") or ""))
        for each in given.get("images") or ()
    )
    return Site(
        name=str(given["name"]), mesh=str(given["mesh"]), machines=machines, settings=given["settings"], images=images,
        pod_subnet=str(given.get("pod_subnet") or ""), service_subnet=str(given.get("service_subnet") or ""),
        api_names=tuple(given.get("api_names") or ()), units=given.get("units") or {},
        release=given.get("release") or {},
        renew_until=str(given.get("renew_until") or ""), registries_digest=str(given.get("registries_digest") or ""),
    )  # fmt: skip


def looked_of(results: Sequence[Mapping[str, Any]], now: float) -> dict[str, Looked]:
    """Host -> what came of looking at it; ``results`` are those of a looped task, the host as ``item``.

    ``now`` is the controller's clock in seconds since 1970: what passed since a machine was asked is its
    ``clock_slack``, by which its clock may seem to be ahead.
    """
    found = {}
    for result in results:
        host = str(result["item"])
        facts = result.get("machine")
        if facts is not None:
            facts = {**facts, "clock_slack": max(0.0, now - facts["asked_at"])}
        found[host] = Looked(host, facts, _why(result) if facts is None else "", bool(result.get("unreachable")))
    return found


def _why(result: Mapping[str, Any]) -> str:
    """What Ansible says, and the first line of what the machine said instead of an answer: that is the reason then."""
    texts = [str(result.get(name) or "") for name in ("module_stderr", "module_stdout")]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(_SSH)]
    words = [" ".join(str(result.get("msg") or "").split()), *said[:1]]
    return ": ".join(word[:_LONGEST] for word in words if word)
