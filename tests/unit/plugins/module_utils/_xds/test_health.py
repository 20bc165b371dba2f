# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole examination: istiod's replicas and all sites, without HTTP and without sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds import expect, health, transport
from ansible_collections.edge.mesh.plugins.module_utils._xds.health import Access, Request, examine
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Mesh, Site
from tests.unit.plugins.module_utils._xds.fakes import Authority, FakeApi, Istiod, gateway, refused, serve

ROOT = Authority()


class World:
    """A primary `hub` with one istiod, and an edge `edge`; all healthy until a test changes it."""

    def __init__(self) -> None:
        self.istiods = {"istiod-1": Istiod(ROOT)}
        self.apis = {name: FakeApi(name, ROOT.pem, f"net-{name}") for name in ("hub", "edge")}
        self.apis["hub"].secret_keys = {"edge": ["edge"]}
        self.sleeps: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self.opened: list[FakeApi] = []
        self.address: str | None = None
        self.addresses: list[str] = []
        self.timeout = 10.0
        self.expect: list[dict[str, str]] = []
        self._open = ExitStack()
        self.peers: tuple[Site, ...] = ()

    def start(self) -> None:
        for pod, istiod in self.istiods.items():
            istiod.pod = pod
            self.addresses.append(self._open.enter_context(serve(istiod)))
            self.apis["hub"].forwards[pod] = self.addresses[-1]

    def stop(self) -> None:
        self._open.close()

    def connect(self, access: Access, site: str | None, seconds: float) -> FakeApi:
        try:
            api = self.apis[access.kubeconfig]
        except KeyError:
            raise MeshError("the kubeconfig can't be used", site=site) from None
        self.opened.append(api)
        return api

    def examine(self, *more: tuple[Site, Access]) -> dict[str, Any]:
        hub, edge = Access("hub", None), Access("edge", None)
        address = self.addresses[0]
        sites = (
            (Site("hub", "net-hub", self.address, is_primary=True), hub),
            (Site("edge", "net-edge", address), edge),
            *more,
        )
        mesh = Mesh(
            namespace="istio-system",
            istiod_name="istiod",
            revision_label="default",
            mesh_id="m1",
            trust_domain="cluster.local",
            service_account="default",
            gateway="istio-eastwestgateway",
            networks={site.cluster: site.network for site, _access in sites},
        )
        request = Request(
            hub, self.address, mesh, sites, expect.read(self.expect), self.timeout, peers=self.peers, name="hub"
        )
        return examine(request, self.connect, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.on_sleep()


@pytest.fixture
def world() -> Iterator[World]:
    mine = World()
    yield mine
    mine.stop()


def bad(result: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(c["site"], c["id"]): c["verdict"] for c in result["checks"] if c["verdict"] not in ("ok", "warning")}


def test_a_healthy_mesh_is_healthy_and_settles_at_the_first_look(world: World) -> None:
    world.start()
    result = world.examine()
    assert bad(result) == {}
    assert result["healthy"] is True
    assert world.sleeps == []
    assert [item["cluster"] for item in result["clusters"]] == ["edge", "hub"]
    assert [item["cluster"] for item in result["proxies"]] == ["edge", "hub"]
    assert result["replicas"][0]["version"] == "1.32-test"
    assert result["gateways"][0]["network"] == "net-edge"
    assert len(result["checks"]) == 2 * 9


def test_requests_are_counted_and_clients_closed(world: World) -> None:
    world.start()
    result = world.examine()
    assert result["requests"] == sum(api.requests for api in world.opened) > 0
    assert all(api.closed for api in world.opened)


def test_a_proxy_that_is_just_being_pushed_to_is_looked_at_again(world: World) -> None:
    istiod = world.istiods["istiod-1"]
    istiod.proxies = [gateway("hub"), gateway("edge", CDS="STALE")]

    def settle() -> None:
        istiod.proxies = [gateway("hub"), gateway("edge")]

    world.on_sleep = settle
    world.start()
    result = world.examine()
    assert result["healthy"] is True
    assert len(world.sleeps) == 1


def test_a_proxy_that_stays_stale_fails_after_a_few_looks_over_one_stream(world: World) -> None:
    istiod = world.istiods["istiod-1"]
    istiod.proxies = [gateway("hub"), gateway("edge", CDS="STALE")]
    world.start()
    result = world.examine()
    assert bad(result) == {("edge", "proxy.synced"): "failed"}
    assert len(world.sleeps) == 5
    # one of istiod's own, two for each site's synthetic proxy
    assert istiod.streams == 1 + 2 * 2


def test_every_ready_replica_is_asked(world: World) -> None:
    second = Istiod(ROOT, proxies=[gateway("edge")])
    world.istiods = {"istiod-1": Istiod(ROOT, proxies=[gateway("hub")]), "istiod-2": second}
    world.apis["hub"].pods = ("istiod-1", "istiod-2")
    world.start()
    result = world.examine()
    assert result["healthy"] is True
    assert [item["pod"] for item in result["replicas"]] == ["istiod-1", "istiod-2"]
    assert {item["cluster"]: item["istiod"] for item in result["proxies"]} == {"hub": "istiod-1", "edge": "istiod-2"}


def test_a_replica_that_doesnt_answer_makes_it_unknown(world: World) -> None:
    world.apis["hub"].pods = ("istiod-1", "istiod-2")
    world.apis["hub"].errors = {"portforward/istiod-2": refused(500, "the pod is gone")}
    world.start()
    result = world.examine()
    assert set(bad(result).values()) == {"unknown"}
    assert {check for _site, check in bad(result)} == {"istiod.cluster-synced", "proxy.synced"}
    assert [item["answered"] for item in result["replicas"]] == [True, False]


def test_a_replica_that_answers_in_anothers_place_didnt_answer(world: World) -> None:
    world.apis["hub"].pods = ("istiod-1", "istiod-2")
    world.start()
    world.apis["hub"].forwards["istiod-2"] = world.apis["hub"].forwards["istiod-1"]
    result = world.examine()
    assert result["healthy"] is False
    assert "answered in its place" in result["replicas"][1]["error"]


def test_a_replica_without_a_port_forward_is_found_at_istiods_address(world: World) -> None:
    world.apis["hub"].pods = ("istiod-1", "istiod-2")
    world.apis["hub"].errors = {"portforward/istiod-1": refused(0, "streams don't go through a proxy", "Proxy")}
    world.istiods = {"istiod-1": Istiod(ROOT), "istiod-2": Istiod(ROOT)}
    world.start()
    world.address = world.addresses[0]  # the load balancer of this world always picks the first
    result = world.examine()
    assert result["healthy"] is True
    assert {item["pod"]: item["via"] for item in result["replicas"]} == {
        "istiod-1": "address",
        "istiod-2": "port-forward",
    }


def test_an_address_that_never_leads_to_a_replica_is_tried_a_bounded_number_of_times(world: World) -> None:
    world.apis["hub"].pods = ("istiod-1", "istiod-2")
    world.apis["hub"].errors = {"portforward/istiod-2": refused(403, "may not forward")}
    world.start()
    world.address = world.addresses[0]
    result = world.examine()
    assert [item["answered"] for item in result["replicas"]] == [True, False]
    assert "may not forward" in result["replicas"][1]["error"]
    # istiod-1's own, 4 x 2 tries for the other, two for each site's synthetic proxy
    assert world.istiods["istiod-1"].streams == 1 + 4 * 2 + 2 * 2


def test_replicas_tell_their_revision(world: World) -> None:
    world.start()
    assert world.examine()["replicas"][0]["revision"] == "default"


def test_with_an_address_and_one_replica_no_port_forward_is_needed(world: World) -> None:
    world.start()
    world.address = world.addresses[0]
    world.apis["hub"].errors = {"portforward": refused(403, "not allowed")}
    result = world.examine()
    assert result["healthy"] is True
    assert result["replicas"][0]["via"] == "address"


def test_a_primary_that_is_down_leaves_everything_that_it_knows_unknown(world: World) -> None:
    world.start()
    world.apis["hub"].errors = {"/": refused(0, "refused", "Refused")}
    result = world.examine()
    assert result["healthy"] is False
    assert bad(result)["edge", "istiod.cluster-synced"] == "unknown"
    assert bad(result)["edge", "proxy.synced"] == "unknown"
    assert ("edge", "join.csr") not in bad(result)
    assert result["replicas"] == []


def test_no_ready_istiod_is_unknown_and_costs_no_further_look(world: World) -> None:
    world.start()
    world.apis["hub"].pods = ()
    result = world.examine()
    assert bad(result)["edge", "proxy.synced"] == "unknown"
    assert bad(result)["hub", "join.address"] == "unknown"
    assert world.sleeps == []


def test_a_missing_remote_secret_turns_exactly_what_depends_on_it(world: World) -> None:
    istiod = world.istiods["istiod-1"]
    istiod.clusterz = istiod.clusterz[:1]
    del istiod.clusters["edge"]
    world.apis["hub"].secret_keys = {}
    world.start()
    result = world.examine()
    assert bad(result) == {
        ("edge", "istiod.cluster-synced"): "failed",
        ("edge", "join.ads"): "failed",
        ("edge", "join.endpoints"): "unknown",
        ("edge", "join.csr"): "failed",
    }


def test_sites_that_hang_cost_one_deadline_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    class Hanging(FakeApi):
        def get(self, path: str, **query: Any) -> dict[str, Any] | None:
            release.wait(20)
            raise refused(0, "too late")

    monkeypatch.setattr(health, "_GRACE", 0.1)
    world.timeout = 0.5
    world.start()
    address = world.addresses[0]
    more = []
    for number in range(10):
        name = f"hole{number}"
        world.apis[name] = Hanging(name, ROOT.pem)
        more.append((Site(name, f"net-{name}", address), Access(name, None)))
    start = time.monotonic()
    try:
        result = world.examine(*more)
    finally:
        release.set()
    assert time.monotonic() - start < 10 * world.timeout
    hanging = {check["verdict"] for check in result["checks"] if check["id"] == "join.tls" and "hole" in check["site"]}
    assert hanging == {"unknown"}


def test_an_expectation_that_isnt_met_makes_the_mesh_unhealthy(world: World) -> None:
    world.expect = [
        {"that": "length(clusters) == `2`", "message": "two"},
        {"that": "length(clusters) == `3`", "message": "three"},
    ]
    world.start()
    result = world.examine()
    assert bad(result) == {}
    assert [item["met"] for item in result["expectations"]] == [True, False]
    assert result["healthy"] is False


def test_an_unusable_kubeconfig_is_unknown_and_says_why(world: World) -> None:
    world.start()
    del world.apis["edge"]
    assert bad(world.examine())["edge", "join.token"] == "unknown"


def test_a_primary_whose_kubeconfig_cant_be_used_leaves_its_sites_unknown_and_stops_nobody(world: World) -> None:
    world.start()
    del world.apis["hub"]
    result = world.examine()
    assert result["healthy"] is False
    found = {(item["site"], item["id"]): item for item in result["checks"]}
    for site in ("hub", "edge"):
        synced = found[site, "istiod.cluster-synced"]
        assert synced["verdict"] == "unknown"
        assert "the kubeconfig can't be used" in str(synced["evidence"]), synced
    assert found["hub", "join.token"]["verdict"] == "unknown"


def test_an_address_that_is_none_is_an_error(world: World) -> None:
    world.start()
    with pytest.raises(MeshError, match="isn't an address"):
        world.examine((Site("x", "net-x", "host:port"), Access("edge", None)))


def test_a_missing_library_is_an_error_of_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start()
    monkeypatch.setattr(transport, "MISSING", "No module named 'grpc'")
    with pytest.raises(MeshError, match="install grpcio and xds-protos"):
        world.examine()


def test_sites_of_other_primaries_must_be_synced_and_nothing_else_is_asked_of_them(world: World) -> None:
    world.peers = (Site("edge2", "net-edge2"),)
    world.start()
    result = world.examine()
    [found] = [item for item in result["checks"] if item["site"] == "edge2"]
    assert (found["id"], found["peer"], found["verdict"]) == ("istiod.cluster-synced", "hub", "failed")
    assert "remote secret" in found["hint"]
    assert result["healthy"] is False


def test_an_istiod_that_gives_no_answer_says_nothing_of_the_sites_of_others(world: World) -> None:
    world.peers = (Site("edge2", "net-edge2"),)
    world.start()
    world.apis["hub"].pods = ()
    result = world.examine()
    assert not [item for item in result["checks"] if item["site"] == "edge2"]
    assert result["healthy"] is False
