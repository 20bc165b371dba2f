# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine is like, and what of K3s is on it: read in one go, judged elsewhere (used by `k3s_machine_info`).

Runs on the machine itself, so it needs nothing but Python. ``root`` is where the file system begins.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths

__all__ = ["Machine", "certificates_end"]

Run = Callable[..., "tuple[int, str, str]"]

# DER of a certificate's validity: a sequence of two UTCTime, or GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5).
_VALIDITY = re.compile(rb"\x30\x1e\x17\x0d\d{12}Z\x17\x0d(\d{12})Z")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_MODULES = ("br_netfilter", "overlay")
# Where a module shows once it is in the kernel, loaded or built in.
_SHOWS = {"br_netfilter": "proc/sys/net/bridge/bridge-nf-call-iptables", "overlay": ""}


class Machine:
    """A machine seen through its file system and a few programs; nothing here changes it."""

    def __init__(self, run: Run, root: str = "/") -> None:
        self.run = run
        self.root = Path(root)

    def facts(self, controller_time: float, ports: Iterable[int]) -> dict[str, Any]:
        """Everything that preflight and the plan ask; digests instead of contents where those are secret.

        ``controller_time`` is the controller's clock in seconds since 1970.
        """
        offset = time.time() - controller_time
        return {
            "architecture": os.uname().machine,
            "hostname": socket.gethostname(),
            "address": self.address(),
            "memory_mib": self.memory(),
            "disk_free_mib": {place: self.free(place) for place in (paths.DATA, paths.BINARY)},
            "clock_offset": round(offset, 1),
            "asked_at": controller_time,
            "cgroup_version": 2 if self.there("sys/fs/cgroup/cgroup.controllers") else 1,
            "cgroup_controllers": self.controllers(),
            "modules_missing": [name for name in _MODULES if not self.has_module(name)],
            "swap": len(self.text("proc/swaps").splitlines()) > 1,
            "selinux": self.selinux(),
            "apparmor_without_parser": self.text("sys/module/apparmor/parameters/enabled").startswith("Y")
            and shutil.which("apparmor_parser", path="/sbin:/usr/sbin:/bin:/usr/bin") is None,
            "firewall": self.firewall(),
            "systemd": self.there("run/systemd/system"),
            "ports_taken": self.taken(ports),
            "k3s": self.k3s(),
        }

    # --- the machine ---

    def there(self, path: str) -> bool:
        """Whether there is such a file or directory."""
        return (self.root / path.lstrip("/")).exists()

    def text(self, path: str) -> str:
        """A small file's text; empty where it can't be read."""
        try:
            return (self.root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def address(self) -> str:
        """The machine's own address on its default route; empty without one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # no packet is sent: the kernel only chooses a source
            except OSError:
                return ""
            return str(probe.getsockname()[0])

    def memory(self) -> int:
        """Memory in MiB."""
        found = re.search(r"^MemTotal:\s+(\d+) kB", self.text("proc/meminfo"), re.MULTILINE)
        return int(found[1]) // 1024 if found else 0

    def free(self, place: str) -> int:
        """MiB that are free where ``place`` is or will be."""
        path = self.root / place.lstrip("/")
        while not path.exists():
            path = path.parent
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize // (1 << 20)

    def controllers(self) -> list[str]:
        """The cgroup controllers that are there, of either version."""
        unified = self.text("sys/fs/cgroup/cgroup.controllers").split()
        if unified:
            return sorted(unified)
        rows = [line.split() for line in self.text("proc/cgroups").splitlines() if not line.startswith("#")]
        return sorted(row[0] for row in rows if len(row) == 4 and row[3] == "1")

    def has_module(self, name: str) -> bool:
        """Whether a kernel module is loaded, built in, or can be loaded."""
        if name == "overlay" and "\toverlay" in self.text("proc/filesystems"):
            return True
        if self.there(f"sys/module/{name}") or (_SHOWS[name] and self.there(_SHOWS[name])):
            return True
        return self.run(["modprobe", "--dry-run", "--quiet", name])[0] == 0

    def selinux(self) -> str:
        """``enforcing``, ``permissive`` or ``off``; ``enforcing without policy`` where K3s's own policy is missing."""
        state = self.text("sys/fs/selinux/enforce").strip()
        if state != "1":
            return "permissive" if state == "0" else "off"
        policies = ("usr/share/selinux/packages/k3s.pp", "var/lib/selinux/targeted/active/modules/200/k3s")
        return "enforcing" if any(self.there(path) for path in policies) else "enforcing without policy"

    def firewall(self) -> list[str]:
        """The firewalls that are active."""
        return [name for name in ("firewalld", "ufw") if self.active(name) == "active" and self._closes(name)]

    def _closes(self, name: str) -> bool:
        return name != "ufw" or "ENABLED=yes" in self.text("etc/ufw/ufw.conf")

    def active(self, unit: str) -> str:
        """systemd's word for a unit's state."""
        return self.run(["systemctl", "is-active", unit])[1].strip() or "unknown"

    def taken(self, ports: Iterable[int]) -> dict[str, str]:
        """Which of these TCP ports somebody listens on, and who, as far as /proc tells."""
        wanted = set(ports)
        found: dict[str, str] = {}
        for table in ("proc/net/tcp", "proc/net/tcp6"):
            for row in self.text(table).splitlines()[1:]:
                fields = row.split()
                port = int(fields[1].rpartition(":")[2], 16)
                if fields[3] == "0A" and port in wanted:
                    found.setdefault(str(port), self._owner(fields[9]))
        return found

    def _owner(self, inode: str) -> str:
        for process in (self.root / "proc").glob("[0-9]*"):
            try:
                if any(os.readlink(each) == f"socket:[{inode}]" for each in (process / "fd").iterdir()):
                    return (process / "comm").read_text().strip()
            except OSError:
                continue
        return "unknown"

    # --- K3s ---

    def k3s(self) -> dict[str, Any]:
        """What of K3s is here: versions, units, digests of files, how it joined, its certificates."""
        # A link at our place would be somebody's own arrangement; its target is what counts.
        binary = next((place for place in (paths.BINARY, "/usr/bin/k3s", "/opt/bin/k3s") if self.there(place)), "")
        said = self.run([binary, "--version"])[1] if binary == paths.BINARY else ""
        units = {role: self.unit(role) for role in paths.UNITS}
        config = self.text(paths.CONFIG)
        return {
            "binary": binary,
            "version": next(iter(re.findall(r"k3s version (\S+)", said)), ""),
            "role": next((role for role, unit in units.items() if unit["file"]), ""),
            "units": units,
            "owner": self.owner(),
            "pending": self.there(paths.PENDING),
            "digests": self.digests([
                paths.BINARY, paths.BINARY + paths.PREVIOUS, paths.CONFIG, paths.REGISTRIES,
                *map(paths.unit_file, paths.UNITS),
                *paths.TOKEN_FILES.values(), paths.SERVER_TOKEN, paths.AGENT_TOKEN,
                *(f"{paths.IMAGES}/{file.name}" for file in sorted((self.root / paths.IMAGES[1:]).glob("*"))),
            ]),
            "server": next(iter(re.findall(r"^server: *['\"]?([^'\"\n]+)", config, re.MULTILINE)), ""),
            "initialised": self.there(paths.SERVER_TOKEN) and self.there(f"{paths.DATA}/server/tls"),
            "certificates_end": self.certificates_end(),
            "left": [place for place in paths.TREES if self.there(place)],
        }  # fmt: skip

    def unit(self, role: str) -> dict[str, Any]:
        """Whether a role's unit is there, and how systemd says it is."""
        name = paths.UNITS[role]
        if not self.there(paths.unit_file(role)):
            return {"file": False, "active": "", "enabled": "", "since": ""}
        said = self.run(
            ["systemctl", "show", name, "--property=ActiveState,UnitFileState,ActiveEnterTimestampMonotonic"]
        )
        shown = dict(line.partition("=")[::2] for line in said[1].splitlines())
        return {
            "file": True, "active": shown.get("ActiveState", ""), "enabled": shown.get("UnitFileState", ""),
            "since": shown.get("ActiveEnterTimestampMonotonic", ""),
        }  # fmt: skip

    def owner(self) -> dict[str, Any]:
        """What our marker says: mesh, site, and whether K3s was here before; empty without one."""
        try:
            found = json.loads(self.text(paths.MARKER) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def digests(self, files: Iterable[str]) -> dict[str, str]:
        """SHA-256 of the files that are there."""
        found = {}
        for name in files:
            digest = hashlib.sha256()
            try:
                with (self.root / name.lstrip("/")).open("rb") as source:
                    for chunk in iter(lambda: source.read(1 << 20), b""):
                        digest.update(chunk)
            except OSError:
                continue
            found[name] = digest.hexdigest()
        return found

    def certificates_end(self) -> str | None:
        """The first end of K3s's own certificates but for the CAs, as the API writes times; None without any."""
        data = self.root / paths.DATA.lstrip("/")
        files = [*data.glob("server/tls/**/*.crt"), *data.glob("agent/*.crt"), *data.glob("agent/pki/*.crt")]
        texts = [
            self.text(str(file.relative_to(self.root)))
            for file in files
            if "-ca" not in file.stem and file.stem != "ca"
        ]
        return certificates_end(texts)


def certificates_end(texts: Iterable[str]) -> str | None:
    """When the first of the certificates in these PEM texts ends; a text's first certificate is its own."""
    ends = []
    for text in texts:
        found = _PEM.search(text)
        validity = _VALIDITY.search(base64.b64decode(found[1])) if found else None
        if validity:
            ends.append(time.strptime(validity[1].decode(), "%y%m%d%H%M%S"))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", min(ends)) if ends else None
