# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that benchmarks compare with and that are built from pinned Go modules (``benchmarks/<name>/go.mod``)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import ENVIRONMENT

__all__ = ["CACHE", "missing"]

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "benchmarks"
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w")


def missing(name: str, package: str) -> str | None:
    """Build ``package`` of the module ``benchmarks/<name>`` into ``CACHE``, once; why it isn't there, or nothing."""
    program = CACHE / name
    if program.exists():
        return None
    if shutil.which("go") is None:
        return "Go isn't installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["go", "build", *_FLAGS, "-o", str(program), package], cwd=ROOT / "benchmarks" / name,
        env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return None if done.returncode == 0 else f"go build {package}: {done.stderr[-1000:]}"
