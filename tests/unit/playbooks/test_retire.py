# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook retire_site under a real ``ansible-playbook``: its own plays, with a step in the place of its roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.playing import ROOT, Ran, run

BOOKS = ROOT / "playbooks"


def inventory(directory: Path) -> dict[str, Any]:
    shop = {"hosts": {"shop-box": {}}, "vars": {"edge_mesh_provider": "k3s"}}
    centre = {"hosts": {"centre-box": {}}, "vars": {"edge_mesh_provider": "existing"}}
    variables = {"edge_mesh_id": "m", "edge_mesh_state_dir": str(directory / "state")}
    return {
        "all": {
            "vars": variables,
            "children": {
                "mesh_primary": {"children": {"site_centre": centre}}, "mesh_edge": {"children": {"site_shop": shop}},
            },
        }
    }  # fmt: skip


def absolute(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks with the files that they name where they are."""
    text = yaml.safe_dump(tasks, sort_keys=False).replace(": tasks/", f": {BOOKS}/tasks/")
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def retired(directory: Path, *deletion: dict[str, Any]) -> Ran:
    """What comes of retiring a site that gives no answer, whose cluster is deleted by these tasks."""
    (directory / "delete.yml").write_text(yaml.safe_dump(list(deletion)))
    first, _read, last = yaml.safe_load((BOOKS / "retire_site.yml").read_text())
    facts = {"ansible.builtin.set_fact": {"site_cluster_facts": {"known": False}}}
    take_out, delete, say = absolute(last["tasks"])
    assert take_out["ansible.builtin.import_tasks"].endswith("retire.yml")
    delete["block"][0]["ansible.builtin.include_tasks"] = str(directory / "delete.yml")
    book = [{**first, "tasks": absolute(first["tasks"])}, {**last, "tasks": [facts, delete, say]}]
    options = ("-e", "edge_mesh_retire=shop", "-e", "edge_mesh_delete_cluster=true")
    return run(directory, book, inventory(directory), *options)


@pytest.mark.parametrize("fails", [False, True])
def test_the_table_comes_also_when_the_cluster_cant_be_deleted(tmp_path: Path, fails: bool) -> None:
    said = "K3s is still on shop-box, which gave no answer"
    ran = retired(tmp_path, {"ansible.builtin.fail": {"msg": said}, "when": fails})
    document = json.loads((tmp_path / "state/reports/retire.json").read_text())
    [row] = document["results"]
    if fails:
        assert ran.rc == 2
        assert (row["site"], row["step"], row["result"], row["reason"]) == ("shop", "delete", "failed", said)
        assert f"shop has left the mesh, but its cluster is still there: {said}" in " ".join(ran.output.split())
    else:
        assert ran.rc == 0, ran.output
        assert (row["site"], row["result"], row["reason"]) == ("shop", "done", "its cluster is deleted")
