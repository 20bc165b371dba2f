# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON schema of `xds_health`: results of well and of sick meshes keep to it, and it tells what isn't one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._xds.synthetic import STAGES
from ansible_collections.edge.mesh.plugins.modules import xds_health
from tests.unit.plugins.module_utils._xds.fakes import FakeApi, gateway, refused
from tests.unit.plugins.module_utils._xds.test_health import World

SCHEMA = json.loads((Path(__file__).resolve().parents[4] / "docs/schema/xds_health.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def problems(result: Any) -> list[str]:
    # as it leaves the module
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(json.loads(json.dumps(result)))]


def well(world: World) -> None:
    world.expect = [{"that": "length(clusters) == `2`", "message": "two"}]


def refuses_tokens(world: World) -> None:
    world.istiods["istiod-1"].clusters["edge"] = "another issuer"
    world.apis["hub"].log = 'client claims to be in cluster "edge"'


def rejects_configuration(world: World) -> None:
    world.istiods["istiod-1"].proxies = [gateway("hub"), gateway("edge", CDS="ERROR", EDS="STALE", LDS="NOT_SENT")]


def lacks_a_replica(world: World) -> None:
    world.apis["hub"].pods = ("istiod-1", "istiod-2")
    world.apis["hub"].errors = {"portforward/istiod-2": refused(500, "the pod is gone")}


def has_a_dead_primary(world: World) -> None:
    world.apis["hub"].errors = {"/": refused(0, "refused", "Refused")}


def has_a_dead_site(world: World) -> None:
    world.apis["edge"].errors = {"/": refused(0, "no connection in time", "Timeout")}


def injects_nothing(world: World) -> None:
    world.apis["edge"].injected = False


def isnt_as_expected(world: World) -> None:
    world.expect = [{"that": "length(healthy)", "message": ""}, {"that": "nothing"}]


SICK = (
    refuses_tokens, rejects_configuration, lacks_a_replica, has_a_dead_primary, has_a_dead_site, injects_nothing,
    isnt_as_expected,
)  # fmt: skip


@pytest.fixture
def examined() -> Iterator[Callable[[Callable[[World], None]], dict[str, Any]]]:
    """What the module's function returns for a mesh that was changed."""
    worlds: list[World] = []

    def examine(change: Callable[[World], None]) -> dict[str, Any]:
        world = World()
        worlds.append(world)
        change(world)
        world.start()
        return world.examine()

    yield examine
    for world in worlds:
        world.stop()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_names_what_the_documentation_names() -> None:
    documented = yaml.safe_load(xds_health.RETURN)
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == set(documented)
    names = {"checks": "check", "clusters": "cluster", "proxies": "proxy", "replicas": "replica",
             "gateways": "gateway", "expectations": "expectation"}  # fmt: skip
    for name, kind in names.items():
        assert set(SCHEMA["$defs"][kind]["properties"]) == set(documented[name]["contains"]), name
    assert set(SCHEMA["$defs"]["check"]["properties"]["id"]["enum"]) == {
        *STAGES,
        "istiod.cluster-synced",
        "proxy.synced",
    }


def test_a_well_meshs_result_keeps_to_it(examined: Callable[..., dict[str, Any]]) -> None:
    result = examined(well)
    assert result["healthy"] is True
    assert problems(result) == []


@pytest.mark.parametrize("change", SICK, ids=lambda change: change.__name__)
def test_a_sick_meshs_result_keeps_to_it(
    examined: Callable[..., dict[str, Any]], change: Callable[[World], None]
) -> None:
    result = examined(change)
    assert result["healthy"] is False
    assert problems(result) == []


def without(result: dict[str, Any]) -> None:
    del result["checks"][0]["evidence"]


def falsely_green(result: dict[str, Any]) -> None:
    result["checks"][0]["verdict"] = "unknown"


def silent_replica(result: dict[str, Any]) -> None:
    result["replicas"][0]["answered"] = False


def strange_state(result: dict[str, Any]) -> None:
    result["proxies"][0]["types"]["CDS"] = "fine"


def unexplained(result: dict[str, Any]) -> None:
    result["healthy"] = False
    result["checks"][0] |= {"verdict": "failed", "hint": ""}


@pytest.mark.parametrize("spoil", [without, falsely_green, silent_replica, strange_state, unexplained])
def test_what_isnt_such_a_result_is_told(
    examined: Callable[..., dict[str, Any]], spoil: Callable[[dict[str, Any]], None]
) -> None:
    result = copy.deepcopy(examined(well))
    spoil(result)
    assert problems(result) != []


def test_a_fake_that_asks_nothing_isnt_healthy(examined: Callable[..., dict[str, Any]]) -> None:
    def nobody(world: World) -> None:
        world.apis = {"hub": FakeApi("hub", "", pods=()), "edge": FakeApi("edge", "")}

    result = examined(nobody)
    assert result["healthy"] is False
    assert problems(result) == []
