# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site's endpoints before and after a change: what is gone for good is a loss, what comes back or was meant isn't."""

from __future__ import annotations

import json

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._remote.endpoints import Lost, losses, parse, total

WEB = ("sample", "web.sample.svc.cluster.local")
DNS = ("kube-system", "kube-dns.kube-system.svc.cluster.local")
# as istiod answers: the shard of an empty cluster stays as null or goes
SHARDZ = {
    WEB[1]: {"sample": {"Shards": {"Kubernetes/hub": [{}], "Kubernetes/paris": [{}, {}]}, "ServiceAccounts": {}}},
    DNS[1]: {"kube-system": {"Shards": {"Kubernetes/paris": [{}], "External/paris": [{}, {}, {}]}}},
    "old.sample.svc.cluster.local": {"sample": {"Shards": {"Kubernetes/paris": None}}},
    "bare.sample.svc.cluster.local": {"sample": {"Shards": None}},
}


def test_only_the_clusters_own_endpoints_count():
    assert parse(json.dumps(SHARDZ).encode(), "paris") == {WEB: 2, DNS: 1}
    assert parse(json.dumps(SHARDZ).encode(), "hub") == {WEB: 1}
    assert parse(b"{}", "paris") == {}


@pytest.mark.parametrize("answer", [b"[]", b"<html>", b"", b"3"])
def test_another_answer_is_no_table(answer):
    with pytest.raises(ValueError, match=r"table|Expecting"):
        parse(answer, "paris")


def test_the_replica_that_knows_fewest_is_told():
    assert total({"a": {WEB: 2, DNS: 1}, "b": {WEB: 1}, "c": None}) == 1
    assert total({"a": None}) is None
    assert total({}) is None


class Site:
    """A site that says what it was asked, and whether the service is there."""

    def __init__(self, there=True):
        self.there, self.asked = there, []

    def has(self, namespace, service):
        self.asked.append((namespace, service))
        return self.there


def watched(clock, before, *looks, there=True):
    """The result for looks that come one after the other, the last one again and again."""
    site = Site(there)
    queue = list(looks)
    result = losses(before, lambda: queue.pop(0) if len(queue) > 1 else queue[0], site.has, clock.time)
    return result, site.asked


def test_the_same_as_before_is_believed_after_a_second_look(clock):
    started = clock.at
    assert watched(clock, {"a": {WEB: 2}}, {"a": {WEB: 2}}) == ((None, 2), [])
    assert clock.at - started == 1


def test_a_loss_that_comes_right_after_a_good_look_is_seen(clock):
    good, bad = {"a": {WEB: 2, DNS: 1}}, {"a": {DNS: 1}}
    (lost, known), asked = watched(clock, good, good, bad)
    assert lost == Lost("a", WEB[1], 1)
    assert known == 1
    assert set(asked) == {("sample", "web")}


def test_fewer_endpoints_of_a_service_are_no_loss(clock):
    assert watched(clock, {"a": {WEB: 2}}, {"a": {WEB: 1}}) == ((None, 1), [])


def test_a_service_that_the_site_gave_up_is_no_loss(clock):
    assert watched(clock, {"a": {WEB: 2}}, {"a": {}}, there=False)[0] == (None, 0)


def test_each_replica_is_compared_with_itself(clock):
    before = {"a": {WEB: 2}, "b": {WEB: 2, DNS: 1}}
    (lost, _known), _asked = watched(clock, before, {"a": {WEB: 2}, "b": {}})
    assert lost == Lost("b", DNS[1], 2)


@pytest.mark.parametrize("before", [{}, {"a": None}, {"gone": {WEB: 2}}])
def test_what_wasnt_known_before_cant_be_lost(clock, before):
    assert watched(clock, before, {"a": {}})[0] == (None, 0)


def test_a_replica_that_cant_tell_any_more_is_no_loss(clock):
    assert watched(clock, {"a": {WEB: 2}}, {"a": None})[0] == (None, None)
