# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh is measured: who is asked, in which order, and what is said of what can't be measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._measure import survey
from ansible_collections.edge.mesh.plugins.module_utils._measure.figures import Figure
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.modules import mesh_measure
from tests.unit.plugins.module_utils._measure.test_figures import block, pod
from tests.unit.plugins.module_utils._verify import fakes
from tests.unit.plugins.module_utils._verify.test_traffic import PODS, client_pod
from tests.unit.plugins.modules.test_site_checks import assert_same

BARE = "/api/v1/namespaces/bare"
SUMMARY = {"pods": [pod("istio-system", "istio-ingressgateway-1", istio_proxy=(31, 1600))]}


class Watch:
    """A link on which some bytes are seen."""

    def __init__(self) -> None:
        self.counts = Counter({("xDS", True): 700})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


class Mesh:
    """A centre and a shop, all of whose calls are answered by both in turn."""

    def __init__(self) -> None:
        self.clock = fakes.Clock()
        self.urls: list[str] = []
        self.watched: list[tuple[str, str]] = []
        self.apis = {name: self.api(name) for name in ("centre", "shop")}

    def api(self, name: str) -> fakes.FakeApi:
        found = fakes.FakeApi({
            "/api/v1/nodes": [fakes.named(name)], f"/api/v1/nodes/{name}/proxy/stats/summary": SUMMARY,
            PODS: [client_pod()], f"{BARE}/pods": [client_pod()],
            f"{BARE}/services/helloworld": {"spec": {"ports": [{"nodePort": 31000}]}},
        })  # fmt: skip

        def execute(command: list[str]) -> str:
            self.urls.append(command[-1])
            if "sample" in command[-1]:
                return block("centre", "0.004") + block("shop", "0.009")
            return block("centre" if "192.0.2.10" in command[-1] else "shop", "0.001")

        found.on_exec = execute
        return found

    def watch(self, node: str, peer: str) -> Watch:
        self.watched.append((node, peer))
        return Watch()

    def run(self, *, through: str = "", **options: Any) -> dict[tuple[str, str, str], Figure]:
        order = survey.Order(**{
            "namespace": "sample", "bare_namespace": "bare", "requests": 20, "idle": 60, "seconds": 30, **options,
        })  # fmt: skip
        places = [
            survey.Place("centre", "/c", None, "centre", "node-c", "192.0.2.10"),
            survey.Place("shop", "/s", None, "centre", "node-s", "192.0.2.20", through),
        ]
        world = survey.World(
            connect=lambda place: self.apis[place.name], watch=self.watch, clock=self.clock, sleep=self.clock.sleep
        )
        return {(each.site, each.peer, each.what): each for each in survey.run(places, order, world)}


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def test_everything_is_measured_at_every_site(mesh: Mesh) -> None:
    found = mesh.run()
    assert found["shop", "", "gateways: memory"].numbers == {"sum": 31.0}
    assert found["shop", "centre", "idle for 60 s, from the primary"].numbers == {"sum": 700}
    assert found["shop", "centre", "latency added"].numbers["p50"] == 3.0
    assert mesh.watched == [("node-s", "192.0.2.10")]
    assert "http://192.0.2.10:31000/hello?call=[1-20]" in mesh.urls
    assert "http://helloworld.sample:5000/hello?call=[1-40]" in mesh.urls


def test_either_half_can_be_left_out(mesh: Mesh) -> None:
    assert not [what for _site, _peer, what in mesh.run(requests=0) if "latency" in what]
    assert mesh.urls == []
    assert all("latency" in what for _site, _peer, what in mesh.run(idle=0))


def test_without_bare_apps_only_calls_with_sidecars_are_timed(mesh: Mesh) -> None:
    found = mesh.run(bare_namespace="", idle=0)
    assert found["shop", "centre", "latency with sidecars"].numbers["p50"] == 4.0
    assert found["shop", "centre", "latency without"].numbers == {}
    assert all("sample" in url for url in mesh.urls)


def test_calls_of_a_site_without_sidecars_go_through_its_gateway(mesh: Mesh) -> None:
    found = mesh.run(through="helloworld-mesh", idle=0)
    assert found["shop", "centre", "latency through gateways"].numbers["p50"] == 4.0
    assert found["shop", "centre", "latency added"].numbers["p50"] == 3.0
    assert "http://helloworld-mesh.sample:5000/hello?call=[1-40]" in mesh.urls


def test_a_site_that_gives_no_answer_is_told_and_holds_up_nobody(mesh: Mesh) -> None:
    mesh.apis["shop"].answers = {"*": fakes.refused()}
    found = mesh.run()
    assert found["shop", "", "memory and CPU"].about.startswith("not measured: ")
    assert found["shop", "", "latency"].about.startswith("not measured: ")
    assert found["centre", "", "gateways: memory"].numbers


def test_a_link_that_cant_be_watched_is_told(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_node: str, _peer: str) -> Watch:
        raise MeshError("the link can't be watched", why="Operation not permitted")

    monkeypatch.setattr(mesh, "watch", refuse)
    assert mesh.run()["shop", "centre", "idle for 60 s"].about == "not measured: Operation not permitted"


def test_the_machine_is_named() -> None:
    assert " cores, " in survey.machine()


def handle(monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    mesh = Mesh()
    monkeypatch.setattr(kubeconfig, "load", fakes.load_from({"/s": "x"}))
    monkeypatch.setattr(mesh_measure, "Client", lambda _endpoint, site, **_options: mesh.apis[site])
    monkeypatch.setattr(mesh_measure, "wire", SimpleNamespace(Wire=lambda _run_command, *place: mesh.watch(*place)))
    given = {"sites": [{"name": "shop", "kubeconfig": "/s", "primary": "shop"}], "idle": 0, **options}
    validated = ArgumentSpecValidator(mesh_measure.ARGUMENTS).validate(given)
    assert validated.error_messages == []
    outcome = mesh_measure.handle(Call(dict(validated.validated_parameters), check_mode=True, diff_mode=False))
    assert not outcome.changed
    return dict(outcome.result)


def test_the_module_returns_what_its_documentation_says(monkeypatch: pytest.MonkeyPatch) -> None:
    documented = yaml.safe_load(mesh_measure.RETURN)
    found = handle(monkeypatch)
    assert set(found) == set(documented)
    assert found["figures"]
    for figure in found["figures"]:
        assert set(figure) == set(documented["figures"]["contains"])
    assert_same(yaml.safe_load(mesh_measure.DOCUMENTATION)["options"], mesh_measure.ARGUMENTS)


def test_a_joining_site_is_watched_until_the_file_is_there(mesh: Mesh, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            stop.touch()

    world = survey.World(connect=lambda place: mesh.apis[place.name], watch=mesh.watch, clock=mesh.clock, sleep=nap)
    shop = survey.Place("shop", "/s", None, "centre", "node-s", "192.0.2.20")
    centre = survey.Place("centre", "/c", None, "centre", "node-c", "192.0.2.10")
    found = survey.while_it_joins(shop, centre, stop, 60, world)
    assert [(figure.what, figure.numbers) for figure in found] == [
        ("joining, from the primary", {"sum": 700}), ("joining, to the primary", {"sum": 0}),
    ]  # fmt: skip
    assert mesh.watched == [("node-s", "192.0.2.10")]
    assert len(naps) == 3


def test_a_joining_site_needs_its_primary_and_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"joining": "shop"}, {"joining": "nowhere", "stop": "/x"}):
        with pytest.raises(MeshError, match="the joining site can't be watched"):
            handle(monkeypatch, **options)


@pytest.mark.parametrize(("name", "value"), [("requests", 1001), ("idle", 601), ("idle", -1)])
def test_what_is_asked_for_is_bounded(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    with pytest.raises(MeshError, match="it can be 0 to"):
        handle(monkeypatch, **{name: value})
