# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lives on an object of ours: others' things keep it alive, and pods don't outlive their account."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k8s import strangers
from ansible_collections.edge.mesh.plugins.module_utils._k8s.accounts import replace_pods
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Ref
from tests.unit.plugins.module_utils._k8s.world import World


@pytest.fixture
def world(cluster):
    return World(cluster)


def test_a_namespace_with_others_objects_loses_our_fields_and_stays(world):
    world.run(world.namespace, world.map())
    theirs = f"{world.namespace_path}/configmaps/theirs"
    world.client.apply(theirs, world.map("theirs"), field_manager="kubectl")
    report = world.run(world.namespace, world.map(), present=False)
    assert [item.action for item in report.items] == ["configured", "deleted"]
    assert "kept: 1 objects in it aren't ours (ConfigMap " in report.items[0].reasons[0]
    live = world.client.get(world.namespace_path)
    assert "net" not in (live["metadata"].get("labels") or {})
    assert world.client.get(theirs) is not None
    assert world.actions(world.namespace, present=False) == ["unchanged"]  # it isn't ours any more


def test_check_mode_says_so_too_and_changes_nothing(world):
    world.run(world.namespace)
    world.client.apply(f"{world.namespace_path}/configmaps/theirs", world.map("theirs"), field_manager="kubectl")
    report = world.run(world.namespace, present=False, check=True)
    assert "aren't ours" in report.items[0].reasons[0]
    assert world.client.get(world.namespace_path)["metadata"]["labels"]["net"] == "n"


def test_a_namespace_with_nothing_but_ours_goes(world):
    world.run(world.namespace, world.map())
    assert world.actions(world.namespace, world.map(), present=False) == ["deleted", "deleted"]


def made_by(*managers, **metadata):
    entries = [{"manager": manager, "operation": "Update", "fieldsV1": {"f:data": {}}} for manager in managers]
    return {"metadata": {"name": "x", "namespace": "n", "managedFields": entries, **metadata}}


@pytest.mark.parametrize(
    ("item", "strange"),
    [
        pytest.param(made_by("kubectl"), True, id="by hand"),
        pytest.param(made_by("helm", "kubelet"), True, id="by another tool"),
        pytest.param(made_by(), True, id="by nobody knows whom"),
        pytest.param({"kind": "ServiceAccount", **made_by(name="default")}, False, id="with its namespace"),
        pytest.param({"kind": "ServiceAccount", **made_by()}, True, id="an account of whom nobody knows"),
        pytest.param(made_by("pilot-discovery"), False, id="by istiod"),
        pytest.param(made_by("kube-controller-manager"), False, id="by the cluster"),
        pytest.param({**made_by(name="default"), "kind": "ServiceAccount"}, False, id="each namespace's account"),
        pytest.param({**made_by(name="kube-root-ca.crt"), "kind": "ConfigMap"}, False, id="each namespace's root"),
        pytest.param(made_by("kubectl", ownerReferences=[{"controller": True}]), False, id="with an owner"),
        pytest.param(made_by("kubectl", deletionTimestamp="2026-01-01T00:00:00Z"), False, id="on its way out"),
    ],
)
def test_an_object_is_strange_by_who_made_it(item, strange):
    assert strangers.is_strange(item) is strange


class Pods:
    """An API with pods of one service account."""

    def __init__(self, *pods, status=200):
        self.pods, self.status, self.deleted, self.asked = pods, status, [], []

    def list(self, path, **query):
        self.asked.append((path, query))
        if self.status != 200:
            raise ApiError("GET failed", status=self.status, reason="Forbidden")
        return [{"metadata": metadata} for metadata in self.pods]

    def delete(self, path, *, body=None):
        self.deleted.append((path, body))
        return True


ACCOUNT = Ref("v1", "ServiceAccount", "n", "a")
OWNED = {"name": "p-1", "ownerReferences": [{"controller": True}]}


def test_pods_of_an_account_that_was_made_anew_are_replaced():
    api = Pods(OWNED, {"name": "bare"}, {**OWNED, "name": "leaving", "deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert replace_pods(api, ACCOUNT, dry_run=False) == "its pods had dead tokens and are replaced: p-1"
    assert api.asked == [("/api/v1/namespaces/n/pods", {"fieldSelector": "spec.serviceAccountName=a"})]
    assert api.deleted == [("/api/v1/namespaces/n/pods/p-1", None)]


def test_a_dry_run_is_one():
    api = Pods(OWNED)
    assert replace_pods(api, ACCOUNT, dry_run=True)
    assert api.deleted == [("/api/v1/namespaces/n/pods/p-1", {"dryRun": ["All"]})]


def test_an_account_without_pods_says_nothing():
    assert replace_pods(Pods(), ACCOUNT, dry_run=False) == ""


def test_a_user_who_may_not_look_is_told_what_to_do():
    assert "restart those of the account" in replace_pods(Pods(status=403), ACCOUNT, dry_run=False)
    with pytest.raises(ApiError):
        replace_pods(Pods(status=500), ACCOUNT, dry_run=False)


def test_a_service_account_that_is_new_with_its_namespace_has_no_pods_to_look_for(world):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": world.name}}
    assert world.actions(world.namespace, account) == ["created", "created"]
    assert world.actions(account) == ["unchanged"]
