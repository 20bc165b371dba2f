# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One playbook whose tasks are timed, and whose API requests are counted (used by benchmarks of modules)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.integration.control_plane import ControlPlane

__all__ = ["EMPTY", "ROOT", "VENV", "Task", "play", "turns"]

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv-bench"
EMPTY = "an empty task"

Task = dict[str, Any]


def turns(
    rounds: Mapping[str, int],
    contenders: Sequence[str],
    tasks: Callable[[str, str, int], Iterator[Task]],
) -> Iterator[Task]:
    """All tasks: in each row each round begins with another contender, and an empty task is one of them.

    ``tasks`` gives those of a row, a contender and a turn: what has to be done before, and at last what is timed.
    """
    runners = (EMPTY, *contenders)
    for row, count in rounds.items():
        for turn in range(count):
            first = turn % len(runners)
            for contender in (*runners[first:], *runners[:first]):
                if contender == EMPTY:
                    yield {"name": f"{row} | {EMPTY} | {turn + 1}", "ansible.builtin.ping": {}}
                else:
                    yield from tasks(row, contender, turn + 1)


def play(
    directory: Path, tasks: Iterator[Task], planes: Mapping[str, ControlPlane], *, venv: Path = VENV
) -> list[dict[str, Any]]:
    """Run the tasks; the stopwatch's lines, with requests to the API server that belongs to each contender.

    Raises RuntimeError with the playbook's output if a task fails.
    """
    lines, playbook = directory / "stopwatch.jsonl", directory / "bench.yml"
    lines.unlink(missing_ok=True)  # an earlier playbook's in this directory
    variables = {"ansible_python_interpreter": str(venv / "bin/python")}
    book = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": list(tasks)}
    playbook.write_text(yaml.safe_dump([book], sort_keys=False), encoding="utf-8")
    audits = {name: str(plane.directory / "audit.log") for name, plane in planes.items()}
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "K8S_", "KUBE", "PYTHON"))
        },
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(venv / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "benchmarks/callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "stopwatch",
        "STOPWATCH_PATH": str(lines),
        "STOPWATCH_AUDITS": json.dumps(audits),
    }
    done = subprocess.run(
        [venv / "bin/ansible-playbook", "-i", "localhost,", "-c", "local", playbook], cwd=ROOT, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-4000:] + done.stderr[-2000:])
    return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
