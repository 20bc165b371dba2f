# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine with a running K3s gets when its settings change.

What runs there is the lab's stand-in, not K3s.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab import k3s_release
from tests.machines.conftest import MACHINE, VERSION, Bench

pytestmark = pytest.mark.deep

BROKEN = "v1.36.3+k3s9"


def test_a_version_that_doesnt_start_goes_back_to_the_one_before(running: Bench) -> None:
    release = k3s_release.release(running.machines.directory / "broken", BROKEN, fault="start")
    said = running.fails(version=BROKEN, files=str(release))
    for words in (MACHINE, f"K3s {BROKEN} doesn't start", "can't start, as the lab wanted", f"{VERSION} runs again"):
        assert words in said, said
    assert running.machines.state()[MACHINE]["k3s"] == VERSION
    assert running.sh("ls /usr/local/bin/*.before /etc/rancher/k3s/*.before 2>/dev/null || true") == ""
    started = running.machines.state()[MACHINE]["since"]
    running.works()
    assert running.machines.state()[MACHINE]["since"] == started


def test_registries_come_and_go_and_their_password_is_seen_nowhere(running: Bench) -> None:
    file = "/etc/rancher/k3s/registries.yaml"
    mirror = {"mirrors": {"docker.io": {"endpoint": ["https://mirror.example"]}}}
    login = {"configs": {"mirror.example": {"auth": {"username": "cove", "password": "planted-secret"}}}}
    played = running.works(registries={**mirror, **login})
    assert "planted-secret" in running.sh(f"cat {file}")
    assert running.sh(f"stat -c '%a %U' {file}").strip() == "600 root"
    assert "planted-secret" not in played.output
    running.works()
    assert running.sh(f"ls {file} 2>/dev/null || true") == ""


@pytest.fixture
def port() -> Iterator[int]:
    """A free port of this machine; a tunnel that begins there is closed again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    yield number
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"127.0.0.1:{number}:127.0.0.1:6443".encode() in words:
            os.kill(int(process.name), signal.SIGTERM)


def test_the_controller_works_through_a_tunnel(running: Bench, port: int) -> None:
    running.works(tunnel_port=port)
    kubeconfig = running.lab.kubeconfig("cove")
    assert yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{port}"
    assert running.lab.kubectl("cove", "get", "--raw", "/readyz") == "ok"


def test_removal_leaves_nothing(running: Bench) -> None:
    removed = running.lab.play("playbooks/destroy.yml", "--limit", "site_cove")
    assert removed.rc == 0, removed.output[-3000:]
    assert running.machines.left() == []
