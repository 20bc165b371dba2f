# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.report`: files and table, never a change."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail

from ansible_collections.edge.mesh.plugins.action import report
from ansible_collections.edge.mesh.plugins.modules import report as documentation
from ansible_collections.edge.mesh.plugins.plugin_utils.report.shown import CALLBACK, Reports
from tests.unit.plugins.modules.test_site_checks import assert_same
from tests.unit.plugins.plugin_utils.report.test_records import made


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    lines: list[tuple[str, str | None]] = []
    monkeypatch.setattr(report.constants, "CALLBACKS_ENABLED", [])  # a checkout's ansible.cfg has the callback
    monkeypatch.setattr(
        report, "display", SimpleNamespace(columns=79, display=lambda text, color=None: lines.append((text, color)))
    )
    return lines


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """The action's result; what Ansible would hand in is faked."""
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=check_mode, diff=False, action="edge.mesh.report")
    context = SimpleNamespace(check_mode=check_mode, diff=False, verbosity=0)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    action = report.ActionModule(task, connection, context, None, None, None)
    return dict(action.run(task_vars={}))


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("check_mode", [False, True])
def test_records_become_json_and_junit_without_a_change(tmp_path: Path, check_mode: bool) -> None:
    records = [made("input.webhook", "shop"), made("input.trust", "shop", "failed")]
    result = run(check_mode, mesh="mesh1", state_dir=str(tmp_path / "state"), records=records)
    directory = tmp_path / "state" / "reports"
    assert (directory.stat().st_mode & 0o777, (directory / "verify.json").stat().st_mode & 0o777) == (0o700, 0o600)
    assert json.loads((directory / "verify.json").read_text()) == {
        "schema": 1, "mesh": "mesh1", "healthy": False, "checks": records,
    }  # fmt: skip
    assert "<testsuites" in (directory / "verify.xml").read_text()
    assert sorted(path.name for path in directory.iterdir()) == ["verify.json", "verify.xml"]
    assert result["changed"] is False
    assert result["unhealthy"] == ["shop input.trust"]


def test_people_see_a_table_and_the_summary_last(tmp_path: Path, shown: list[tuple[str, str | None]]) -> None:
    result = run(mesh="mesh1", state_dir=str(tmp_path), records=[made("input.webhook", "shop")])
    assert shown[1][0].startswith("SITE")
    assert shown[-1] == ("mesh1: 1 site, 1 check: 1 ok", "green")
    assert result["summary"] == shown[-1][0]


def test_a_runs_results_become_json_and_a_table(tmp_path: Path, shown: list[tuple[str, str | None]]) -> None:
    rows = [
        {"site": "centre", "step": "all", "result": "done"},
        {"site": "shop", "step": "enrolment", "result": "failed", "reason": "no answer"},
    ]
    result = run(name="run", mesh="mesh1", state_dir=str(tmp_path), results=rows)
    written = json.loads((tmp_path / "reports" / "run.json").read_text())
    assert (written["schema"], written["healthy"]) == (1, False)
    assert written["results"][0] == {"site": "centre", "step": "all", "result": "done", "reason": ""}
    assert result["unhealthy"] == ["shop"]
    assert shown[-1] == ("mesh1: 2 sites: 1 done, 1 failed", "red")


def test_where_the_callback_is_enabled_the_table_is_left_to_it(
    tmp_path: Path, shown: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report.constants, "CALLBACKS_ENABLED", ["edge.mesh.report"])
    run(mesh="mesh1", state_dir=str(tmp_path), records=[made("input.webhook", "shop")])
    assert shown == []
    assert (tmp_path / "reports" / "verify.json").exists()


def test_a_merged_report_of_a_worker_that_was_cut_off_is_shown_by_callbacks_too(tmp_path: Path) -> None:
    row = {"site": "shop", "step": "enrolment", "result": "running", "reason": ""}
    document = {"schema": 1, "mesh": "mesh1", "healthy": False, "results": [row], "finished": False, "left": ["shop"]}
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "run-1.json").write_text(json.dumps(document))
    result = run(name="run", mesh="mesh1", state_dir=str(tmp_path), slices=["1"])
    assert (result["healthy"], result["unhealthy"]) == (False, ["shop"])
    assert json.loads((tmp_path / "reports" / "run.json").read_text())["finished"] is False
    reports = Reports()
    reports.remember("edge.mesh.report", result)
    assert any(line.text.startswith("shop  enrolment") for line in reports.lines())


@pytest.mark.usefixtures("shown")
def test_what_it_returns_is_documented(tmp_path: Path) -> None:
    result = run(mesh="mesh1", state_dir=str(tmp_path), records=[made("input.webhook", "shop")])
    assert set(result) - {"changed"} == set(yaml.safe_load(documentation.RETURN))
    assert_same(yaml.safe_load(documentation.DOCUMENTATION)["options"], report.ARGUMENTS)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "one of the following is required: records, results"),
        ({"records": [{"id": "input.trust"}]}, "can't be reported"),
        ({"records": [], "name": "other"}, "value of name must be one of"),
    ],
)
def test_input_that_cant_be_used_is_an_error(tmp_path: Path, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(AnsibleActionFail, match=why):
        run(mesh="mesh1", state_dir=str(tmp_path), **arguments)


@pytest.mark.parametrize("enabled", [[], [CALLBACK]])
def test_what_cant_be_written_is_shown_all_the_same_and_is_an_error_in_one_line(
    tmp_path: Path, shown: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch, enabled: list[str]
) -> None:
    monkeypatch.setattr(report.constants, "CALLBACKS_ENABLED", enabled)  # it would read the file
    (tmp_path / "reports").write_text("a file in the way")
    with pytest.raises(AnsibleActionFail, match=r"the report .*/reports/verify.json can't be written: .* \(make room"):
        run(mesh="mesh1", state_dir=str(tmp_path), records=[made("input.webhook", "shop")])
    assert shown[-1][0] == "mesh1: 1 site, 1 check: 1 ok"
