# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Ref
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import Cause
from ansible_collections.edge.mesh.plugins.module_utils._k8s.execute import conflicts
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import (
    Apply,
    Create,
    Delete,
    Keep,
    Refuse,
    Release,
    Rules,
    order,
    plan_absent,
    plan_present,
    plan_status,
)
from tests.unit.plugins.module_utils._k8s.fake_api import IDENTITY, leaves, tree

RULES = Rules("s")


def wish(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "n"}, "data": data}


def entry(body, manager="edge.mesh", operation="Apply", **more):
    return {"manager": manager, "operation": operation, "fieldsV1": tree(leaves(body) - IDENTITY), **more}


def live(body, *others, origin="created", set_name="s", ours=True, **metadata):
    """The object as the server has it after we applied ``body`` as one of our set."""
    labels = {name: value for name, value in (("edge.mesh/origin", origin), ("edge.mesh/set", set_name)) if value}
    marked = {**body, "metadata": {**body["metadata"], **({"labels": labels} if labels else {})}}
    entries = [*([entry(marked)] if ours else []), *others]
    return {**marked, "metadata": {**marked["metadata"], "uid": "u", "managedFields": entries, **metadata}}


def test_what_isnt_there_is_created_with_our_labels():
    step = plan_present(wish(a="1"), None, RULES)
    assert isinstance(step, Create)
    assert step.body["metadata"]["labels"] == {"edge.mesh/origin": "created", "edge.mesh/set": "s"}


def test_what_is_as_wished_is_kept():
    assert plan_present(wish(a="1"), live(wish(a="1")), RULES) == Keep()


@pytest.mark.parametrize("origin", ["created", "adopted"])
def test_what_differs_is_applied_with_the_reasons_and_keeps_its_origin(origin):
    step = plan_present(wish(a="2"), live(wish(a="1", b="1"), origin=origin), RULES)
    assert isinstance(step, Apply)
    assert step.reasons == (".data.a differs", ".data.b is not wanted")
    assert step.body["metadata"]["labels"]["edge.mesh/origin"] == origin
    assert (step.mend, step.adopting) == (True, False)


def test_others_objects_are_refused_or_adopted():
    theirs = live(wish(a="1"), entry(wish(a="1"), "other"), origin=None, set_name=None, ours=False)
    assert isinstance(plan_present(wish(a="1"), theirs, RULES), Refuse)
    step = plan_present(wish(a="1"), theirs, Rules("s", adopt=True))
    assert isinstance(step, Apply)
    assert (step.mend, step.adopting, step.body["metadata"]["labels"]["edge.mesh/origin"]) == (False, True, "adopted")


@pytest.mark.parametrize("rules", [Rules("other"), Rules("other", adopt=True), Rules(None)])
def test_another_sets_objects_are_refused_even_when_adopting(rules):
    step = plan_present(wish(a="1"), live(wish(a="1")), rules)
    assert isinstance(step, Refuse)
    assert step.why == "it belongs to set 's'"


def test_labels_alone_make_nothing_ours():
    copied = live(wish(a="1"), entry(wish(a="1"), "endpoint-controller", "Update"), ours=False)
    assert ownership.origin_of(copied) is None
    assert plan_absent(copied, "s", why="w") == Keep(("it isn't ours: left alone",))


def test_what_a_controller_owns_is_never_ours():
    owned = live(wish(a="1"), ownerReferences=[{"controller": True}])
    assert ownership.origin_of(owned) is None


@pytest.mark.parametrize(
    ("others", "origin"),
    [
        ((), "created"),
        ((entry(wish(b="1"), "pilot-discovery", "Update"),), "created"),
        ((entry({"status": {"a": 1}}, "somebody", "Update", subresource="status"),), "created"),
        ((entry(wish(b="1"), "kubectl-create", "Update"),), "adopted"),
    ],
)
def test_without_the_label_we_made_only_what_nobody_else_declares(others, origin):
    assert ownership.origin_of(live(wish(a="1"), *others, origin=None, set_name=None)) == origin


def test_unwanted_objects_go_as_they_came():
    assert plan_absent(live(wish()), "s", why="w") == Delete("u", ("w",))
    assert isinstance(plan_absent(live(wish(), origin="adopted"), "s", why="w"), Release)
    assert isinstance(plan_absent(live(wish()), "other", why="w"), Keep)
    assert isinstance(plan_absent(live(wish()), None, why="w"), Delete)
    assert plan_absent(None, "s", why="w") == Keep()
    assert plan_absent(live(wish(), deletionTimestamp="now"), "s", why="w") == Keep()


def test_a_status_is_compared_with_what_we_said_of_the_status():
    body = {name: value for name, value in wish().items() if name != "data"} | {"status": {"a": 1}}
    there = live(wish(), entry({"status": {"a": 1}}, subresource="status"))
    assert plan_status(body, {**there, "status": {"a": 1, "b": 2}}, RULES) == Keep()
    assert isinstance(plan_status(body, {**there, "status": {"a": 2}}, RULES), Apply)
    assert isinstance(plan_status(body, None, RULES), Refuse)


def cause(manager, field=".data.a"):
    return Cause("FieldManagerConflict", f'conflict with "{manager}" using v1', field)


def test_hands_are_mended_and_declarations_and_controllers_are_not():
    there = live(wish(), entry(wish(), "argocd"), entry(wish(), "kubectl"), entry(wish(), "Mozilla", "Update"))
    causes = [cause(manager) for manager in ("argocd", "kubectl", "kubectl-edit", "Mozilla", "pilot-discovery")]
    assert conflicts(causes, there, ownership.RESPECTED) == [("argocd", ".data.a"), ("pilot-discovery", ".data.a")]


@pytest.mark.parametrize("name", ["a", "site-enrollment", "x1", "a" * 63])
def test_sets_have_names_that_fit_a_label(name):
    assert ownership.check_set_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a b", "a" * 64, "a\n", "a,b"])
def test_other_names_are_refused(name):
    with pytest.raises(MeshError, match="can't name a set"):
        ownership.check_set_name(name)


KINDS = [
    ("v1", "Namespace"), ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"), ("v1", "Secret"), ("apps/v1", "Deployment"),
    ("networking.istio.io/v1", "Gateway"), ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
]  # fmt: skip


def test_what_others_stand_on_comes_first_and_what_can_refuse_others_last():
    waves = [order(Ref(version, kind, "", "x")) for version, kind in KINDS]
    assert waves == [0, 0, 1, 1, 1, 2, 3, 4]
    assert order(Ref("serving.knative.dev/v1", "Service", "n", "x")) == 3  # a custom resource of a known name


FIELDS = st.recursive(
    st.just({}), lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", 'k:{"n":1}', "."]), inner, max_size=3)
)


@given(FIELDS, FIELDS)
def test_merging_field_trees_is_a_union(one, other):
    def paths(node, prefix=()):
        return {prefix}.union(*(paths(child, (*prefix, name)) for name, child in node.items()))

    assert paths(ownership.merged(one, other)) == paths(one) | paths(other)
    assert ownership.merged(one, one) == one


@given(st.permutations(KINDS))
def test_the_order_is_the_same_however_objects_are_written(kinds):
    ordered = sorted(kinds, key=lambda kind: order(Ref(*kind, "", "x")))
    waves = [order(Ref(*kind, "", "x")) for kind in ordered]
    assert all(one <= other for one, other in itertools.pairwise(waves))
