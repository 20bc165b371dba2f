# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waves under a real ``ansible-playbook``: our own task files, with a step that fails where it is told to.

The first tests hold what ansible-core itself does where a run must not be stopped by one site: our playbooks are built
upon it, and a release that changes it must be noticed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.playing import ROOT, Ran, run

TASKS = ROOT / "playbooks" / "tasks"
EDGES = ["s1", "s2", "s3", "s4", "s5", "s6"]


# -- what ansible-core does --------------------------------------------------------------------------------------------

PLAIN = {"all": {"hosts": {name: {} for name in EDGES}}}


def said(word: str) -> dict[str, Any]:
    return {"ansible.builtin.debug": {"msg": f"{word}: {{{{ inventory_hostname }}}}"}}


def failing(*names: str) -> dict[str, Any]:
    return {"ansible.builtin.fail": {"msg": "told to"}, "when": f"inventory_hostname in {list(names)}"}


def play(*tasks: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    return {"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}


def lines(ran: Ran, word: str) -> list[str]:
    return re.findall(rf"{word}: (\w+)", ran.output)


def test_a_rescued_host_stays_and_does_not_count_for_max_fail_percentage(tmp_path: Path) -> None:
    block = {"block": [failing(*EDGES)], "rescue": [said("rescued")]}
    ran = run(tmp_path, [play(block, said("after"), serial=2, max_fail_percentage=0)], PLAIN)
    assert sorted(lines(ran, "rescued")) == sorted(lines(ran, "after")) == EDGES
    assert ran.rc == 0


def test_a_batch_that_fails_whole_ends_the_play(tmp_path: Path) -> None:
    ran = run(tmp_path, [play(said("seen"), failing("s1"), serial=1), play(said("later"))], PLAIN)
    assert lines(ran, "seen") == ["s1"]
    assert lines(ran, "later") == []  # and the whole run with it: nobody would have printed a table
    assert ran.rc == 2


def test_a_batch_within_max_fail_percentage_lets_the_next_one_begin(tmp_path: Path) -> None:
    ran = run(tmp_path, [play(said("seen"), failing("s1"), said("after"), serial=3, max_fail_percentage=34)], PLAIN)
    assert sorted(lines(ran, "seen")) == EDGES
    assert sorted(lines(ran, "after")) == EDGES[1:]
    beyond = run(tmp_path, [play(failing("s1"), said("after"), serial=3, max_fail_percentage=33)], PLAIN)
    assert lines(beyond, "after") == []


def test_percentages_of_serial_are_rounded_down(tmp_path: Path) -> None:
    ran = run(tmp_path, [play({**said("batch"), "run_once": True}, serial="25%")], PLAIN)
    assert len(lines(ran, "batch")) == 6  # a quarter of six is one; ours is two


def test_an_unreachable_host_is_not_rescued(tmp_path: Path) -> None:
    lost = {"all": {"hosts": {"s1": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}}}}
    block = {"block": [{"ansible.builtin.ping": {}}], "rescue": [said("rescued")]}
    ran = run(tmp_path, [play(block)], lost)
    assert lines(ran, "rescued") == []
    assert "unreachable=1" in ran.output
    ignored = {"block": [{"ansible.builtin.ping": {}, "ignore_unreachable": True}, said("after")]}
    assert lines(run(tmp_path, [play(ignored)], lost), "after") == ["s1"]


def test_what_is_asked_once_for_all_hosts_fails_them_all_though_it_is_rescued(tmp_path: Path) -> None:
    once = {"block": [{**failing(*EDGES), "run_once": True}], "rescue": [said("rescued")]}
    ran = run(tmp_path, [play(once)], PLAIN)
    assert ran.rc == 2


# -- our waves ---------------------------------------------------------------------------------------------------------


def inventory(directory: Path, **variables: Any) -> dict[str, Any]:
    edges = {f"site_{name}": {"hosts": {f"{name}-box": {}}} for name in EDGES}
    edges["site_s6"]["vars"] = {"edge_mesh_priority": 1}
    common = {"edge_mesh_id": "m", "edge_mesh_provider": "existing", "edge_mesh_kubeconfig": "{{ inventory_hostname }}"}
    return {
        "all": {
            "vars": {**common, "edge_mesh_state_dir": str(directory / "state"), **variables},
            "children": {
                "mesh_primary": {"children": {"site_p": {"hosts": {"p-box": {}}}}}, "mesh_edge": {"children": edges},
            },
        }
    }  # fmt: skip


def rolled_out(
    directory: Path, *arguments: str, failed: str = "", unreachable: str = "", lost: str = "", **variables: Any
) -> Ran:
    """The waves of site.yml with one step; ``failed``, ``unreachable`` and ``lost`` name sites, separated by commas.

    Of the unreachable ones, s1 gave an answer, but a bad one. The lost ones went away while they were worked on.
    """
    imported = {"__edge_mesh_at": "cluster", "__edge_mesh_hosts": "{{ ansible_play_hosts_all }}"}
    away = {"__edge_mesh_failed": {"stage": "preflight", "result": "{{ word }}", "reason": "no answer"}}
    gone = {"__edge_mesh_failed": {"stage": "cluster", "result": "failed", "reason": "no answer any more"}}
    book = [
        {"hosts": "mesh_primary:mesh_edge", "gather_facts": False, "tasks": [
            {"ansible.builtin.import_tasks": str(TASKS / "inventory.yml"), "vars": {"__edge_mesh_resume": True}},
        ]},
        {"hosts": "run_primary:run_edge", "gather_facts": False, "tasks": [
            {"ansible.builtin.set_fact": away, "when": f"__edge_mesh_site.name in '{unreachable}'.split(',')",
             "vars": {"word": "{{ 'failed' if __edge_mesh_site.name == 's1' else 'unreachable' }}"}},
            {"ansible.builtin.set_fact": {**gone, "__site_cluster_lost": True},
             "when": f"__edge_mesh_site.name in '{lost}'.split(',')"},
            {"ansible.builtin.import_tasks": str(TASKS / "progress.yml"), "vars": imported},
            {"ansible.builtin.import_tasks": str(TASKS / "waves.yml")},
        ]},
        wave_play(failed),
        {"hosts": "run_primary:run_edge", "gather_facts": False, "tasks": [
            {"ansible.builtin.import_tasks": str(TASKS / "results.yml")},
        ]},
    ]  # fmt: skip
    return run(directory, book, inventory(directory, **variables), *arguments)


def wave_play(failed: str) -> dict[str, Any]:
    """The play of site.yml itself, with a step in the place of its roles."""
    plays = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text())
    found = next(each for each in plays if "serial" in each)
    assert found["tasks"][0]["ansible.builtin.import_tasks"] == "tasks/wave.yml"
    step = {
        "when": "__edge_mesh_failed is not defined",
        "block": [
            {"ansible.builtin.debug": {"msg": "joining: {{ __edge_mesh_site.name }}"}},
            {"ansible.builtin.fail": {"msg": "told to"}, "when": f"__edge_mesh_site.name in '{failed}'.split(',')"},
        ],
        "rescue": [
            {"ansible.builtin.import_tasks": str(TASKS / "failed.yml"), "vars": {"__edge_mesh_stage": "enrolment"}}
        ],
    }
    copied = {"src": "{{ __edge_mesh.mesh.state_dir }}/reports/run.json", "dest": "{{ playbook_dir }}/begun.json"}
    keep = {
        "ansible.builtin.copy": copied, "delegate_to": "localhost", "connection": "local", "run_once": True,
        "when": "(__edge_mesh_waves | first).sites == [__edge_mesh_site.name]",
    }  # fmt: skip
    return {**found, "tasks": [{"ansible.builtin.import_tasks": str(TASKS / "wave.yml")}, keep, step]}


def report(directory: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((directory / "state/reports/run.json").read_text())
    return document


def told(directory: Path) -> dict[str, tuple[str, str]]:
    return {row["site"]: (row["step"], row["result"]) for row in report(directory)["results"]}


def test_the_canary_is_the_site_of_the_lowest_priority_and_all_are_joined(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path)
    assert ran.rc == 0, ran.output
    joined = lines(ran, "joining")
    assert joined[0] == "s6"
    assert sorted(joined[1:3]) == ["s1", "s2"]
    assert sorted(joined) == EDGES
    assert ran.output.count("PLAY [Join the edge sites, wave by wave]") == 3
    assert set(told(tmp_path).values()) == {("all", "done")}
    assert report(tmp_path)["left"] == []


def test_while_the_canary_is_joined_the_report_says_who_waits_and_nobody_has_failed(tmp_path: Path) -> None:
    assert rolled_out(tmp_path).rc == 0
    begun = json.loads((tmp_path / "begun.json").read_text())
    assert {row["site"]: (row["step"], row["result"]) for row in begun["results"]} == {
        "p": ("all", "done"), "s6": ("enrolment", "running"),
        **dict.fromkeys(("s1", "s2", "s3", "s4", "s5"), ("enrolment", "not started")),
    }  # fmt: skip
    assert (begun["healthy"], begun["finished"], sorted(begun["left"])) == (False, False, EDGES)


def test_a_canary_that_fails_holds_back_the_others_and_the_table_says_so(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, failed="s6")
    assert ran.rc == 2
    assert lines(ran, "joining") == ["s6"]
    assert told(tmp_path) == {
        "p": ("all", "done"), "s6": ("enrolment", "failed"),
        "s1": ("wave 2", "not started"), "s2": ("wave 2", "not started"),
        **dict.fromkeys(("s3", "s4", "s5"), ("wave 3", "not started")),
    }  # fmt: skip
    reasons = {row["site"]: row["reason"] for row in report(tmp_path)["results"]}
    assert reasons["s3"].startswith("s6 failed in wave 1, where none may; mend that and run again")
    assert "7 sites: 1 done, 1 failed, 5 not started" in ran.output
    assert sorted(report(tmp_path)["left"]) == EDGES


def test_failures_within_the_limit_hold_nobody_back_and_a_wave_goes_on_to_its_end(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, failed="s2,s3", edge_mesh_waves=[4, "100%"], edge_mesh_max_failed=["50%"])
    assert ran.rc == 2
    assert sorted(lines(ran, "joining")) == EDGES
    assert sorted(report(tmp_path)["left"]) == ["s2", "s3"]


def test_a_wave_that_fails_whole_ends_with_its_table(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, failed=",".join(EDGES), edge_mesh_waves=["100%"])
    assert ran.rc == 2
    assert {result for _step, result in told(tmp_path).values()} == {"done", "failed"}
    assert "7 sites: 1 done, 6 failed" in ran.output


def test_who_cant_be_read_at_the_start_is_neither_a_member_of_a_wave_nor_a_failure(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, unreachable="s6,s1", lost="s2")
    assert sorted(lines(ran, "joining")) == ["s3", "s4", "s5"]
    assert ran.output.count("PLAY [Join the edge sites, wave by wave]") == 3  # 1, a quarter of three, the rest
    assert told(tmp_path)["s2"] == ("cluster", "failed")
    assert told(tmp_path)["s6"] == ("preflight", "unreachable")
    assert told(tmp_path)["s1"] == ("preflight", "failed")
    assert ran.rc == 2


def test_without_anybody_who_answers_there_is_no_wave_and_still_a_table(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, unreachable=",".join(EDGES))
    assert ran.rc == 2
    assert lines(ran, "joining") == []
    assert "7 sites: 1 done, 1 failed, 5 unreachable" in ran.output


def test_a_plan_shows_every_wave(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, "--check", failed="s6")
    assert sorted(lines(ran, "joining")) == EDGES
    assert report(tmp_path)["check"] is True


def test_the_next_run_takes_up_what_was_left_and_no_more(tmp_path: Path) -> None:
    rolled_out(tmp_path, failed="s6")
    rolled_out(tmp_path, "--limit", "site_s1")
    assert sorted(report(tmp_path)["left"]) == ["s2", "s3", "s4", "s5", "s6"]
    rolled_out(tmp_path, "--check")
    assert sorted(report(tmp_path)["left"]) == ["s2", "s3", "s4", "s5", "s6"]
    ran = rolled_out(tmp_path, "-e", "edge_mesh_only=failed")
    assert ran.rc == 0, ran.output
    assert sorted(lines(ran, "joining")) == ["s2", "s3", "s4", "s5", "s6"]
    assert "p" not in told(tmp_path)
    nothing = rolled_out(tmp_path, "-e", "edge_mesh_only=failed")
    assert nothing.rc == 0
    assert "the runs before left no site undone" in nothing.output


def test_a_run_whose_limit_holds_nothing_that_was_left_says_so(tmp_path: Path) -> None:
    rolled_out(tmp_path, failed="s6")
    ran = rolled_out(tmp_path, "-e", "edge_mesh_only=failed", "--limit", "site_p")
    assert ran.rc == 0, ran.output
    assert "the runs before left no site undone that this one may work on" in ran.output


def test_a_limit_to_a_machine_that_does_not_stand_for_its_site_is_refused(tmp_path: Path) -> None:
    machines = inventory(tmp_path)
    machines["all"]["children"]["mesh_edge"]["children"]["site_s1"] = {
        "hosts": {"s1-box": {}, "s1-agent": {}}, "vars": {"edge_mesh_kubeconfig": "s1"},
    }  # fmt: skip
    book = [{"hosts": "mesh_primary:mesh_edge", "gather_facts": False, "tasks": [
        {"ansible.builtin.import_tasks": str(TASKS / "inventory.yml")},
    ]}]  # fmt: skip
    assert run(tmp_path, book, machines, "--limit", "s1-box").rc == 0
    ran = run(tmp_path, book, machines, "--limit", "s1-agent")
    assert ran.rc == 2  # and not 0 with no site looked at
    assert "use --limit site_s1" in ran.output


def test_resuming_where_no_run_was_is_refused(tmp_path: Path) -> None:
    ran = rolled_out(tmp_path, "-e", "edge_mesh_only=failed")
    assert ran.rc == 2
    assert "no run has written" in ran.output


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"edge_mesh_waves": ["half"]}, "edge_mesh_waves holds 'half'"),
        ({"edge_mesh_priority": "first"}, "edge_mesh_priority is 'first'; it must be a whole number"),
        ({"edge_mesh_only": "some"}, "edge_mesh_only is 'some'; it can be failed"),
    ],
)
def test_bad_values_are_refused(tmp_path: Path, variables: dict[str, Any], words: str) -> None:
    ran = rolled_out(tmp_path, "-e", json.dumps(variables))
    assert ran.rc == 2
    assert words in ran.output
