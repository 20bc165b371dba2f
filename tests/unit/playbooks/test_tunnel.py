# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SSH tunnel of a K3s site under a real ``ansible-playbook``; its ``ssh`` only says whom it was to reach."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playing import ROOT, Ran, run

SERVERS = ("shop-1", "shop-2", "shop-3")


def played(
    directory: Path, play: dict[str, Any], inventory: dict[str, Any], port: int, answer: Sequence[str]
) -> tuple[Ran, list[str]]:
    """What comes of a play while only some servers ``answer``, and the servers that were tried."""
    program, tried = directory / "ssh", directory / "tried"
    words = " ".join(answer)
    chosen = f'for word; do case " {words} " in *" $word "*) exit 0;; esac; done'
    program.write_text(f'#!/bin/sh\necho "$@" >> {tried}\n{chosen}\nexit 255\n')
    program.chmod(0o700)
    ran = run(directory, [play], inventory, more={"PATH": f"{directory}:{os.environ['PATH']}"})
    assert ran.rc == 0, ran.output
    lines = tried.read_text().splitlines() if tried.exists() else []
    assert all(f"127.0.0.1:{port}:127.0.0.1:6443 -l site shop-" in line for line in lines), lines
    return ran, [line.split()[-3] for line in lines]


def opened(directory: Path, port: int, *answer: str) -> tuple[Ran, list[str]]:
    """What comes of opening the tunnel of one site."""
    machines = [{"host": "shop-0", "role": "agent"}, *({"host": host, "role": "server"} for host in SERVERS)]
    site = {"machines": machines, "k3s": {"tunnel_port": port}}
    hosts: dict[str, Any] = {host: {"ansible_user": "site"} for host in ("shop-0", *SERVERS)}
    task = {"ansible.builtin.import_tasks": str(ROOT / "playbooks/tasks/tunnel.yml")}
    play = {"hosts": "shop-0", "gather_facts": False, "vars": {"__edge_mesh_site": site}, "tasks": [task]}
    return played(directory, play, {"all": {"hosts": hosts}}, port, answer)


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


def test_the_inventory_opens_the_tunnels_that_sites_ask_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    k3s = {"edge_mesh_provider": "k3s", "edge_mesh_k3s_tunnel_port": port, "edge_mesh_k3s_version": "v1.35.0+k3s1"}
    inventory = {"all": {
        "vars": {"edge_mesh_id": "m", "edge_mesh_state_dir": str(tmp_path / "state"), "ansible_user": "site"},
        "children": {
            "mesh_primary": {"children": {"site_centre": {"hosts": {"c": {"edge_mesh_provider": "kind"}}}}},
            "mesh_edge": {"children": {
                "site_barn": {"hosts": {"barn-1": {"edge_mesh_provider": "kind"}}},
                "site_shop": {"hosts": {"shop-1": k3s}},
            }},
        },
    }}  # fmt: skip
    task = {"ansible.builtin.import_tasks": str(ROOT / "playbooks/tasks/inventory.yml")}
    play = {"hosts": "mesh_primary:mesh_edge", "gather_facts": False, "tasks": [task]}
    ran, tried = played(tmp_path, play, inventory, port, ["shop-1"])
    assert tried == ["shop-1"]
    assert "already in use" not in ran.output
