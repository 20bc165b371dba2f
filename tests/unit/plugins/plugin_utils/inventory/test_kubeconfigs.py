# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubeconfigs that people bring: each one that can't be used is named before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.kubeconfigs import bad_kubeconfigs

GOOD: dict[str, Any] = {
    "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443"}}],
    "users": [{"name": "u", "user": {"token": "marker-token"}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
}


def model(directory: Path, *, shop: dict[str, Any] | None = None) -> dict[str, Any]:
    """A primary and an edge, with their kubeconfigs below ``directory``."""
    sites = {}
    for name, role in (("centre", "primary"), ("shop", "edge")):
        sites[name] = {
            "name": name,
            "role": role,
            "hosts": [f"h-{name}"],
            "primary": "centre",
            "provider": "existing",
            "kubeconfig": str(directory / f"{name}.yaml"),
            "context": None,
        }
        write(directory / f"{name}.yaml", GOOD)
    sites["shop"] |= shop or {}
    return {"sites": sites}


def write(path: Path, content: dict[str, Any], mode: int = 0o600) -> None:
    path.write_text(yaml.safe_dump(content))
    path.chmod(mode)


def found(given: dict[str, Any], *hosts: str) -> list[str]:
    return [str(problem) for problem in bad_kubeconfigs(given, hosts or ("h-centre", "h-shop"))]


def test_good_ones_are_no_problem(tmp_path: Path) -> None:
    assert found(model(tmp_path)) == []


def user(**entries: Any) -> dict[str, Any]:
    return {**GOOD, "users": [{"name": "u", "user": entries}]}


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (
            None,
            0o600,
            "it doesn't exist (put it there (mode 0600), or set edge_mesh_kubeconfig; ",
        ),
        (GOOD, 0o644, "others can read it (mode 0644) (chmod 600 "),
        (user(exec={"command": "aws"}), 0o600, "'exec' is refused: it would run a program"),
        (user(tokenFile="/x", token="t"), 0o600, "'tokenFile' is refused: it points at another file"),
        ({**GOOD, "contexts": [*GOOD["contexts"], {"name": "y", "context": {}}]}, 0o600, "it has several contexts"),
        ({}, 0o600, "it has no contexts (set edge_mesh_kubeconfig to a kubeconfig that this site can be reached with)"),
    ],
)
def test_a_bad_one_is_named_with_its_site(
    tmp_path: Path, content: dict[str, Any] | None, mode: int, expected: str
) -> None:
    given = model(tmp_path)
    path = tmp_path / "shop.yaml"
    if content is None:
        path.unlink()
    else:
        write(path, content, mode)
    (message,) = found(given)
    assert message.startswith(f"shop: the kubeconfig {path} can't be used: ")
    assert expected in message
    assert "marker-token" not in message


def test_a_directory_in_its_place_is_named(tmp_path: Path) -> None:
    given = model(tmp_path, shop={"kubeconfig": str(tmp_path)})
    assert "it isn't a regular file" in found(given)[0]


def test_only_the_plays_sites_and_their_primaries_are_judged(tmp_path: Path) -> None:
    given = model(tmp_path)
    (tmp_path / "shop.yaml").unlink()
    assert found(given, "h-centre") == []
    (tmp_path / "centre.yaml").unlink()
    assert [message.partition(":")[0] for message in found(given, "h-shop")] == ["centre", "shop"]


def test_a_provider_that_writes_kubeconfigs_answers_for_them(tmp_path: Path) -> None:
    given = model(tmp_path, shop={"provider": "kind"})
    (tmp_path / "shop.yaml").unlink()
    assert found(given) == []


def test_a_model_with_problems_of_its_own_is_judged_too(tmp_path: Path) -> None:
    given = model(tmp_path, shop={"primary": None})
    (tmp_path / "shop.yaml").unlink()
    assert len(found(given)) == 1
