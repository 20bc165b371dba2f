# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check records in a report: refused if they aren't the contract's, ordered, counted, told in one clause."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._checks import record
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report import records


def made(check: str, site: str, verdict: Any = "ok", peer: str | None = None, **evidence: Any) -> dict[str, Any]:
    hint = "" if verdict == "ok" else f"mend {check}"
    found = record(check, site, verdict, origin="site-api", evidence=evidence, peer=peer, took_ms=12, hint=hint)
    return found.as_dict()


def test_records_of_the_contract_are_taken_as_they_are() -> None:
    one = made("input.webhook", "shop")
    assert records.validated([one]) == [one]


@pytest.mark.parametrize(
    "change", [{"extra": 1}, {"id": "input.unheard"}, {"verdict": "maybe"}], ids=["key", "id", "verdict"]
)
def test_a_record_that_isnt_the_contracts_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MeshError, match="can't be reported"):
        records.validated([{**made("input.webhook", "shop"), **change}])


def test_a_record_that_lacks_a_key_is_refused_by_its_name() -> None:
    one = made("input.webhook", "shop")
    del one["took_ms"]
    with pytest.raises(MeshError, match="took_ms"):
        records.validated([one])


def test_the_document_is_the_contracts() -> None:
    checks = [made("input.webhook", "shop")]
    assert records.verify_document("mesh1", checks) == {"schema": 1, "mesh": "mesh1", "healthy": True, "checks": checks}


@pytest.mark.parametrize(
    ("verdicts", "healthy"),
    [
        (["ok"], True),
        (["ok", "warning", "skipped"], True),
        (["ok", "failed"], False),
        (["unknown"], False),
        ([], False),
    ],
)
def test_what_couldnt_be_asked_isnt_healthy_and_nothing_isnt_either(verdicts: list[str], healthy: bool) -> None:
    checks = [made("input.webhook", "shop", verdict) for verdict in verdicts]
    assert records.verify_document("mesh1", checks)["healthy"] is healthy


def test_the_worst_come_first_and_a_sites_lines_stay_together() -> None:
    listed = [
        made("traffic.reach", "shop", peer="shop"),
        made("traffic.reach", "shop", peer="centre"),
        made("input.webhook", "shop"),
        made("input.trust", "centre", "skipped"),
        made("gateway.ready", "centre", "warning"),
        made("gateway.address", "centre", "unknown"),
        made("input.trust", "shop", "failed"),
    ]
    assert [(each["verdict"], each["site"], each["id"], each["peer"]) for each in records.in_order(listed)] == [
        ("failed", "shop", "input.trust", None),
        ("unknown", "centre", "gateway.address", None),
        ("warning", "centre", "gateway.ready", None),
        ("ok", "shop", "input.webhook", None),
        ("ok", "shop", "traffic.reach", "centre"),
        ("ok", "shop", "traffic.reach", "shop"),
        ("skipped", "centre", "input.trust", None),
    ]


def test_what_was_seen_is_the_evidences_own_word() -> None:
    assert records.seen(made("input.webhook", "shop", seen="calls\n  /inject", more=[1])) == "calls /inject"


def test_evidence_without_a_word_of_its_own_is_told_by_its_short_values() -> None:
    one = made("join.ads", "shop", clusters=71, names=["a", "b"], empty="", none=None, nested={"a": 1}, long="x" * 99)
    assert records.seen(one) == "clusters 71; names a, b"


def test_what_came_from_outside_cant_reach_the_terminal() -> None:
    assert records.seen(made("traffic.reach", "shop", seen="\x1b[31mred\x00\u202e bell\x07")) == "[31mred bell"


def test_the_summary_counts_sites_and_verdicts() -> None:
    listed = [made("input.webhook", "shop"), made("input.trust", "shop", "failed"), made("input.trust", "centre")]
    assert records.summary("mesh1", listed) == "mesh1: 2 sites, 3 checks: 2 ok, 1 failed"
    assert records.summary("mesh1", []) == "mesh1: 0 sites, 0 checks: nothing was checked"
