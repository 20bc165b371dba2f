# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball that Galaxy gets: built for real, and its file list read."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests import checkout as tree

# What a person's checkout may hold and nobody else should get.
PLANTED = [
    ".state/ca/root/ca-key.pem",
    "inventories/mine/.state/kubeconfig/edge.yaml",
    "inventories/mine/.state/artifacts.lock",
    "playbooks/.state/reports/run.json",
    "inventories/lab/.state/ca/primary/ca-key.pem",
    ".venv/bin/kubectl",
    ".cache/bootstrap.lock",
    ".git/config",
    "tests/output/lab/pytest.log",
    "somebody.kubeconfig",
    "plugins/module_utils/__pycache__/_errors.cpython-312.pyc",
    "edge-mesh-0.0.1.tar.gz",
]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The tarball's member names, built from a copy of the checkout with a person's files planted in it."""
    checkout, built = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("built")
    tree.copy(checkout)
    for name in PLANTED:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("planted", encoding="utf-8")
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    done = subprocess.run(
        [galaxy, "collection", "build", "--output-path", built, checkout], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (tarball,) = built.glob("edge-mesh-*.tar.gz")
    with tarfile.open(tarball) as archive:
        manifest = json.load(archive.extractfile("MANIFEST.json"))
        assert manifest["collection_info"]["dependencies"] == {}
        return [member.name for member in archive.getmembers() if not member.isdir()]


def test_it_holds_the_collection(members: list[str]) -> None:
    assert {"README.md", "LICENSE", "meta/runtime.yml", "meta/execution-environment.yml", "bindep.txt"} <= set(members)
    assert "requirements/collection.txt" in members
    for kind in ("plugins", "roles", "playbooks"):
        shipped = {name for name in members if name.startswith(f"{kind}/")}
        assert shipped == {name for name in map(str, tree.files()) if name.startswith(f"{kind}/")}


def test_it_holds_nothing_of_a_person(members: list[str]) -> None:
    assert not set(PLANTED) & set(members)
    private = (".state", ".venv", ".git", ".cache", "__pycache__", "kubeconfig", ".pem", ".lock")
    code = ("plugins/", "roles/", "playbooks/")  # kubeconfig.py is code, go.sum is a pin
    assert not [name for name in members if any(word in name for word in private) and not name.startswith(code)]
    assert not [name for name in members if any(part in private for part in Path(name).parts)]


def test_it_holds_nothing_that_serves_the_checkout_only(members: list[str]) -> None:
    checkout_only = (
        "tests/",
        "tools/",
        "extensions/",
        "inventories/lab/",
        "inventories/lab-multi-primary/",
        ".ci/",
        "Makefile",
        "ansible.cfg",
        "requirements/lab",
        "pyproject",
    )
    assert not [name for name in members if name.startswith(checkout_only)]
