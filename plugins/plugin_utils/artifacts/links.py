# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Symbolic links to the programs, where a person's search path finds them (used by the service)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["make_links", "remove_links", "wrong_links"]


def wrong_links(directory: Path, programs: Mapping[str, str]) -> list[str]:
    """Names of programs whose link is missing or leads elsewhere; raises MeshError where a file has the name."""
    wrong = []
    for name, target in programs.items():
        link = directory / name
        if link.is_symlink():
            if os.readlink(link) != target:
                wrong.append(name)
        elif link.exists():
            raise MeshError(
                f"{link} can't become a link to {name}",
                why="there is a file that isn't ours",
                hint="move it away, or choose another artifacts_bin_dir",
            )
        else:
            wrong.append(name)
    return wrong


def make_links(directory: Path, programs: Mapping[str, str], names: list[str]) -> None:
    """Make or replace the links of those names, each in one step."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        fresh = directory / f".{name}-{uuid.uuid4().hex[:8]}"
        fresh.symlink_to(programs[name])
        fresh.rename(directory / name)


def remove_links(directory: Path, names: list[str], below: Path) -> list[str]:
    """Remove the links of those names that lead below a directory; the names of those removed."""
    removed = []
    for name in names:
        link = directory / name
        if link.is_symlink() and Path(os.readlink(link)).is_relative_to(below):
            link.unlink()
            removed.append(name)
    return removed
