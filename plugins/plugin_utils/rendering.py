# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``istioctl manifest generate`` makes of values, kept by content (used by the lookup `istio_manifest`).

The same istioctl makes the same of the same input, in half a second to a second of CPU; a fleet has one input a site.
It is kept as JSON: of Istio's definitions, reading YAML takes a third of a second of CPU, reading JSON next to nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import read_text, write_text
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import objects_in

__all__ = ["generate", "key", "render"]

# What wasn't asked for so long goes when something new is kept, in seconds.
_UNUSED = 14 * 24 * 3600.0
_TIMEOUT = 120.0


def key(istioctl: Path, values: str) -> str:
    """What the result depends on: the input, and the program as its real path, size and time of change tell it apart.

    Raises MeshError if the program isn't there.
    """
    try:
        real = istioctl.resolve(strict=True)
        found = real.stat()
    except OSError as error:
        raise MeshError(f"istioctl can't be run: {istioctl}", why=error.strerror or str(error)) from error
    told = f"{real}\0{found.st_size}\0{found.st_mtime_ns}\0{values}"
    return hashlib.sha256(told.encode()).hexdigest()


def generate(istioctl: Path, values: str) -> str:
    """Ask istioctl; raises MeshError with its last line."""
    command = [str(istioctl), "manifest", "generate", "--filename", "-"]
    try:
        done = subprocess.run(command, input=values, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeshError(f"istioctl can't be run: {istioctl}", why=str(error)) from error
    if done.returncode != 0:
        said = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise MeshError("istioctl can't render Istio", why=said, hint="are the values those of this version of Istio?")
    return done.stdout


def render(
    istioctl: Path, values: str, directory: Path, *, ask: Callable[[Path, str], str] = generate
) -> tuple[str, bool]:
    """The manifest, a List in JSON, and whether it was kept from before in ``directory``; raises MeshError.

    A directory that can't be written costs time, not the run.
    """
    path = directory / f"{key(istioctl, values)}.json"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if kept := read_text(path):
            os.utime(path)
            return kept, True
    objects = objects_in(ask(istioctl, values), "what istioctl says")
    made = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, separators=(",", ":"))
    with contextlib.suppress(OSError):
        write_text(path, made)
        _sweep(directory)
    return made, False


def _sweep(directory: Path) -> None:
    end = time.time() - _UNUSED
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < end:
                path.unlink()
