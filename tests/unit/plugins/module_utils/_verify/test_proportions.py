# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares of answers: what is off, what chance may do, and what a page must have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._verify import proportions
from ansible_collections.edge.mesh.plugins.module_utils._verify.proportions import Page

THIRDS = {"v1": 33, "v2": 33, "v3": 34}


def row(app: str, version: str = "v1", request: str = "r", site: str = "shop") -> str:
    return (
        f'<tr data-app="{app}" data-version="{version}" data-site="{site}" data-pod="{app}-1" data-request="{request}">'
    )


def page(version: str = "v1", *, request: str = "r", end: str = "</html>\n", ratings: bool = True) -> Page:
    rows = [row("productpage"), row("details"), row("reviews", version)]
    rows += [row("ratings", request=request)] if version != "v1" and ratings else []
    return Page(200, "<html>" + "".join(rows) + end)


def test_a_page_tells_who_took_part() -> None:
    assert page("v2").rows["reviews"] == ("v2", "shop", "reviews-1", "r")
    assert page("v2").version == "v2"
    assert page("v2").flaw == ""


@pytest.mark.parametrize(
    ("given_page", "flaw"),
    [
        (Page(0, "Connection refused"), "Connection refused"),
        (Page(503, "no healthy upstream"), "503 no healthy upstream"),
        (page(end=""), "the page doesn't end"),
        (Page(200, row("productpage") + "</html>"), "no answer of details, reviews"),
        (page("v3", ratings=False), "no answer of ratings"),
        (page("v2", request="another"), "the request's id wasn't passed on"),
    ],
)
def test_a_page_that_isnt_whole_says_why(given_page: Page, flaw: str) -> None:
    assert given_page.flaw == flaw


def test_pages_with_the_shares_of_the_route_are_well() -> None:
    found = proportions.bookinfo([[page("v1")] * 30 + [page("v2")] * 30 + [page("v3")] * 40], THIRDS, 15)
    assert found.verdict == "ok"
    assert found.evidence["seen"] == "100 of 100 complete: v1 30, v2 30, v3 40"
    assert found.evidence["answered_by"]["reviews-v2"] == ["shop"]


def test_one_page_that_isnt_whole_is_a_failure() -> None:
    found = proportions.bookinfo(
        [[page("v1")] * 33 + [page("v2")] * 33 + [page("v3")] * 33 + [Page(503, "x")]], THIRDS, 15
    )
    assert found.verdict == "failed"
    assert found.evidence["seen"].startswith("99 of 100 complete")
    assert found.hint


def test_shares_are_off_beyond_the_tolerance() -> None:
    assert proportions.off({"a": 60, "b": 40}, {"a": 50, "b": 50}, 15) == []
    assert proportions.off({"a": 70, "b": 30}, {"a": 50, "b": 50}, 15) == [
        "a has 70 %, not 50 %",
        "b has 30 %, not 50 %",
    ]
    assert proportions.off({}, {"a": 100}, 15) == ["a has 0 %, not 100 %"]


def test_all_and_nothing_are_exact() -> None:
    assert proportions.off({"a": 99, "b": 1}, {"a": 100}, 15) == ["a has 99 %, not 100 %", "b has 1 %, not 0 %"]


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 500), min_size=1))
def test_what_is_seen_is_never_off_from_itself(counts: dict[str, int]) -> None:
    total = sum(counts.values())
    expected = {name: 100 * count / total for name, count in counts.items()}
    assert proportions.off(counts, expected, 0.001) == []


def test_a_named_user_gets_his_version_alone() -> None:
    good = proportions.users([("banzai", [page("v2")] * 10, {"v2": 100})], 15)
    assert good.verdict == "ok"
    assert good.evidence["banzai"]["versions"] == {"v2": 10}
    bad = proportions.users([("banzai", [page("v2")] * 9 + [page("v1")], {"v2": 100})], 15)
    assert bad.verdict == "failed"
    assert "v1 has 10 %, not 0 %" in bad.evidence["seen"]


@pytest.mark.parametrize(
    ("sites", "errors", "verdict", "seen"),
    [
        (["hub"] * 45 + ["paris"] * 55, [], "ok", "hub 45, paris 55 of 100"),
        (["hub"] * 80 + ["paris"] * 20, [], "failed", "hub has 80 %, not 50 %"),
        (["hub"] * 50 + ["paris"] * 49 + [None], ["503 no healthy upstream"], "failed", "1 failed: 503 no healthy"),
    ],
)
def test_a_split_has_its_shares_and_no_failure(
    sites: list[str | None], errors: list[str], verdict: str, seen: str
) -> None:
    found = proportions.split([sites], errors, {"hub": 50, "paris": 50}, 15)
    assert found.verdict == verdict
    assert seen in found.evidence["seen"]
    assert bool(found.hint) == (verdict == "failed")
