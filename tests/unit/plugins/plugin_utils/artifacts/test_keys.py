# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content key: equal inputs, equal keys; anything else, another key."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.keys import content_key, content_keys, ordered


def nothing(ctx: BuildContext) -> None:
    """A recipe."""


BASE = Component("one", "go", functools.partial(nothing), recipe_files=("go/one",), params={"flags": "-trimpath"})


@pytest.fixture
def recipe(files: Path) -> Path:
    directory = files / "go" / "one"
    directory.mkdir(parents=True)
    (directory / "go.mod").write_text("module one\n")
    return directory


def key(component: Component, files: Path, toolchain: str = "go1", arch: str = "amd64", **needs: str) -> str:
    return content_key(component, needs=needs, files=files, arch=arch, toolchain=toolchain)


def test_the_key_stays_while_nothing_changes(recipe: Path, files: Path) -> None:
    assert key(BASE, files) == key(replace(BASE, cost=99), files)
    assert len(key(BASE, files)) == 64


@pytest.mark.parametrize(
    "changed",
    [
        replace(BASE, params={"flags": "-race"}),
        replace(BASE, image="edge-mesh.local/one:1"),
        replace(BASE, outputs=("one",)),
        replace(BASE, labels={"a": "b"}),
        replace(BASE, kind="image"),
    ],
)
def test_the_key_changes_with_what_the_component_says(changed: Component, recipe: Path, files: Path) -> None:
    assert key(changed, files) != key(BASE, files)


def test_the_key_changes_with_toolchain_architecture_and_needs(recipe: Path, files: Path) -> None:
    keys = {
        key(BASE, files),
        key(BASE, files, toolchain="go2"),
        key(BASE, files, arch="arm64"),
        key(BASE, files, other="a" * 64),
        key(BASE, files, other="b" * 64),
    }
    assert len(keys) == 5


def test_the_key_changes_with_recipe_files_their_names_and_their_modes(recipe: Path, files: Path) -> None:
    before = key(BASE, files)
    (recipe / "go.mod").write_text("module one // changed\n")
    changed = key(BASE, files)
    (recipe / "go.sum").write_text("")
    more = key(BASE, files)
    (recipe / "go.sum").chmod(0o755)
    assert len({before, changed, more, key(BASE, files)}) == 4


def test_bytecode_beside_a_recipe_changes_nothing(recipe: Path, files: Path) -> None:
    before = key(BASE, files)
    (recipe / "__pycache__").mkdir()
    (recipe / "__pycache__" / "x.pyc").write_text("")
    assert key(BASE, files) == before


def test_a_function_brings_its_own_file_into_the_key(recipe: Path, files: Path) -> None:
    assert key(replace(BASE, build=nothing), files) != key(BASE, files)


def test_a_missing_recipe_file_is_named(files: Path) -> None:
    with pytest.raises(MeshError, match="recipe of one is incomplete: go/one is missing"):
        key(BASE, files)


def test_a_change_below_reaches_everything_above(files: Path) -> None:
    def keys(flags: str) -> dict[str, str]:
        parts = {
            "top": Component("top", "image", nothing, needs=("middle",)),
            "middle": Component("middle", "go", nothing, needs=("bottom",)),
            "bottom": Component("bottom", "go", nothing, params={"flags": flags}),
            "apart": Component("apart", "go", nothing),
        }
        return content_keys(parts, files=files, arch="amd64", toolchain={"go": "go1"})

    old, new = keys("a"), keys("b")
    assert {name for name in old if old[name] != new[name]} == {"top", "middle", "bottom"}


def test_only_the_kind_that_a_toolchain_builds_depends_on_it(files: Path) -> None:
    parts = {"a": Component("a", "go", nothing), "b": Component("b", "rootfs", nothing)}
    old = content_keys(parts, files=files, arch="amd64", toolchain={"go": "go1"})
    new = content_keys(parts, files=files, arch="amd64", toolchain={"go": "go2"})
    assert old["a"] != new["a"]
    assert old["b"] == new["b"]


def test_components_come_after_what_they_need() -> None:
    parts = {name: Component(name, "go", nothing, needs=needs) for name, needs in (("c", ("b", "a")), ("b", ("a",)))}
    parts["a"] = Component("a", "go", nothing)
    assert [component.name for component in ordered(parts)] == ["a", "b", "c"]


def test_a_circle_and_an_unknown_need_are_refused() -> None:
    circle = {"a": Component("a", "go", nothing, needs=("b",)), "b": Component("b", "go", nothing, needs=("a",))}
    with pytest.raises(MeshError, match="circle: a -> b -> a"):
        ordered(circle)
    with pytest.raises(MeshError, match="component a needs x, which doesn't exist"):
        ordered({"a": Component("a", "go", nothing, needs=("x",))})
