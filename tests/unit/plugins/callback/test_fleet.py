# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback `edge.mesh.fleet` under a real ``ansible-playbook``, whose output is no terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.playbooks.test_waves import ROOT, Ran, run

LINE = re.compile(r"^\d\d:\d\d:\d\d  (?P<site>\S+) +(?P<stage>\S.*?) +(?P<took>\d+\.\d) s  (?P<told>.*)$", re.MULTILINE)
REASON = "a reason that is told in full"


def inventory(*sites: str) -> dict[str, Any]:
    """One host for each site, of another name."""
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"all": {"vars": common, "hosts": {f"host-{site}": {"own_site": site} for site in sites}}}


def report(state: Path, **more: Any) -> dict[str, Any]:
    options = {"name": "run", "mesh": "m", "state_dir": str(state), "results": [], **more}
    return {"name": "Table", "edge.mesh.report": options, "run_once": True}


def playbook(directory: Path, *, failing: str = "") -> list[dict[str, Any]]:
    """Three plays: names, two stages of which one fails at a site and is rescued, and the table."""
    work = {"name": "Work", "ansible.builtin.set_stats": {"data": {"x": 1}}}
    broken = {
        "name": "Break", "ansible.builtin.command": "sh -c 'echo on the way; echo why >&2; exit 3'",
        "when": f"own_site == '{failing}'", "changed_when": False,
    }  # fmt: skip
    stages = {
        "one.yml": [work, {"name": "Change", "ansible.builtin.command": "true", "when": "own_site == 'shop'"}],
        "two.yml": [{
            "when": "failed_before is not defined",
            "block": [work, {"name": "Say", "ansible.builtin.debug": {"msg": "a message"}, "run_once": True}, broken],
            "rescue": [{"name": "Remember", "ansible.builtin.set_fact": {"failed_before": REASON}}],
        }],
        "three.yml": [{**work, "when": "failed_before is not defined"}],
    }  # fmt: skip
    for name, tasks in stages.items():
        (directory / name).write_text(yaml.safe_dump(tasks, sort_keys=False))
    named = {
        "name": "Tell names", "loop": "{{ ansible_play_hosts_all }}", "changed_when": False,
        "ansible.builtin.add_host": {
            "name": "{{ item }}", "__edge_mesh_site": {"name": "{{ hostvars[item].own_site }}"},
        },
    }  # fmt: skip
    imported = [
        {"name": name, "ansible.builtin.import_tasks": file}
        for name, file in (("First stage", "one.yml"), ("Second stage", "two.yml"), ("Third stage", "three.yml"))
    ]
    results = [{"site": failing or "shop", "step": "x", "result": "failed" if failing else "done", "reason": REASON}]
    once = {"name": "Once for all", "ansible.builtin.set_stats": {"data": {"y": 1}}, "run_once": True}
    return [
        {"name": name, "hosts": "all", "gather_facts": False, "tasks": tasks}
        for name, tasks in (
            ("Read the sites", [named, once]),
            ("Do the work", imported),
            ("Say what became of it", [report(directory / "state", results=results)]),
        )
    ]


@pytest.fixture(autouse=True, scope="module")
def fleet() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ANSIBLE_STDOUT_CALLBACK", "edge.mesh.fleet")
        patched.setenv("ANSIBLE_CALLBACKS_ENABLED", "ansible.builtin.default")  # so that the table is the fleet's own
        yield patched


SITES = ("shop", "mall", "barn")


@pytest.fixture(scope="module")
def well(fleet: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    directory = tmp_path_factory.mktemp("well")
    return run(directory, playbook(directory), inventory(*SITES))


def lines(ran: Ran) -> list[tuple[str, str, str]]:
    return [(found["site"], found["stage"], found["told"]) for found in LINE.finditer(ran.output)]


def test_each_stage_ends_with_a_line_for_each_site(well: Ran) -> None:
    assert well.rc == 0, well.output
    assert lines(well) == [
        ("(all)", "Once for all", "ok"),
        ("shop", "First stage", "changed 1"), ("mall", "First stage", "ok"), ("barn", "First stage", "ok"),
        ("shop", "Second stage", "ok"), ("mall", "Second stage", "ok"), ("barn", "Second stage", "ok"),
        ("shop", "Third stage", "ok"), ("mall", "Third stage", "ok"), ("barn", "Third stage", "ok"),
    ]  # fmt: skip
    assert "\nDo the work\n" in well.output


def test_only_messages_are_shown_of_what_is_well_and_no_terminal_is_needed(well: Ran) -> None:
    assert "a message" in well.output
    assert "PLAY" not in well.output
    assert re.findall(r"TASK \[(.*)\]", well.output) == ["Say"]
    assert "\x1b" not in well.output
    assert "\r" not in well.output


def test_the_table_comes_last_and_once(well: Ran) -> None:
    assert well.output.count("SITE  STEP") == 1
    assert well.output.rstrip().splitlines()[-1].startswith("m: 1 site: 1 done")
    assert "PLAY RECAP" not in well.output


def test_with_the_callback_report_the_table_comes_once_too_and_v_shows_everything_as_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "edge.mesh.report")
    ran = run(tmp_path, playbook(tmp_path), inventory(*SITES), "-v")
    assert ran.output.count("SITE  STEP") == 1
    for usual in (
        "PLAY [Do the work]",
        "TASK [Work]",
        "changed: [host-shop] => ",
        "skipping: [host-mall]",
        "PLAY RECAP",
    ):
        assert usual in ran.output
    assert len(lines(ran)) == 10


def test_a_task_that_fails_is_shown_in_full_and_its_site_has_no_later_stage(tmp_path: Path) -> None:
    ran = run(tmp_path, playbook(tmp_path, failing="mall"), inventory(*SITES))
    assert ran.rc == 0  # rescued
    assert ("mall", "Second stage", "failed: The command exited with a non-zero return code.") in lines(ran)
    assert ("shop", "Third stage", "ok") in lines(ran)
    assert [stage for site, stage, _told in lines(ran) if site == "mall"] == ["First stage", "Second stage"]
    shown = ran.output[ran.output.index("TASK [Break]") :]
    for part in ("fatal: [host-mall]: FAILED! =>", "rc: 3", "stdout: on the way", "stderr: why"):
        assert part in shown
    assert REASON in shown[shown.index("SITE ") :]


def test_after_a_report_a_failure_that_makes_the_exit_code_is_told_by_the_table_alone(tmp_path: Path) -> None:
    results = [{"site": "barn", "step": "x", "result": "failed", "reason": REASON}]
    end = {"name": "End", "ansible.builtin.fail": {"msg": REASON}, "when": "own_site == 'barn'"}
    tasks = [report(tmp_path / "state", results=results), end]
    ran = run(tmp_path, [{"name": "End", "hosts": "all", "gather_facts": False, "tasks": tasks}], inventory(*SITES))
    assert ran.rc == 2
    assert ran.output.count(REASON) == 1
    assert "TASK" not in ran.output


def test_a_run_without_a_table_keeps_its_recap_and_the_exit_code(tmp_path: Path) -> None:
    end = {"name": "End", "ansible.builtin.fail": {"msg": "told to"}, "when": "own_site == 'barn'"}
    plays = playbook(tmp_path)[:1]
    plays[0]["tasks"].append(end)
    ran = run(tmp_path, plays, inventory(*SITES))
    assert ran.rc == 2
    assert lines(ran)[-1] == ("barn", "End", "failed: told to")
    assert re.search(r"host-barn +: ok=0 .*failed=1", ran.output)


def test_a_difference_is_shown_below_its_play(tmp_path: Path) -> None:
    copy = {"name": "Write", "ansible.builtin.copy": {"content": "new\n", "dest": f"{tmp_path}/file"}}
    plays = [{"name": "Change a file", "hosts": "all", "gather_facts": False, "tasks": [copy]}]
    ran = run(tmp_path, plays, inventory("shop"), "--check", "--diff")
    assert ran.output.index("Change a file") < ran.output.index("+new") < ran.output.index("Write  ")


def test_a_play_without_work_in_this_run_is_no_line(tmp_path: Path) -> None:
    plays = [*playbook(tmp_path), {"name": "Nobody", "hosts": "localhost:!localhost", "gather_facts": False}]
    ran = run(tmp_path, plays, inventory("shop"))
    assert "no hosts matched" not in ran.output
    assert "no hosts matched" in run(tmp_path, plays, inventory("shop"), "-v").output


def test_sites_are_named_as_the_playbooks_own_tasks_tell_them() -> None:
    (task,) = [
        each
        for each in yaml.safe_load((ROOT / "playbooks/tasks/inventory.yml").read_text())
        if "__edge_mesh_site" in each.get("ansible.builtin.add_host", {})
    ]
    assert "loop" in task


def test_fifty_sites_are_fifty_lines_a_stage_in_columns(tmp_path: Path) -> None:
    sites = [f"site-{number:02}" for number in range(49)] + ["one-with-a-much-longer-name"]
    plays = playbook(tmp_path)[:2]
    plays[0]["tasks"].pop()
    plays[1]["tasks"] = plays[1]["tasks"][2:]
    ran = run(tmp_path, plays, inventory(*sites))
    assert sorted(site for site, stage, _told in lines(ran) if stage == "Third stage") == sorted(sites)
    starts = {match.start("stage") - match.start() for match in LINE.finditer(ran.output)}
    assert len(starts) == 1
    assert max(len(match[0]) for match in LINE.finditer(ran.output)) < 100


def test_the_guide_shows_lines_as_they_are() -> None:
    guide = (ROOT / "docs/docsite/rst/watching.rst").read_text()
    shown = [line.strip() for line in guide.splitlines() if re.match(r" +\d\d:\d\d:\d\d ", line)]
    assert len(shown) > 10
    assert all(LINE.fullmatch(line) for line in shown)
    assert {"(all)", "paris"} <= {match["site"] for line in shown if (match := LINE.fullmatch(line))}
