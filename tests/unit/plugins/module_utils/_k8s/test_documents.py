# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import documents
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Ref, clean, flatten, from_yaml, ref_of


def item(**parts):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "n"}, **parts}


def test_yaml_is_read_as_kubernetes_tools_do():
    text = "a: 2020-01-01\nb: 12:30:45\nc: 0644\nd: yes\ne: 1e3\nf: .5\ng: ~\nh:\ni: =\nj: 'no'\nk: v1.2\nl: <<x\n"
    assert from_yaml(f"{text}---\n---\nm: 1\n", "s") == [
        {
            "a": "2020-01-01", "b": "12:30:45", "c": 420, "d": True, "e": 1000.0, "f": 0.5, "g": None, "h": None,
            "i": "=", "j": "no", "k": "v1.2", "l": "<<x",
        },
        {"m": 1},
    ]  # fmt: skip


def test_anchors_and_merges_work():
    assert from_yaml("a: &x {b: 1}\nc: {<<: *x, d: 2}\n", "s") == [{"a": {"b": 1}, "c": {"b": 1, "d": 2}}]


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "!!python/object/apply:os.system ['true']", "\x00"])
def test_what_isnt_yaml_is_an_error_without_a_quotation(text):
    with pytest.raises(MeshError, match=r"^render isn't YAML: (line \d+, column \d+|ReaderError)$"):
        from_yaml(text, "render")


def test_lists_are_opened():
    nested = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [item(), {"apiVersion": "v1", "kind": "PodList", "items": []}],
    }
    assert flatten([nested, item()], "s") == [item(), item()]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (5, "it is a int"),
        ({}, "apiVersion is missing"),
        ({"apiVersion": "v1"}, "kind is missing"),
        ({"apiVersion": "v1", "kind": 5}, "kind is missing or not a string"),
        ({"apiVersion": "v1", "kind": "X"}, "metadata.name is missing"),
        ({"apiVersion": "v1", "kind": "X", "metadata": {"name": ""}}, "metadata.name is missing"),
        ({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "namespace": 5}}, "metadata.namespace is not"),
    ],
)
def test_what_isnt_an_object_is_refused_with_its_place(document, why):
    with pytest.raises(MeshError, match=f"^render, object 2 isn't a Kubernetes object: {why}"):
        flatten([item(), document], "render")


def test_a_wish_holds_nothing_that_only_the_server_sets():
    metadata = {
        "name": "x",
        "namespace": "n",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": None,
        "managedFields": [],
    }
    dirty = item(metadata=metadata, status={"x": 1}, data={"a": None, "b": "1"})
    assert clean(dirty) == item(data={"b": "1"})


def test_the_wish_for_a_status_is_the_status_alone():
    assert clean(item(data={"a": "1"}, status={"x": 1}), status=True) == item(status={"x": 1})


def test_a_secrets_texts_become_data():
    secret = {**item(), "kind": "Secret", "data": {"a": "MQ=="}, "stringData": {"b": "2"}}
    assert clean(secret)["data"] == {"a": "MQ==", "b": "Mg=="}
    assert "stringData" not in clean(secret)


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_labels_and_annotations_are_strings(part):
    with pytest.raises(MeshError, match=rf"ConfigMap n/x can't be applied: metadata.{part}.a is not a string but bool"):
        clean(item(metadata={"name": "x", "namespace": "n", part: {"a": True}}))


def test_a_reference_reads_well_and_forgets_the_version():
    assert str(ref_of(item())) == "ConfigMap n/x"
    assert str(Ref("v1", "Namespace", "", "x")) == "Namespace x"
    assert Ref("apps/v1", "D", "n", "x").identity == Ref("apps/v1beta1", "D", "n", "x").identity
    assert Ref("v1", "D", "n", "x").identity != Ref("apps/v1", "D", "n", "x").identity


TREES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(TREES)
def test_cleaning_twice_is_cleaning_once(data):
    once = clean(item(data={"a": data}))
    assert clean(once) == once
    assert documents._without_nulls(once) == once


def test_json_among_yaml_is_read_as_such() -> None:
    listed = '{"kind": "List", "items": [{"a": "no", "b": 1e2, "c": null}]}'
    assert from_yaml(f"a: no\n---\n{listed}", "here") == [{"a": False}, json.loads(listed)]
    assert from_yaml(f"{listed}\n---\n# nothing\n---\nb: 2\n", "here") == [json.loads(listed), {"b": 2}]
    assert from_yaml("{a: flow, b: [1]}", "here") == [{"a": "flow", "b": [1]}]
    with pytest.raises(MeshError, match="isn't YAML"):
        from_yaml('{"a": ', "here")
