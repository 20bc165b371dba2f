# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go programs from a pinned module, and the one file that Istio's module brings beside them (recipes).

Every component has a small module of its own in ``roles/artifacts/files/go/<module>``: its ``go.mod`` pins what is
built, its ``go.sum`` is what ``-mod=readonly`` checks every download against. Compiled packages stay in the user's own
Go cache, which is why an interrupted build goes on where it was.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext

__all__ = ["ENVIRONMENT", "go_component", "go_version", "module_file", "required_go"]

# GOFLAGS and GOWORK of the person who runs this would change what is built.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "GOOS": "linux"}
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")


def go_component(
    name: str,
    *,
    module: str,
    packages: Mapping[str, str],
    version: str,
    source: str = "",
    stamp: Mapping[str, str] | None = None,
    cost: int = 10,
) -> Component:
    """A component of Go programs: ``packages`` maps each file to the package it is built from.

    ``module`` is a directory below ``files/go``, ``source`` the module that the labels of images name, and ``stamp``
    holds linker variables (``-X name=value``).
    """
    variables = " ".join(f"-X {variable}={value}" for variable, value in (stamp or {}).items())
    return Component(
        name=name,
        kind="go",
        build=functools.partial(_build, module=module, packages=dict(packages)),
        recipe_files=(f"go/{module}",),
        params={
            "version": version,
            "source": source,
            "packages": " ".join(f"{file}={package}" for file, package in packages.items()),
            "flags": " ".join([*_FLAGS, *(f"{name}={value}" for name, value in ENVIRONMENT.items())]),
            "ldflags": f"-s -w {variables}".strip(),
        },
        outputs=tuple(packages),
        cost=cost,
    )


def module_file(name: str, *, module: str, path: str, source: str, file: str, version: str) -> Component:
    """A component of one file: ``source`` out of the module ``path`` that ``files/go/<module>`` pins."""
    return Component(
        name=name,
        kind="file",
        build=functools.partial(_copy, module=module, path=path, source=source, file=file),
        recipe_files=(f"go/{module}",),
        params={"version": version, "path": path, "member": source},
        outputs=(file,),
        cost=5,
    )


def go_version(go: str = "go") -> tuple[str, tuple[int, ...]]:
    """What ``go version`` says, and the version as numbers; raises MeshError where Go is missing."""
    hint = "install Go, or take another source by edge_mesh_artifacts"
    if shutil.which(go) is None:
        raise MeshError("source build needs Go", why="there is no go command in the search path", hint=hint)
    try:
        text = subprocess.run([go, "version"], check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise MeshError("source build needs Go", why=f"go version failed: {error}", hint=hint) from error
    match = re.search(r"\bgo(\d+(?:\.\d+)*)", text)
    if not match:
        raise MeshError("source build needs Go", why=f"go version answered {text!r}", hint=hint)
    return text, _numbers(match[1])


def required_go(files: Path) -> tuple[int, ...]:
    """The newest Go version that any of the modules below ``files/go`` asks for."""
    asked = [
        _numbers(match[1])
        for path in (files / "go").glob("*/go.mod")
        if (match := re.search(r"^go (\d+(?:\.\d+)*)", path.read_text(encoding="utf-8"), re.MULTILINE))
    ]
    return max(asked, default=(1,))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _checkout(ctx: BuildContext, module: str) -> Path:
    """A copy of the module to build in: Go must never write into the collection."""
    return Path(shutil.copytree(ctx.files / "go" / module, ctx.work / "module"))


def _environment(ctx: BuildContext) -> dict[str, str]:
    return {**ENVIRONMENT, "GOARCH": ctx.arch}


def _build(ctx: BuildContext, *, module: str, packages: Mapping[str, str]) -> None:
    source = _checkout(ctx, module)
    for file, package in packages.items():
        target = ctx.out / file
        words: list[str | Path] = ["go", "build", *_FLAGS, "-ldflags", ctx.params["ldflags"], "-o", target, package]
        ctx.run(words, cwd=source, env=_environment(ctx))
        target.chmod(0o755)


def _copy(ctx: BuildContext, *, module: str, path: str, source: str, file: str) -> None:
    checkout = _checkout(ctx, module)
    ctx.run(["go", "mod", "download", path], cwd=checkout, env=_environment(ctx))
    words = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path]
    directory = ctx.output(words, cwd=checkout, env=_environment(ctx)).strip()
    shutil.copyfile(Path(directory, source), ctx.out / file)
    (ctx.out / file).chmod(0o644)
