# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls in every direction: who calls, until when, and what becomes of a site that can't."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel, traffic
from ansible_collections.edge.mesh.plugins.module_utils._verify.answers import Answer
from tests.unit.plugins.module_utils._verify import fakes

SITES = ("centre", "shop")
PODS = "/api/v1/namespaces/sample/pods"
SLEEP = "spiffe://cluster.local/ns/sample/sa/sleep"
HEADER = f"By=spiffe://cluster.local/ns/sample/sa/helloworld;Hash=00;URI={SLEEP}"


def client_pod(name: str = "sleep-1", ready: str = "True") -> dict[str, Any]:
    pod = fakes.pod(name, "sample", {"app": "sleep"}, sleep="sleep:1")
    pod["spec"]["serviceAccountName"] = "sleep"
    pod["status"] = {"conditions": [{"type": "Ready", "status": ready}]}
    return pod


def block(site: str, path: str, header: str | None = HEADER) -> str:
    """What one call prints."""
    if path.endswith("/identity"):
        body = json.dumps({"x-forwarded-client-cert": header, "version": "v1", "site": site, "pod": "p"})
    else:
        body = f"version=v1 site={site} pod=p"
    return f"{body}\n\n200\n--\n"


class Mesh:
    """Two sites whose every third call is answered by the other one."""

    def __init__(self) -> None:
        self.clock = fakes.Clock()
        self.apis: dict[str, fakes.FakeApi] = {}
        self.outside: dict[str, list[str]] = {"192.0.2.10": list(SITES), "192.0.2.20": list(SITES)}
        self.knocked: list[tuple[str, int, str]] = []
        for name in SITES:
            self.apis[name] = fakes.FakeApi({PODS: [client_pod()]})
            self.apis[name].on_exec = self.answering(*SITES)

    @staticmethod
    def answering(*sites: str, header: str | None = HEADER) -> Any:
        return lambda command: "".join(block(site, command[4], header) for site in sites)

    def connect(self, _path: str, _context: str | None, site: str) -> fakes.FakeApi:
        return self.apis[site]

    def call(self, address: str, port: int, path: str, seconds: float) -> Answer:
        assert seconds > 0
        self.knocked.append((address, port, path))
        sites = self.outside[address]
        if not sites:
            return Answer(error="Connection refused")
        return Answer(sites[len(self.knocked) % len(sites)], "v1", "p")

    def run(self, hears: tuple[str, ...] = (), *, without_sidecars: bool = False, **options: Any) -> list[Record]:
        """All calls; ``hears`` are the sites whose answers the shop alone expects."""
        order = {
            "namespace": "sample", "label": "app=sleep", "container": "sleep",
            "url": "http://helloworld.sample:5000/hello", "ingress_path": "/hello", "ingress_port": 80,
            "requests": 6, "expect": SITES, "trust_domain": "cluster.local", "seconds": 30, **options,
        }  # fmt: skip
        callers = [
            traffic.Caller("centre", "/centre.yaml", None, ("192.0.2.10",)),
            traffic.Caller("shop", "/shop.yaml", None, ("192.0.2.20",), hears, without_sidecars),
        ]
        world = traffic.World(connect=self.connect, call=self.call, clock=self.clock, sleep=self.clock.sleep)
        return traffic.run(callers, traffic.Order(**order), world)


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def verdicts(records: list[Record], check: str) -> dict[tuple[str, str | None], str]:
    return {(item.site, item.peer): item.verdict for item in records if item.id == check}


def test_a_mesh_that_is_well_answers_in_every_direction(mesh: Mesh) -> None:
    records = mesh.run()
    assert verdicts(records, "traffic.reach") == {(one, other): "ok" for one in SITES for other in SITES}
    assert verdicts(records, "traffic.mtls") == {("centre", "shop"): "ok", ("shop", "centre"): "ok"}
    assert verdicts(records, "traffic.ingress") == {("centre", None): "ok", ("shop", None): "ok"}
    assert {item.origin for item in records if item.id == "traffic.ingress"} == {"controller"}
    assert {item.origin for item in records if item.id != "traffic.ingress"} == {"pod"}


def test_a_site_that_isnt_shown_another_doesnt_wait_for_its_answer(mesh: Mesh) -> None:
    records = mesh.run(hears=("shop",))
    assert verdicts(records, "traffic.reach") == {
        ("centre", "centre"): "ok", ("centre", "shop"): "ok", ("shop", "shop"): "ok",
    }  # fmt: skip
    assert verdicts(records, "traffic.mtls") == {("centre", "shop"): "ok"}


def test_the_calls_are_one_bounded_command_in_the_client(mesh: Mesh) -> None:
    commands: list[list[str]] = []
    answer = mesh.answering(*SITES)

    def execute(command: list[str]) -> Any:
        commands.append(command)
        return answer(command)

    mesh.apis["shop"].on_exec = execute
    mesh.run()
    assert [command[:2] for command in commands] == [["sh", "-c"], ["sh", "-c"]]
    assert [command[4] for command in commands] == [
        "http://helloworld.sample:5000/hello",
        "http://helloworld.sample:5000/identity",
    ]
    assert commands[0][5] == "6"
    assert "exec sample/sleep-1/sleep" in mesh.apis["shop"].asked


def test_a_site_calls_again_until_everybody_answered(mesh: Mesh) -> None:
    api = mesh.apis["shop"]
    api.on_exec = mesh.answering("shop")

    def spread() -> None:
        if mesh.clock.time >= 1003:
            api.on_exec = mesh.answering(*SITES)

    mesh.clock.on_sleep = spread
    records = mesh.run(ingress_path="")
    assert verdicts(records, "traffic.reach")["shop", "centre"] == "ok"
    reached = next(item for item in records if (item.id, item.site, item.peer) == ("traffic.reach", "shop", "centre"))
    assert reached.evidence["requests"] == 5


def test_a_site_that_never_hears_from_another_gives_up(mesh: Mesh) -> None:
    mesh.apis["shop"].on_exec = mesh.answering("shop")
    records = mesh.run(ingress_path="")
    assert verdicts(records, "traffic.reach")["shop", "centre"] == "failed"
    assert verdicts(records, "traffic.reach")["shop", "shop"] == "ok"
    assert verdicts(records, "traffic.mtls")["shop", "centre"] == "unknown"
    assert verdicts(records, "traffic.reach")["centre", "shop"] == "ok"


def test_plain_text_between_sites_fails(mesh: Mesh) -> None:
    mesh.apis["shop"].on_exec = mesh.answering(*SITES, header=None)
    records = mesh.run()
    assert verdicts(records, "traffic.reach")["shop", "centre"] == "ok"
    assert verdicts(records, "traffic.mtls")["shop", "centre"] == "failed"


def test_a_site_without_sidecars_calls_by_another_name_and_its_gateways_are_who_it_is(mesh: Mesh) -> None:
    system = "spiffe://cluster.local/ns/istio-system/sa"
    headers = {
        "centre": f"By={system}/istio-eastwestgateway;Hash=0;URI={SLEEP}",
        "shop": f"By=spiffe://cluster.local/ns/sample/sa/helloworld;Hash=0;URI={system}/istio-egressgateway",
    }
    called: dict[str, set[str]] = {name: set() for name in SITES}

    def answering(name: str) -> Any:
        answer = mesh.answering(*SITES, header=headers[name])
        return lambda command: (called[name].add(command[4]), answer(command))[1]

    for name in SITES:
        mesh.apis[name].on_exec = answering(name)
    records = mesh.run(without_sidecars=True)
    assert verdicts(records, "traffic.mtls") == {("centre", "shop"): "ok", ("shop", "centre"): "ok"}
    assert called["shop"] == {f"http://helloworld-mesh.sample:5000/{path}" for path in ("hello", "identity")}
    assert called["centre"] == {f"http://helloworld.sample:5000/{path}" for path in ("hello", "identity")}


def test_another_callee_or_caller_than_the_sites_gateways_fails(mesh: Mesh) -> None:
    records = mesh.run(without_sidecars=True)
    assert verdicts(records, "traffic.mtls") == {("centre", "shop"): "failed", ("shop", "centre"): "failed"}


def test_a_site_that_doesnt_answer_is_unknown_in_all_its_directions(mesh: Mesh) -> None:
    mesh.apis["shop"].answers[PODS] = fakes.refused()
    records = mesh.run()
    assert [verdicts(records, "traffic.reach")["shop", peer] for peer in SITES] == ["unknown", "unknown"]
    assert verdicts(records, "traffic.mtls")["shop", "centre"] == "unknown"
    assert verdicts(records, "traffic.ingress")["shop", None] == "ok"


def test_identities_that_cant_be_asked_dont_spoil_what_was_reached(mesh: Mesh) -> None:
    answer = mesh.answering(*SITES)
    mesh.apis["shop"].on_exec = lambda command: fakes.refused() if "identity" in command[4] else answer(command)
    records = mesh.run()
    assert verdicts(records, "traffic.reach")["shop", "centre"] == "ok"
    assert verdicts(records, "traffic.mtls")["shop", "centre"] == "unknown"


def test_the_client_is_awaited(mesh: Mesh) -> None:
    api = mesh.apis["shop"]
    api.answers[PODS] = [client_pod(ready="False")]

    def start() -> None:
        if mesh.clock.time >= 1004:
            api.answers[PODS] = [client_pod("sleep-2")]

    mesh.clock.on_sleep = start
    assert verdicts(mesh.run(ingress_path=""), "traffic.reach")["shop", "centre"] == "ok"


def test_a_client_that_never_gets_ready_is_unknown(mesh: Mesh) -> None:
    leaving = client_pod()
    leaving["metadata"]["deletionTimestamp"] = "now"
    mesh.apis["shop"].answers[PODS] = [client_pod(ready="False"), leaving]
    records = mesh.run(ingress_path="")
    assert verdicts(records, "traffic.reach")["shop", "shop"] == "unknown"
    told = next(item for item in records if item.site == "shop")
    assert "is ready (2 are there)" in told.evidence["seen"]


def test_a_client_without_curl_is_unknown(mesh: Mesh) -> None:
    mesh.apis["shop"].on_exec = lambda _command: {"rc": 127, "stderr": "sh: not found"}
    records = mesh.run(ingress_path="")
    told = next(item for item in records if item.site == "shop")
    assert (told.verdict, told.hint) == ("unknown", "does it have sh and curl?")
    assert "sh: not found" in told.evidence["reason"]


def test_an_ingress_that_is_dead_is_given_up_soon(mesh: Mesh) -> None:
    mesh.outside["192.0.2.20"] = []
    records = mesh.run(requests=100, seconds=8)
    assert verdicts(records, "traffic.ingress") == {("centre", None): "ok", ("shop", None): "failed"}
    assert len([each for each in mesh.knocked if each[0] == "192.0.2.20"]) <= 15


def test_an_ingress_without_an_address_is_unknown(mesh: Mesh) -> None:
    caller = traffic.Caller("shop", "/shop.yaml")
    world = traffic.World(connect=mesh.connect, call=mesh.call, clock=mesh.clock, sleep=mesh.clock.sleep)
    order = traffic.Order("sample", "app=sleep", "sleep", "http://x/hello", "/hello", 80, 3, ("shop",), "td", 10)
    records = traffic.run([caller], order, world)
    assert verdicts(records, "traffic.ingress") == {("shop", None): "unknown"}


def test_without_a_path_nothing_is_asked_from_outside(mesh: Mesh) -> None:
    assert not verdicts(mesh.run(ingress_path=""), "traffic.ingress")
    assert mesh.knocked == []


def test_calls_that_hang_are_unknown(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_GRACE", 0.0)
    never = threading.Event()
    mesh.apis["shop"].on_exec = lambda _command: never.wait(10) and None
    records = mesh.run(ingress_path="", seconds=0.2)
    never.set()
    assert verdicts(records, "traffic.reach")["shop", "centre"] == "unknown"


def test_a_site_whose_kubeconfig_is_bad_is_unknown(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(path: str, _context: str | None, site: str) -> fakes.FakeApi:
        if site == "shop":
            raise MeshError(f"the kubeconfig {path} can't be used", why="it isn't YAML")
        return mesh.apis[site]

    monkeypatch.setattr(mesh, "connect", connect)
    records = mesh.run(ingress_path="")
    assert verdicts(records, "traffic.reach")["shop", "shop"] == "unknown"
    assert verdicts(records, "traffic.reach")["centre", "shop"] == "ok"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.client_address))  # type: ignore[attr-defined]
        body = b"version=v1 site=shop pod=p\n"
        self.send_response(200 if self.path == "/hello" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = HTTPServer(("127.0.0.1", 0), _Handler)
    made.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def test_a_call_from_outside_uses_a_connection_of_its_own(server: HTTPServer) -> None:
    for _index in range(2):
        assert traffic.call_ingress("127.0.0.1", server.server_port, "/hello", 5) == Answer("shop", "v1", "p")
    (_path, one), (_other_path, other) = server.seen  # type: ignore[attr-defined]
    assert one != other


def test_a_call_from_outside_tells_what_went_wrong(server: HTTPServer) -> None:
    assert traffic.call_ingress("127.0.0.1", server.server_port, "/other", 5).error.startswith("404")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert traffic.call_ingress("127.0.0.1", port, "/hello", 5).error == "Connection refused"
