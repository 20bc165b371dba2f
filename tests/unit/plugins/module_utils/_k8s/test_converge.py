# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of objects: create, again, change, again, delete, delete again, each in check mode too; then other hands.

These tests run against the fake API, and against a real one if EDGE_MESH_TEST_KUBECONFIG names it.
"""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.converge import Request, converge
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import Rules
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import Clock


def test_the_twelve_steps_of_life(world):
    first = [world.map(a="1", b="2"), world.webhook(), world.namespace]
    second = [world.map(a="9"), world.webhook(), world.namespace]
    steps = []
    for objects, present in (
        (first, True),
        (first, True),
        (second, True),
        (second, True),
        (second, False),
        (second, False),
    ):
        predicted = world.run(*objects, present=present, check=True)
        before = world.client.requests
        done = world.run(*objects, present=present, wait=20)
        assert [(i.action, i.before, i.after) for i in predicted.items] == [
            (i.action, i.before, i.after) for i in done.items
        ]
        steps.append(([item.action for item in done.items], world.client.requests - before))
    assert [actions for actions, _requests in steps] == [
        ["created"] * 3,
        ["unchanged"] * 3,
        ["configured", "unchanged", "unchanged"],
        ["unchanged"] * 3,
        ["deleted"] * 3,
        ["unchanged"] * 3,
    ]
    assert steps[1][1] == 6  # one request to read each, one to see that it is ready
    assert world.client.get(world.webhook_path) is None


def test_check_mode_changes_nothing(world):
    assert world.actions(world.namespace, world.map(), check=True) == ["created", "created"]
    assert world.client.get(world.namespace_path) is None


def test_a_dropped_field_goes_and_others_fields_stay(world):
    world.run(world.namespace, world.map(a="1", b="2"))
    world.cluster.hand(world.map_path, {"data": {"theirs": "x"}})
    world.run(world.namespace, world.map(a="1"))
    assert world.client.get(world.map_path)["data"] == {"a": "1", "theirs": "x"}


@pytest.mark.parametrize("manager", ["kubectl-edit", "k9s", "python-urllib3", "somebody"])
def test_a_field_changed_by_hand_is_mended_once(world, manager):
    world.run(world.namespace, world.map(a="1"))
    world.cluster.hand(world.map_path, {"data": {"a": "hand"}}, manager)
    report = world.run(world.namespace, world.map(a="1"), check=True)
    assert [item.action for item in report.items] == ["unchanged", "configured"]
    assert (report.items[1].before, report.items[1].after) == ({"data": {"a": "hand"}}, {"data": {"a": "1"}})
    assert report.items[1].reasons == (".data.a changed",)
    assert world.actions(world.namespace, world.map(a="1")) == ["unchanged", "configured"]
    assert world.actions(world.namespace, world.map(a="1")) == ["unchanged", "unchanged"]


def test_an_object_deleted_by_hand_comes_back(world):
    world.run(world.namespace, world.map(), world.map("d"))
    world.client.delete(world.map_path)
    assert world.actions(world.namespace, world.map(), world.map("d")) == ["unchanged", "created", "unchanged"]


def test_labels_taken_by_hand_come_back_and_the_object_stays_ours(world):
    world.run(world.namespace, world.map())
    world.cluster.hand(world.map_path, {"metadata": {"labels": {"edge.mesh/set": None, "edge.mesh/origin": None}}})
    assert world.actions(world.namespace, world.map()) == ["unchanged", "configured"]
    assert world.client.get(world.map_path)["metadata"]["labels"]["edge.mesh/origin"] == "created"


def test_a_controllers_fields_are_left_to_it(world):
    world.run(world.namespace, world.webhook("Ignore"))
    live = world.client.get(world.webhook_path)
    live["webhooks"][0].update(failurePolicy="Fail")
    live["webhooks"][0]["clientConfig"]["caBundle"] = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
    world.cluster.hand(world.webhook_path, {"webhooks": live["webhooks"]}, "pilot-discovery")
    report = world.run(world.namespace, world.webhook("Ignore"))
    assert [item.action for item in report.items] == ["unchanged", "unchanged"]
    assert report.items[1].reasons == (".webhooks[name=v.x.test].failurePolicy is left to its controller",)
    assert world.client.get(world.webhook_path)["webhooks"][0]["failurePolicy"] == "Fail"


def test_a_field_that_another_tool_applies_is_a_conflict_unless_forced(world):
    world.run(world.namespace, world.map(a="1"))
    world.client.apply(world.map_path, world.map(a="2"), field_manager="argocd", force=True)
    with pytest.raises(MeshError, match=r"ConfigMap .*/c can't be applied: \.data\.a is managed by argocd"):
        world.run(world.namespace, world.map(a="1"))
    with pytest.raises(MeshError, match="argocd"):
        world.run(world.namespace, world.map(a="1"), check=True)
    assert world.actions(world.namespace, world.map(a="1"), force_conflicts=True) == ["unchanged", "configured"]


def make_foreign(world):
    world.client.apply(
        world.namespace_path, {**world.namespace, "metadata": {"name": world.name}}, field_manager="other"
    )
    world.client.apply(world.map_path, world.map(theirs="1"), field_manager="other")


def test_others_objects_are_refused_before_anything_is_done(world):
    make_foreign(world)
    with pytest.raises(MeshError, match=r"2 of 3 objects can't be applied: Namespace .*not ours.*adopt: true"):
        world.run(world.namespace, world.map(), world.map("new"))
    assert world.client.get(f"{world.namespace_path}/configmaps/new") is None


def test_adopted_objects_lose_our_fields_and_live(world):
    make_foreign(world)
    assert world.actions(world.namespace, world.map(ours="1"), adopt=True) == ["adopted", "adopted"]
    assert world.actions(world.namespace, world.map(ours="1")) == ["unchanged", "unchanged"]
    assert world.client.get(world.map_path)["data"] == {"ours": "1", "theirs": "1"}
    report = world.run(present=False)
    assert sorted(item.action for item in report.items) == ["configured", "configured"]
    live = world.client.get(world.map_path)
    assert live["data"] == {"theirs": "1"}
    assert "edge.mesh/set" not in live["metadata"].get("labels", {})
    assert world.run(present=False).items == []


def test_adopting_takes_no_field_away_from_anyone_unless_forced(world):
    make_foreign(world)
    with pytest.raises(MeshError, match=r"can't be adopted: \.data\.theirs is managed by other"):
        world.run(world.namespace, world.map(theirs="2"), adopt=True)
    assert world.actions(world.map(theirs="2"), adopt=True, force_conflicts=True) == ["adopted"]


def test_an_object_belongs_to_one_set(world):
    world.run(world.namespace, world.map())
    with pytest.raises(MeshError, match="belongs to set"):
        world.run(world.map(), set_name=f"{world.name}-other", adopt=True)
    with pytest.raises(MeshError, match="belongs to set"):
        world.run(world.map(), set_name=None)


def test_an_object_without_a_set_can_join_one(world):
    assert world.actions(world.namespace, world.map(), set_name=None) == ["created", "created"]
    assert world.actions(world.namespace, world.map(), set_name=None) == ["unchanged", "unchanged"]
    assert world.actions(world.namespace, world.map()) == ["configured", "configured"]
    assert world.actions(world.namespace, world.map()) == ["unchanged", "unchanged"]


def test_prune_deletes_what_we_made_and_nothing_else(world):
    world.run(world.namespace, world.map(), world.map("extra"))
    # a copy of our labels (as Services hand theirs to Endpoints) makes nothing ours
    copied = {**world.map("copied"), "metadata": {**world.client.get(world.map_path)["metadata"], "name": "copied"}}
    copied["metadata"] = {name: copied["metadata"][name] for name in ("name", "namespace", "labels")}
    world.client.apply(f"{world.namespace_path}/configmaps/copied", copied, field_manager="copier")
    for check in (True, False):
        report = world.run(world.namespace, world.map(), prune=True, check=check)
        assert [(item.ref.name, item.action) for item in report.items][2:] == [("extra", "pruned")]
    assert world.actions(world.namespace, world.map(), prune=True) == ["unchanged", "unchanged"]
    assert world.client.get(f"{world.namespace_path}/configmaps/copied") is not None


def test_prune_asks_only_for_the_kinds_that_are_named(world):
    account = {**world.map("extra"), "apiVersion": "v1", "kind": "ServiceAccount"}
    del account["data"]
    world.run(world.namespace, world.map(), world.map("extra"), account)
    before = world.client.requests
    world.run(world.namespace, world.map(), prune=True, check=True)
    all_kinds = world.client.requests - before
    before = world.client.requests
    report = world.run(world.namespace, world.map(), prune=True, prune_kinds=("Secret",))
    assert world.client.requests - before < all_kinds
    # those of the objects come on top
    assert [(item.ref.kind, item.action) for item in report.items][2:] == [("ConfigMap", "pruned")]
    report = world.run(world.namespace, world.map(), prune=True, prune_kinds=("ServiceAccount", "Deployment.apps"))
    assert [(item.ref.kind, item.action) for item in report.items][2:] == [("ServiceAccount", "pruned")]


def test_definitions_come_first_whatever_the_order(world):
    objects = [world.custom(), world.map(), world.definition(), world.namespace]
    assert world.actions(*objects, check=True) == ["created"] * 4
    assert world.actions(*objects) == ["created"] * 4
    assert world.actions(*objects, check=True) == ["unchanged"] * 4
    assert world.actions(world.custom()) == ["unchanged"]  # found by discovery


def test_a_definition_with_others_resources_stays(world):
    world.run(world.namespace, world.definition(), world.custom())
    path = f"/apis/{world.name}.test/v1/namespaces/{world.name}/foos/theirs"
    world.client.apply(path, world.custom("theirs"), field_manager="other")
    report = world.run(world.definition(), world.custom(), present=False)
    assert [item.action for item in report.items] == ["unchanged", "deleted"]
    assert "aren't ours (Foo " in report.items[0].reasons[0]
    world.client.delete(path)
    assert world.actions(world.definition(), present=False) == ["deleted"]


def test_a_kind_that_isnt_served_is_an_error_and_is_absent(world):
    with pytest.raises(MeshError, match=r"the cluster doesn't serve .*test/v1 Foo"):
        world.run(world.custom())
    assert world.run(world.custom(), present=False).items == []


def test_others_objects_are_left_alone_when_unwanted(world):
    make_foreign(world)
    report = world.run(world.namespace, world.map(), present=False)
    assert [(item.action, item.reasons) for item in report.items] == [("unchanged", ("it isn't ours: left alone",))] * 2


def test_a_status_is_applied_alone_and_mended(world):
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": world.name},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "TCP"}]},
    }  # fmt: skip
    status = {**service, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}]}}}
    with pytest.raises(MeshError, match="isn't there, so its status can't be set"):
        world.run(status, subresource="status")
    world.run(world.namespace, service)
    for check in (True, False):
        assert world.actions(status, subresource="status", check=check) == ["configured"]
    assert world.actions(status, subresource="status") == ["unchanged"]
    assert world.actions(world.namespace, service) == ["unchanged", "unchanged"]
    path = f"{world.namespace_path}/services/s"
    world.cluster.hand(
        f"{path}/status", {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}}, "kubectl-patch"
    )
    assert world.actions(status, subresource="status") == ["configured"]
    assert world.client.get(path)["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.7"


def test_secrets_are_shown_as_digests(world):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": world.name},
        "stringData": {"key": "hush-hush"},
    }  # fmt: skip
    report = world.run(world.namespace, secret)
    assert world.actions(world.namespace, secret) == ["unchanged", "unchanged"]
    changed = world.run(world.namespace, {**secret, "stringData": {"key": "hush-hush!"}})
    for text in (repr(report), repr(changed)):
        assert "hush" not in text
        assert "aHVzaC1odXNo" not in text
        assert "sha256:" in text


def test_what_is_being_deleted_is_awaited_and_made_anew(world):
    world.run(world.namespace, world.map())
    if world.cluster.fake is not None:
        world.cluster.fake.slow_to_die = 4
    world.client.delete(world.namespace_path)
    assert world.actions(world.namespace, world.map(), check=True) == ["created", "created"]
    assert world.actions(world.namespace, world.map()) == ["created", "created"]
    assert world.actions(world.namespace, world.map()) == ["unchanged", "unchanged"]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    @property
    def clock(self):
        return Clock(lambda: self.now, self.sleep)


def stuck(world):
    """A Deployment that nobody runs: there is no controller at a bare API server, nor in the fake one."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": "none.test/x:1"}]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": world.name},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }  # fmt: skip


def test_waiting_ends_at_its_time_with_the_reason(world):
    time = Time()
    request = Request([world.namespace, stuck(world)], Rules(world.name), True, False, False, 100.0, 3.0)
    with pytest.raises(MeshError, match=r"Deployment .*/d isn't ready in time: .*kubectl -n .* describe deployments d"):
        converge(world.client, request, time.clock)
    assert time.now == pytest.approx(3.0)


def test_the_deadline_of_the_call_cuts_the_wait(world):
    time = Time()
    request = Request([world.namespace, stuck(world)], Rules(world.name), True, False, False, 1.0, 60.0)
    with pytest.raises(MeshError, match="isn't ready in time"):
        converge(world.client, request, time.clock)
    assert time.now == pytest.approx(1.0)


def test_check_mode_waits_for_nothing(world):
    assert world.actions(world.namespace, stuck(world), check=True, wait=60) == ["created", "created"]


def test_a_namespaced_object_names_its_namespace_and_others_lose_theirs(world):
    nowhere = {**world.map(), "metadata": {"name": "c"}}
    with pytest.raises(MeshError, match=r"ConfigMap c has no namespace \(set metadata.namespace\)"):
        world.run(nowhere)
    confused = {**world.namespace, "metadata": {"name": world.name, "namespace": "kube-system"}}
    assert world.actions(confused) == ["created"]


def test_an_object_stands_once_in_a_call(world):
    with pytest.raises(MeshError, match="stands twice"):
        world.run(world.namespace, world.namespace)


def test_one_of_many_failures_is_told_and_the_others_counted(world):
    bad = [world.map(name) for name in ("c", "d", "e")]
    with pytest.raises(MeshError, match=r"ConfigMap .*/c can't be created: .*not found; and 2 more like it"):
        world.run(*bad)
