# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single values as YAML and Ansible hand them on, against the schema."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.values import cast, problem_of

TEXT, PATH, FLAG, NUMBER = ({"type": kind, "default": None} for kind in ("str", "path", "bool", "int"))
LIST, TEXTS = {"type": "list", "default": []}, {"type": "list", "elements": "str", "default": []}
DICT = {"type": "dict", "default": {}}


@pytest.mark.parametrize(
    ("entry", "value", "made"),
    [
        (TEXT, "1.30", "1.30"), (TEXT, 7, "7"), (TEXT, "", ""), (TEXT, None, None), (PATH, "/a", "/a"),
        (PATH, "", None), (LIST, [{"a": 1}, None], [{"a": 1}, None]),
        (FLAG, "Yes", True), (FLAG, 0, False), (NUMBER, "7", 7), (NUMBER, -1, -1),
        (TEXTS, ["a", 5], ["a", "5"]), (DICT, {"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_a_value_comes_out_in_its_type(entry: dict[str, Any], value: Any, made: Any) -> None:
    assert problem_of("edge_mesh_x", value, entry) is None
    assert cast(value, entry) == made


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        (TEXT, 1.3, "edge_mesh_x is read as 1.3; put it into quotes"),  # it said 1.30
        (TEXT, True, "edge_mesh_x is read as True; put it into quotes"),  # it said on
        (TEXT, {"a": 1}, "edge_mesh_x must be a text, not a dictionary"),
        (PATH, ["a"], "edge_mesh_x must be a text, not a list"),
        (FLAG, "perhaps", "edge_mesh_x is 'perhaps'; it must be true or false"),
        (NUMBER, True, "edge_mesh_x is True; it must be a whole number"),
        (NUMBER, 1.5, "edge_mesh_x is 1.5; it must be a whole number"),
        (
            LIST,
            "100%",
            """edge_mesh_x must be a list, not a text; on the command line write -e '{"edge_mesh_x": [...]}'""",
        ),
        (
            DICT,
            "a",
            """edge_mesh_x must be a dictionary, not a text; on the command line write -e '{"edge_mesh_x": {...}}'""",
        ),
        (LIST, 5, "edge_mesh_x must be a list, not a number"),
        (DICT, ["a"], "edge_mesh_x must be a dictionary, not a list"),
        (TEXTS, ["a", None], "edge_mesh_x holds None, which is empty"),
        (TEXTS, ["a", " "], "edge_mesh_x holds ' ', which is empty"),
        (TEXTS, [["a"]], "edge_mesh_x holds ['a'], which isn't a text"),
        (TEXTS, [1.5], "edge_mesh_x holds 1.5, which isn't a text"),
    ],
)
def test_what_a_person_cant_have_meant_is_refused(entry: dict[str, Any], value: Any, said: str) -> None:
    assert problem_of("edge_mesh_x", value, entry) == said


def test_a_path_is_expanded_as_ansible_expands_those_of_its_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.setenv("EDGE_MESH_TEST", "state")
    assert [cast(path, PATH) for path in ("~/a", "$HOME/a", "/srv/${EDGE_MESH_TEST}/a")] == [
        "/home/x/a", "/home/x/a", "/srv/state/a",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [{"a": "hush"}, ["hush"], 1.5])
def test_a_secret_is_in_no_message(value: Any) -> None:
    said = problem_of("edge_mesh_x", value, {**TEXT, "secret": True})
    assert said == "edge_mesh_x must be a text"
