# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether machines can run K3s as the inventory wants it: every finding at once, each with what to do (pure).

What K3s asks of a machine is from its documentation (docs.k3s.io/installation/requirements).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import ARCHITECTURES, Looked, Machine, Site

__all__ = ["Finding", "judge", "minor"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VERSION = re.compile(r"v1\.(\d+)\.(\d+)")
# cgroup controllers without which the kubelet doesn't start.
_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
# From this minor version on the kubelet refuses cgroup v1 unless it is told otherwise.
_REFUSES_CGROUP_V1 = 35
_ALLOWS_CGROUP_V1 = re.compile(r"fail-cgroupv1=false", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something about a machine: ``blocks`` says that K3s can't be installed or changed as long as it is so."""

    host: str
    check: str
    problem: str
    do: str
    blocks: bool = True

    def __str__(self) -> str:
        return f"{self.host}: {self.problem} ({self.do})"


def judge(site: Site, looked: Mapping[str, Looked]) -> list[Finding]:
    """Everything that is to be said of a site's machines; those that gave no answer are judged by :func:`lost`."""
    found: list[Finding] = []
    for machine in site.machines:
        look = looked[machine.host]
        if look.facts is None:
            if not look.unreachable:
                found.append(Finding(machine.host, "connection", f"it can't be read: {look.why}", _advice(look.why)))
            continue
        for check in _CHECKS:
            found += check(site, machine, look.facts)
        found += _k3s(site, machine, look)
    return found + _twice(site, looked)


def _advice(why: str) -> str:
    low = why.lower()
    if "sudo" in low or "privilege" in low or "become" in low:
        return "let its user become root without a password, or give ansible_become_password"
    if "interpreter" in low or "python" in low:
        return "install Python 3.9 or newer on it, or set ansible_python_interpreter"
    return "see what Ansible says with -vvv"


Facts = Mapping[str, Any]


def _system(_site: Site, machine: Machine, facts: Facts) -> Iterable[Finding]:
    if facts["architecture"] not in ARCHITECTURES:
        yield Finding(machine.host, "architecture", f"it is {facts['architecture']}, for which K3s has no release",
                      f"use a machine that is one of {', '.join(ARCHITECTURES)}")  # fmt: skip
    if not facts["systemd"]:
        yield Finding(machine.host, "systemd", "systemd doesn't run it", "use a machine with systemd")
    if not (machine.address or facts["address"]):
        yield Finding(machine.host, "address", "it has no default route to tell its address by",
                      "set edge_mesh_k3s_address for it")  # fmt: skip
    if not _NAME.fullmatch(facts["hostname"].lower()) or facts["hostname"].lower() == "localhost":
        yield Finding(machine.host, "hostname", f"its own name {facts['hostname']!r} can't be a node's",
                      "give it a name of small letters, digits and - (hostnamectl set-hostname)")  # fmt: skip


def _size(site: Site, machine: Machine, facts: Facts) -> Iterable[Finding]:
    wanted = int(site.settings[f"min_memory_{machine.role}"])
    if facts["memory_mib"] < wanted:
        have = facts["memory_mib"]
        yield Finding(machine.host, "memory", f"it has {have} MiB of memory, a {machine.role} needs {wanted}",
                      f"use a larger machine, or lower edge_mesh_k3s_min_memory_{machine.role}")  # fmt: skip
    wanted = int(site.settings["min_disk"])
    if facts["k3s"]["version"]:
        return  # what is installed has its room; what an upgrade needs is seen when it is copied
    for place, free in facts["disk_free_mib"].items():
        if free < (wanted if place.startswith("/var") else min(wanted, 256)):
            yield Finding(machine.host, "disk", f"{free} MiB are free at {place}, {wanted} are needed",
                          "make room there, or lower edge_mesh_k3s_min_disk")  # fmt: skip


def _kernel(site: Site, machine: Machine, facts: Facts) -> Iterable[Finding]:
    missing = [name for name in _CONTROLLERS if name not in facts["cgroup_controllers"]]
    if missing:
        yield Finding(machine.host, "cgroups", f"cgroup controllers are missing: {', '.join(missing)}",
                      "enable them on the kernel's command line (cgroup_enable=memory, say) and reboot")  # fmt: skip
    allowed = any(_ALLOWS_CGROUP_V1.search(str(word)) for word in site.settings["kubelet_args"])
    if facts["cgroup_version"] == 1 and minor(site.settings["version"]) >= _REFUSES_CGROUP_V1 and not allowed:
        yield Finding(machine.host, "cgroups", "it has cgroup v1, which the kubelet of this version refuses",
                      "switch it to cgroup v2, or put fail-cgroupv1=false into edge_mesh_k3s_kubelet_args")  # fmt: skip
    if facts["modules_missing"]:
        yield Finding(machine.host, "modules", f"kernel modules are missing: {', '.join(facts['modules_missing'])}",
                      "install the kernel's modules (linux-modules-extra, kernel-modules-extra)")  # fmt: skip


def _surroundings(site: Site, machine: Machine, facts: Facts) -> Iterable[Finding]:
    limit = float(site.settings["max_clock_offset"])
    # It is known to lie between the time when the machine was asked and the time when its answer was there.
    if facts["clock_offset"] < -limit or facts["clock_offset"] - facts["clock_slack"] > limit:
        way = "ahead of" if facts["clock_offset"] > 0 else "behind"
        yield Finding(machine.host, "clock", f"its clock is {abs(facts['clock_offset']):.0f} s {way} the controller's",
                      "set it by NTP: certificates and tokens would be refused")  # fmt: skip
    if facts["selinux"] == "enforcing without policy":
        yield Finding(machine.host, "selinux", "SELinux is enforcing and K3s's policy isn't installed",
                      "install k3s-selinux on it")  # fmt: skip
    if facts["apparmor_without_parser"]:
        yield Finding(machine.host, "apparmor", "AppArmor is on without apparmor_parser: no container could start",
                      "install the package apparmor")  # fmt: skip
    for name in facts["firewall"]:
        yield Finding(machine.host, "firewall", f"{name} is active",
                      f"see that it lets in {_ports(site, machine)} and the pods' networks", blocks=False)  # fmt: skip
    if facts["swap"]:
        yield Finding(machine.host, "swap", "swap is on: memory limits of pods don't hold",
                      "turn it off (swapoff -a, and its line in /etc/fstab)", blocks=False)  # fmt: skip


def _listens(site: Site, machine: Machine) -> list[int]:
    """The TCP ports that K3s listens on there; etcd has its own where there are several servers."""
    if machine.role == "agent":
        return [10250]
    return [*([2379, 2380] if len(site.servers) > 1 else []), 6443, 10250]


def _ports(site: Site, machine: Machine) -> str:
    """The same in words, with flannel's VXLAN."""
    return f"TCP {', '.join(map(str, _listens(site, machine)))} and UDP 8472"


def _taken(site: Site, machine: Machine, facts: Facts) -> Iterable[Finding]:
    if facts["k3s"]["role"]:
        return  # K3s itself listens there
    for port, who in facts["ports_taken"].items():
        if int(port) in _listens(site, machine):
            yield Finding(machine.host, "ports", f"port {port} is taken by {who}", "stop what listens there")


_CHECKS: tuple[Callable[[Site, Machine, Facts], Iterable[Finding]], ...] = (
    _system,
    _size,
    _kernel,
    _surroundings,
    _taken,
)


def _k3s(site: Site, machine: Machine, look: Looked) -> Iterable[Finding]:
    """What is to be said of a K3s that is there already."""
    k3s = look.k3s
    owner = k3s["owner"]
    if owner and (owner.get("mesh"), owner.get("site")) != (site.mesh, site.name):
        yield Finding(machine.host, "k3s", f"its K3s belongs to site {owner.get('site')} of mesh {owner.get('mesh')}",
                      "take it out there first (retire_site with edge_mesh_delete_cluster=true)")  # fmt: skip
        return
    if not owner and (k3s["role"] or k3s["binary"]) and not site.settings["adopt"]:
        said = f" {k3s['version']}" if k3s["version"] else ""
        yield Finding(machine.host, "k3s", f"a K3s{said} is there that this collection didn't install",
                      "uninstall it, or take it over with edge_mesh_k3s_adopt: true")  # fmt: skip
        return
    if k3s["role"] and k3s["role"] != machine.role:
        yield Finding(machine.host, "k3s", f"K3s is {k3s['role']} there and should be {machine.role}",
                      "remove it from the site first: K3s can't change a machine's role")  # fmt: skip
    yield from _step(site, machine, k3s["version"])


def _step(site: Site, machine: Machine, have: str) -> Iterable[Finding]:
    """Kubernetes goes one minor version up at a time, and never down."""
    want = str(site.settings["version"])
    now, then = minor(have), minor(want)
    if now < 0 or then < 0:
        return
    if then < now:
        yield Finding(machine.host, "version", f"it has K3s {have}, and {want} is older",
                      "data can't go back a minor version; set edge_mesh_k3s_version to what it has")  # fmt: skip
    elif then > now + 1:
        yield Finding(machine.host, "version", f"it has K3s {have}, and {want} skips a minor version",
                      f"set edge_mesh_k3s_version to a release of v1.{now + 1} first")  # fmt: skip


def _twice(site: Site, looked: Mapping[str, Looked]) -> list[Finding]:
    """Machines of one site that can't be told apart."""
    found, first = [], dict[tuple[str, str], str]()
    for machine in site.machines:
        facts = looked[machine.host].facts
        if facts is None:
            continue
        for what, value, do in (
            ("hostname", facts["hostname"].lower(), "give each machine its own (hostnamectl set-hostname)"),
            ("address", machine.address or facts["address"], "set edge_mesh_k3s_address for both"),
        ):
            other = first.setdefault((what, value), machine.host)
            if value and other != machine.host:
                found.append(Finding(machine.host, what, f"its {what} {value} is {other}'s too", do))
    return found


def minor(version: str) -> int:
    """The minor version of K3s's words for its versions (``v1.33.1+k3s1``: 33); -1 for other words."""
    found = _VERSION.match(str(version))
    return int(found[1]) if found else -1
