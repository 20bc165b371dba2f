# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of this checkout: tracked ones, and new ones that git doesn't ignore (used by several suites)."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def files() -> tuple[Path, ...]:
    """Relative to the root, sorted; links are listed, not followed.

    The owner of the checkout may be somebody else than who runs the tests (root in CI), which git refuses unless told.
    """
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = sorted(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
    return tuple(Path(name) for name in names if os.path.lexists(ROOT / name))


def copy(target: Path) -> None:
    """Copy them to the directory ``target``, links as links."""
    for path in files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path, follow_symlinks=False)
