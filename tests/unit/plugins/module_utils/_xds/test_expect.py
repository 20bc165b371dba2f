# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations: read before anything is asked, applied to the result."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds import expect

RESULT = {"proxies": [{"cluster": "lyon"}, {"cluster": "oslo"}], "clusters": [], "healthy": False}


@pytest.mark.parametrize(
    ("that", "why", "position"),
    [
        ("proxies[", "ends too early", 9),
        ("healthy ||", "ends too early", 11),
        ("", "is empty", 1),
        ("a b", "'b' isn't expected", 3),
        ("a.b.$", "Unknown token", 5),
        ("'abc", "Unclosed", 1),
        ("a && size(b)", "no function size()", 6),
        ("size && size (b)", "no function size()", 9),
        ("length(a, b)", "takes 1 argument, not 2", 1),
        ("a || contains(b)", "takes 2 arguments, not 1", 6),
        ("merge()", "takes at least 1 arguments, not 0", 1),
    ],
)
def test_an_expression_that_cant_be_read_is_an_error_with_its_position(that: str, why: str, position: int) -> None:
    with pytest.raises(MeshError) as caught:
        expect.read([{"that": "healthy", "message": ""}, {"that": that, "message": ""}])
    assert "number 2" in str(caught.value)
    assert why in str(caught.value)
    assert f"at character {position} of" in str(caught.value)


@pytest.mark.parametrize(
    ("that", "met"),
    [
        ("length(proxies) == `2`", True),
        ("proxies[?cluster=='lyon']", True),
        ("proxies[?cluster=='nice']", False),
        ("healthy", False),
        ("nothing", False),
        ("clusters", False),
        ("`0`", True),
        ("merge(@, @, @)", True),
    ],
)
def test_an_expectation_is_met_unless_it_gives_nothing(that: str, met: bool) -> None:
    (found,) = expect.evaluate(expect.read([{"that": that, "message": "m"}]), RESULT)
    assert (found["that"], found["message"], found["met"], found["error"]) == (that, "m", met, "")


def test_an_expression_that_doesnt_fit_the_result_isnt_met_and_says_why() -> None:
    (found,) = expect.evaluate(expect.read([{"that": "length(healthy)", "message": ""}]), RESULT)
    assert found["met"] is False
    assert "length()" in found["error"]


@pytest.mark.parametrize(
    ("item", "why"),
    [({"that": "a", "msg": ""}, "the key 'msg'"), ({"message": "m"}, "no expression"), ({"that": 5}, "no expression")],
)
def test_an_expectation_of_another_shape_is_an_error(item: dict[str, object], why: str) -> None:
    with pytest.raises(MeshError, match=why):
        expect.read([item])


def test_a_message_may_be_missing() -> None:
    assert expect.read([{"that": "healthy"}])[0].message == ""


def test_nothing_expected_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expect, "MISSING", "No module named 'jmespath'")
    assert expect.read([]) == ()
    with pytest.raises(MeshError, match="jmespath"):
        expect.read([{"that": "healthy", "message": ""}])
