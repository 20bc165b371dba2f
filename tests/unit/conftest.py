# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For all unit tests: nothing sleeps for real, and examples don't fail for a slow machine."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.common import warnings as module_warnings
from hypothesis import HealthCheck, settings

LONGEST_NAP = 0.3  # seconds; threads of loopback servers may poll, tests may not wait

REAL_SLEEP = time.sleep

# Machines are shared and noisy, so no example has a deadline; what CI tries is the same each time, people's runs vary.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def nothing_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test whose code sleeps: clocks are handed in."""

    def sleep(seconds: float) -> None:
        if seconds > LONGEST_NAP:
            raise AssertionError(f"something sleeps for {seconds} s; hand in a clock")
        REAL_SLEEP(seconds)

    monkeypatch.setattr(time, "sleep", sleep)


@pytest.fixture(autouse=True)
def no_module_hears_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules run in one process here: what one warned of isn't the next one's warning."""
    for kept in ("_global_warnings", "_global_deprecations"):
        monkeypatch.setattr(module_warnings, kept, {})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, taken away again; only root can have one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    where = tmp_path / "small"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(where)], check=True)
    yield where
    subprocess.run(["umount", str(where)], check=True)
