# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JUnit: one suite per site, one case per check and peer, and readers that count the same."""

from __future__ import annotations

from xml.etree import ElementTree

from ansible_collections.edge.mesh.plugins.plugin_utils.report import junit
from tests.unit.plugins.plugin_utils.report.test_records import made

RECORDS = [
    made("input.webhook", "shop", seen="calls <it> & \x1b more"),
    made("traffic.reach", "shop", "failed", peer="centre", seen="none of 30 calls"),
    made("traffic.reach", "shop", peer="shop"),
    made("input.trust", "centre", "unknown", seen="no answer"),
    made("gateway.ready", "centre", "skipped"),
    made("gateway.address", "centre", "warning", seen="odd"),
]


def parsed() -> ElementTree.Element:
    return ElementTree.fromstring(junit.document("mesh1", RECORDS))


def test_each_site_has_a_suite_and_each_check_a_case() -> None:
    cases = {suite.get("name"): [case.get("name") for case in suite.iter("testcase")] for suite in parsed()}
    assert cases == {
        "shop": ["input.webhook", "traffic.reach"],
        "centre": ["input.trust", "gateway.ready", "gateway.address"],
    }


def test_failed_unknown_and_skipped_are_what_junit_calls_them() -> None:
    counts = {name: parsed().get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    failure = parsed().find(".//failure")
    assert failure is not None
    assert failure.get("message") == "centre: none of 30 calls (mend traffic.reach)"


def test_a_warning_passes_and_says_so() -> None:
    case = parsed().find(".//testcase[@name='gateway.address']")
    assert case is not None
    assert [child.tag for child in case] == ["system-out"]
    assert "warning" in str(case[0].text)


def test_times_are_seconds() -> None:
    assert {case.get("time") for case in parsed().iter("testcase")} == {"0.012"}
