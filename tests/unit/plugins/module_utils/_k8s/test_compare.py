# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._k8s.compare import compare, same, without_fields_of
from tests.unit.plugins.module_utils._k8s.fake_api import IDENTITY, leaves, tree


def item(**parts):
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x"}, **parts}


def fields(value):
    """What the server would note as ours after applying ``value``."""
    return tree(leaves(value) - IDENTITY)


def told(desired, live, ours):
    return [str(difference) for difference in compare(desired, live, ours)]


def test_what_was_applied_and_left_alone_has_no_difference():
    wish = item(spec={"a": 1, "b": {"c": [1, 2]}})
    assert told(wish, {**wish, "status": {"x": 1}}, fields(wish)) == []


def test_every_kind_of_difference_is_told_apart():
    last = item(spec={"same": 1, "other": 1, "gone": 1, "dropped": 1})
    live = item(spec={"same": 1, "other": 2, "dropped": 1, "theirs": 1, "shared": 1})
    wish = item(spec={"same": 1, "other": 1, "gone": 1, "shared": 1, "new": 1})
    assert told(wish, live, fields(last)) == [
        ".spec.other differs",
        ".spec.gone is missing",
        ".spec.shared isn't ours yet",
        ".spec.new is missing",
        ".spec.dropped is not wanted",
    ]


def test_list_items_with_a_key_are_compared_by_it_wherever_they_stand():
    ours = {"f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}}}}
    wish = item(spec={"containers": [{"name": "a", "image": "1"}]})
    live = item(
        spec={"containers": [{"name": "injected", "image": "9"}, {"name": "a", "image": "1", "pull": "Always"}]}
    )
    assert told(wish, live, ours) == []
    assert told(item(spec={"containers": [{"name": "a", "image": "2"}]}), live, ours) == [
        ".spec.containers[name=a].image differs"
    ]
    assert told(item(spec={"containers": [{"name": "b", "image": "1"}]}), live, ours) == [
        ".spec.containers[name=b] is missing",
        ".spec.containers[name=a] is not wanted",
    ]


def test_a_key_that_the_wish_leaves_to_its_default_is_the_same_item():
    ours = {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}}}
    wish = item(ports=[{"port": 80, "name": "http"}])
    live = item(ports=[{"port": 80, "name": "http", "protocol": "TCP", "targetPort": 80}])
    assert told(wish, live, ours) == []


def test_sets_are_compared_as_sets():
    ours = {"f:finalizers": {'v:"a"': {}, 'v:"b"': {}}}
    assert told(item(finalizers=["b", "a"]), item(finalizers=["a", "x", "b"]), ours) == []
    assert told(item(finalizers=["a"]), item(finalizers=["a", "b"]), ours) == ['.finalizers["b"] is not wanted']


def test_a_list_owned_as_a_whole_must_be_whole():
    ours = fields(item(rules=[{"verbs": ["get"]}]))
    assert told(item(rules=[{"verbs": ["get"]}]), item(rules=[{"verbs": ["get"], "names": ["x"]}]), ours) == [
        ".rules differs"
    ]


@pytest.mark.parametrize(
    ("path", "wish", "live"),
    [
        (("rules",), [{"operations": ["CREATE"]}], [{"operations": ["CREATE"], "scope": "*"}]),
        (("ports",), [{"port": 1}], [{"port": 1, "protocol": "TCP"}]),
        (("valueFrom", "fieldRef"), {"fieldPath": "x"}, {"fieldPath": "x", "apiVersion": "v1"}),
        (("resources", "limits", "cpu"), "1000m", "1"),
        (("resources", "limits", "memory"), "1024Mi", "1Gi"),
        (("resources", "limits", "cpu"), 2, "2"),
        (("resources", "limits", "cpu"), "1e3", "1k"),
    ],
)
def test_what_the_server_is_known_to_rewrite_is_the_same(path, wish, live):
    assert same(wish, live, path)


@pytest.mark.parametrize(
    ("path", "wish", "live"),
    [
        (("x",), "1000m", "1"),
        (("resources", "limits", "cpu"), "1", "2"),
        (("resources", "limits", "cpu"), "1..0", "1"),
        (("x",), True, 1),
        (("x",), 0, False),
        (("x",), 80, "80"),
        (("x",), [1], [1, 2]),
        (("x",), {"a": 1}, {}),
        (("x",), {"a": 1}, {"a": 1, "scope": "*"}),
    ],
)
def test_nothing_else_is_the_same(path, wish, live):
    assert not same(wish, live, path)


def test_a_zero_value_that_the_server_leaves_out_is_no_difference():
    wish = item(env={"name": "A", "value": ""})
    assert told(wish, item(env={"name": "A"}), fields(wish)) == []
    assert told(item(env={"value": "x"}), item(env={}), fields(wish))


def test_without_a_record_of_ours_everything_differs():
    wish = item(spec={"a": 1})
    assert told(wish, wish, None) == [".spec isn't ours yet"]
    assert told(wish, item(), None) == [".spec is missing"]


VALUES = st.recursive(
    st.integers(0, 3) | st.sampled_from(["x", "y"]) | st.booleans(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("abcd"), inner, min_size=1, max_size=3)
    ),
    max_leaves=10,
)
SPECS = st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1, max_size=4)


@given(SPECS)
def test_whatever_was_applied_compares_equal(spec):
    wish = item(spec=spec)
    assert compare(wish, copy.deepcopy(wish), fields(wish)) == []


@given(SPECS, SPECS)
def test_any_other_wish_than_the_last_one_differs(last, wish):
    differences = compare(item(spec=wish), item(spec=last), fields(item(spec=last)))
    assert bool(differences) == (repr(sorted_tree(last)) != repr(sorted_tree(wish)))


@given(SPECS, SPECS)
def test_what_hands_changed_of_ours_differs(ours, theirs):
    live = {**ours, **theirs}
    left = {path for path in leaves(item(spec=ours)) - IDENTITY if path[1][2:] not in theirs}
    differences = compare(item(spec=ours), item(spec=live), tree(left))
    assert bool(differences) == bool(set(ours) & set(theirs))


def sorted_tree(value):
    if isinstance(value, dict):
        return {name: sorted_tree(value[name]) for name in sorted(value)}
    return [sorted_tree(each) for each in value] if isinstance(value, list) else value


def test_fields_of_a_controller_are_not_claimed_unless_they_are_ours():
    hook = 'k:{"name":"h"}'
    wish = item(webhooks=[{"name": "h", "failurePolicy": "Ignore", "rules": [1]}], spec={"replicas": 1})
    theirs = {"f:webhooks": {hook: {"f:failurePolicy": {}}}, "f:spec": {"f:replicas": {}}}
    ours = {"f:webhooks": {hook: {".": {}, "f:name": {}, "f:rules": {}}}, "f:spec": {"f:replicas": {}}}
    body, left = without_fields_of(wish, ours, theirs)
    assert left == [".webhooks[name=h].failurePolicy"]
    assert body == item(webhooks=[{"name": "h", "rules": [1]}], spec={"replicas": 1})


@given(SPECS, SPECS)
def test_leaving_fields_never_invents_any(wish, theirs):
    body, left = without_fields_of(item(spec=wish), None, fields(item(spec=theirs)))
    # What is left of an emptied branch is one of its own ancestors.
    assert set(leaves(body.get("spec", {}))) <= {
        path[:end] for path in leaves(wish) for end in range(len(path) + 1)
    } | {()}
    assert bool(left) == (body != item(spec=wish))


def test_another_kind_of_value_where_ours_was_is_a_difference():
    ours = fields(item(spec={"a": {"b": 0}}))
    assert told(item(spec={"a": {"b": 0}}), item(spec={"a": 5}), ours) == [".spec.a differs"]
