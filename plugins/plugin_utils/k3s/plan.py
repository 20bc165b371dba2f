# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done at a site's machines, in which order and why (pure).

Everything is decided by comparing what is there with what is wanted, file by file; no file is written, and no service
restarted, for any other reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s import files
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.judge import Finding, judge
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import (
    ARCHITECTURES,
    Image,
    Looked,
    Machine,
    Site,
)

__all__ = ["Work", "plan"]

_PORT = 6443


@dataclass
class Work:
    """What a machine gets: every file with its text, and ``todo``, the reasons to touch it at all."""

    host: str
    role: str
    unit: str
    address: str
    node: str
    files: list[dict[str, str]] = field(default_factory=list)  # {path, text, mode}: those that differ
    registries: bool = False  # whether registries.yaml is to be written; its text, which may hold passwords, isn't here
    absent: list[str] = field(default_factory=list)  # files that are there and shouldn't be
    images: list[dict[str, str]] = field(default_factory=list)
    binary: dict[str, str] = field(default_factory=dict)  # {path, sha256} on the controller; empty: it stays
    previous: str = ""  # the version that a start which fails goes back to
    seed: bool = False  # the server whose tokens the others get
    tokens: bool = False  # whether token files are missing or not the seed's
    restart: bool = False
    backup: bool = False  # whether what runs now is kept aside first
    back: bool = False  # whether there is something to go back to
    needed_by: str = ""  # why it mustn't be stopped: the servers without which etcd would stand still; empty: it may be
    certificates_end: str = ""  # the first end of K3s's own certificates there
    certificates_due: bool = False
    todo: list[str] = field(default_factory=list)


def plan(site: Site, looked: Mapping[str, Looked]) -> dict[str, Any]:
    """``{findings, warnings, lost, seed, api, cold, machines}``, of plain types; ``machines`` in the order of the work.

    ``findings`` block everything. ``lost`` are machines that gave no answer; the others are worked on as long as a
    server is among them that runs the API, or that may begin it: where servers are lost, no new cluster is begun.
    ``cold`` are servers that have to be started together, for none of them would get ready without the others.
    """
    lost = [host for host, look in looked.items() if look.unreachable]
    judged = judge(site, looked)
    seed = _seed(site, looked)
    found: dict[str, Any] = {
        "findings": [str(each) for each in judged if each.blocks],
        "warnings": [str(each) for each in judged if not each.blocks],
        "lost": {host: looked[host].why for host in lost},
        "seed": seed.host if seed else "",
        "api": "",
        "cold": [],
        "machines": [],
    }
    if seed is None or looked[seed.host].facts is None or found["findings"]:
        return found
    found["api"] = f"https://{_outside(seed, looked)}:{_PORT}"
    order = [seed, *(one for one in site.machines if one.role == "server" and one != seed)]
    order += [one for one in site.machines if one.role == "agent"]
    works = [_work(site, one, looked, seed) for one in order if looked[one.host].facts is not None]
    found["findings"] = [str(each) for each in _stops(works)]
    found["cold"] = _cold(site, works, looked)
    for work in works:
        # It is started with the files that it has, so others need another start.
        work.restart = work.restart or (work.host in found["cold"] and len(work.todo) > 1)
    found["machines"] = [] if found["findings"] else [asdict(work) for work in works]
    return found


def _seed(site: Site, looked: Mapping[str, Looked]) -> Machine | None:
    """The server that the others join: the first that has a cluster, or else the first of all.

    None where one that gives no answer may have the cluster: beginning another beside it would split the site.
    """
    running = [one for one in site.servers if looked[one.host].k3s.get("initialised")]
    if running:
        return running[0]
    return None if any(looked[one.host].facts is None for one in site.servers) else site.servers[0]


def _address(machine: Machine, looked: Mapping[str, Looked]) -> str:
    facts = looked[machine.host].facts
    return machine.address or str((facts or {}).get("address", ""))


def _outside(machine: Machine, looked: Mapping[str, Looked]) -> str:
    return machine.external_address or _address(machine, looked)


def _members(site: Site, looked: Mapping[str, Looked]) -> list[Machine]:
    """The servers that have the cluster, or may have it and don't answer."""
    return [one for one in site.servers if looked[one.host].facts is None or looked[one.host].k3s["initialised"]]


def _active(machine: Machine, looked: Mapping[str, Looked]) -> bool:
    return looked[machine.host].facts is not None and looked[machine.host].k3s["units"]["server"]["active"] == "active"


def _needed_by(site: Site, machine: Machine, looked: Mapping[str, Looked]) -> str:
    """Which lost servers leave etcd without most of its members if this one is stopped, too; empty if it may be.

    Servers that answer aren't counted as lost whatever they do: they are started and finished by the same run.
    """
    members = _members(site, looked)
    lost = [one.host for one in members if looked[one.host].facts is None]
    stays = len(members) - len(lost) - 1
    return ", ".join(lost) if machine in members and lost and stays < len(members) // 2 + 1 else ""


def _stops(works: Sequence[Work]) -> list[Finding]:
    """Restarts that would leave a site without its API as long as another server is lost."""
    do = "bring it back, or delete its node and put another machine into its place; then run this again"
    return [
        Finding(work.host, "quorum", f"it needs a restart ({'; '.join(work.todo)}), and etcd would stand still "
                f"without it while {work.needed_by} gives no answer", do)
        for work in works
        if work.restart and work.needed_by
    ]  # fmt: skip


def _cold(site: Site, works: Sequence[Work], looked: Mapping[str, Looked]) -> list[str]:
    """Servers that have the cluster and don't run, where those that run aren't most of etcd's members."""
    members = _members(site, looked)
    running = sum(_active(one, looked) for one in members)
    if len(members) == 1 or running > len(members) // 2:
        return []
    down = {one.host for one in members if looked[one.host].facts is not None and not _active(one, looked)}
    return [work.host for work in works if work.host in down]


def _join(site: Site, machine: Machine, looked: Mapping[str, Looked], seed: Machine) -> str:
    """The URL that a machine joins by; empty for the server that begins.

    A server that is in its cluster keeps what it has: K3s reads it at the first start only (with an etcd on its disk it
    joins nobody), so another one later would be a restart for nothing. An agent keeps it as long as it may be a
    server's: of one that gives no answer the address may not be known.
    """
    k3s = looked[machine.host].k3s
    have = str(k3s.get("server", ""))
    if machine.role == "server" and k3s.get("initialised"):
        return have
    if machine == seed:
        return ""
    addresses = [_address(one, looked) for one in site.servers if one != machine]
    known = have in [f"https://{address}:{_PORT}" for address in addresses]
    return have if have and (known or "" in addresses) else f"https://{_address(seed, looked)}:{_PORT}"


def _work(site: Site, machine: Machine, looked: Mapping[str, Looked], seed: Machine) -> Work:
    look = looked[machine.host]
    facts, k3s = look.facts or {}, look.k3s
    adopted = bool(k3s["owner"].get("adopted", not k3s["owner"] and bool(k3s["role"])))
    work = Work(
        host=machine.host, role=machine.role, unit=paths.UNITS[machine.role], address=_address(machine, looked),
        node=facts["hostname"].lower(), seed=machine == seed, previous=k3s["version"],
    )  # fmt: skip
    _files(work, site, machine, k3s, _join(site, machine, looked, seed), adopted)
    _binary(work, site, facts, k3s)
    architecture = ARCHITECTURES[facts["architecture"]]
    _images(work, [each for each in site.images if each.architecture in ("", architecture)], k3s)
    _tokens(work, k3s, looked[seed.host].k3s, adopted)
    unit = k3s["units"][machine.role]
    if k3s["pending"]:
        work.todo.append("finish what an earlier run began")
    work.restart = bool(work.todo) and unit["active"] == "active"
    work.backup = work.restart and not k3s["pending"]  # else what lies aside is what ran last
    work.back = work.backup or paths.BINARY + paths.PREVIOUS in k3s["digests"]
    if unit["file"] and unit["active"] != "active":
        work.todo.append(f"start {work.unit}, which is {unit['active'] or 'not running'}")
    elif unit["file"] and unit["enabled"] != "enabled":
        work.todo.append(f"enable {work.unit}")
    work.needed_by = _needed_by(site, machine, looked)
    work.certificates_end = str(k3s["certificates_end"] or "")
    work.certificates_due = bool(site.renew_until) and "" < work.certificates_end < site.renew_until
    return work


def _files(work: Work, site: Site, machine: Machine, k3s: Mapping[str, Any], join: str, adopted: bool) -> None:
    digests = k3s["digests"]
    wanted = {
        paths.CONFIG: (files.configuration(site, machine, work.address, join), "0600"),
        paths.unit_file(machine.role): (site.units.get(machine.role, ""), "0644"),
    }
    for path, (text, mode) in wanted.items():
        if text and digests.get(path) != files.digest(text):
            work.files.append({"path": path, "text": text, "mode": mode})
            work.todo.append(f"{'change' if path in digests else 'write'} {path}")
    have = digests.get(paths.REGISTRIES, "")
    if have != site.registries_digest:
        work.registries = bool(site.registries_digest)
        work.absent += [] if work.registries else [paths.REGISTRIES]
        verb = "remove" if not work.registries else "change" if have else "write"
        work.todo.append(f"{verb} {paths.REGISTRIES}")
    if not k3s["owner"]:
        work.files.append({"path": paths.MARKER, "text": files.marker(site, adopted), "mode": "0644"})
        if adopted:
            work.todo.append(f"take over the K3s {k3s['version']} that is there")


def _binary(work: Work, site: Site, facts: Mapping[str, Any], k3s: Mapping[str, Any]) -> None:
    wanted = str(site.settings["version"])
    release = site.release.get(ARCHITECTURES[facts["architecture"]])
    have = k3s["digests"].get(paths.BINARY)
    # Without a release at hand (check mode on an empty cache) the version that the program says must do.
    if (release and have == release["sha256"]) or (not release and k3s["version"] == wanted):
        return
    work.binary = dict(release or {})
    if k3s["version"] and k3s["version"] != wanted:
        work.todo.append(f"upgrade K3s from {k3s['version']} to {wanted}")
    else:
        work.todo.append(
            f"install K3s {wanted}" if have is None else f"replace a K3s that isn't the published {wanted}"
        )


def _images(work: Work, images: Sequence[Image], k3s: Mapping[str, Any]) -> None:
    for image in images:
        place = f"{paths.IMAGES}/{image.name}"
        if k3s["digests"].get(place) != image.sha256:
            work.images.append({"src": image.path, "dest": place})
            work.todo.append(f"bring the images {image.name}")


def _tokens(work: Work, k3s: Mapping[str, Any], seed: Mapping[str, Any], adopted: bool) -> None:
    """Whether the token files that config.yaml names are to be written: missing, or not those of the seed."""
    digests, theirs = k3s["digests"], seed["digests"]
    wanted = {"server": paths.SERVER_TOKEN, "agent": paths.AGENT_TOKEN}
    roles = ["server", "agent"] if work.role == "server" else ["agent"]
    for role in roles:
        have = digests.get(paths.TOKEN_FILES[role])
        right = theirs.get(wanted[role])
        # A server that is in its cluster has shown its token once and for all.
        differs = right is not None and have != right and not (work.seed or k3s["initialised"])
        work.tokens = work.tokens or have is None or differs
    if work.tokens:
        work.todo.append("write its token" if not adopted else "keep its token in a file")
