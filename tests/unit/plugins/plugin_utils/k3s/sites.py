# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A K3s site of one server and one agent, and machines as they say they are (used by the tests of this folder)."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import load_schema
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s import files
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import Looked, Machine, Site

VERSION = "v1.36.3+k3s1"
RELEASE = {"amd64": {"path": "/cache/k3s", "sha256": "new"}}
_UNIT = {"file": False, "active": "", "enabled": "", "since": ""}


def settings(**changes: Any) -> dict[str, Any]:
    """The defaults of the inventory's schema."""
    prefix = "edge_mesh_k3s_"
    found = {
        name.removeprefix(prefix): entry["default"]
        for name, entry in load_schema().items()
        if name.startswith(prefix) and entry["scope"] == "site"
    }
    return {**found, "version": VERSION, **changes}


def site(*machines: tuple[str, str], **changes: Any) -> Site:
    """A site of these machines (host, role); changes are settings, or fields of the site."""
    fields = {name: changes.pop(name) for name in list(changes) if name in Site.__dataclass_fields__}
    chosen = machines or (("one", "server"), ("two", "agent"))
    return Site(
        name="shop", mesh="m", machines=tuple(Machine(host, role) for host, role in chosen),
        settings=settings(**changes), **{"units": {"server": "S", "agent": "A"}, "release": RELEASE, **fields},
    )  # fmt: skip


def clean(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The facts of a machine without K3s."""
    facts = {
        "architecture": "x86_64", "hostname": f"machine-{number}", "address": f"192.0.2.{number}", "memory_mib": 4000,
        "disk_free_mib": {paths.DATA: 9000, paths.BINARY: 9000}, "clock_offset": 0.5, "clock_slack": 1.0,
        "cgroup_version": 2,
        "cgroup_controllers": ["cpu", "cpuset", "memory", "pids"], "modules_missing": [], "swap": False,
        "selinux": "off",
        "apparmor_without_parser": False, "firewall": [], "systemd": True, "ports_taken": {},
        "k3s": {
            "binary": "", "version": "", "role": "", "units": {"server": _UNIT, "agent": _UNIT}, "owner": {},
            "pending": False,
            "digests": {}, "server": "", "initialised": False, "certificates_end": None, "left": [],
        },
    }  # fmt: skip
    return {**copy.deepcopy(facts), **changes}


def installed(wanted: Site, host: str, number: int, join: str = "", version: str = VERSION) -> dict[str, Any]:
    """The facts of a machine exactly as the site wants it."""
    machine = next(each for each in wanted.machines if each.host == host)
    facts = clean(number)
    unit = {"file": True, "active": "active", "enabled": "enabled", "since": "1"}
    config = files.configuration(wanted, machine, facts["address"], join)
    digests = {
        paths.BINARY: "new", paths.CONFIG: files.digest(config),
        paths.unit_file(machine.role): files.digest(wanted.units[machine.role]),
        paths.TOKEN_FILES["agent"]: "agent token",
        **{f"{paths.IMAGES}/{each.name}": each.sha256 for each in wanted.images},
    }  # fmt: skip
    if machine.role == "server":
        digests |= {
            paths.TOKEN_FILES["server"]: "mine", paths.SERVER_TOKEN: "full", paths.AGENT_TOKEN: "agent token",
        }  # fmt: skip
    facts["k3s"] |= {
        "binary": paths.BINARY, "version": version, "role": machine.role, "digests": digests, "server": join,
        "units": {**facts["k3s"]["units"], machine.role: unit},
        "owner": {"mesh": "m", "site": "shop", "adopted": False},
        "initialised": machine.role == "server",
    }  # fmt: skip
    return facts


def running(wanted: Site) -> dict[str, Looked]:
    """What looking at a site says that is as it should be: the first machine is the server that began it."""
    first = wanted.machines[0].host
    found = {}
    for number, machine in enumerate(wanted.machines, 1):
        join = "" if machine.host == first else "https://192.0.2.1:6443"
        found[machine.host] = Looked(machine.host, installed(wanted, machine.host, number, join))
    return found
