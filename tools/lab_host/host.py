# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine is: capabilities, service manager, Docker, and the small files that the lab host keeps.

``Paths`` holds every file that the lab host reads or writes, so that tests can move them all below a directory of
their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.lab_host.errors import LabHostError

__all__ = [
    "SYSTEM_PATH",
    "Paths",
    "docker_version",
    "find_program",
    "lacks_sys_resource",
    "locked",
    "service_manager",
    "system_python",
    "write",
]

CAP_SYS_RESOURCE = 24  # linux/capability.h
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Paths:
    """Where things are. ``root`` is ``/`` but for tests."""

    root: Path = Path("/")

    @property
    def daemon_json(self) -> Path:
        return self.root / "etc/docker/daemon.json"

    @property
    def runtime(self) -> Path:
        return self.root / "usr/local/lib/edge-mesh/oci-runtime"

    @property
    def kept(self) -> Path:
        """What must outlive a reboot: daemon.json as it was, and as we wrote it."""
        return self.root / "var/lib/edge-mesh/lab-host"

    @property
    def run(self) -> Path:
        """What a reboot may forget: the mark of the dockerd that we started, the lock."""
        return self.root / "run/edge-mesh"

    @property
    def log(self) -> Path:
        return self.root / "var/log/edge-mesh/dockerd.log"

    @property
    def proc(self) -> Path:
        return self.root / "proc"


def write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file to a temporary name, with its mode from the start, and put it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def lacks_sys_resource(status: str) -> bool:
    """Whether a process with this ``/proc/<pid>/status`` can't give CAP_SYS_RESOURCE to a child (bounding set)."""
    for line in status.splitlines():
        name, _colon, value = line.partition(":")
        if name == "CapBnd":
            return not int(value.strip(), 16) >> CAP_SYS_RESOURCE & 1
    return False


def service_manager(paths: Paths) -> bool:
    """Whether systemd runs this machine (its own documented mark)."""
    return (paths.root / "run/systemd/system").is_dir()


def find_program(name: str) -> str | None:
    """Absolute path of a program, looked for where a daemon would: never in a virtual environment or below a home."""
    return shutil.which(name, path=SYSTEM_PATH)


def system_python() -> str | None:
    """The system's own Python: it must be there when containers start without this checkout, also after a reboot."""
    for name in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if os.access(name, os.X_OK):
            return name
    return None


def _docker(*words: str) -> str | None:
    """What a question to the Docker daemon is answered, or None. A person's DOCKER_HOST and context are honoured."""
    program = shutil.which("docker") or find_program("docker")
    if program is None:
        return None
    try:
        answer = subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired as error:
        raise LabHostError("the Docker daemon doesn't answer within 20 s", hint="look at the daemon's log") from error
    return answer.stdout.strip() if answer.returncode == 0 else None


def docker_version() -> str | None:
    """The version of the Docker daemon that answers now, or None."""
    return _docker("version", "--format", "{{.Server.Version}}") or None


def running_containers() -> list[str]:
    """The names of the containers that run now; none where no daemon answers."""
    return (_docker("ps", "--format", "{{.Names}}") or "").split()


@contextlib.contextmanager
def locked(paths: Paths, *, timeout: float = 900) -> Iterator[None]:
    """One lab host command at a time on a machine; a second one waits for the first."""
    paths.run.mkdir(parents=True, exist_ok=True)
    with open(paths.run / "lab-host.lock", "w", encoding="ascii") as stream:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabHostError(
                        "another lab host command is still running", hint="wait for it, then try again"
                    ) from None
                time.sleep(0.5)
        yield
