# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for people: nothing is wider than the terminal, what failed comes first and says what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.plugin_utils.report import table
from tests.unit.plugins.plugin_utils.report.test_records import made


def texts(lines: list[table.Line]) -> list[str]:
    return [line.text for line in lines]


def test_a_table_of_checks_looks_like_this() -> None:
    listed = [
        made("input.webhook", "shop", seen="calls /inject/cluster/shop/net/net-shop"),
        made("traffic.reach", "shop", "failed", peer="centre", seen="none of 30 calls"),
    ]
    assert texts(table.checks(listed, 110)) == [
        "SITE  CHECK          PEER    VERDICT  WHAT WAS SEEN                             TOOK",
        "shop  traffic.reach  centre  failed   none of 30 calls                         12 ms",
        "                                      -> mend traffic.reach",
        "shop  input.webhook          ok       calls /inject/cluster/shop/net/net-shop  12 ms",
    ]


def test_a_table_of_results_looks_like_this() -> None:
    rows = [
        {"site": "centre", "step": "all", "result": "done", "reason": ""},
        {"site": "shop", "step": "enrolment", "result": "failed", "reason": "its API doesn't answer"},
    ]
    lines = table.results(rows, 110)
    assert texts(lines) == [
        "SITE    STEP       RESULT  REASON",
        "shop    enrolment  failed  its API doesn't answer",
        "centre  all        done",
    ]
    assert [line.colour for line in lines] == [None, "red", None]


@pytest.mark.parametrize("verdict", ["failed", "unknown", "warning", "skipped"])
def test_what_isnt_ok_has_a_colour(verdict: str) -> None:
    assert all(line.colour for line in table.checks([made("input.trust", "shop", verdict)], 110)[1:])


def test_lines_of_a_site_that_share_a_hint_show_it_once() -> None:
    dead = [made("input.trust", "shop", "unknown", peer=str(number), seen="no answer") for number in range(4)]
    assert [text.strip() for text in texts(table.checks(dead, 110)) if "->" in text] == ["-> mend input.trust"]


def test_a_hint_that_is_long_goes_on_below_itself() -> None:
    long = {**made("input.trust", "shop", "failed"), "hint": "word " * 30}
    first, second = [text for text in texts(table.checks([long], 90)) if "word" in text][:2]
    assert first.index("word") == second.index("word")


def test_a_name_or_path_is_not_cut_at_a_hyphen() -> None:
    path = "/srv/state-of-the-mesh/kubeconfig/shop-south-7.yaml"
    row = {"site": "shop", "step": "preflight", "result": "failed", "reason": f"its kubeconfig {path} is missing"}
    assert any(path in text for text in texts(table.results([row], 90)))


def test_no_table_is_only_its_heading() -> None:
    assert texts(table.checks([], 80)) == ["SITE  CHECK  PEER  VERDICT  WHAT WAS SEEN  TOOK"]


@given(st.lists(st.text(max_size=300), max_size=5), st.integers(80, 140))
def test_nothing_is_wider_than_the_terminal(words: list[str], width: int) -> None:
    listed = [made("site.no-control-plane", "shop", "failed", peer="centre", seen=word) for word in words]
    assert all(len(text) <= width for text in texts(table.checks(listed, width)))
