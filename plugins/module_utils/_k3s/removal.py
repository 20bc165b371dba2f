# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""K3s taken off a machine, with everything that it left in the kernel and on the disk (used by `k3s_removed`).

The order is that of K3s's own scripts for it: first what runs, then what is mounted, then the network, then the files.
Everything is found by looking, so a removal that was cut off is finished by the next one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.module_utils._k3s.machine import Machine

__all__ = ["Removal"]

# Rules that Kubernetes and the CNI plugins made, by the chains that they jump to or stand in.
_RULE = re.compile(r"\b(KUBE-|CNI-|FLANNEL-)")
_MOUNTS = ("/run/k3s", "/var/lib/rancher/k3s", "/var/lib/kubelet/", "/run/netns/cni-")
# Processes of pods outlive K3s: their shims stand in its own directory, or name its socket.
_SHIM = re.compile(r"containerd-shim[^ ]* .*-address (/run/k3s/|/var/lib/rancher/k3s/)|^/var/lib/rancher/k3s/data/")
_GRACE = 10.0


class Removal:
    """One machine's removal: ``found`` lists what there is, ``remove()`` takes it away."""

    def __init__(self, machine: Machine, sleep: Callable[[float], None] = time.sleep) -> None:
        self.machine = machine
        self.root = machine.root
        self.sleep = sleep

    def allowed(self, mesh: str, site: str) -> bool:
        """Whether this K3s is ours to delete; False for one that was taken over, or where there is none.

        Raises MeshError for another mesh's, and for one of nobody we know.
        """
        owner = self.machine.owner()
        if owner and (owner.get("mesh"), owner.get("site")) != (mesh, site):
            why = f"it belongs to site {owner.get('site')} of mesh {owner.get('mesh')}"
            raise MeshError("the K3s on this machine isn't removed", site=site, why=why)
        if owner:
            return not owner.get("adopted")
        if self.machine.there(paths.BINARY) and self._units():
            why = "nothing says that this collection installed it"
            raise MeshError(
                "the K3s on this machine isn't removed", site=site, why=why, hint="uninstall it by its own script"
            )
        return False

    def found(self) -> list[str]:
        """What of K3s is on the machine, one line a thing, without changing it."""
        return [
            *(f"unit {name}" for name in self._units()),
            *(f"process {pid}" for pid in self._processes()),
            *(f"mount {place}" for place in self._mounts()),
            *(f"interface {name}" for name in self._links()),
            *(f"rules of {table}" for table in self._rules()),
            *(f"network namespace {name}" for name in self._namespaces()),
            *(f"file {place}" for place in (*paths.STATIC, *self._aside()) if self._there(place)),
            *(f"directory {place}" for place in paths.TREES if self._there(place)),
        ]

    def remove(self) -> None:
        """Take it all away, the directory with our mark last: until then the next run knows whose it is."""
        for name in self._units():
            self._run("systemctl", "disable", "--now", name)
        self._end_processes()
        for place in sorted(self._mounts(), reverse=True):
            self._run("umount", "--lazy", place)
        for name in self._namespaces():
            self._run("ip", "netns", "delete", name)
        for name in self._links():
            self._run("ip", "link", "delete", name)
        for table in self._rules():
            self._clean(table)
        for name in paths.UNITS:
            self._unlink(paths.unit_file(name))
        for place in (*paths.STATIC, *self._aside()):
            self._unlink(place)
        self._run("systemctl", "daemon-reload")
        self._run("systemctl", "reset-failed", *(f"{unit}.service" for unit in paths.UNITS.values()))
        for place in sorted(paths.TREES, key=lambda tree: tree == os.path.dirname(paths.MARKER)):
            shutil.rmtree(self._at(place), ignore_errors=True)
        for place in paths.PARENTS:
            with contextlib.suppress(OSError):  # somebody else's things may be in it
                self._at(place).rmdir()

    # --- looking ---

    def _at(self, place: str) -> Path:
        return self.root / place.lstrip("/")

    def _there(self, place: str) -> bool:
        return os.path.lexists(self._at(place))

    def _aside(self) -> list[str]:
        return [paths.unit_file(role) + paths.PREVIOUS for role in paths.UNITS]

    def _units(self) -> list[str]:
        return [unit for role, unit in paths.UNITS.items() if self._there(paths.unit_file(role))]

    def _processes(self) -> list[int]:
        """The shims of pods, and all that descends from them."""
        parents, found = {}, []
        for process in self._at("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                # The name may hold anything, brackets and spaces too: what counts stands behind its last bracket.
                parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if _SHIM.search(words):
                found.append(int(process.name))
        grown = True
        while grown:
            below = [pid for pid, parent in parents.items() if parent in found and pid not in found]
            found += below
            grown = bool(below)
        return sorted(found)

    def _mounts(self) -> list[str]:
        rows = [line.split() for line in self.machine.text("proc/self/mounts").splitlines()]
        return [row[1].replace("\\040", " ") for row in rows if len(row) > 1 and row[1].startswith(_MOUNTS)]

    def _links(self) -> list[str]:
        there = {path.name for path in self._at("/sys/class/net").glob("*")}
        # What hangs on the pods' bridge goes with it.
        bridged = {path.name for path in self._at("/sys/class/net/cni0/brif").glob("*")}
        return sorted(there & ({*paths.LINKS} | bridged))

    def _namespaces(self) -> list[str]:
        return sorted(path.name for path in self._at("/run/netns").glob("cni-*"))

    def _rules(self) -> list[str]:
        """The programs whose tables hold Kubernetes' rules."""
        return [name for name in ("iptables", "ip6tables") if _RULE.search(self._run(f"{name}-save"))]

    # --- doing ---

    def _run(self, *words: str, data: str = "") -> str:
        return self.machine.run(list(words), data=data)[1] if data else self.machine.run(list(words))[1]

    def _clean(self, table: str) -> None:
        kept = [line for line in self._run(f"{table}-save").splitlines() if not _RULE.search(line)]
        self._run(f"{table}-restore", data="\n".join(kept) + "\n")

    def _end_processes(self) -> None:
        for what in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._processes():
                try:
                    os.kill(pid, what)
                except OSError:
                    continue
            waited = 0.0
            while self._processes() and waited < _GRACE:
                self.sleep(0.5)
                waited += 0.5

    def _unlink(self, place: str) -> None:
        if self._there(place):
            os.unlink(self._at(place))
