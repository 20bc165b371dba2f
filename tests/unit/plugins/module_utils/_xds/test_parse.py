# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istiod's answers mean."""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds import parse
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import ProxyState, TypeState


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("type.googleapis.com/envoy.config.cluster.v3.Cluster", "CDS"),
        ("type.googleapis.com/envoy.config.listener.v3.Listener", "LDS"),
        ("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "EDS"),
        ("type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "RDS"),
        ("type.googleapis.com/istio.workload.Address", "Address"),
    ],
)
def test_types_have_short_names(url: str, short: str) -> None:
    assert parse.short_type(url) == short


def test_the_control_plane_identifier_names_the_replica_and_its_version() -> None:
    said = '{"Component":"istiod","ID":"istiod-1","Info":{"version":"1.30.3","revision":"x"}}'
    assert parse.control_plane(said) == ("istiod-1", "1.30.3")


@pytest.mark.parametrize("said", ["", "istiod", "[]", "{}", '{"Info": 1}'])
def test_an_unreadable_control_plane_identifier_says_nothing(said: str) -> None:
    assert parse.control_plane(said) == ("", "")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SYNCED", "acked"),
        ("STALE", "stale"),
        ("ERROR", "nacked"),
        ("NOT_SENT", "never-sent"),
        ("UNKNOWN", "unknown"),
        ("SOMETHING_NEW", "unknown"),
    ],
)
def test_each_status_of_a_type_has_its_word(status: str, state: str) -> None:
    config = {"id": "a.b", "metadata": {}, "configs": [{"type_url": "x.Cluster", "status": status}]}
    assert parse.proxies([config], "istiod-1")[0].types[0].state == state


def test_a_proxy_carries_its_site_its_replica_and_the_reason_of_a_rejection() -> None:
    config = {
        "id": "gw-1.istio-system",
        "metadata": {"CLUSTER_ID": "lyon", "NAMESPACE": "istio-system", "ISTIO_VERSION": "1.30.3"},
        "configs": [
            {"type_url": "x.Listener", "status": "ERROR", "updated": 5.0, "error": "no filter" + "x" * 1000},
            {"type_url": "x.Cluster", "status": "SYNCED", "updated": 7.5},
        ],
    }
    (proxy,) = parse.proxies([config], "istiod-1")
    assert (proxy.cluster, proxy.namespace, proxy.version, proxy.istiod) == (
        "lyon",
        "istio-system",
        "1.30.3",
        "istiod-1",
    )
    assert [item.type for item in proxy.types] == ["CDS", "LDS"]
    assert proxy.types[1].error.startswith("no filter")
    assert len(proxy.types[1].error) == 500
    assert proxy.updated == 7.5


def test_of_two_connections_of_one_proxy_the_later_counts() -> None:
    old = ProxyState("a.b", "lyon", "b", "1", "istiod-1", (TypeState("CDS", "stale", 1.0),))
    new = ProxyState("a.b", "lyon", "b", "1", "istiod-2", (TypeState("CDS", "acked", 2.0),))
    other = ProxyState("a.b", "oslo", "b", "1", "istiod-2", (TypeState("CDS", "acked", 1.5),))
    assert parse.latest([new, old, other]) == (new, other)
    assert parse.latest([old, new, other]) == (new, other)


def test_clusters_are_read_with_and_without_a_secret() -> None:
    payload = b'[{"id":"hub","secretName":"","syncStatus":"synced"},{"id":"lyon","secretName":"n/s","syncStatus":"x"}]'
    hub, lyon = parse.clusters(payload, "istiod-1")
    assert (hub.cluster, hub.secret, hub.status) == ("hub", "", "synced")
    assert (lyon.cluster, lyon.secret, lyon.status, lyon.istiod) == ("lyon", "n/s", "x", "istiod-1")


@pytest.mark.parametrize("payload", [b"", b" ", b"null", b"[]"])
def test_nothing_is_an_empty_list(payload: bytes) -> None:
    assert parse.clusters(payload, "istiod-1") == []
    assert parse.network_gateways(payload) == []


@pytest.mark.parametrize("payload", [b'{"statusCode":"400"}', b"[1]", b"not found"])
def test_an_answer_of_another_shape_is_an_error(payload: bytes) -> None:
    with pytest.raises(MeshError, match="clusterz can't be read"):
        parse.clusters(payload, "istiod-1")


def test_an_endpoint_tells_its_cluster_and_whether_it_is_a_workload() -> None:
    workload = parse.service_endpoint("s", "10.0.0.1", 80, "hello;sample;hello;v1;lyon")
    through = parse.service_endpoint("s", "172.31.0.2", 15443, ";;;;lyon")
    bare = parse.service_endpoint("s", "10.0.0.1", 80, "")
    assert (workload.cluster, workload.workload) == ("lyon", "hello")
    assert (through.cluster, through.workload) == ("lyon", "")
    assert (bare.cluster, bare.workload) == ("", "")
