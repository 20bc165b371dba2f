# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content key of a component: equal keys mean equal inputs (used by the engine; reads recipe files only)."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component

__all__ = ["content_key", "content_keys", "ordered", "short"]

# Raised when the meaning of a key or the layout of an entry changes.
_SCHEME = 1


def short(key: str) -> str:
    """The first 12 digits: what tags and log names carry."""
    return key[:12]


def ordered(components: Mapping[str, Component]) -> list[Component]:
    """All components, each after the ones it needs; raises MeshError for an unknown name or a circle."""
    done: dict[str, Component] = {}
    open_names: list[str] = []

    def visit(name: str, wanted_by: str) -> None:
        if name in done:
            return
        if name not in components:
            raise MeshError(f"component {wanted_by} needs {name}, which doesn't exist")
        if name in open_names:
            raise MeshError("components need each other in a circle", why=" -> ".join([*open_names, name]))
        open_names.append(name)
        for needed in components[name].needs:
            visit(needed, name)
        open_names.pop()
        done[name] = components[name]

    for name in components:
        visit(name, name)
    return list(done.values())


def content_keys(
    components: Mapping[str, Component], *, files: Path, arch: str, toolchain: Mapping[str, str]
) -> dict[str, str]:
    """The key of every component; ``toolchain`` maps a kind to what builds it (``{"go": "go version ..."}``)."""
    keys: dict[str, str] = {}
    for component in ordered(components):
        keys[component.name] = content_key(
            component,
            needs={name: keys[name] for name in component.needs},
            files=files,
            arch=arch,
            toolchain=toolchain.get(component.kind, ""),
        )
    return keys


def content_key(component: Component, *, needs: Mapping[str, str], files: Path, arch: str, toolchain: str = "") -> str:
    """64 hex digits over everything that the result is made of; raises MeshError if a recipe file is missing."""
    inputs = {
        "scheme": _SCHEME,
        "name": component.name,
        "kind": component.kind,
        "params": dict(component.params),
        "image": component.image,
        "labels": dict(component.labels),
        "outputs": list(component.outputs),
        "arch": arch,
        "toolchain": toolchain,
        "needs": dict(needs),
        "source": _source_digest(component),
        "files": dict(_file_digests(component, files)),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _source_digest(component: Component) -> str:
    """Digest of the Python file that the recipe is defined in; empty for a parameterised builder."""
    if isinstance(component.build, functools.partial):
        return ""
    source = sys.modules[component.build.__module__].__file__
    return _digest(Path(source)) if source else ""


def _file_digests(component: Component, files: Path) -> Iterator[tuple[str, str]]:
    for name in component.recipe_files:
        top = files / name
        if top.is_dir():
            found = sorted(path for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        elif top.is_file():
            found = [top]
        else:
            raise MeshError(f"the recipe of {component.name} is incomplete", why=f"{name} is missing in {files}")
        for path in found:
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            yield f"{path.relative_to(files)} {mode}", _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
