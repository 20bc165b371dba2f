# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of a failure, under a real ``ansible-playbook``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.playing import ROOT, run

FAILED = str(ROOT / "playbooks" / "tasks" / "failed.yml")
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
LOOP = {"loop": ["a", "b", "c"], "failed_when": "item != 'b'"}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"ansible.builtin.fail": {"msg": "shop: no room"}}, "<gateways|shop: no room"),
        ({"ansible.builtin.debug": {"msg": "{{ item }}: no room"}, **LOOP}, "<gateways|a: no room; c: no room"),
        ({"ansible.builtin.debug": {"msg": "no room"}, **LOOP}, "<gateways|no room"),
        (
            {"ansible.builtin.command": {"argv": ["sh", "-c", "echo no room >&2; exit 3"]}},
            "return code: no room",
        ),
    ],
)
def test_the_reason_is_what_failed(tmp_path: Path, task: dict[str, Any], reason: str) -> None:
    block = {
        "block": [task],
        "rescue": [
            {"ansible.builtin.import_tasks": FAILED, "vars": {"__edge_mesh_stage": "gateways"}},
            {"ansible.builtin.debug": {"msg": "<{{ __edge_mesh_failed.stage }}|{{ __edge_mesh_failed.reason }}>"}},
        ],
    }
    ran = run(tmp_path, [{"hosts": "all", "gather_facts": False, "tasks": [block]}],
              {"all": {"hosts": {"shop": LOCAL}}})  # fmt: skip
    assert f"{reason}>" in " ".join(ran.output.split()), ran.output
