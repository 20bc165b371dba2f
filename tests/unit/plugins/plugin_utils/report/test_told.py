# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence in one clause: short where all is well, the reason first where it isn't."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.report.told import told


@pytest.mark.parametrize(
    ("check", "evidence", "clause"),
    [
        ("join.address", {"address": "192.0.2.1:15012"}, "192.0.2.1:15012 connects"),
        ("join.tls", {"issuer": "CN=centre", "days_left": 729.6}, "CN=centre, 730 days left"),
        ("join.ads", {"clusters": 14, "listeners": 15}, "14 clusters, 15 listeners"),
        ("join.csr", {"identity": ["spiffe://td/ns/x/sa/y"]}, "spiffe://td/ns/x/sa/y"),
        ("istiod.cluster-synced", {"states": {"one": "synced", "two": "synced"}}, "by 2 replicas of istiod"),
        ("proxy.synced", {"proxies": 1}, "1 proxy"),
    ],
)
def test_what_is_well_is_told_shortly(check: str, evidence: dict[str, Any], clause: str) -> None:
    assert told(check, "ok", evidence) == clause


@pytest.mark.parametrize("evidence", [{"identity": []}, {"identity": None}, {}, {"other": 1}])
def test_evidence_of_another_shape_is_told_by_its_values(evidence: dict[str, Any]) -> None:
    assert told("join.csr", "ok", evidence) == "; ".join(f"{name} {value}" for name, value in evidence.items() if value)


def test_what_is_wrong_begins_with_the_reason() -> None:
    evidence = {"address": "192.0.2.1:15012", "error": "connection refused " * 9}
    assert told("join.address", "failed", evidence).startswith("connection refused")


def test_its_own_clause_goes_before_everything() -> None:
    assert told("join.csr", "ok", {"seen": "this", "identity": ["that"]}) == "this"
