# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
from difflib import unified_diff

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._k8s.diffs import (
    as_yaml,
    changes,
    digest,
    paths,
    shown,
    texts,
)

SECRET = {
    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
    "data": {"key": base64.b64encode(b"hush-hush").decode()}, "stringData": {"other": "hush-hush"},
}  # fmt: skip


def test_nothing_that_the_server_sets_is_shown():
    noisy = {
        "kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "1"}, "status": {"x": 1},
        "metadata": {
            "name": "x", "uid": "u", "resourceVersion": "1", "managedFields": [{}], "generation": 2,
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
        },
    }  # fmt: skip
    assert shown(noisy) == {
        "kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "1"},
        "metadata": {"name": "x", "annotations": {"mine": "1"}},
    }  # fmt: skip
    assert shown(noisy, status=True)["status"] == {"x": 1}
    assert shown(None) == {}


def test_a_secrets_values_are_digests_that_tell_whether_they_are_the_same():
    result = shown(SECRET)
    assert result["data"]["key"] == result["stringData"]["other"] == digest("hush-hush")
    assert "hush" not in as_yaml(result)
    assert len(digest("x")) == len("sha256:") + 12


def test_only_what_differs_is_in_a_diff():
    before = {"a": 1, "b": {"c": 1, "d": 1}, "gone": 1}
    after = {"a": 1, "b": {"c": 2, "d": 1}, "new": 1}
    assert changes(before, after) == ({"b": {"c": 1}, "gone": 1}, {"b": {"c": 2}, "new": 1})
    assert paths(before, after) == [".b.c", ".gone", ".new"]


def test_named_items_are_compared_one_by_one():
    before = {"list": [{"name": "x", "image": "1", "pull": "a"}, {"name": "y", "image": "1"}]}
    after = {"list": [{"name": "x", "image": "2", "pull": "a"}, {"name": "y", "image": "1"}]}
    assert changes(before, after) == ({"list": [{"name": "x", "image": "1"}]}, {"list": [{"name": "x", "image": "2"}]})
    assert paths(before, after) == [".list[name=x].image"]


def test_another_order_of_named_items_is_a_change():
    before, after = {"l": [{"name": "x"}, {"name": "y"}]}, {"l": [{"name": "y"}, {"name": "x"}]}
    assert changes(before, after) == (before, after)
    assert paths(before, after) == [".l"]


def test_a_long_object_that_is_created_is_cut_with_the_number_of_lines_left_out():
    fields = {f"key{number}": "x" for number in range(5000)}
    before, after = texts({}, {"kind": "X", "fields": fields})
    lines = after.splitlines()
    assert before == ""
    assert len(lines) == 41
    assert lines[:3] == ["kind: X", "fields:", "  key0: x"]
    assert lines[-1] == "# ... and 4962 more lines"
    assert texts({"fields": fields}, {})[1] == ""


def test_a_long_object_with_a_short_difference_is_not_cut():
    text = [f"line {number}" for number in range(300)]
    other = [*text[:200], "another", *text[201:]]
    before, after = texts({"data": {"mesh": "\n".join(text)}}, {"data": {"mesh": "\n".join(other)}})
    assert "more lines" not in before + after
    assert [(x, y) for x, y in zip(before.splitlines(), after.splitlines(), strict=True) if x != y] == [
        ("    line 200", "    another")
    ]


@pytest.mark.parametrize("size", [300, 3000])
def test_a_long_difference_between_long_objects_is_cut_after_its_first_lines(size):
    text = [f"line {number}" for number in range(size)]
    other = [*text[:100], *(f"new {number}" for number in range(100)), *text[200:]]
    before, after = texts({"mesh": "\n".join(text)}, {"mesh": "\n".join(other)})
    shown_lines = list(unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[3:]
    assert 35 <= len(shown_lines) <= 48
    assert "-  line 100" in shown_lines
    assert "+  new 0" in shown_lines
    assert shown_lines[-1].startswith(" # ... and ")
    assert shown_lines[-1].endswith(" more lines")


def test_a_very_long_line_is_cut_and_has_a_digest():
    before, after = texts({"ca": "x" * 9000}, {"ca": "x" * 8999 + "y"})
    assert len(before) < 300
    assert "(9004 characters, sha256:" in before
    assert before != after


def test_nothing_to_show_is_nothing():
    assert as_yaml({}) == ""
    assert texts({}, {}) == ("", "")


TREES = st.recursive(
    st.none() | st.integers(0, 2) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("xyz"), "v": st.integers(0, 2)}), max_size=3)
    ),
    max_leaves=10,
)
MAPS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


@given(MAPS, MAPS)
def test_there_is_a_diff_and_a_path_exactly_if_there_is_a_difference(before, after):
    left, right = changes(before, after)
    assert bool(paths(before, after)) == (before != after)
    assert (left != right) == (before != after)


SHORT = 20  # lines: two such trees can't be more than are shown


@given(MAPS)
def test_what_is_shown_is_yaml(value):
    assert yaml.safe_load(as_yaml(value)) == (value or None)


@given(MAPS, MAPS)
def test_short_trees_are_shown_whole(before, after):
    assume(max(len(as_yaml(tree).splitlines()) for tree in (before, after)) <= SHORT)
    one, other = texts(before, after)
    assert yaml.safe_load(one) == (before or None)
    assert yaml.safe_load(other) == (after or None)
