# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker daemon where no service manager runs: started by hand, remembered, and only that one stopped again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tools.lab_host.errors import LabHostError
from tools.lab_host.host import SYSTEM_PATH, Paths, docker_version, find_program, service_manager, write

__all__ = ["forget_dead_pid_file", "ours", "start", "start_time", "stop"]

READY_SECONDS = 90
STOP_SECONDS = 90


def start_time(stat: str) -> str:
    """When a process started (ticks after boot), out of ``/proc/<pid>/stat``: with the pid it names one process."""
    return stat.rpartition(")")[2].split()[19]


def _mark(paths: Paths) -> Path:
    return paths.run / "dockerd.json"


def _stat(paths: Paths, pid: int) -> str | None:
    try:
        return (paths.proc / str(pid) / "stat").read_text()
    except OSError:
        return None


def ours(paths: Paths) -> int | None:
    """The pid of the running dockerd that we started, or None: a reused pid is told apart by its start time."""
    try:
        mark = json.loads(_mark(paths).read_bytes())
        pid, started = int(mark["pid"]), str(mark["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    stat = _stat(paths, pid)
    alive = stat is not None and start_time(stat) == started and not _is_zombie(stat)
    return pid if alive else None


def start(paths: Paths, say: Callable[[str], None]) -> str:
    """Start the Docker daemon and wait until it answers; its version. Raises LabHostError with the log's end."""
    if service_manager(paths):
        say("starting Docker by the service manager")
        answer = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
        if answer.returncode:
            raise LabHostError(f"systemctl start docker: {answer.stderr.strip()}", hint="journalctl -u docker")
        return _wait(None, "journalctl -u docker")
    say(f"starting dockerd by hand, as no service manager runs here; log: {paths.log}")
    return _wait(_start_by_hand(paths), str(paths.log))


def _start_by_hand(paths: Paths) -> subprocess.Popen[bytes]:
    dockerd = find_program("dockerd")
    if dockerd is None:
        raise LabHostError("there is no dockerd on this machine", hint="install docker.io")
    forget_dead_pid_file(paths)
    paths.log.parent.mkdir(parents=True, exist_ok=True)
    # A daemon outlives the shell that called for it, and needn't know what else that shell had in its environment.
    environment = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    environment |= {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    with open(paths.log, "ab") as log:
        process = subprocess.Popen(
            [dockerd],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    stat = _stat(paths, process.pid) or ""
    write(_mark(paths), json.dumps({"pid": process.pid, "started": start_time(stat)}).encode(), mode=0o600)
    return process


def forget_dead_pid_file(paths: Paths) -> None:
    """After a crash dockerd refuses to start when another process has its old pid by now: then the file is a lie.

    So it is when the pid belongs to the dead daemon itself, for whose end nobody has asked yet.
    """
    file = paths.root / "var/run/docker.pid"
    with contextlib.suppress(OSError, ValueError):
        pid = int(file.read_text().strip())
        comm = paths.proc / str(pid) / "comm"
        stat = _stat(paths, pid)
        if stat is None or _is_zombie(stat) or comm.read_text().strip() != "dockerd":
            file.unlink()


def _wait(process: subprocess.Popen[bytes] | None, log: str) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        version = docker_version()
        if version is not None:
            return version
        if process is not None and process.poll() is not None:
            raise LabHostError(
                f"dockerd ended with status {process.returncode}: {_last_words(Path(log))}", hint=f"see {log}"
            )
        time.sleep(0.25)
    raise LabHostError(f"the Docker daemon doesn't answer after {READY_SECONDS} s", hint=f"see {log}")


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no log"
    return "no log"


def stop(paths: Paths, say: Callable[[str], None]) -> None:
    """Stop the dockerd that we started, and its containers with it; any other daemon is left alone."""
    pid = ours(paths)
    if pid is None:
        say("no dockerd of ours runs")
        _mark(paths).unlink(missing_ok=True)
        return
    say(f"stopping the dockerd that was started here (pid {pid})")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while ours(paths) is not None:
        if time.monotonic() > deadline:
            raise LabHostError(f"dockerd (pid {pid}) doesn't stop within {STOP_SECONDS} s", hint=f"see {paths.log}")
        time.sleep(0.25)
    _mark(paths).unlink(missing_ok=True)


def _is_zombie(stat: str) -> bool:
    """Ended, but not waited for yet by the process that started it."""
    return stat.rpartition(")")[2].split()[0] == "Z"
