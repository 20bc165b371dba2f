# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steady calls from a pod at a site while something is done to the mesh, and every single answer."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.lab.lab import VENV, Lab

URL = "http://helloworld.sample:5000/hello"
PER_SECOND = 5
# Each call runs by itself, so a slow one doesn't thin out the load; the answer is one line, or FAILED with curl's code.
_LOOP = """
i=0
while [ $i -lt {count} ]; do
    (a=$(curl --silent --show-error --fail --max-time 10 {url} 2>&1) && echo "$a" || echo "FAILED $? $a") &
    i=$((i + 1))
    sleep {pause}
done
wait
"""


@dataclass(frozen=True)
class Answers:
    """What all calls of a load came to: how often each site answered, and the lines that are no answer."""

    count: int
    sites: dict[str, int]
    failed: list[str]


class Load:
    """A context manager: calls start on entry, :meth:`answers` waits for their end, leaving it cuts them off."""

    def __init__(self, lab: Lab, site: str, seconds: int) -> None:
        self.count = seconds * PER_SECOND
        script = _LOOP.format(count=self.count, url=URL, pause=1 / PER_SECOND)
        self._seconds = seconds
        self._command = [
            str(VENV / "bin/kubectl"), "--kubeconfig", str(lab.kubeconfig(site)), "-n", "sample",
            "exec", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", script,
        ]  # fmt: skip
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def running(self) -> bool:
        """Whether calls are still being made."""
        return self._process.poll() is None

    def answers(self) -> Answers:
        """Every answer; fails if the calls don't end, for starting 300 processes takes a while on a busy machine."""
        output, _errors = self._process.communicate(timeout=self._seconds * 3 + 60)
        lines = [line for line in output.splitlines() if line]
        sites: dict[str, int] = {}
        failed = []
        for line in lines:
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if line.startswith("version=") and "site" in words:
                sites[words["site"]] = sites.get(words["site"], 0) + 1
            else:
                failed.append(line)
        return Answers(len(lines), sites, failed)
