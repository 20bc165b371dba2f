# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases of the stand-in for K3s, in the shape of K3s's own: program, images, and their checksums."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tests.lab import machine_image

STANDIN = Path(__file__).with_name("standin") / "k3s.py"


def release(directory: Path, version: str, fault: str = "") -> Path:
    """Write a release of ``version``; ``fault`` is ``start`` for one that can't start. Not K3s."""
    directory.mkdir(parents=True, exist_ok=True)
    text = STANDIN.read_text(encoding="utf-8")
    for name, value in (("VERSION", version), ("FAULT", fault)):
        begin = f'{name} = "'
        line = next(line for line in text.splitlines() if line.startswith(begin))
        text = text.replace(line, f'{name} = "{value}"')
    (directory / "k3s").write_text(f"#!/usr/bin/python3\n{text}", encoding="utf-8")
    shutil.copy(machine_image.archive("image-pause"), directory / "k3s-airgap-images-amd64.tar")
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(directory.glob("k3s*"))
    ]
    (directory / "sha256sum-amd64.txt").write_text("".join(sums), encoding="utf-8")
    return directory


def images(directory: Path) -> list[Path]:
    """What else the stand-in's clusters need: the real K3s has it among its own images."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(machine_image.archive("image-coredns"), directory / "coredns.tar")
    return [directory / "coredns.tar"]
