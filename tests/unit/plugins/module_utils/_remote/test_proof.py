# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change is proven with every replica of istiod and with the site's endpoints, and taken back if that fails."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from tests.unit.plugins.module_utils._remote.steps import DAY, present, token_of, wish


def test_a_renewal_that_istiod_cant_use_is_taken_back(mesh):
    present(mesh)
    former = token_of(mesh)
    mesh.istiod.blind = "timeout"
    with pytest.raises(MeshError, match=r"put back, but istiod isn't synced with it: istiod-a reports .* 'timeout'"):
        present(mesh, wish(mesh, ttl=30 * DAY))
    assert token_of(mesh) == former
    assert mesh.site.takes(former)
    assert len(mesh.site.names(mesh.SECRETS)) == 1
    mesh.istiod.blind = None
    assert not present(mesh).changed


def test_istiod_is_seen_with_what_was_put_back(mesh, monkeypatch):
    """Only the new token doesn't do: the site's API forgets it at once."""
    present(mesh)
    former = token_of(mesh)
    takes = mesh.site.takes
    new = []

    def forget(token):
        return takes(token) and token not in new

    look = mesh.istiod.look

    def looked(**options):
        new[:] = [token_of(mesh)] if token_of(mesh) != former else new
        return look(**options)

    monkeypatch.setattr(mesh.site, "takes", forget)
    monkeypatch.setattr(mesh.istiod, "look", looked)
    with pytest.raises(MeshError, match="the former remote secret was put back and istiod is synced with it"):
        present(mesh, wish(mesh, ttl=30 * DAY))
    assert token_of(mesh) == former


def test_a_renewal_isnt_taken_back_to_a_dead_token(mesh):
    present(mesh)
    mesh.site.objects.pop(f"{mesh.SECRETS}/{mesh.site.names(mesh.SECRETS)[0]}")
    mesh.istiod.blind = "timeout"
    with pytest.raises(MeshError, match="the new remote secret was left there"):
        present(mesh)
    assert mesh.site.takes(token_of(mesh))


def test_a_replica_that_doesnt_notice_the_new_secret_is_named_and_the_old_one_lives(mesh):
    present(mesh)
    former = token_of(mesh)
    mesh.istiod.stuck = {"istiod-b"}
    with pytest.raises(MeshError, match="istiod-b hasn't taken notice of the new remote secret"):
        present(mesh, wish(mesh, ttl=30 * DAY))
    assert mesh.site.takes(former)


def test_a_hung_worker_is_named_soon_and_the_new_secret_stays(mesh):
    present(mesh)
    mesh.istiod.hung = True
    started = mesh.clock.at
    with pytest.raises(MeshError) as caught:
        present(mesh, wish(mesh, ttl=30 * DAY), seconds=600)
    assert "the worker of istiod-a hangs" in str(caught.value)
    assert str(caught.value).endswith("(restart it (kubectl -n istio-system delete pod istiod-a), run again)")
    assert mesh.clock.at - started < 10
    mesh.istiod.hung = False
    report = present(mesh, wish(mesh, ttl=30 * DAY))
    assert report.reasons == ["hub: 1 former token revoked"]


def test_lost_endpoints_are_noticed_and_the_new_secret_stays_beside_the_old_token(mesh):
    """istio#61043: synced, and no endpoint of the site is left; only a restart of the replica brings them back."""
    present(mesh)
    former = token_of(mesh)
    mesh.site.add_slice()
    mesh.istiod.loses = {"istiod-b"}
    started = mesh.clock.at
    with pytest.raises(MeshError) as caught:
        present(mesh, wish(mesh, ttl=30 * DAY), seconds=600)
    told = str(caught.value)
    assert "istiod-b has none of web.sample.svc.cluster.local any more, one of 1 services (istio#61043)" in told
    assert "the new remote secret stays" in told
    assert told.endswith("(restart it (kubectl -n istio-system delete pod istiod-b), run again)")
    assert mesh.clock.at - started < 10
    assert mesh.site.takes(former)
    assert token_of(mesh) != former
    mesh.istiod.loses = set()
    assert present(mesh, wish(mesh, ttl=30 * DAY)).reasons == ["hub: 1 former token revoked"]


def test_endpoints_that_come_back_soon_are_no_loss(mesh):
    present(mesh)
    mesh.site.add_slice()
    mesh.istiod.blinks = 3
    report = present(mesh, wish(mesh, ttl=30 * DAY))
    assert (report.primaries[0].action, report.primaries[0].endpoints) == ("renewed", 2)


@pytest.mark.parametrize("there", [False, True])
def test_endpoints_that_the_site_itself_doesnt_have_any_more_arent_lost(mesh, there):
    present(mesh)
    if there:
        mesh.site.add_slice(ready=False)
    mesh.istiod.loses = {"istiod-a", "istiod-b"}
    assert present(mesh, wish(mesh, ttl=30 * DAY)).primaries[0].action == "renewed"


def test_a_first_credential_has_nothing_to_lose_and_isnt_kept_waiting(mesh):
    started = mesh.clock.at
    assert present(mesh).primaries[0].endpoints == 2
    assert mesh.clock.at == started


def test_what_couldnt_be_seen_of_the_address_is_told_with_the_failure(mesh):
    mesh.istiod.blind = "syncing"
    with pytest.raises(MeshError, match="it couldn't be reached from here; the remote secret was removed"):
        present(mesh, check_address=lambda: "it couldn't be reached from here")


def test_an_istiod_that_doesnt_count_is_believed_after_a_steady_while(mesh):
    mesh.istiod.counts = False
    started = mesh.clock.at
    assert present(mesh).primaries[0].istiod == "synced"
    assert 3 <= mesh.clock.at - started < 4
