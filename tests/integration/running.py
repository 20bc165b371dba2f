# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run in processes of their own, alone or by a real ``ansible-playbook``, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ROOT", "Played", "play", "run_module"]

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(sys.executable).parent.parent
CALLBACKS = ROOT / "tests" / "integration" / "callback"


def environment(**more: str) -> dict[str, str]:
    """The environment of a started program: the checkout's collection, no colours, nobody's Kubernetes settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("K8S_", "KUBE", "ANSIBLE_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    path = os.pathsep.join([str(ROOT), str(VENV / "collections")])
    return {**kept, "PYTHONPATH": path, "PATH": f"{VENV / 'bin'}{os.pathsep}{kept['PATH']}", **more}


def run_module(name: str, options: Mapping[str, Any], *, check: bool = False, diff: bool = True) -> dict[str, Any]:
    """The module's JSON answer; nothing else may be on its standard output or error."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.as_ansible", name], input=json.dumps(arguments), text=True,
        capture_output=True, cwd=ROOT, env=environment(), timeout=180, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode != 0) == bool(answer.get("failed")), done.stdout
    return answer


@dataclass(frozen=True)
class Played:
    """A finished playbook: all that it printed, its log file's text, and each task's result by the task's name."""

    rc: int
    output: str
    log: str
    results: Mapping[str, Any] = field(default_factory=dict)


def play(
    directory: Path,
    tasks: Sequence[Mapping[str, Any]],
    *arguments: str,
    variables: Mapping[str, Any] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Played:
    """Run tasks on the implicit localhost by ``ansible-playbook``, with its files below ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    playbook, log, results = directory / "play.yml", directory / "ansible.log", directory / "results.json"
    given = {"ansible_python_interpreter": sys.executable, **(variables or {})}
    book = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": list(tasks)}
    playbook.write_text(yaml.safe_dump([book], sort_keys=False), encoding="utf-8")
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOG_PATH": str(log),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "everything",
        "EVERYTHING_PATH": str(results),
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "TMPDIR": str(directory),
        **(settings or {}),
    }
    done = subprocess.run(
        [str(VENV / "bin" / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(playbook), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, env=environment(**settings), timeout=600,
        check=False,
    )  # fmt: skip
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    found = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    return Played(done.returncode, done.stdout + done.stderr, text, found)
