# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real ``ansible-playbook`` on a playbook that a test writes (used by the tests of roles and playbooks)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    rc: int
    output: str


def run(
    directory: Path, playbook: list[dict[str, Any]], inventory: dict[str, Any], *arguments: str,
    more: Mapping[str, str] | None = None,
) -> Ran:  # fmt: skip
    """Write both into the directory and play them as in a checkout; ``more`` goes into the environment."""
    (directory / "play.yml").write_text(yaml.safe_dump(playbook, sort_keys=False))
    (directory / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **(more or {})}
    done = subprocess.run(
        [program, "-i", "hosts.yml", "play.yml", *arguments],
        cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout + done.stderr)
