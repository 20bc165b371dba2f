# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles: their defaults are their argument specs, their names carry their prefix, and they know no inventory group."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._istio.remnants import SETS
from tests.architecture.tree import ROOT, below, text

ROLES = sorted({path.parts[1] for path in below("roles")})


def load(path: Path) -> Any:
    return yaml.safe_load(text(path)) if (ROOT / path).exists() else None


def specs(role: str) -> dict[str, Any]:
    document = load(Path("roles", role, "meta", "argument_specs.yml"))
    assert document, f"roles/{role}/meta/argument_specs.yml is missing"
    return dict(document["argument_specs"])


def defaults(role: str) -> dict[str, Any]:
    return dict(load(Path("roles", role, "defaults", "main.yml")) or {})


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_has_a_specification_and_the_other_way_round(role: str) -> None:
    entry_points = set(specs(role))
    tasks = {path.stem for path in below(f"roles/{role}/tasks") if len(path.parts) == 4}
    assert "main" in entry_points
    assert entry_points <= tasks, f"no tasks file for {entry_points - tasks}"


@pytest.mark.parametrize("role", ROLES)
def test_defaults_equal_the_argument_specs(role: str) -> None:
    has = defaults(role)
    for name, entry in specs(role).items():
        for option, spec in (entry.get("options") or {}).items():
            where = f"{role}, entry point {name}: {option}"
            if "default" in spec:
                assert option in has, f"{where} has a default in its specification only"
                assert has[option] == spec["default"], f"{where} has two defaults"
            else:
                assert option not in has, f"{where} has a default in defaults/main.yml only"


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_documented(role: str) -> None:
    documented = {option for entry in specs(role).values() for option in entry.get("options") or {}}
    assert set(defaults(role)) <= documented


@pytest.mark.parametrize("role", ROLES)
def test_names_carry_the_prefix_of_their_role(role: str) -> None:
    public = {option for entry in specs(role).values() for option in entry.get("options") or {}} | set(defaults(role))
    assert not [name for name in public if not name.startswith(f"{role}_")]
    internal = load(Path("roles", role, "vars", "main.yml")) or {}
    assert not [name for name in internal if not name.startswith((f"__{role}_", f"{role}_"))]
    registered = {
        name for path in below(f"roles/{role}/tasks") for name in re.findall(r"register:\s*(\S+)", text(path))
    }
    assert not [name for name in registered if not name.startswith(f"__{role}_")]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_knows_no_inventory_group_and_uses_no_shell(role: str) -> None:
    forbidden = re.compile(r"\bgroups\s*[\[.]|\bgroup_names\b|ansible\.(builtin|legacy)\.(shell|raw)\b")
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in below(
            f"roles/{role}/tasks", f"roles/{role}/templates", f"roles/{role}/defaults", f"roles/{role}/vars"
        )
        for number, line in enumerate(text(path).splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_explains_itself(role: str) -> None:
    readme = text(Path("roles", role, "README.md"))
    assert len(readme.split()) > 40


def test_the_settings_of_k3s_are_those_of_the_inventorys_schema() -> None:
    options = specs("site_cluster")["main"]["options"]["site_cluster_k3s"]["options"]
    schema = load(Path("plugins/plugin_utils/inventory/schema.yml"))["variables"]
    prefix = "edge_mesh_k3s_"
    wanted = {name.removeprefix(prefix): entry for name, entry in schema.items() if name.startswith(prefix)}
    wanted = {name: entry for name, entry in wanted.items() if entry["scope"] == "site"}
    assert options.keys() == wanted.keys()
    for name, entry in wanted.items():
        assert options[name]["type"] == entry["type"], name
        assert options[name].get("default") == entry["default"], name


def test_every_set_of_a_role_is_known_where_remnants_are_judged() -> None:
    named = {
        name
        for path in below("roles")
        if path.suffix == ".yml" and path.parts[2] in ("tasks", "vars", "defaults")
        for name in re.findall(r"(?m)^\s*(?:set|\w+_set): ([a-z][a-z-]+)$", text(path))
    }
    assert {"gateways", "traffic-routes", "sample-apps", "wan-association"} <= named
    assert named <= SETS
