# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SSH tunnel of a K3s site under a real ``ansible-playbook``; its ``ssh`` only says whom it was to reach."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playing import ROOT, Ran, run

SERVERS = ("shop-1", "shop-2", "shop-3")


def opened(directory: Path, port: int, *answer: str) -> tuple[Ran, list[str]]:
    """What comes of opening the tunnel while only some servers ``answer``, and the servers that were tried."""
    program, tried = directory / "ssh", directory / "tried"
    words = " ".join(answer)
    chosen = f'for word; do case " {words} " in *" $word "*) exit 0;; esac; done'
    program.write_text(f'#!/bin/sh\necho "$@" >> {tried}\n{chosen}\nexit 255\n')
    program.chmod(0o700)
    machines = [{"host": "shop-0", "role": "agent"}, *({"host": host, "role": "server"} for host in SERVERS)]
    site = {"machines": machines, "k3s": {"tunnel_port": port}}
    hosts: dict[str, Any] = {host: {"ansible_user": "site"} for host in ("shop-0", *SERVERS)}
    task = {"ansible.builtin.import_tasks": str(ROOT / "playbooks/tasks/tunnel.yml")}
    play = {"hosts": "shop-0", "gather_facts": False, "vars": {"__edge_mesh_site": site}, "tasks": [task]}
    ran = run(directory, [play], {"all": {"hosts": hosts}}, more={"PATH": f"{directory}:{os.environ['PATH']}"})
    assert ran.rc == 0, ran.output
    lines = tried.read_text().splitlines() if tried.exists() else []
    assert all(f"127.0.0.1:{port}:127.0.0.1:6443 -l site shop-" in line for line in lines), lines
    return ran, [line.split()[-3] for line in lines]


@pytest.mark.parametrize(
    ("answer", "tried"),
    [(SERVERS[1:], SERVERS[:2]), ((), SERVERS)],
)
def test_servers_are_tried_in_turn_until_one_answers(tmp_path: Path, answer: list[str], tried: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    assert opened(tmp_path, port, *answer)[1] == list(tried)


def test_a_tunnel_that_is_open_is_kept(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert opened(tmp_path, int(listener.getsockname()[1]), *SERVERS)[1] == []
