# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that run in the task's worker, under a real ansible-playbook: the same answers, and when they don't."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.plugin_utils.in_worker import plain, run_command, secrets

ROOT = Path(__file__).resolve().parents[4]
VENV = Path(sys.executable).parent

# Every way in which a task can say that the worker's process isn't the one it wants.
ELSEWHERE: dict[str, dict[str, Any]] = {
    "another interpreter": {"vars": {"ansible_python_interpreter": "{{ other }}"}},
    "an environment": {"environment": {"EDGE_MESH_TEST": "1"}},
    "the background": {"async": 30, "poll": 1},
}


def _play(directory: Path, tasks: list[dict[str, Any]], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """The return code, each task's result, and all that was printed at -vvv."""
    variables = {"ansible_python_interpreter": str(VENV / "python")}
    book = [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]
    (directory / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    # another path to the same Python, with the same libraries, is not another interpreter; a script of its own is
    other = directory / "other-python"
    other.write_text(f'#!/bin/sh\nexec {VENV / "python"} "$@"\n')
    other.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }  # fmt: skip
    environment["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    given = {"given": [{"kind": "Secret", "data": {"key": "hush-hush"}}]}
    (directory / "given.yml").write_text(yaml.safe_dump(given))
    (directory / "hushed.yml").write_text("hushed: hush-hush\n")
    command = [
        str(VENV / "ansible-playbook"), "-i", "localhost,", "-c", "local", "-vvv",
        "-e", f"other={other}", "-e", "@given.yml", *arguments, "play.yml",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    results = []
    decoder = json.JSONDecoder()
    text = done.stdout
    position = text.find("=> {")
    while position >= 0:
        result, end = decoder.raw_decode(text, position + 3)
        results.append(result)
        position = text.find("=> {", end)
    return done.returncode, results, text + done.stderr


def _task(**more: Any) -> dict[str, Any]:
    # from a variable: Ansible shows the lines of a task that failed
    options = {"kubeconfig": "/none/such.yaml", "objects": "{{ given }}"}
    return {"edge.mesh.manifests": options, "ignore_errors": True, **more}


def test_a_failure_is_the_modules_own(tmp_path: Path) -> None:
    tasks = [_task(), *(_task(**more) for more in ELSEWHERE.values())]
    rc, results, output = _play(tmp_path, tasks)
    assert rc == 0, output
    told = [
        {name: each.get(name) for name in ("failed", "msg", "site", "why", "hint", "unanswered")} for each in results
    ]
    assert len(results) == len(tasks)
    assert told == [told[0]] * len(tasks)
    assert "/none/such.yaml can't be used: it doesn't exist" in told[0]["msg"]
    assert "hush-hush" not in output


def test_only_what_is_the_worker_itself_runs_in_it(tmp_path: Path) -> None:
    tasks = [_task(), *(_task(**more) for more in ELSEWHERE.values())]
    _rc, _results, output = _play(tmp_path, tasks)
    # a module's process is announced at -vvv with the module's file
    assert output.count("plugins/modules/manifests.py") == len(ELSEWHERE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kubeconfig": "k", "objetcs": []}, "objetcs"),
        ({"objects": []}, "missing required arguments: kubeconfig"),
        ({"kubeconfig": "k", "objects": [], "src": "s"}, "mutually exclusive: objects|src"),
        ({"kubeconfig": "k", "objects": [], "timeout": "soon"}, "timeout"),
    ],
)
def test_options_are_judged_as_the_module_judges_them(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    task = {"edge.mesh.manifests": options, "ignore_errors": True}
    _rc, results, output = _play(tmp_path, [task, {**task, **ELSEWHERE["an environment"]}])
    assert len(results) == 2, output
    assert all(words in each["msg"] for each in results)


def test_check_mode_and_texts_of_templates_reach_it(tmp_path: Path) -> None:
    objects = "{{ [{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'a' ~ 'b'}}] }}"
    task = {"edge.mesh.manifests": {"kubeconfig": "{{ '/none' }}/x", "objects": objects}, "ignore_errors": True}
    _rc, results, output = _play(tmp_path, [task], "--check")
    assert "/none/x can't be used" in results[0]["msg"], output


def test_arguments_are_plain_json() -> None:
    given = {"day": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3, 4), "many": (1, 2.5, None, True), "text": "ü"}
    assert plain(given) == {"day": "2026-01-02", "at": "2026-01-02T03:04:00", "many": [1, 2.5, None, True], "text": "ü"}


def test_secrets_are_found_wherever_they_stand() -> None:
    spec = {
        "passphrase": {"no_log": True}, "name": {}, "root": {"options": {"key": {"no_log": True}}},
        "more": {"options": {"key": {"no_log": True}, "deep": {"options": {"word": {"no_log": True}}}}},
        "files": {"no_log": False},
    }  # fmt: skip
    params = {
        "passphrase": "one", "name": "two", "root": {"key": "three"}, "files": "four",
        "more": [{"key": "five", "deep": None}, {"key": None, "deep": {"word": "six"}}],
    }  # fmt: skip
    assert secrets(spec, params) == {"one", "three", "five", "six"}
    assert secrets(spec, dict.fromkeys(params)) == set()


def test_a_secret_is_in_no_output(tmp_path: Path) -> None:
    ca = {"path": str(tmp_path / "ca"), "passphrase": "{{ hushed }}", "intermediates": [{"name": "{{ hushed }}"}]}
    _rc, results, output = _play(tmp_path, [{"edge.mesh.mesh_ca": ca, "ignore_errors": True}], "-e", "@hushed.yml")
    assert len(results) == 1, output
    assert "hush-hush" not in output


def test_commands_end_as_those_of_ansible_module() -> None:
    assert run_command(["cat"], data="ü") == (0, "ü", "")
    assert run_command(["cat"]) == (0, "", ""), "nobody's terminal is read"
    assert run_command(["sh", "-c", "echo $HERE; echo why >&2; exit 3"], environ_update={"HERE": "x"}) == (
        3,
        "x\n",
        "why\n",
    )
    rc, _output, why = run_command(["/nowhere/docker"])
    assert (rc, why) == (127, "/nowhere/docker: No such file or directory")
