# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports of workers, put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report import slices, table


def row(site: str, result: str = "done", **more: Any) -> dict[str, Any]:
    return {"site": site, "step": "all", "result": result, "reason": "", **more}


def document(*rows: dict[str, Any], mesh: str = "mesh1", **more: Any) -> dict[str, Any]:
    return {"schema": 1, "mesh": mesh, "healthy": True, "results": list(rows), "finished": True, "left": [], **more}


def write(directory: Path, part: str, text: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / f"run-{part}.json").write_text(text)


def test_a_slice_is_part_of_the_name() -> None:
    assert (slices.file_name("run", ""), slices.file_name("run", "2")) == ("run", "run-2")


def test_all_sites_are_in_one_report_with_their_slice() -> None:
    parts = {"1": document(row("centre"), row("shop-1")), "2": document(row("shop-2", "failed", reason="no answer"))}
    found = slices.merged("mesh1", parts, before=["shop-1", "shop-9"])
    assert [(each["site"], each["slice"], each["result"]) for each in found["results"]] == [
        ("centre", "1", "done"), ("shop-1", "1", "done"), ("shop-2", "2", "failed"),
    ]  # fmt: skip
    assert found["healthy"] is False
    assert found["left"] == ["shop-9", "shop-2"], "what a slice finished isn't left, what nobody did still is"
    assert (found["finished"], found["check"], found["slices"]) == (True, False, ["1", "2"])


def test_a_worker_that_was_cut_off_is_seen() -> None:
    parts = {"1": document(row("shop-1")), "2": document(row("shop-2", "running"), finished=False)}
    found = slices.merged("mesh1", parts, before=[])
    assert (found["healthy"], found["finished"], found["left"]) == (False, False, ["shop-2"])


def test_a_row_that_says_no_step_and_no_reason_can_be_shown() -> None:
    found = slices.merged("mesh1", {"1": document({"site": "shop-1", "result": "done"})}, before=[])
    assert [line.text for line in table.whole(found, 100)][-1].startswith("mesh1: 1 site: 1 done")


def test_two_workers_on_one_site_are_refused() -> None:
    with pytest.raises(MeshError, match="shop-1 is in the slices 1 and 2"):
        slices.merged("mesh1", {"1": document(row("shop-1")), "2": document(row("shop-1"))}, before=[])


def test_reports_are_read_by_slice(tmp_path: Path) -> None:
    for part in ("1", "2"):
        write(tmp_path, part, json.dumps(document(row(f"shop-{part}"))))
    assert list(slices.read(tmp_path, ["1", "2"], "mesh1")) == ["1", "2"]


@pytest.mark.parametrize(
    ("parts", "text", "words"),
    [
        (["1"], None, "edge_mesh_slice=1"),
        (["1"], "{", "run-1.json"),
        (["1"], "[]", "no report of a run of mesh mesh1"),
        (["1"], json.dumps(document(mesh="other")), "no report of a run of mesh mesh1"),
        (["1"], '{"mesh": "mesh1"}', "no report of a run of mesh mesh1"),
        (["1"], '{"mesh": "mesh1", "results": [{"result": "done"}]}', "no report of a run of mesh mesh1"),
        ([], None, "no slice is named"),
    ],
)
def test_a_report_that_cannot_be_used_is_named(tmp_path: Path, parts: list[str], text: str | None, words: str) -> None:
    if text is not None:
        write(tmp_path, "1", text)
    with pytest.raises(MeshError) as caught:
        slices.read(tmp_path, parts, "mesh1")
    assert words in caught.value.message


def test_a_site_that_no_slice_holds_is_seen() -> None:
    found = slices.merged("mesh1", {"1": document(row("shop-1"))}, before=[], expected=["shop-1", "shop-2"])
    assert [each["result"] for each in found["results"]] == ["done", "not started"]
    assert "in none of the slices 1" in found["results"][1]["reason"]
    assert (found["healthy"], found["left"]) == (False, ["shop-2"])
