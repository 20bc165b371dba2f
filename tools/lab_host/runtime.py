# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our OCI runtime on the machine: installed where CAP_SYS_RESOURCE is missing, and taken away without a trace."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tools.lab_host import daemon_json, oci_runtime
from tools.lab_host.errors import LabHostError
from tools.lab_host.host import Paths, system_python, write

__all__ = ["install", "installed", "program", "remove"]


def program(source: str, python: str) -> str:
    """The source as a program: its first line names the system's Python, isolated and without site packages."""
    return f"#!{python} -IS\n{source}"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def installed(paths: Paths) -> bool:
    """Whether Docker would use our runtime by default."""
    return paths.runtime.exists() and daemon_json.uses(_read(paths.daemon_json), str(paths.runtime))


def install(paths: Paths) -> bool:
    """Put the runtime and its entry in daemon.json in place. True if anything changed (the daemon must read it)."""
    python = system_python()
    if python is None:
        raise LabHostError("the OCI runtime needs a system-wide Python", hint="install python3-minimal")
    source = Path(oci_runtime.__file__).read_text(encoding="utf-8")
    wanted = program(source, python).encode()
    changed = _read(paths.runtime) != wanted
    if changed:
        write(paths.runtime, wanted, mode=0o755)
    before = _read(paths.daemon_json)
    after = daemon_json.merged(before, str(paths.runtime))
    if after != before:
        # What the file was is kept first: an interruption in between then loses nothing.
        if before is None:
            (paths.kept / "daemon.json.before").unlink(missing_ok=True)
        else:
            write(paths.kept / "daemon.json.before", before, mode=0o600)
        write(paths.kept / "daemon.json.written", after, mode=0o600)
        write(paths.daemon_json, after, mode=_mode(paths.daemon_json))
        changed = True
    return changed


def remove(paths: Paths, *, keep_program: bool = False) -> bool:
    """Take the entry out of daemon.json, which becomes what it was, and remove the runtime. True if there was any.

    ``keep_program`` leaves the program itself, for a daemon that runs with it until it is started anew.
    """
    content = _read(paths.daemon_json)
    before, written = _read(paths.kept / "daemon.json.before"), _read(paths.kept / "daemon.json.written")
    after = daemon_json.restored(content, before=before, written=written)
    changed = after != content or (paths.runtime.exists() and not keep_program)
    if after is None:
        paths.daemon_json.unlink(missing_ok=True)
    elif after != content:
        write(paths.daemon_json, after, mode=_mode(paths.daemon_json))
    if not keep_program:
        paths.runtime.unlink(missing_ok=True)
    for name in ("daemon.json.before", "daemon.json.written"):
        (paths.kept / name).unlink(missing_ok=True)
    for directory in (paths.runtime.parent, paths.kept, paths.kept.parent):
        with contextlib.suppress(OSError):  # not empty, or not there
            directory.rmdir()
    return changed


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o644
