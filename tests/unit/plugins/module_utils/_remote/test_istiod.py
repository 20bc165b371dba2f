# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at istiod: every replica counts, an old answer is no new one, and what stands in the way is named."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._remote import istiod
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import IstiodPods, Look, Replica, Seen

SECRET = "istio-system/istio-remote-secret-paris"
CLUSTERZ = json.dumps(
    [
        {"id": "hub", "secretName": "", "syncStatus": "synced"},
        {"id": "paris", "secretName": SECRET, "syncStatus": "synced"},
    ]
).encode()
METRICS = b"""# TYPE remote_cluster_secret_events_total counter
remote_cluster_secret_events_total{event="add"} 1
remote_cluster_secret_events_total{event="update"} 4
istiod_managed_clusters{cluster_type="local"} 1
istiod_managed_clusters{cluster_type="remote"} 1
"""


def seen(state="synced", secret=SECRET, events=None, managed=None):
    return Seen({"hub": ("synced", ""), "paris": (state, secret)}, events, managed)


def look(*all_seen):
    return Look(tuple(Replica(f"istiod-{index}", True, each) for index, each in enumerate(all_seen)))


def pod(name, *, ready=True, **metadata):
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, **metadata}, "status": status}


@pytest.fixture
def debug_api():
    """A debug API on loopback; ``pages`` are its answers by path."""
    pages = {"/debug/clusterz": (200, CLUSTERZ), "/metrics": (200, METRICS), "/debug/endpointShardz": (200, b"{}")}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status, body = pages.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield SimpleNamespace(pages=pages, address=server.server_address)
    server.shutdown()
    thread.join()
    server.server_close()


class Api:
    """A primary's API with these pods of istiod, whose ports lead to the debug API."""

    def __init__(self, address, pods, log=""):
        self.address, self.pods, self.log = address, pods, log

    def list(self, path, labelSelector):  # noqa: N803 - the API's own spelling
        assert (path, labelSelector) == ("/api/v1/namespaces/istio-system/pods", "app=istiod")
        return self.pods

    @contextmanager
    def portforward(self, namespace, pod, port):
        assert (namespace, port) == ("istio-system", 15014)
        if "unreachable" in pod:
            raise MeshError("GET failed", why="no route")
        yield self.address

    def logs(self, namespace, pod, container, *, tail, since):
        assert since == 7
        if not self.log:
            raise MeshError("GET failed with 403")
        return self.log


def test_every_replica_is_asked_for_clusters_and_counts(debug_api):
    api = Api(debug_api.address, [pod("a"), pod("b")])
    found = IstiodPods(api).look(events=True)
    assert [(each.pod, each.seen.events, each.seen.managed) for each in found.replicas] == [("a", 5, 1), ("b", 5, 1)]
    assert found.replicas[0].seen.clusters["paris"] == ("synced", SECRET)
    assert not found.replicas[0].seen.behind
    assert found.events() == {"a": 5, "b": 5}
    assert IstiodPods(api).look().replicas[0].seen.events is None


def test_every_replica_tells_a_clusters_endpoints_if_it_is_asked(debug_api):
    shards = {"web.sample.svc.cluster.local": {"sample": {"Shards": {"Kubernetes/paris": [{}, {}]}}}}
    debug_api.pages["/debug/endpointShardz"] = (200, json.dumps(shards).encode())
    api = Api(debug_api.address, [pod("a"), pod("coming", ready=False)])
    found = IstiodPods(api).look(endpoints_of="paris")
    assert found.endpoints() == {"a": {("sample", "web.sample.svc.cluster.local"): 2}, "coming": None}
    assert IstiodPods(api).look().endpoints() == {"a": None, "coming": None}


def test_pods_that_are_going_dont_count_and_pods_that_arent_ready_do(debug_api):
    ended = pod("ended")
    ended["status"]["phase"] = "Failed"
    api = Api(debug_api.address, [pod("going", deletionTimestamp="now"), ended, pod("coming", ready=False)])
    found = IstiodPods(api).look()
    assert [(each.pod, each.seen.error) for each in found.replicas] == [("coming", "it isn't ready")]


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("/debug/clusterz", (401, b""), "/debug/clusterz was answered with status 401"),
        ("/debug/clusterz", (200, b"{}"), "the answer isn't a list of clusters"),
        ("/debug/clusterz", (200, b"<html>"), "its debug API on port 15014 didn't answer"),
        ("/metrics", (500, b""), "/metrics was answered with status 500"),
        ("/debug/endpointShardz", (404, b""), "/debug/endpointShardz was answered with status 404"),
        ("/debug/endpointShardz", (200, b"[]"), "the answer isn't a table of services"),
    ],
)
def test_a_replica_that_answers_badly_is_an_error_of_that_replica(debug_api, path, answer, error):
    debug_api.pages[path] = answer
    (replica,) = IstiodPods(Api(debug_api.address, [pod("a")])).look(events=True, endpoints_of="paris").replicas
    assert error in replica.seen.error


def test_a_replica_that_cant_be_reached_is_an_error_of_that_replica(debug_api):
    found = IstiodPods(Api(debug_api.address, [pod("unreachable"), pod("b")])).look()
    assert [each.seen.error for each in found.replicas] == ["no route", None]


def test_no_pods_mean_that_istiod_isnt_installed(debug_api):
    assert not IstiodPods(Api(debug_api.address, [])).look().installed


def test_the_log_tells_the_reason_if_it_can_be_read(debug_api):
    log = "info paris starts\nerror  failed to list *v1.Pod in paris: forbidden\nerror in oslo\ninfo paris goes on"
    assert IstiodPods(Api(debug_api.address, [], log)).reason("a", "paris", 7) == (
        "error failed to list *v1.Pod in paris: forbidden"
    )
    assert IstiodPods(Api(debug_api.address, [], "info")).reason("a", "paris", 7) is None
    assert IstiodPods(Api(debug_api.address, [])).reason("a", "paris", 7) is None


@pytest.mark.parametrize(
    ("all_seen", "before", "why"),
    [
        ([seen(), seen()], {}, ""),
        ([seen(events=2), seen(events=5)], {"istiod-0": 1, "istiod-1": 4}, ""),
        ([seen(events=1)], {"istiod-0": 1}, "istiod-0 hasn't taken notice of the new remote secret"),
        ([seen(events=0)], {"istiod-0": 7}, ""),  # restarted since: it has read the new secret
        ([seen(), Seen({}, error="it isn't ready")], {}, "istiod-1 couldn't be asked: it isn't ready"),
        ([Seen({"hub": ("synced", "")})], {}, "istiod-0 doesn't list the cluster although its remote secret is there"),
        ([seen(secret="a/b")], {}, "istiod-0 takes the cluster from another Secret, a/b"),
        ([seen("timeout")], {}, "istiod-0 reports the cluster as 'timeout'"),
    ],
)
def test_the_verdict_names_what_stands_in_the_way(all_seen, before, why):
    assert istiod.verdict(look(*all_seen), "paris", SECRET, before) == (not why, why)


def test_counts_that_arent_kept_are_unknown_and_not_zero():
    assert istiod.count("", "remote_cluster_secret_events_total") is None
    assert not Seen({}, managed=None).behind
    assert not Seen({}, managed=3, error="gone").behind
    assert Seen({"hub": ("synced", "")}, managed=1).behind


def test_a_moment_behind_is_normal(clock):
    looks = [look(Seen({}, 1, 1)), look(Seen({}, 1, 1)), look(seen(events=1, managed=1))]
    fake = SimpleNamespace(look=lambda **_options: looks.pop(0), reason=lambda *_names: None)
    waited = istiod.wait_for(fake, "paris", SECRET, clock.time, seconds=60, before={"istiod-0": 0})
    assert waited.state == "synced"
    assert looks == []
