# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a run has come at each site, what it changed by name, and what is left for the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report import changes, resume, steps


def site(name: str = "shop", **more: Any) -> dict[str, Any]:
    return {"site": name, "role": "edge", "at": "", "begun": True, "failed": {}, "known": True, "results": [], **more}


def row(*, sample_apps: bool = False, wan_links: bool = False, peers: bool = False, **more: Any) -> dict[str, Any]:
    return steps.rows([site(**more)], sample_apps=sample_apps, wan_links=wan_links, peers=peers)[0]


def results(found: dict[str, Any]) -> dict[str, str]:
    return {each["step"]: each["result"] for each in found["steps"]}


def test_a_site_at_the_end_has_done_every_step_of_its_role() -> None:
    found = row(sample_apps=True, wan_links=True, peers=True, gateway_only=True)
    assert (found["step"], found["result"]) == ("all", "done")
    assert results(found) == dict.fromkeys(steps.STEPS["edge"], "done")
    assert "sample apps" not in results(row())
    assert "WAN links" not in results(row())
    assert "other primaries" not in results(row())
    assert "gateway only" not in results(row())
    assert "trust" in results(row(role="primary"))


def test_a_running_site_says_where_it_is() -> None:
    found = row(at="enrolment")
    assert (found["step"], found["result"]) == ("enrolment", "running")
    assert results(found) == {
        "preflight": "done", "cluster": "done", "enrolment": "running", "gateways": "not started",
    }  # fmt: skip


def test_a_site_whose_wave_waits_has_not_begun() -> None:
    found = row(at="enrolment", begun=False)
    assert found["result"] == "not started"
    assert results(found)["enrolment"] == "not started"


def test_a_site_that_ansible_dropped_isnt_done() -> None:
    found = row(dropped=True)
    assert (found["step"], found["result"]) == ("the run", "failed")
    recorded = {"stage": "gateways", "result": "failed", "reason": "no address"}
    assert row(dropped=True, failed=recorded)["reason"] == "no address"


def test_a_failed_site_tells_step_and_reason_and_goes_no_further() -> None:
    failed = {"stage": "cluster", "result": "unreachable", "reason": "no answer"}
    found = row(at="enrolment", failed=failed)
    assert (found["step"], found["result"], found["reason"]) == ("cluster", "unreachable", "no answer")
    assert results(found) == {
        "preflight": "done", "cluster": "unreachable", "enrolment": "not started", "gateways": "not started",
    }  # fmt: skip


def test_a_site_that_was_held_back_has_its_cluster_only() -> None:
    failed = {"stage": "wave 2", "result": "not started", "reason": "paris failed in wave 1"}
    found = row(failed=failed)
    assert (found["step"], found["result"]) == ("wave 2", "not started")
    assert results(found) == {
        "preflight": "done", "cluster": "done", "enrolment": "not started", "gateways": "not started",
    }  # fmt: skip


def test_without_a_cluster_the_rest_of_a_plan_is_skipped() -> None:
    found = row(known=False)
    assert (found["step"], found["result"]) == ("cluster", "skipped")
    assert results(found)["enrolment"] == "skipped"


def test_what_is_left_grows_and_shrinks_with_runs() -> None:
    def left(before: list[str], *, check: bool = False, **now: str) -> list[str]:
        return steps.left([{"site": name, "result": result} for name, result in now.items()], before, check=check)

    assert left([], a="done", b="failed", c="not started", d="running", e="unreachable") == ["b", "c", "d", "e"]
    assert left(["b", "z"], b="done") == ["z"]  # a limited run forgets nobody
    assert left(["b"], b="done", check=True) == ["b"]  # a plan finishes nothing


def manifests(changed: bool = True, **actions: str) -> dict[str, Any]:
    listed = [
        {"kind": "Service", "namespace": "n", "name": name, "action": action, "reasons": []}
        for name, action in actions.items()
    ]
    return {"changed": changed, "objects": listed}


def test_changes_are_told_by_name() -> None:
    found = changes.of([
        manifests(a="created", b="configured", c="unchanged", d="pruned", e="deleted", f="adopted"),
        {"changed": True, "primaries": [{"name": "hub", "action": "created"}, {"name": "aux", "action": "kept"}]},
        {"changed": True, "root": {"name": "root", "action": "kept"},
         "intermediates": [{"name": "hub", "action": "issued", "reasons": ["it expires on 2028-11-20"]}]},
        {"changed": True, "exists": False, "reasons": ["there was no cluster"]},
        {"changed": False, "skipped": True},
    ])  # fmt: skip
    assert found == {
        "created": ["Service n/a", "remote secret at hub", "cluster (there was no cluster)"],
        "changed": ["Service n/b", "Service n/f", "intermediate certificate of hub"],
        "removed": ["Service n/d", "Service n/e"],
    }


def test_what_did_not_change_is_not_told_and_nothing_is_told_twice() -> None:
    assert changes.of([manifests(changed=False, a="configured")]) == {"created": [], "changed": [], "removed": []}
    assert changes.of([manifests(a="created"), manifests(a="configured")])["changed"] == []


def write(state: Path, text: str) -> None:
    (state / "reports").mkdir(parents=True, exist_ok=True)
    (state / "reports" / "run.json").write_text(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "no run has written"), ("{", "can't be read"), ("[]", "no report"), ('{"mesh": "other"}', "no report")],
)
def test_a_report_that_says_nothing_is_refused_with_what_to_do(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        write(tmp_path, text)
    with pytest.raises(MeshError, match=words) as caught:
        resume.left(str(tmp_path), "m")
    assert "without edge_mesh_only" in caught.value.message
    assert resume.left_before(str(tmp_path), "m") == []


def test_a_cluster_that_only_joined_a_wan_link_was_changed() -> None:
    reasons = ["the node wasn't on the WAN link express"]
    found = changes.of([{"changed": True, "exists": True, "reasons": reasons}])
    assert found["changed"] == ["cluster (the node wasn't on the WAN link express)"]
    found = changes.of([{"changed": True, "exists": True, "reasons": ["there was no cluster", *reasons]}])
    assert len(found["created"]) == 1
