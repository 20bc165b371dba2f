# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recipe of a component gets and what it may do (used by every recipe; filled in by the engine).

A recipe is a function ``build(ctx: BuildContext) -> None``. A *file component* leaves its files in ``ctx.out``; an
*image component* leaves an image named ``ctx.image`` in the Docker daemon, with every label of ``ctx.labels`` on it.
Whatever else it needs, it keeps in ``ctx.work``, which is gone afterwards.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["Aborted", "BuildContext", "CommandFailed", "kill_tree"]

# How often a running command is asked whether it ended or has to be stopped, in seconds.
_POLL = 0.1
# Between the polite signal and the other one, in seconds.
_GRACE = 5.0


class Aborted(MeshError):
    """The build was stopped because another component failed or the run was interrupted."""


class CommandFailed(MeshError):
    """A command of a recipe ended with something else than 0; ``rc`` is negative for a signal."""

    def __init__(self, what: str, rc: int) -> None:
        super().__init__(what)
        self.rc = rc


@dataclass
class BuildContext:
    """One build of one component.

    ``inputs`` maps the names of needed file components to the directories that hold their outputs (read only), and
    ``images`` those of needed image components to their names in Docker.
    """

    name: str  # the component's
    key: str  # its content key, 64 hex digits
    work: Path  # empty directory, removed after the build
    out: Path  # empty directory, renamed into the cache after the build
    inputs: Mapping[str, Path]
    images: Mapping[str, str]
    files: Path  # roles/artifacts/files
    log: TextIO  # takes everything that commands print
    image: str = ""  # image components: the name to leave in Docker, "<repository>:<tag>"
    labels: Mapping[str, str] = field(default_factory=dict)  # OCI labels, and edge.mesh.key
    params: Mapping[str, str] = field(default_factory=dict)  # the component's own parameters (versions, flags)
    arch: str = "amd64"  # or "arm64": Go's and Docker's word for the architecture
    abort: threading.Event = field(default_factory=threading.Event)
    keep_fds: tuple[int, ...] = ()  # the lock: inherited, so that an orphaned command still holds it

    def check_abort(self) -> None:
        """Raise :class:`Aborted` if this build has to end."""
        if self.abort.is_set():
            raise Aborted(f"the build of {self.name} was stopped")

    def say(self, line: str) -> None:
        """Write a line of the recipe's own into the build log."""
        self.log.write(line.rstrip("\n") + "\n")
        self.log.flush()

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input_file: Path | None = None,
    ) -> None:
        """Run a command to its end, everything it prints into the log; ``env`` is added to the environment.

        Raises :class:`CommandFailed` if it ends with something else than 0, :class:`Aborted` if it had to be stopped.
        """
        self._execute(argv, cwd, env, input_file, None)

    def output(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Like :meth:`run`, but what the command prints on standard output is returned."""
        captured = self.work / f".stdout-{time.monotonic_ns()}"
        try:
            with captured.open("wb") as target:
                self._execute(argv, cwd, env, None, target.fileno())
            return captured.read_text(encoding="utf-8", errors="replace")
        finally:
            captured.unlink(missing_ok=True)

    def _execute(
        self,
        argv: Sequence[str | Path],
        cwd: Path | None,
        env: Mapping[str, str] | None,
        input_file: Path | None,
        stdout: int | None,
    ) -> None:
        self.check_abort()
        words = [str(word) for word in argv]
        self.say("+ " + " ".join(words))
        source = input_file.open("rb") if input_file else None
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=source or subprocess.DEVNULL,
                stdout=self.log.fileno() if stdout is None else stdout,
                stderr=self.log.fileno(),
                pass_fds=self.keep_fds,
            )
        except OSError as error:
            raise MeshError(f"{words[0]} can't be started", why=error.strerror or str(error)) from error
        finally:
            if source:
                source.close()
        self._await(process, words)

    def _await(self, process: subprocess.Popen[bytes], words: Sequence[str]) -> None:
        while True:
            try:
                code = process.wait(_POLL)
                break
            except subprocess.TimeoutExpired:
                if self.abort.is_set():
                    kill_tree(process)
                    self.check_abort()
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            raise CommandFailed(f"{Path(words[0]).name} {how}", code)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a command and everything it started: first politely, after a few seconds for good."""
    family = [process.pid, *_descendants(process.pid)]
    for pid in family:
        _signal(pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        family += [pid for pid in _descendants(process.pid) if pid not in family]
        for pid in family:
            _signal(pid, signal.SIGKILL)
        process.wait()


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _descendants(pid: int) -> list[int]:
    """Ids of all processes below ``pid`` (Linux's /proc), nearest first."""
    found: list[int] = []
    queue = [pid]
    while queue:
        parent = queue.pop(0)
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                children = [int(word) for word in listing.read_text().split()]
            except OSError:
                continue
            found += children
            queue += children
    return found
