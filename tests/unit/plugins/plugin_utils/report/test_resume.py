# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs before have left, from reports as they may be found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report import resume

ROWS = [{"site": "shop", "result": "failed"}, {"site": "kiosk", "result": "done"}]


def write(directory: Path, text: str) -> str:
    (directory / "reports").mkdir()
    (directory / "reports" / "run.json").write_text(text)
    return str(directory)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"results": ROWS, "left": ["kiosk"]}, ["kiosk"]),
        ({"results": ROWS, "left": []}, []),
        ({"results": ROWS}, ["shop"]),
    ],
)
def test_what_was_left_is_told(tmp_path: Path, document: dict[str, Any], names: list[str]) -> None:
    assert resume.left(write(tmp_path, json.dumps({"mesh": "m", **document})), "m") == names


@pytest.mark.parametrize(
    "text",
    [
        '{"mesh": "m", "results": [], "left": ["sh', "[]", "null", '{"mesh": "other", "results": []}',
        '{"mesh": "m"}', '{"mesh": "m", "results": 5}', '{"mesh": "m", "results": ["shop"]}',
        '{"mesh": "m", "results": [{"result": "failed"}]}', '{"mesh": "m", "results": [], "left": "shop"}',
        '{"mesh": "m", "results": [], "left": [{"site": "shop"}]}', '{"schema": 2, "mesh": "m", "results": []}',
    ],
)  # fmt: skip
def test_a_report_that_is_cut_off_foreign_or_no_report_leaves_nothing_and_is_refused_for_resuming(
    tmp_path: Path, text: str
) -> None:
    state = write(tmp_path, text)
    assert resume.left_before(state, "m") == []
    with pytest.raises(MeshError, match=r"what was left can't be told.*run site.yml without edge_mesh_only"):
        resume.left(state, "m")
