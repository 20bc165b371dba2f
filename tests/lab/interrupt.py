# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are cut off: kill -9 for a playbook with all that it started, and a look at what it left on the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.lab.lab import Lab


@dataclass(frozen=True)
class Spot:
    """Where a run is cut off: when a task whose name holds ``task`` begins in a play whose name holds ``play``."""

    role: str
    where: str
    play: str
    task: str
    playbook: str = "site.yml"

    def __str__(self) -> str:
        return f"{self.role} {self.where}"


def descendants(root: int) -> list[int]:
    """The processes below ``root``, itself first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [root], [root]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def kill(process: subprocess.Popen[str]) -> int:
    """kill -9 for a process and everything that it started; how many there were."""
    found = descendants(process.pid)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait(30)
    return len(found)


def cut_off(lab: Lab, spot: Spot, seen: Callable[[], bool] | None = None, patience: float = 20) -> int:
    """Run the playbook of ``spot`` and kill it there; how many processes died.

    With ``seen`` the task goes on until that is so, or for at most ``patience`` seconds. Fails if the run ends before.
    """
    with (lab.inventory / "playbooks.log").open("a", encoding="utf-8") as log, lab.start(spot.playbook) as process:
        assert process.stdout is not None
        log.write(f"\n\n$ ansible-playbook {spot.playbook}, killed at {spot}\n")
        play = ""
        for line in process.stdout:
            log.write(line)
            play = line if line.startswith("PLAY [") else play
            if line.startswith("TASK [") and spot.task in line and spot.play in play:
                end = time.monotonic() + patience
                while seen is not None and not seen() and time.monotonic() < end:
                    time.sleep(0.1)
                return kill(process)
        rc = process.wait(30)
    raise AssertionError(f"the run ended (exit code {rc}) before {spot.task!r} in {spot.play!r}")


def half_files(state: Path) -> list[str]:
    """The files of a state directory that can't be read as what they are, and keys without their certificates."""
    wrong = []
    for path in sorted(path for path in state.rglob("*") if path.is_file() and not path.name.startswith(".")):
        if path.suffix == ".json" or path.name == "artifacts.lock":
            wrong += _judge(path, json.loads)
        elif path.suffix in (".yaml", ".yml"):
            wrong += _judge(path, lambda text: yaml.safe_load(text)["users"][0]["user"])
        elif path.name.endswith("cert.pem") and not _openssl("x509", "-noout", "-in", str(path)):
            wrong.append(f"{path}: no certificate")
        elif path.name == "ca-key.pem":
            key = _openssl("pkey", "-pubout", "-in", str(path))
            certificate = _openssl("x509", "-noout", "-pubkey", "-in", str(path.with_name("ca-cert.pem")))
            if not key or key != certificate:
                wrong.append(f"{path}: it isn't the key of ca-cert.pem")
    return wrong


def _judge(path: Path, read: Callable[[str], object]) -> list[str]:
    try:
        read(path.read_text())
    except (ValueError, KeyError, TypeError, IndexError, yaml.YAMLError) as error:
        return [f"{path}: {type(error).__name__}"]
    return []


def _openssl(*words: str) -> bytes:
    done = subprocess.run(["openssl", *words], capture_output=True, timeout=30, check=False)
    return (done.stdout or b"ok") if done.returncode == 0 else b""
