# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab host's small parts: capabilities, the runtime's installation, packages, and which dockerd is ours."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tools.lab_host import __main__ as command
from tools.lab_host import daemon, host, packages, runtime
from tools.lab_host.daemon_json import uses
from tools.lab_host.errors import LabHostError
from tools.lab_host.host import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.mark.parametrize(
    ("bounding", "lacking"),
    [("000001ffffffffff", False), ("000001fffeffffff", True), ("00000000a80425fb", True), ("0000000001000000", False)],
)
def test_a_missing_capability_is_read_from_the_bounding_set(bounding: str, lacking: bool) -> None:
    assert host.lacks_sys_resource(f"Name:\tinit\nCapInh:\t0\nCapBnd:\t{bounding}\nCapAmb:\t0\n") is lacking


def test_a_file_is_written_with_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    host.write(target, b"one", mode=0o600)
    host.write(target, b"two", mode=0o640)
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_the_runtime_is_installed_once_and_taken_away_without_a_trace(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "system_python", lambda: "/usr/bin/python3")
    before = sorted(paths.root.rglob("*"))

    assert runtime.install(paths)
    assert runtime.installed(paths)
    assert not runtime.install(paths)

    assert paths.runtime.read_text().startswith("#!/usr/bin/python3 -IS\n")
    assert paths.runtime.stat().st_mode & 0o777 == 0o755
    assert uses(paths.daemon_json.read_bytes(), str(paths.runtime))

    assert runtime.remove(paths)
    assert not runtime.installed(paths)
    assert not runtime.remove(paths)
    assert [path for path in sorted(paths.root.rglob("*")) if path.is_file()] == before


def test_a_daemon_json_of_somebody_elses_comes_back_as_it_was(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "system_python", lambda: "/usr/bin/python3")
    paths.daemon_json.parent.mkdir(parents=True)
    paths.daemon_json.write_bytes(b'{"debug":true}')
    paths.daemon_json.chmod(0o640)

    runtime.install(paths)
    runtime.install(paths)
    runtime.remove(paths)

    assert paths.daemon_json.read_bytes() == b'{"debug":true}'
    assert paths.daemon_json.stat().st_mode & 0o777 == 0o640


def test_without_a_system_wide_python_the_runtime_says_so(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "system_python", lambda: None)
    with pytest.raises(LabHostError, match="python3-minimal"):
        runtime.install(paths)
    assert not paths.daemon_json.exists()


def test_only_packages_whose_program_is_missing_are_installed() -> None:
    there = {"dockerd", "runc", "nft", "/etc/ssl/certs/ca-certificates.crt"}
    assert packages.missing(packages.DOCKER + packages.NEEDED, there.__contains__) == [
        "containerd",
        "iptables",
        "iproute2",
        "mmdebstrap",
        "debian-archive-keyring",
    ]


def test_a_machine_without_apt_is_told_what_it_lacks(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_program", lambda _name: None)
    with pytest.raises(LabHostError, match=r"lacks runc, nftables, and it has no apt-get"):
        packages.install(["runc", "nftables"], paths, print)


STAT = "42 (do) ck (er)d) S 1 42 42 0 -1 4194560 1 0 0 0 3 2 0 0 20 0 9 0 {started} 100 5 18446744073709551615 1"


def running(paths: Paths, pid: int, started: int, state: str = "S") -> None:
    directory = paths.proc / str(pid)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "stat").write_text(STAT.format(started=started).replace(") S ", f") {state} "))


def mark(paths: Paths, pid: int, started: int) -> None:
    host.write(paths.run / "dockerd.json", json.dumps({"pid": pid, "started": str(started)}).encode())


def test_the_start_time_is_found_behind_any_program_name() -> None:
    assert daemon.start_time(STAT.format(started=777)) == "777"


def test_a_daemon_is_ours_only_with_our_pid_and_our_start_time(paths: Paths) -> None:
    assert daemon.ours(paths) is None
    mark(paths, 42, 777)
    assert daemon.ours(paths) is None
    running(paths, 42, 777)
    assert daemon.ours(paths) == 42
    running(paths, 42, 778)
    assert daemon.ours(paths) is None


def test_a_zombie_is_not_a_running_daemon(paths: Paths) -> None:
    mark(paths, 42, 777)
    running(paths, 42, 777, state="Z")
    assert daemon.ours(paths) is None


def test_a_spoilt_mark_is_nobodys_daemon(paths: Paths) -> None:
    host.write(paths.run / "dockerd.json", b"{")
    assert daemon.ours(paths) is None


def test_somebody_elses_daemon_is_never_stopped(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("nothing may be signalled"))
    mark(paths, 42, 777)
    running(paths, 42, 900)
    said: list[str] = []

    daemon.stop(paths, said.append)

    assert said == ["no dockerd of ours runs"]
    assert not (paths.run / "dockerd.json").exists()


def test_a_dead_daemons_pid_file_goes_and_a_living_ones_stays(paths: Paths) -> None:
    file = paths.root / "var/run/docker.pid"
    file.parent.mkdir(parents=True)
    for pid, comm, state in ((42, "dockerd", "S"), (43, "cron", "S"), (45, "dockerd", "Z")):
        (paths.proc / str(pid)).mkdir(parents=True)
        (paths.proc / str(pid) / "comm").write_text(f"{comm}\n")
        (paths.proc / str(pid) / "stat").write_text(f"{pid} ({comm}) {state} 1 1")

    file.write_text("42\n")
    daemon.forget_dead_pid_file(paths)
    assert file.exists()
    file.write_text("43\n")
    daemon.forget_dead_pid_file(paths)
    assert not file.exists()
    for pid in (44, 45):  # one that is gone, and one whose end nobody has asked for
        file.write_text(f"{pid}\n")
        daemon.forget_dead_pid_file(paths)
        assert not file.exists()


@pytest.fixture
def machine(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A machine with root, without a service manager and without CAP_SYS_RESOURCE, where nothing is really started."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(runtime, "system_python", lambda: "/usr/bin/python3")
    monkeypatch.setattr(packages, "missing", lambda _needs: [])
    (paths.proc / "self").mkdir(parents=True)
    (paths.proc / "self/status").write_text("CapBnd:\t000001fffeffffff\n")
    (paths.proc / "sys/fs/inotify").mkdir(parents=True)
    (paths.proc / "sys/fs/inotify/max_user_instances").write_text("128\n")
    monkeypatch.setattr(command, "running_containers", list)
    return paths


def test_a_daemon_that_answers_is_left_as_it_is(
    machine: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "docker_version", lambda: "28.0")
    monkeypatch.setattr(command, "_default_runtime", lambda: "runc")
    monkeypatch.setattr(daemon, "start", lambda *_: pytest.fail("nothing may be started"))

    command.up(machine)

    said = capsys.readouterr().out
    assert "Docker 28.0 runs already, nothing of it is touched" in said
    assert "WARNING: this host lacks CAP_SYS_RESOURCE" in said
    assert not machine.daemon_json.exists()
    assert not machine.runtime.exists()


def test_up_says_what_it_installs_and_down_restores_it(
    machine: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "docker_version", lambda: None)
    monkeypatch.setattr(daemon, "start", lambda *_: "20.10")

    command.up(machine)

    assert "lacks CAP_SYS_RESOURCE" in capsys.readouterr().out
    assert runtime.installed(machine)
    inotify = machine.proc / "sys/fs/inotify/max_user_instances"
    assert inotify.read_text() == "1024"

    command.down(machine)

    assert not machine.daemon_json.exists()
    assert not machine.runtime.exists()
    assert inotify.read_text() == "128"


def test_a_program_that_somebody_elses_daemon_uses_stays_until_that_ends(
    machine: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime.install(machine)
    monkeypatch.setattr(command, "_default_runtime", lambda: "edge-mesh")
    monkeypatch.setattr(command, "docker_version", lambda: "20.10")

    command.down(machine)

    assert "the file stays" in capsys.readouterr().out
    assert machine.runtime.exists()
    assert not machine.daemon_json.exists()

    monkeypatch.setattr(command, "docker_version", lambda: None)
    command.down(machine)
    assert not machine.runtime.exists()


def test_docker_stays_while_anybodys_container_runs(
    machine: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime.install(machine)
    monkeypatch.setattr(command, "running_containers", lambda: ["b", "a"])
    monkeypatch.setattr(daemon, "stop", lambda *_: pytest.fail("nothing may be stopped"))

    command.down(machine)

    assert "Docker stays, for containers still run: a, b" in capsys.readouterr().out
    assert runtime.installed(machine)


def test_a_host_with_the_capability_gets_no_runtime(machine: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.proc / "self/status").write_text("CapBnd:\t000001ffffffffff\n")
    monkeypatch.setattr(command, "docker_version", lambda: None)
    monkeypatch.setattr(daemon, "start", lambda *_: "20.10")
    command.up(machine)
    assert not machine.daemon_json.exists()


def test_without_root_nothing_is_touched(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabHostError, match="root"):
        command.up(paths)
    with pytest.raises(LabHostError, match="root"):
        command.down(paths)
    assert list(paths.root.iterdir()) == []


def test_a_failure_is_one_line_with_a_hint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main(["up"]) == 1
    assert capsys.readouterr().err == "lab host: the lab host can be set up by root only (run it with sudo)\n"
