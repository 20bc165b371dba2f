# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup `istio_manifest` in a real playbook, with a program that answers as istioctl does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.playing import ROOT, run

TASKS = ROOT / "playbooks" / "tasks"
ISTIOCTL = """#!/bin/sh
echo asked >> "$0.log"
[ -e "$0.bad" ] && { echo "unknown field imagee" >&2; exit 1; }
echo '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}'
"""
HERE = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
INVENTORY = {"all": {"hosts": {"shop": HERE}}}


@pytest.fixture
def istioctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "istioctl"
    program.write_text(ISTIOCTL)
    program.chmod(0o755)
    monkeypatch.setenv("EDGE_MESH_CACHE", str(tmp_path / "cache"))
    return program


def book(istioctl: Path) -> list[dict[str, object]]:
    found = f"{{{{ lookup('edge.mesh.istio_manifest', 'spec: {{}}', istioctl='{istioctl}') }}}}"
    block = {
        "block": [{"ansible.builtin.copy": {"content": f"{found}\n", "dest": f"{istioctl}.json"}}],
        "rescue": [
            {"ansible.builtin.import_tasks": str(TASKS / "failed.yml"), "vars": {"__edge_mesh_stage": "enrolment"}},
            {"ansible.builtin.copy": {"content": "{{ __edge_mesh_failed.reason }}", "dest": f"{istioctl}.why"}},
        ],
    }
    return [{"hosts": "all", "gather_facts": False, "tasks": [block]}]


def test_what_istioctl_made_is_kept_in_the_cache_and_nowhere_else(tmp_path: Path, istioctl: Path) -> None:
    for _turn in range(2):
        ran = run(tmp_path, book(istioctl), INVENTORY)
        assert ran.rc == 0, ran.output
    items = json.loads(Path(f"{istioctl}.json").read_text())["items"]
    assert [item["metadata"]["name"] for item in items] == ["x"]
    assert Path(f"{istioctl}.log").read_text().splitlines() == ["asked"]
    assert len(list((tmp_path / "cache/rendered").iterdir())) == 1
    assert not (tmp_path / "rendered").exists()
    assert not Path("rendered").exists()


def test_why_istioctl_can_not_render_is_one_line(tmp_path: Path, istioctl: Path) -> None:
    Path(f"{istioctl}.bad").touch()
    assert run(tmp_path, book(istioctl), INVENTORY).rc == 0
    reason = "istioctl can't render Istio: unknown field imagee (are the values those of this version of Istio?)"
    assert Path(f"{istioctl}.why").read_text() == reason
