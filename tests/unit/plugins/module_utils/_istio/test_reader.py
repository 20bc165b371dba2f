# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader at a site: the objects carry the rights that are asked for, and nothing more."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._istio import reader
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader

READER = Reader("istio-system", "reader")
OBJECTS = reader.objects(READER)
RULES = [rule for body in OBJECTS for rule in body.get("rules", [])]


def test_paths_are_those_of_the_api():
    assert [reader.path_of(body) for body in OBJECTS] == [
        "/api/v1/namespaces/istio-system/serviceaccounts/reader",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader-istio-system",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/reader-istio-system",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/roles/reader",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/rolebindings/reader",
    ]


def test_every_object_says_whose_it_is():
    for body in [*OBJECTS, reader.anchor(READER, "paris", "hub", static=False)]:
        assert body["metadata"]["labels"] == {"edge.mesh/set": "site-reader", "edge.mesh/origin": "created"}


def test_the_bindings_bind_the_reader_to_the_roles_that_are_made():
    named = {(body["kind"], body["metadata"]["name"]) for body in OBJECTS}
    for body in OBJECTS:
        if "roleRef" in body:
            assert (body["roleRef"]["kind"], body["roleRef"]["name"]) in named
            assert body["subjects"] == [{"kind": "ServiceAccount", "name": "reader", "namespace": "istio-system"}]


def test_nothing_but_upkeep_may_be_written():
    writes = {
        (resource, verb)
        for rule in RULES
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in ("get", "list", "watch")
    }
    assert writes == {
        ("subjectaccessreviews", "create"),
        ("tokenreviews", "create"),
        ("mutatingwebhookconfigurations", "update"),
        ("configmaps", "create"),
        ("configmaps", "update"),
    }
    assert not any("*" in rule[key] for rule in RULES for key in ("verbs", "resources", "apiGroups"))


def test_configmaps_of_others_can_neither_be_read_nor_changed():
    everywhere = [rule for rule in OBJECTS[1]["rules"] if rule["resources"] == ["configmaps"]]
    assert all(rule.get("resourceNames") or rule["verbs"] == ["create"] for rule in everywhere)


def test_the_rights_of_the_roles_are_the_rights_that_are_needed():
    assert reader.missing_rights({"status": {"resourceRules": RULES}}) == []


@pytest.mark.parametrize("index", range(len(RULES)))
def test_every_rule_is_missed_when_it_is_gone(index):
    rules = RULES[:index] + RULES[index + 1 :]
    assert reader.missing_rights({"status": {"resourceRules": rules}})


def test_missing_rights_are_named():
    rules = copy.deepcopy(RULES)
    rules[0]["verbs"].remove("watch")
    rules[0]["resources"].remove("pods")
    missed = reader.missing_rights({"status": {"resourceRules": rules}})
    assert missed == ["watch nodes", "list pods", "watch pods", "watch services"]


def test_a_right_that_holds_in_one_namespace_only_isnt_taken_for_one_that_holds_everywhere():
    everywhere = {"status": {"resourceRules": OBJECTS[1]["rules"]}}
    here = {"status": {"resourceRules": RULES}}
    assert reader.unproven(everywhere, here, "istio-system") == []
    nothing = {"status": {"resourceRules": []}}
    assert reader.unproven(nothing, here, "istio-system") == [
        right for right in reader.rights("istio-system") if right.namespace is None
    ]
    assert [str(right) for right in reader.unproven(everywhere, everywhere, "istio-system")] == [
        "list configmaps in istio-system",
        "watch configmaps in istio-system",
        "get configmaps/istio-namespace-controller-election in istio-system",
        "update configmaps/istio-namespace-controller-election in istio-system",
    ]


def test_a_right_is_asked_for_as_the_api_wants_it():
    named = [right for right in reader.rights("istio-system") if right.namespace and right.verb == "update"]
    assert [right.as_review()["spec"] for right in named] == [
        {
            "resourceAttributes": {
                "verb": "update", "group": "", "resource": "configmaps", "namespace": "istio-system",
                "name": "istio-namespace-controller-election",
            }
        }
    ]  # fmt: skip
    assert reader.rights("istio-system")[0].as_review()["spec"] == {
        "resourceAttributes": {"verb": "list", "group": "", "resource": "nodes"}
    }


def test_an_administrators_rights_are_enough():
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert reader.missing_rights({"status": {"resourceRules": [everything]}}) == []


def test_an_incomplete_review_proves_nothing():
    assert reader.missing_rights({"status": {"resourceRules": [], "incomplete": True}}) == []
    assert reader.missing_rights({}) != []


def test_only_our_own_fields_are_compared():
    live = copy.deepcopy(OBJECTS[1])
    live["metadata"].update(uid="u", resourceVersion="1", annotations={"a": "b"})
    live["metadata"]["labels"]["theirs"] = "x"
    assert reader.differences(OBJECTS[1], live) == []
    live["rules"].append({"verbs": ["*"]})
    del live["metadata"]["labels"]["edge.mesh/set"]
    assert reader.differences(OBJECTS[1], live) == ["metadata.labels.edge.mesh/set", "rules"]
    assert reader.differences(OBJECTS[1], None) == ["is missing"]


def test_a_static_tokens_secret_names_the_account():
    made = reader.anchor(READER, "paris", "hub", static=True)
    assert made["type"] == "kubernetes.io/service-account-token"
    assert made["metadata"]["annotations"] == {
        "edge.mesh/primary": "hub",
        "edge.mesh/cluster": "paris",
        "edge.mesh/reader": "reader",
        "kubernetes.io/service-account.name": "reader",
    }
    assert "name" not in made["metadata"]


PEER = Reader("istio-system", "other", peer=True)


def test_a_peer_reads_all_that_the_own_primary_reads_and_writes_nothing():
    rules = [rule for body in reader.objects(PEER) for rule in body.get("rules", [])]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert not [rule for rule in rules if {"tokenreviews", "subjectaccessreviews"} & set(rule["resources"])]
    reads = {right for right in reader.rights("istio-system") if right.verb in ("list", "watch")}
    assert {right for right in reader.rights("istio-system", peer=True) if right.verb != "get"} == reads


def test_a_peers_rights_are_enough_for_a_peer_only():
    rules = [rule for body in reader.objects(PEER) for rule in body.get("rules", [])]
    review = {"status": {"resourceRules": rules}}
    assert reader.missing_rights(review, peer=True) == []
    assert "create tokenreviews.authentication.k8s.io" in reader.missing_rights(review)
