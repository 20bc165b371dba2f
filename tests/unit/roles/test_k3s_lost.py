# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that stops answering in the middle: its site fails with the reason, and the run goes on to its end.

Ansible itself drops a host whose machine is unreachable, and ends the run where it was the last one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.playing import Ran, run

# Nobody listens on port 1.
INVENTORY: dict[str, Any] = {"all": {"hosts": {"shop-1": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}
HERE = {"delegate_to": "localhost", "vars": {"ansible_connection": "local", "ansible_become": False}}


def step(name: str, here: bool, **keywords: Any) -> dict[str, Any]:
    """A step at the machine, or one ``here`` that writes a file of its name."""
    done = {"ansible.builtin.copy": {"content": "", "dest": f"{{{{ playbook_dir }}}}/{name}", "mode": "0600"}, **HERE}
    return {
        "name": name,
        **(done if here else {"ansible.builtin.ping": None}),
        "register": "__site_cluster_step",
    } | keywords


def worked(directory: Path, *steps: dict[str, Any]) -> Ran:
    """What comes of these steps at shop-1, and of a play behind them."""
    (directory / "steps.yml").write_text(yaml.safe_dump(list(steps)))
    work = {"host": "shop-1", "unit": "k3s", "role": "server"}
    role = {"name": "edge.mesh.site_cluster", "tasks_from": "k3s/machine.yml", "rolespec_validate": False}
    variables = {
        "__site_cluster_work": work, "__site_cluster_plan": {"seed": "shop-1"},
        "__site_cluster_steps": str(directory / "steps.yml"),
    }  # fmt: skip
    site = {"ansible.builtin.include_role": role, "vars": variables}
    told = {"ansible.builtin.debug": {"msg": "because {{ ansible_failed_result.msg }}"}}
    plays = [
        {"hosts": "all", "gather_facts": False, "tasks": [{"block": [site], "rescue": [told]}]},
        {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": "the table"}}]},
    ]
    return run(directory, plays, INVENTORY)


@pytest.mark.parametrize("looped", [False, True])
def test_the_steps_behind_it_are_left_and_the_run_goes_on_with_the_reason(tmp_path: Path, looped: bool) -> None:
    lost = step("lost", False, **({"loop": [1, 2]} if looped else {}))
    inner = {"block": [step("third", True)], "rescue": [step("fourth", True)]}
    ran = worked(tmp_path, step("first", True), step("idle", True, when=False), lost, step("second", True), inner)
    said = " ".join(ran.output.split())
    for words in ("because shop-1: no answer any more", "port 1: Connection refused", "run this again", "the table"):
        assert words in said, ran.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "hosts.yml", "play.yml", "steps.yml"]
    assert ran.rc == 0


def test_a_step_that_fails_is_named_with_its_machine(tmp_path: Path) -> None:
    full = {"name": "Bring K3s", "ansible.builtin.fail": {"msg": "No space left"}}
    ran = worked(tmp_path, step("first", True), full, step("second", True))
    assert "because shop-1: bring k3s: No space left (mend it and run this again" in " ".join(ran.output.split())
    assert not (tmp_path / "second").exists()


def test_steps_that_all_get_their_answer_are_all_taken(tmp_path: Path) -> None:
    ran = worked(tmp_path, step("first", True), step("idle", True, when=False), step("second", True))
    assert "because" not in ran.output
    assert (tmp_path / "second").exists()
