# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m tools.lab_host up|down|status``."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.lab_host import daemon, packages, runtime
from tools.lab_host.daemon_json import RUNTIME
from tools.lab_host.errors import LabHostError
from tools.lab_host.host import (
    Paths,
    docker_version,
    lacks_sys_resource,
    locked,
    running_containers,
    service_manager,
    write,
)

# Every systemd, kubelet and containerd takes a few; the kernel's default of 128 is used up by some five clusters.
INOTIFY_INSTANCES = 1024


def say(line: str) -> None:
    """One line for the person who runs this."""
    print(f"lab host: {line}", flush=True)


def up(paths: Paths) -> None:
    """Make this machine able to run KinD clusters; what is there already is left as it is."""
    if os.geteuid() != 0:
        raise LabHostError("the lab host can be set up by root only", hint="run it with sudo")
    with locked(paths):
        version = docker_version()
        lacking = _capability_missing(paths)
        if version is not None:
            packages.install(packages.missing(packages.NEEDED), paths, say)
            _allow_watching(paths)
            _leave_alone(paths, version, lacking)
            return
        if lacking:
            # Before Docker's package: where a service manager runs, the package starts the daemon at once.
            packages.install(packages.missing(packages.RUNTIME), paths, say)
            say("this host lacks CAP_SYS_RESOURCE: Docker gets a small runtime of ours before runc that drops it")
            say(f"  {paths.runtime}, entered in {paths.daemon_json}; `down` takes both away again")
            runtime.install(paths)
        packages.install(packages.missing(packages.NEEDED + packages.DOCKER), paths, say)
        _allow_watching(paths)
        say(f"Docker {docker_version() or daemon.start(paths, say)} is ready")


def _leave_alone(paths: Paths, version: str, lacking: bool) -> None:
    whose = "was started here earlier" if daemon.ours(paths) else "runs already"
    say(f"Docker {version} {whose}, nothing of it is touched")
    if lacking and _default_runtime() != RUNTIME:
        say(
            "WARNING: this host lacks CAP_SYS_RESOURCE, and that daemon doesn't use our runtime: privileged containers,"
        )
        say("  and so KinD's nodes, won't start. Stop that daemon and run this again.")


def _capability_missing(paths: Paths) -> bool:
    """Asked of the process that starts (or started) the daemon: the service manager, or else this one."""
    parent = "1" if service_manager(paths) else "self"
    return lacks_sys_resource((paths.proc / parent / "status").read_text())


def _default_runtime() -> str:
    answer = subprocess.run(
        ["docker", "info", "--format", "{{.DefaultRuntime}}"], capture_output=True, text=True, timeout=30, check=False
    )
    return answer.stdout.strip()


def _inotify(paths: Paths) -> Path:
    return paths.proc / "sys/fs/inotify/max_user_instances"


def _allow_watching(paths: Paths) -> None:
    file = _inotify(paths)
    with contextlib.suppress(OSError):  # not ours to set in some containers, and only needed for many clusters
        value = int(file.read_text())
        if value < INOTIFY_INSTANCES:
            file.write_text(str(INOTIFY_INSTANCES))
            write(paths.run / "inotify.before", str(value).encode())
            say(f"fs.inotify.max_user_instances raised from {value} to {INOTIFY_INSTANCES}")


def down(paths: Paths) -> None:
    """Stop the dockerd that was started here and take the runtime away; installed packages stay.

    While containers run (another lab's, or anybody's), all stays as it is.
    """
    if os.geteuid() != 0:
        raise LabHostError("the lab host can be taken down by root only", hint="run it with sudo")
    with locked(paths):
        running = running_containers() if daemon.ours(paths) or runtime.installed(paths) else []
        if running:
            say(f"Docker stays, for containers still run: {', '.join(sorted(running))}")
            return
        daemon.stop(paths, say)
        used = docker_version() is not None and _default_runtime() == RUNTIME
        if runtime.remove(paths, keep_program=used):
            say(f"our runtime is gone from {paths.daemon_json}")
        if used:
            say(f"another Docker daemon still runs with {paths.runtime}: the file stays until that ends")
        kept = paths.run / "inotify.before"
        with contextlib.suppress(OSError):
            _inotify(paths).write_text(kept.read_text())
        kept.unlink(missing_ok=True)


def status(paths: Paths) -> bool:
    """Say how things stand; True if Docker answers."""
    version = docker_version()
    pid = daemon.ours(paths)
    say(f"Docker: {version or 'no answer'}{f' (started here, pid {pid})' if pid else ''}")
    say(f"CAP_SYS_RESOURCE: {'missing' if _capability_missing(paths) else 'there'}")
    say(f"our runtime: {'the default' if runtime.installed(paths) else 'not installed'}")
    absent = packages.missing(packages.NEEDED + (() if version else packages.DOCKER))
    say(f"missing packages: {' '.join(absent) or 'none'}")
    return version is not None


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.lab_host", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status"])
    command = parser.parse_args(argv).command
    paths = Paths()
    try:
        if command == "status":
            return 0 if status(paths) else 1
        (up if command == "up" else down)(paths)
    except LabHostError as error:
        print(f"lab host: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
