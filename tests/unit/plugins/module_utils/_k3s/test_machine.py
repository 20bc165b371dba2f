# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine read from a file system that a test lays out."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.module_utils._k3s.machine import Machine, certificates_end
from tests.certificates import make


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


class Programs:
    """Answers of the programs that a machine is asked by: the first word of a command, or all of it."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = answers

    def __call__(self, words: list[str], data: str = "") -> tuple[int, str, str]:
        rc, text = self.answers.get(words[0].rpartition("/")[2], (1, ""))
        return rc, text, ""


def machine(root: Path, **answers: tuple[int, str]) -> Machine:
    return Machine(Programs(**answers), str(root))


def test_a_bare_machine_is_read_without_failing(tmp_path: Path) -> None:
    found = machine(tmp_path).facts(time.time(), [6443])
    assert found["memory_mib"] == 0
    assert found["modules_missing"] == ["br_netfilter", "overlay"]
    assert found["k3s"]["role"] == ""
    assert found["k3s"]["digests"] == {}
    assert found["ports_taken"] == {}
    assert abs(found["clock_offset"]) < 30


def test_the_clock_is_compared_with_the_controllers(tmp_path: Path) -> None:
    assert machine(tmp_path).facts(time.time() - 600, [])["clock_offset"] == pytest.approx(600, abs=30)


def test_memory_swap_modules_and_controllers_are_the_kernels(tmp_path: Path) -> None:
    lay(tmp_path, {
        "proc/meminfo": "MemTotal:        2048000 kB\nMemFree: 1 kB\n", "proc/swaps": "Filename\n/swap file 1 0 -2\n",
        "proc/filesystems": "nodev\toverlay\n", "proc/sys/net/bridge/bridge-nf-call-iptables": "1",
        "proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nmemory\t0\t1\t0\n",
    })  # fmt: skip
    found = machine(tmp_path).facts(0, [])
    assert found["memory_mib"] == 2000
    assert found["swap"] is True
    assert found["modules_missing"] == []
    assert (found["cgroup_version"], found["cgroup_controllers"]) == (1, ["cpu"])


def test_cgroup_v2_names_its_controllers_itself(tmp_path: Path) -> None:
    lay(tmp_path, {"sys/fs/cgroup/cgroup.controllers": "memory cpu pids\n"})
    found = machine(tmp_path).facts(0, [])
    assert (found["cgroup_version"], found["cgroup_controllers"]) == (2, ["cpu", "memory", "pids"])


def test_a_module_that_can_be_loaded_is_there(tmp_path: Path) -> None:
    assert machine(tmp_path, modprobe=(0, "")).facts(0, [])["modules_missing"] == []


def test_listeners_are_found_with_their_names(tmp_path: Path) -> None:
    header = "  sl  local_address rem_address   st\n"
    rows = [
        "0: 00000000:192B 00000000:0000 0A 0:0 0:0 0 0 0 77 1", "1: 0100007F:0016 00000000:0000 0A 0:0 0:0 0 0 0 78 1",
        "2: 0100007F:280A 0100007F:1234 01 0:0 0:0 0 0 0 79 1",
    ]  # fmt: skip
    lay(tmp_path, {"proc/net/tcp": header + "\n".join(rows) + "\n", "proc/42/comm": "nginx\n"})
    (tmp_path / "proc/42/fd").mkdir()
    (tmp_path / "proc/42/fd/3").symlink_to("socket:[77]")
    assert machine(tmp_path).taken([6443, 10250]) == {"6443": "nginx"}


@pytest.mark.parametrize(("files", "state"), [
    ({}, "off"), ({"sys/fs/selinux/enforce": "0"}, "permissive"),
    ({"sys/fs/selinux/enforce": "1"}, "enforcing without policy"),
    ({"sys/fs/selinux/enforce": "1", "usr/share/selinux/packages/k3s.pp": ""}, "enforcing"),
])  # fmt: skip
def test_selinux(tmp_path: Path, files: dict[str, str], state: str) -> None:
    lay(tmp_path, files)
    assert machine(tmp_path).selinux() == state


@pytest.mark.parametrize(("conf", "found"), [("ENABLED=yes\n", ["firewalld", "ufw"]), ("ENABLED=no\n", ["firewalld"])])
def test_an_ufw_that_is_off_is_no_firewall_though_its_unit_is_active(
    tmp_path: Path, conf: str, found: list[str]
) -> None:
    lay(tmp_path, {"etc/ufw/ufw.conf": conf})
    assert machine(tmp_path, systemctl=(0, "active\n")).firewall() == found


def test_k3s_is_read_by_digests_and_without_its_secrets(tmp_path: Path) -> None:
    lay(tmp_path, {
        paths.BINARY: "program", paths.CONFIG: "server: 'https://192.0.2.1:6443'\ntoken-file: x\n",
        paths.TOKEN_FILES["agent"]: "very secret", paths.unit_file("agent"): "unit",
        paths.MARKER: json.dumps({"mesh": "m", "site": "shop", "adopted": False}), f"{paths.IMAGES}/a.tar": "images",
        paths.PENDING: "",
    })  # fmt: skip
    shown = "ActiveState=active\nUnitFileState=enabled\nActiveEnterTimestampMonotonic=5\n"
    found = machine(tmp_path, k3s=(0, "k3s version v1.36.3+k3s1 (abc)\ngo version go1\n"), systemctl=(0, shown)).k3s()
    assert found["role"] == "agent"
    assert found["server"] == "https://192.0.2.1:6443"
    assert found["owner"]["site"] == "shop"
    assert found["pending"] is True
    assert found["initialised"] is False
    assert found["units"]["agent"] == {"file": True, "active": "active", "enabled": "enabled", "since": "5"}
    assert found["digests"][f"{paths.IMAGES}/a.tar"] == hashlib.sha256(b"images").hexdigest()
    assert "very secret" not in json.dumps(found)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_mark_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    lay(tmp_path, {paths.MARKER: text})
    assert machine(tmp_path).owner() == {}


def test_the_first_certificate_that_ends_counts_and_cas_do_not(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ends = {days: now + timedelta(days=days) for days in (5, 100, 300)}
    made = {days: make("m", now=now, days=(-1, days)).pem.decode() for days in ends}
    lay(tmp_path, {
        f"{paths.DATA}/server/tls/client-admin.crt": made[300], f"{paths.DATA}/server/tls/server-ca.crt": made[5],
        f"{paths.DATA}/agent/serving-kubelet.crt": made[100] + made[5],
    })  # fmt: skip
    assert machine(tmp_path).certificates_end() == ends[100].strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_has_no_end(text: str) -> None:
    assert certificates_end([text]) is None
