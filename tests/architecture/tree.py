# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the architecture tests look at: the files of the checkout, and the imports of a Python file."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests import checkout
from tests.checkout import ROOT

PLUGINS = "ansible_collections.edge.mesh.plugins."


@cache
def files() -> tuple[Path, ...]:
    """The files of the checkout, relative to the root, without links."""
    return tuple(path for path in checkout.files() if (ROOT / path).is_file() and not (ROOT / path).is_symlink())


def below(*directories: str, suffix: str = "") -> list[Path]:
    """The files below any of these directories (relative to the root) whose names end in ``suffix``."""
    return [
        path
        for path in files()
        if path.name.endswith(suffix) and any(path.is_relative_to(directory) for directory in directories)
    ]


def text(path: Path) -> str:
    """A file's text; a byte that isn't UTF-8 shows as a replacement character."""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Import:
    """One imported name: ``target`` is dotted and absolute, ``line`` where it stands."""

    target: str
    line: int

    @property
    def top(self) -> str:
        """The top-level package."""
        return self.target.split(".")[0]

    @property
    def ours(self) -> str | None:
        """The path below plugins/ in dots (``module_utils._k8s.client.Client``), or None if it isn't ours."""
        return self.target.removeprefix(PLUGINS) if self.target.startswith(PLUGINS) else None


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a Python file, wherever it stands; ``from a import b`` gives ``a.b``."""
    found = []
    for node in ast.walk(ast.parse(text(path), filename=str(path))):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [Import(f"{node.module or '.'}.{alias.name}", node.lineno) for alias in node.names]
    return tuple(found)
