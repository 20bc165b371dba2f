# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What forbids K3s on a machine: each finding with what to do, and all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.judge import Finding, judge, minor
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import Looked, looked_of
from tests.unit.plugins.plugin_utils.k3s import sites


def findings(facts: dict[str, Any], role: str = "server", **changes: Any) -> list[Finding]:
    return judge(sites.site(("one", role), **changes), {"one": Looked("one", facts)})


def test_a_sound_machine_gives_no_finding() -> None:
    assert findings(sites.clean()) == []


@pytest.mark.parametrize(("changes", "check", "said", "do"), [
    ({"architecture": "riscv64"}, "architecture", "riscv64", "x86_64"),
    ({"systemd": False}, "systemd", "systemd doesn't run it", "systemd"),
    ({"address": ""}, "address", "no default route", "edge_mesh_k3s_address"),
    ({"hostname": "localhost"}, "hostname", "'localhost'", "hostnamectl"),
    ({"hostname": "a_b"}, "hostname", "'a_b'", "hostnamectl"),
    ({"memory_mib": 700}, "memory", "700 MiB of memory, a server needs 1800", "edge_mesh_k3s_min_memory_server"),
    ({"disk_free_mib": {paths.DATA: 100}}, "disk", "100 MiB are free at /var/lib", "edge_mesh_k3s_min_disk"),
    ({"cgroup_controllers": ["cpu", "cpuset", "pids"]}, "cgroups", "missing: memory", "cgroup_enable=memory"),
    ({"cgroup_version": 1}, "cgroups", "cgroup v1", "fail-cgroupv1=false"),
    ({"modules_missing": ["overlay"]}, "modules", "missing: overlay", "kernel-modules-extra"),
    ({"clock_offset": 600.0}, "clock", "600 s ahead of", "NTP"),
    ({"clock_offset": -600.0}, "clock", "600 s behind", "NTP"),
    ({"selinux": "enforcing without policy"}, "selinux", "SELinux is enforcing", "k3s-selinux"),
    ({"apparmor_without_parser": True}, "apparmor", "apparmor_parser", "apparmor"),
    ({"ports_taken": {"6443": "nginx"}}, "ports", "port 6443 is taken by nginx", "stop"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(changes: dict[str, Any], check: str, said: str, do: str) -> None:
    found = findings(sites.clean(**changes))
    assert [each.check for each in found] == [check]
    assert said in found[0].problem
    assert do in found[0].do
    assert found[0].blocks
    assert str(found[0]).startswith("one: ")


def test_etcd_needs_its_ports_where_there_are_several_servers() -> None:
    three = sites.site(("one", "server"), ("two", "server"), ("three", "server"), ("four", "agent"))
    facts = sites.clean(ports_taken={"2380": "etcd"}, firewall=["ufw"])
    looked = {host: Looked(host, sites.clean(number)) for number, host in enumerate(("one", "two", "three", "four"), 1)}
    found = judge(three, {**looked, "one": Looked("one", facts)})
    assert [each.check for each in found] == ["firewall", "ports"]
    assert "2379, 2380, 6443, 10250" in found[0].do
    assert "port 2380 is taken by etcd" in found[1].problem
    # an agent has no etcd, and a single server keeps its data in SQLite
    assert [
        each.check
        for each in judge(
            three, {**looked, "four": Looked("four", facts | {"address": "192.0.2.4", "hostname": "machine-4"})}
        )
    ] == ["firewall"]
    assert [each.check for each in findings(facts)] == ["firewall"]


@pytest.mark.parametrize("changes", [{"firewall": ["ufw"]}, {"swap": True}])
def test_what_may_be_meant_so_is_only_a_warning(changes: dict[str, Any]) -> None:
    assert [each.blocks for each in findings(sites.clean(**changes))] == [False]


def test_all_findings_of_all_machines_come_at_once() -> None:
    bad = {"memory_mib": 100, "clock_offset": 999.0, "modules_missing": ["overlay"]}
    looked = {"one": Looked("one", sites.clean(1, **bad)), "two": Looked("two", sites.clean(2, **bad))}
    found = judge(sites.site(), looked)
    assert sorted((each.host, each.check) for each in found) == [
        (host, check) for host in ("one", "two") for check in ("clock", "memory", "modules")
    ]


def test_an_agent_needs_less_and_does_not_mind_the_apis_port() -> None:
    assert findings(sites.clean(memory_mib=500, ports_taken={"6443": "nginx"}), role="agent") == []


def test_cgroup_v1_is_fine_for_an_older_kubelet_or_where_it_was_told() -> None:
    assert findings(sites.clean(cgroup_version=1), version="v1.34.1+k3s1") == []
    assert findings(sites.clean(cgroup_version=1), kubelet_args=["fail-cgroupv1=false"]) == []


@pytest.mark.parametrize(("offset", "slack", "wrong"), [
    (600.0, 3.0, True), (-600.0, 3.0, True), (45.0, 20.0, False), (45.0, 10.0, True), (-29.0, 0.0, False),
])  # fmt: skip
def test_a_slow_way_to_a_machine_is_not_taken_for_its_clock(offset: float, slack: float, wrong: bool) -> None:
    assert bool(findings(sites.clean(clock_offset=offset, clock_slack=slack))) is wrong


def test_k3s_itself_may_hold_its_ports_and_its_disk() -> None:
    wanted = sites.site(("one", "server"))
    facts = sites.installed(wanted, "one", 1)
    facts |= {"ports_taken": {"6443": "k3s-server"}, "disk_free_mib": {paths.DATA: 10}}
    assert judge(wanted, {"one": Looked("one", facts)}) == []


@pytest.mark.parametrize(("owner", "adopt", "said"), [
    ({}, False, "that this collection didn't install"),
    ({}, True, None),
    ({"mesh": "m", "site": "shop"}, False, None),
    ({"mesh": "other", "site": "shop"}, True, "belongs to site shop of mesh other"),
    ({"mesh": "m", "site": "inn"}, True, "belongs to site inn of mesh m"),
])  # fmt: skip
def test_a_k3s_that_is_there_is_adopted_or_refused(owner: dict[str, str], adopt: bool, said: str | None) -> None:
    wanted = sites.site(("one", "server"), adopt=adopt)
    facts = sites.installed(wanted, "one", 1)
    facts["k3s"]["owner"] = owner
    found = judge(wanted, {"one": Looked("one", facts)})
    assert [said in each.problem for each in found if said] == ([True] if said else [])
    assert bool(found) is bool(said)


@pytest.mark.parametrize(("have", "want", "said"), [
    ("v1.36.3+k3s1", "v1.36.4+k3s1", None),
    ("v1.36.3+k3s2", "v1.36.3+k3s1", None),
    ("v1.35.1+k3s1", "v1.36.3+k3s1", None),
    ("v1.34.1+k3s1", "v1.36.3+k3s1", "skips a minor version"),
    ("v1.36.3+k3s1", "v1.35.1+k3s1", "is older"),
])  # fmt: skip
def test_kubernetes_goes_up_one_minor_version_at_a_time(have: str, want: str, said: str | None) -> None:
    wanted = sites.site(("one", "server"), version=want)
    facts = sites.installed(wanted, "one", 1, version=have)
    found = judge(wanted, {"one": Looked("one", facts)})
    assert bool(found) is bool(said)
    assert all(str(said) in each.problem for each in found)


def test_an_agent_does_not_become_a_server() -> None:
    facts = sites.installed(sites.site(("one", "agent")), "one", 1, "https://192.0.2.9:6443")
    found = judge(sites.site(("one", "server")), {"one": Looked("one", facts)})
    assert [each.problem for each in found] == ["K3s is agent there and should be server"]


@pytest.mark.parametrize(("why", "do"), [
    ("Missing sudo password", "ansible_become_password"),
    ("The module interpreter '/usr/bin/python3' was not found", "Python 3.9"),
    ("something else", "-vvv"),
])  # fmt: skip
def test_a_machine_that_cannot_be_read_says_why_and_what_to_do(why: str, do: str) -> None:
    found = judge(sites.site(("one", "server")), {"one": Looked("one", None, why)})
    assert [each.check for each in found] == ["connection"]
    assert why in found[0].problem
    assert do in found[0].do


SAID = "\npython3.9: command not found\nSee the help.\n"


@pytest.mark.parametrize(("out", "err"), [("", SAID), (SAID, "Shared connection to 192.0.2.1 closed.\r\n")])
def test_what_a_machine_says_instead_of_an_answer_is_the_reason(out: str, err: str) -> None:
    broken = {
        "item": "one", "msg": "Module result deserialization failed", "module_stdout": out, "module_stderr": err,
    }  # fmt: skip
    [found] = judge(sites.site(("one", "server")), looked_of([broken], 0.0))
    assert found.problem == ("it can't be read: Module result deserialization failed: python3.9: command not found")
    assert "install Python 3.9 or newer" in found.do


def test_a_machine_without_an_answer_is_no_finding() -> None:
    assert judge(sites.site(("one", "server")), {"one": Looked("one", None, "no route", unreachable=True)}) == []


@pytest.mark.parametrize("what", ["hostname", "address"])
def test_machines_that_cannot_be_told_apart_are_refused(what: str) -> None:
    first, second = sites.clean(1), sites.clean(2)
    second[what] = first[what]
    found = judge(sites.site(), {"one": Looked("one", first), "two": Looked("two", second)})
    assert [(each.host, each.check) for each in found] == [("two", what)]


@pytest.mark.parametrize(("text", "number"), [("v1.33.1+k3s1", 33), ("v1.9.0+k3s2", 9), ("", -1), ("latest", -1)])
def test_minor_versions(text: str, number: int) -> None:
    assert minor(text) == number
