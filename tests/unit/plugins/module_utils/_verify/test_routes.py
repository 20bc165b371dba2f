# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that follow routes: who asks whom, what is asked again, and what becomes of a site that can't."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._verify import routes
from ansible_collections.edge.mesh.plugins.module_utils._verify.fetching import Asked
from ansible_collections.edge.mesh.plugins.module_utils._verify.proportions import Page
from ansible_collections.edge.mesh.plugins.module_utils._verify.traffic import Caller
from tests.unit.plugins.module_utils._verify import fakes
from tests.unit.plugins.module_utils._verify.test_proportions import THIRDS, page
from tests.unit.plugins.module_utils._verify.test_traffic import PODS, client_pod

PLAIN = f"{PODS}/sleep-1:5000/proxy/hello"
CONTROL = f"{PODS}/sleep-1:15021/proxy/healthz/ready"
SPLIT = routes.Split("stock.sample", "http://stock.sample:5000/hello", {"shop": {"shop": 50, "centre": 50}})
PAGES = routes.Pages("/productpage", 80, THIRDS, [routes.User("end-user", "banzai", {"v2": 100})])


def refused(status: int = 503) -> ApiError:
    return ApiError("GET failed", status=status, reason="", why="error trying to reach service: connection reset")


class Mesh:
    """One site, whose ingress and whose pods answer in turns."""

    def __init__(self) -> None:
        self.clock = fakes.Clock()
        self.api = fakes.FakeApi({PODS: [client_pod()], PLAIN: refused(), CONTROL: ""})
        self.api.on_exec = lambda _command: self.answers("shop", "centre")
        self.asked: list[Asked] = []
        self.commands: list[list[str]] = []
        self.turns = ["v1", "v2", "v3"]

    @staticmethod
    def answers(*sites: str, each: int = 50) -> str:
        return "".join(f"version=v1 site={site} pod=p\n\n200\n--\n" for site in sites for _index in range(each))

    def fetch(self, asked: Asked) -> list[Page]:
        self.asked.append(asked)
        if asked.headers:
            return [page("v2")] * asked.count
        return [page(self.turns[index % len(self.turns)]) for index in range(asked.count)]

    def run(self, **options: Any) -> dict[str, Record]:
        order = {
            "namespace": "sample", "label": "app=sleep", "container": "sleep", "requests": 100, "tolerance": 15,
            "seconds": 30, **options,
        }  # fmt: skip
        world = routes.World(lambda *_call: self.api, self.fetch, clock=self.clock, sleep=self.clock.sleep)
        callers = [Caller("shop", "/shop.yaml", None, ("192.0.2.20",))]
        return {item.id: item for item in routes.run(callers, routes.Order(**order), world)}


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def test_a_mesh_that_is_well_gives_a_record_of_each_kind(mesh: Mesh) -> None:
    found = mesh.run(pages=PAGES, splits=[SPLIT], strict_port=5000)
    assert {name: (item.verdict, item.origin) for name, item in found.items()} == {
        "traffic.bookinfo": ("ok", "controller"), "traffic.header": ("ok", "controller"),
        "traffic.split": ("ok", "pod"), "traffic.plain-text": ("ok", "site-api"),
    }  # fmt: skip
    assert [(asked.count, dict(asked.headers)) for asked in mesh.asked] == [(100, {}), (100, {"end-user": "banzai"})]
    assert mesh.asked[0].address == "192.0.2.20"


def test_only_what_is_ordered_is_asked(mesh: Mesh) -> None:
    assert mesh.run() == {}
    assert mesh.api.asked == []
    assert mesh.run(splits=[routes.Split("x", "http://x/", {"centre": {"centre": 100}})]) == {}


def test_the_calls_of_a_split_are_one_bounded_command(mesh: Mesh) -> None:
    def execute(command: list[str]) -> str:
        mesh.commands.append(command)
        return mesh.answers("shop", "centre")

    mesh.api.on_exec = execute
    mesh.run(splits=[SPLIT])
    ((first, *rest),) = mesh.commands
    assert first == "curl"
    assert rest[-1] == "http://stock.sample:5000/hello?call=[1-100]"
    assert "--max-time" in rest


def test_what_is_off_by_chance_is_asked_again_and_judged_together(mesh: Mesh) -> None:
    rounds = iter([mesh.answers("shop", "centre", "centre", "centre"), *[mesh.answers("shop", "centre", each=200)] * 2])
    mesh.api.on_exec = lambda _command: next(rounds)
    found = mesh.run(splits=[SPLIT], requests=200)["traffic.split"]
    assert found.verdict == "ok"
    assert found.evidence["requests"] == 1000


def test_what_stays_off_is_a_failure(mesh: Mesh) -> None:
    mesh.turns = ["v1"]
    found = mesh.run(pages=PAGES)["traffic.bookinfo"]
    assert found.verdict == "failed"
    assert found.evidence["requests"] == 300
    assert "v1 has 100 %, not 33 %" in found.evidence["seen"]


def test_what_fails_isnt_asked_again(mesh: Mesh) -> None:
    calls: list[object] = []

    def execute(command: list[str]) -> str:
        calls.append(command)
        return "curl: (28) timeout\n000\n--\n" + mesh.answers("shop", "centre")

    mesh.api.on_exec = execute
    assert mesh.run(splits=[SPLIT], requests=101)["traffic.split"].verdict == "failed"
    assert len(calls) == 1


def test_calls_without_an_answer_end_a_round_early(mesh: Mesh) -> None:
    left: list[str] = []

    def execute(command: list[str]) -> dict[str, object]:
        left.append(command[-1].partition("?")[2])
        return {"stdout": mesh.answers("shop", "centre", each=2) + "\n000\n--\n", "rc": 28}

    mesh.api.on_exec = execute
    found = mesh.run(splits=[SPLIT])["traffic.split"]
    assert left == ["call=[1-100]", "call=[1-95]", "call=[1-90]"]
    assert (found.verdict, found.evidence["requests"], found.evidence["failed_requests"]) == ("failed", 15, 3)


def test_one_call_without_an_answer_doesnt_end_a_round(mesh: Mesh) -> None:
    turns = iter([{"stdout": mesh.answers("shop", each=9) + "\n000\n--\n", "rc": 28}, mesh.answers("centre", each=90)])
    mesh.api.on_exec = lambda _command: next(turns)
    found = mesh.run(splits=[SPLIT])["traffic.split"]
    assert (found.verdict, found.evidence["requests"], found.evidence["failed_requests"]) == ("failed", 100, 1)


def test_plain_text_that_is_answered_is_a_failure(mesh: Mesh) -> None:
    mesh.api.answers[PLAIN] = "version=v1 site=shop pod=p"
    found = mesh.run(strict_port=5000)["traffic.plain-text"]
    assert found.verdict == "failed"
    assert "version=v1 site=shop" in found.evidence["seen"]


@pytest.mark.parametrize("answers", [{CONTROL: refused()}, {PLAIN: refused(403)}, {PLAIN: fakes.refused()}, {PODS: []}])
def test_a_refusal_that_may_be_anothers_proves_nothing(mesh: Mesh, answers: dict[str, Any]) -> None:
    mesh.api.answers.update(answers)
    assert mesh.run(strict_port=5000)["traffic.plain-text"].verdict == "unknown"


def test_an_ingress_without_an_address_cant_be_asked(mesh: Mesh) -> None:
    world = routes.World(lambda *_call: mesh.api, mesh.fetch, clock=mesh.clock, sleep=mesh.clock.sleep)
    order = routes.Order("sample", "app=sleep", "sleep", 100, 15, 30, pages=PAGES)
    records = routes.run([Caller("shop", "/shop.yaml")], order, world)
    assert {(item.id, item.verdict) for item in records} == {
        ("traffic.bookinfo", "unknown"), ("traffic.header", "unknown"),
    }  # fmt: skip
    assert all(item.hint == "see gateway.address" for item in records)
