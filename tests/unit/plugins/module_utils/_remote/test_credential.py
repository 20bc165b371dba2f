# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Giving a primary its credential: what is done, in what order, and what is left behind when it fails."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.credential import Primary
from tests.unit.plugins.module_utils._remote.steps import DAY, present, token_of, wish


def test_the_first_run_makes_everything_and_the_second_nothing(mesh):
    first = present(mesh)
    assert first.changed
    assert [(each.action, each.istiod) for each in first.primaries] == [("created", "synced")]
    assert "hub: there is no remote secret for this cluster" in first.reasons
    assert mesh.site.takes(token_of(mesh))
    mesh.site.writes.clear()
    mesh.hub.writes.clear()
    second = present(mesh)
    assert (second.changed, second.reasons) == (False, [])
    assert (mesh.site.writes, mesh.hub.writes) == ([], [])
    assert second.primaries[0].digest == first.primaries[0].digest
    assert second.primaries[0].expires == first.primaries[0].expires


def test_check_mode_tells_the_same_and_writes_nothing(mesh):
    told = present(mesh, check_mode=True)
    assert told.changed
    assert (mesh.site.writes, mesh.hub.writes) == ([], [])
    done = present(mesh)
    assert told.reasons == done.reasons
    assert told.primaries[0].action == done.primaries[0].action


def test_check_mode_works_before_the_namespace_exists_and_a_run_refuses(mesh):
    mesh.site.objects.clear()
    told = present(mesh, check_mode=True)
    assert told.changed
    assert told.warnings == ["the namespace istio-system doesn't exist yet at the site"]
    with pytest.raises(MeshError, match=r"namespace istio-system doesn't exist.*controlPlaneClusters"):
        present(mesh)
    assert mesh.site.writes == []


def test_a_renewal_patches_in_place_and_revokes_the_former_token_last(mesh):
    present(mesh)
    former = token_of(mesh)
    mesh.clock.at += 61 * DAY
    mesh.site.writes.clear()
    mesh.hub.writes.clear()
    report = present(mesh)
    assert report.primaries[0].action == "renewed"
    assert report.primaries[0].reasons == [
        "the token expires in 29 d, inside the renewal window of 30 d",
        "1 former token revoked",
    ]
    assert mesh.hub.writes == [("apply", mesh.REMOTE_SECRET)]
    assert [verb for verb, _path in mesh.site.writes] == ["create", "create", "delete"]
    assert not mesh.site.takes(former)
    assert mesh.site.takes(token_of(mesh))


def test_a_rejected_token_is_replaced(mesh):
    present(mesh)
    mesh.site.objects.pop(f"{mesh.SECRETS}/{mesh.site.names(mesh.SECRETS)[0]}")
    report = present(mesh)
    assert report.primaries[0].reasons == ["the site's API rejects the token"]
    assert mesh.site.takes(token_of(mesh))


def test_a_server_that_shortens_lives_is_warned_about_and_still_idempotent(mesh):
    mesh.site.longest_ttl = DAY
    report = present(mesh)
    assert report.warnings == ["the site's API gave the token 24 h instead of 90 d"]
    assert report.primaries[0].expires == mesh.clock.at + DAY
    assert not present(mesh).changed


def test_nobody_is_waited_for_where_istiod_isnt_installed(mesh):
    mesh.istiod.pods = ()
    report = present(mesh)
    assert report.primaries[0].istiod == "not installed"
    assert report.primaries[0].reasons[-1] == "istiod isn't installed yet, so nobody was waited for"
    assert not present(mesh).changed


def test_without_waiting_the_former_token_lives_until_the_next_run(mesh):
    present(mesh)
    former = token_of(mesh)
    report = present(mesh, wish(mesh, ttl=30 * DAY), wait=False)
    assert report.primaries[0].revoked == []
    assert mesh.site.takes(former)
    report = present(mesh, wish(mesh, ttl=30 * DAY))
    assert (report.changed, report.reasons) == (True, ["hub: 1 former token revoked"])
    assert not mesh.site.takes(former)


def test_a_first_secret_that_istiod_cant_use_is_removed_again(mesh):
    mesh.istiod.blind = "syncing"
    with pytest.raises(MeshError) as caught:
        present(mesh)
    message = str(caught.value)
    assert "istiod-a reports the cluster as 'syncing'; its log says: error failed to list *v1.Pod" in message
    assert "the remote secret was removed again" in message
    assert mesh.REMOTE_SECRET not in mesh.hub.objects
    assert mesh.site.names(mesh.SECRETS) == []


@pytest.mark.parametrize(("status", "left"), [(403, 0), (0, 1)])
def test_a_refused_write_leaves_no_token_and_a_doubtful_one_is_cleaned_by_the_next_run(mesh, monkeypatch, status, left):
    def refuse(*_args, **_options):
        raise ApiError("no", status=status, reason="")

    with monkeypatch.context() as patch:
        patch.setattr(mesh.hub_api, "apply", refuse)
        with pytest.raises(MeshError, match="no"):
            present(mesh)
    assert len(mesh.site.names(mesh.SECRETS)) == left
    present(mesh)
    assert len(mesh.site.names(mesh.SECRETS)) == 1


def test_a_reader_without_rights_is_named_before_the_primary_is_touched(mesh):
    mesh.site.denied = {"watch"}
    with pytest.raises(MeshError, match=r"the reader lacks rights that istiod needs: watch nodes, .* and \d more"):
        present(mesh)
    assert mesh.hub.writes == []
    assert mesh.site.names(mesh.SECRETS) == []


def test_rights_that_no_role_shows_are_asked_for_one_by_one_and_count_if_they_are_granted(mesh):
    """An authoriser beside RBAC may grant what it can't list."""
    mesh.site.denied = {"watch"}
    mesh.site.granted = {"watch"}
    mesh.site.listable = False
    assert present(mesh).primaries[0].action == "created"
    assert not present(mesh).warnings


def test_an_incomplete_list_of_rights_hides_no_missing_one(mesh):
    mesh.site.denied = {"watch"}
    mesh.site.listable = False
    with pytest.raises(MeshError, match="watch nodes"):
        present(mesh)


def test_a_complete_list_of_rights_costs_two_questions_and_a_doubtful_one_a_question_each(mesh):
    present(mesh)
    mesh.side.requests = 0
    mesh.side.probe(token_of(mesh))
    assert mesh.side.requests == 2
    mesh.site.denied = {"update"}
    mesh.side.requests = 0
    missing = mesh.side.probe(token_of(mesh)).missing
    assert mesh.side.requests == 2 + len(missing)
    assert "update mutatingwebhookconfigurations.admissionregistration.k8s.io" in missing


def test_a_role_in_the_namespace_isnt_taken_for_one_that_holds_everywhere(mesh):
    present(mesh)
    role = mesh.site.objects.pop("/apis/rbac.authorization.k8s.io/v1/clusterroles/reader-istio-system")
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/roles/imposter"
    mesh.site.objects[path] = {**role, "metadata": {"name": "imposter", "namespace": "istio-system"}}
    assert "list pods" in mesh.side.probe(token_of(mesh)).missing


def test_a_field_changed_by_hand_is_noticed_and_put_right(mesh):
    present(mesh)
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader-istio-system"
    mesh.site.objects[path]["rules"].append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
    report = present(mesh)
    assert report.reasons == ["the reader's ClusterRole reader-istio-system differs in rules"]
    assert not present(mesh).changed


def test_an_account_that_was_there_is_adopted(mesh):
    path = "/api/v1/namespaces/istio-system/serviceaccounts/reader"
    mesh.site.objects[path] = {"kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "istio-system"}}
    present(mesh)
    assert mesh.site.objects[path]["metadata"]["labels"]["edge.mesh/origin"] == "adopted"
    assert not present(mesh).changed


def test_a_lost_label_is_repaired_with_the_same_token(mesh):
    present(mesh)
    former = token_of(mesh)
    mesh.hub.objects[mesh.REMOTE_SECRET]["metadata"]["annotations"].clear()
    report = present(mesh)
    assert report.primaries[0].action == "repaired"
    assert token_of(mesh) == former
    assert not present(mesh).changed


def test_a_good_credential_is_replaced_in_place_on_request(mesh):
    present(mesh)
    former = token_of(mesh)
    mesh.hub.writes.clear()
    report = present(mesh, recreate=True)
    assert report.primaries[0].action == "renewed"
    assert mesh.hub.writes == [("apply", mesh.REMOTE_SECRET)]
    assert token_of(mesh) != former
    assert not mesh.site.takes(former)


def test_a_secret_of_others_is_taken_over_and_their_clusters_stay(mesh):
    present(mesh)
    secret = mesh.hub.objects[mesh.REMOTE_SECRET]
    secret["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Update"}]
    secret["data"]["oslo"] = secret["data"]["paris"]
    report = present(mesh)
    assert report.primaries[0].reasons[0] == "the remote secret was made by others and is taken over"
    assert report.warnings == [
        "hub: Secret istio-system/istio-remote-secret-paris also holds oslo, which is left alone"
    ]
    assert "oslo" in mesh.hub.objects[mesh.REMOTE_SECRET]["data"]


def test_static_tokens_never_end_and_are_kept(mesh):
    report = present(mesh, wish(mesh, static=True))
    assert (report.primaries[0].expires, report.primaries[0].after["expires_at"]) == (None, None)
    mesh.clock.at += 5000 * DAY
    assert not present(mesh, wish(mesh, static=True)).changed


def test_a_static_token_that_nobody_fills_in_is_an_error_and_leaves_nothing(mesh):
    mesh.site.controller = False
    with pytest.raises(MeshError, match=r"the static token wasn't made.*kube-controller-manager"):
        present(mesh, wish(mesh, static=True))
    assert mesh.site.names(mesh.SECRETS) == []


def test_each_primary_has_its_own_token_and_a_failing_one_doesnt_stop_the_other(mesh):
    other = mesh.FakeCluster(mesh.clock, "east")
    primaries = [
        Primary("hub", mesh.hub_api, mesh.istiod),
        Primary("east", mesh.FakeApi(other, site="east"), mesh.FakeIstiod(other, mesh.site)),
    ]
    report = present(mesh, primaries=primaries)
    assert len({each.digest for each in report.primaries}) == 2
    assert report.first_to_expire() in report.primaries
    assert not present(mesh, primaries=primaries).changed
    mesh.hub.down = True
    with pytest.raises(MeshError, match=r"1 of 2 primaries couldn't be served: hub: .*connection refused"):
        present(mesh, wish(mesh, ttl=30 * DAY), primaries=primaries)
    assert not present(mesh, wish(mesh, ttl=30 * DAY), primaries=primaries[1:]).changed


def test_the_clusters_own_ca_serves_where_the_kubeconfig_has_none(mesh):
    mesh.site.objects["/api/v1/namespaces/istio-system/configmaps/kube-root-ca.crt"] = {"data": {"ca.crt": mesh.CA}}
    wanted = wish(mesh, access=Access(mesh.SITE_URL))
    report = present(mesh, wanted)
    assert report.primaries[0].after["ca"].startswith("sha256:")
    assert not present(mesh, wanted).changed


def test_nothing_that_is_reported_holds_a_token(mesh):
    report = present(mesh)
    mesh.clock.at += 61 * DAY
    former = token_of(mesh)
    renewed = present(mesh)
    for token in (former, token_of(mesh)):
        assert token not in repr(report)
        assert token not in repr(renewed)
