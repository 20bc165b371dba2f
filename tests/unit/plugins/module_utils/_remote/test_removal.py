# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a credential away: primary first, then the site, whichever of them answers."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import Wanted
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote import credential, removal
from ansible_collections.edge.mesh.plugins.module_utils._remote.credential import Primary, Settings
from ansible_collections.edge.mesh.plugins.module_utils._remote.site import SiteSide


@pytest.fixture
def joined(mesh):
    """The mesh after the site's enrolment."""
    subject = "system:serviceaccount:istio-system:reader"
    wanted = Wanted("paris", Access(mesh.SITE_URL, mesh.CA), subject, False, 86400.0, None)
    mesh.primary = Primary("hub", mesh.hub_api, mesh.istiod)
    credential.present(wanted, Settings(seconds=5), mesh.side, [mesh.primary], mesh.clock.time)
    mesh.site.writes.clear()
    mesh.hub.writes.clear()
    return mesh


def absent(mesh, site=None, primaries=None, **options):
    options = {"wait": True, "check_mode": False, **options}
    return removal.absent("paris", site or mesh.side, primaries or [mesh.primary], mesh.clock.time, **options)


def test_both_sides_are_cleaned_and_the_token_proven_dead(joined):
    gone = absent(joined)
    assert gone.done[:2] == ["hub: the remote secret is deleted", "1 token revoked at the site"]
    assert len(gone.done) == 7
    assert len(gone.revoked) == 1
    assert (gone.remaining, gone.warnings) == ([], [])
    assert joined.REMOTE_SECRET not in joined.hub.objects
    assert list(joined.site.objects) == ["/api/v1/namespaces/istio-system"]


def test_a_second_time_nothing_is_done(joined):
    absent(joined)
    joined.site.writes.clear()
    joined.hub.writes.clear()
    again = absent(joined)
    assert (again.done, again.primaries) == ([], [{"name": "hub", "action": "absent"}])
    assert (joined.site.writes, joined.hub.writes) == ([], [])


def test_check_mode_tells_the_same_and_removes_nothing(joined):
    told = absent(joined, check_mode=True)
    assert (joined.site.writes, joined.hub.writes) == ([], [])
    assert told.done == absent(joined).done


def test_a_dead_site_is_reported_and_the_primary_cleaned(joined):
    joined.site.down = True
    gone = absent(joined)
    assert gone.done == ["hub: the remote secret is deleted"]
    assert gone.remaining == ["the reader and its tokens at the site paris"]
    assert "connection refused" in gone.warnings[0]


def test_a_site_without_a_kubeconfig_is_reported_too(joined):
    gone = absent(joined, site=MeshError("the kubeconfig can't be used", why="it doesn't exist"))
    assert gone.remaining == ["the reader and its tokens at the site paris"]
    assert joined.REMOTE_SECRET not in joined.hub.objects


def test_a_dead_primary_is_reported_and_the_site_cleaned(joined):
    joined.hub.down = True
    gone = absent(joined)
    assert gone.primaries == [{"name": "hub", "action": "unreachable"}]
    assert gone.remaining == ["the remote secret of paris on hub"]
    assert list(joined.site.objects) == ["/api/v1/namespaces/istio-system"]


def test_a_refusal_is_an_error_and_no_dead_side(joined, monkeypatch):
    def forbid(*_args, **_options):
        raise ApiError("DELETE failed with 403", status=403, reason="Forbidden")

    monkeypatch.setattr(joined.hub_api, "delete", forbid)
    with pytest.raises(ApiError, match="403"):
        absent(joined)


def test_a_secret_of_others_stays(joined):
    joined.hub.objects[joined.REMOTE_SECRET]["metadata"]["managedFields"] = []
    gone = absent(joined)
    assert gone.primaries == [{"name": "hub", "action": "foreign"}]
    assert gone.remaining == ["Secret istio-system/istio-remote-secret-paris on hub"]
    assert joined.REMOTE_SECRET in joined.hub.objects


def test_the_reader_stays_while_another_primary_uses_it(joined):
    east = joined.FakeCluster(joined.clock, "east")
    other = Primary("east", joined.FakeApi(east, site="east"), joined.FakeIstiod(east, joined.site))
    wanted = Wanted("paris", Access(joined.SITE_URL, joined.CA), joined.side.reader.subject, False, 86400.0, None)
    credential.present(wanted, Settings(seconds=5), joined.side, [other], joined.clock.time)
    gone = absent(joined)
    assert "the reader at the site stays: tokens of other primaries hang on it (1)" in gone.warnings
    assert not credential.present(wanted, Settings(seconds=5), joined.side, [other], joined.clock.time).changed
    absent(joined, primaries=[other])
    assert list(joined.site.objects) == ["/api/v1/namespaces/istio-system"]


def test_an_adopted_account_keeps_its_life(joined):
    path = "/api/v1/namespaces/istio-system/serviceaccounts/reader"
    joined.site.objects[path]["metadata"]["labels"]["edge.mesh/origin"] = "adopted"
    absent(joined)
    assert joined.site.objects[path]["metadata"]["labels"] == {}


def test_a_token_that_outlives_its_secret_for_a_moment_is_waited_for(joined):
    secret = joined.hub.objects[joined.REMOTE_SECRET]
    token = credential.secrets.read(secret, "paris").judged.access.token
    joined.site.cache_until[token] = joined.clock.at + 10
    assert len(absent(joined).revoked) == 1


def test_a_token_that_never_dies_is_told(joined):
    secret = joined.hub.objects[joined.REMOTE_SECRET]
    token = credential.secrets.read(secret, "paris").judged.access.token
    joined.site.cache_until[token] = joined.clock.at + 1000
    gone = absent(joined)
    assert gone.revoked == []
    assert gone.warnings[0].startswith("the site's API still takes the token sha256:")
    assert gone.remaining == [f"the token {credential.tokens.digest(token)} of paris"]


def test_an_istiod_that_doesnt_forget_is_told(joined):
    joined.istiod.forgets = False
    assert absent(joined).warnings == ["hub: istiod still lists paris; restart it if that stays so"]


def test_an_istiod_whose_worker_hangs_is_told(joined):
    joined.istiod.hung = True
    (told,) = absent(joined).warnings
    assert told.startswith("hub: the worker of istiod-a hangs and takes in no remote secret any more; restart it")
    assert told.endswith("(kubectl -n istio-system delete pod istiod-a)")


def test_two_readers_of_a_site_live_and_die_apart(joined):
    """The own primary's and the one that others read with: neither takes the other's tokens for its own."""
    south = joined.FakeCluster(joined.clock, "south")
    south.add_namespace("istio-system")
    peer = Primary("south", joined.FakeApi(south, site="south"), joined.FakeIstiod(south, joined.site))
    reader = Reader("istio-system", "others", peer=True)
    side = SiteSide(
        joined.site_api, lambda token: joined.FakeApi(joined.site, token, "paris"), reader, joined.clock.time
    )
    wanted = Wanted("paris", Access(joined.SITE_URL, joined.CA), reader.subject, False, 86400.0, None)
    credential.present(wanted, Settings(seconds=5), side, [peer], joined.clock.time)
    assert (len(side.survey().anchors), len(joined.side.survey().anchors)) == (1, 1)
    gone = absent(joined, site=side, primaries=[peer])
    assert "the reader's ServiceAccount istio-system/others is deleted" in gone.done
    assert (gone.remaining, gone.warnings) == ([], [])
    assert (len(side.survey().anchors), len(joined.side.survey().anchors)) == (0, 1)
    assert joined.REMOTE_SECRET in joined.hub.objects
