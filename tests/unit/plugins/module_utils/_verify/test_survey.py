# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey of all sites: who is asked what, and what becomes of those who don't answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._verify import survey
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Primary, Site
from tests.unit.plugins.module_utils._verify import fakes

SERVERS = {"/centre.yaml": "https://centre", "/shop.yaml": "https://shop"}
CENTRE = Site("centre", "primary", "net-centre", "centre", "/centre.yaml", gateway_addresses=("192.0.2.10",))
SHOP = Site(
    "shop", "edge", "net-shop", "centre", "/shop.yaml", istiod_address="192.0.2.10", gateway_addresses=("192.0.2.20",)
)


class Mesh:
    """The fakes as the survey's world."""

    def __init__(self) -> None:
        self.clock = fakes.Clock()
        self.apis = {"https://centre": fakes.centre(), "https://shop": fakes.shop()}
        self.apis["https://192.0.2.20:6443"] = fakes.reader_api()
        self.resolve: Callable[[str], list[str]] = lambda name: [name]

    def connect(self, endpoint: Endpoint, _site: str) -> fakes.FakeApi:
        return self.apis[endpoint.server]

    def survey(self, *sites: Site, primaries: tuple[Primary, ...] | None = None, **options: Any) -> list[Record]:
        world = survey.World(
            load=fakes.load_from(SERVERS),
            connect=self.connect,
            resolve=self.resolve,
            now=lambda: fakes.NOW,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        leads = (Primary("centre", "/centre.yaml"),) if primaries is None else primaries
        return survey.survey(sites or (CENTRE, SHOP), leads, "", world=world, seconds=5, **options)


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def verdicts(records: list[Record], site: str) -> dict[str, str]:
    return {item.id: item.verdict for item in records if item.site == site}


def test_a_mesh_that_is_well_is_ok_in_every_check(mesh: Mesh) -> None:
    records = mesh.survey()
    assert [(item.site, item.id) for item in records] == [
        *(("centre", check) for check in survey.CHECKS_OF["primary"]),
        *(("shop", check) for check in survey.CHECKS_OF["edge"]),
    ]
    assert {item.verdict for item in records} == {"ok"}, [item for item in records if item.verdict != "ok"]


def test_records_are_json_without_secrets_and_say_who_was_asked(mesh: Mesh) -> None:
    records = mesh.survey()
    assert fakes.without_secrets(json.dumps([item.as_dict() for item in records]))
    assert {item.origin for item in records if item.id == "input.reader"} == {"controller"}
    assert {item.origin for item in records if item.id != "input.reader"} == {"site-api"}


def test_a_primary_has_no_records_of_checks_for_edges(mesh: Mesh) -> None:
    assert set(verdicts(mesh.survey(CENTRE), "centre")) == {
        "input.namespace",
        "input.trust",
        "gateway.ready",
        "gateway.address",
    }


def test_a_site_that_doesnt_answer_is_unknown_and_asked_once(mesh: Mesh) -> None:
    dead = fakes.FakeApi({"*": fakes.refused()})
    mesh.apis["https://shop"] = dead
    records = mesh.survey()
    found = verdicts(records, "shop")
    assert {check: verdict for check, verdict in found.items() if check != "input.reader"} == dict.fromkeys(
        set(survey.CHECKS_OF["edge"]) - {"input.reader"}, "unknown"
    )
    assert len(dead.asked) == 1
    assert set(verdicts(records, "centre").values()) == {"ok"}
    told = next(item for item in records if item.verdict == "unknown")
    assert told.evidence["seen"] == "it refuses connections"
    assert told.hint == "is it running?"


def test_one_forbidden_question_spoils_its_own_check_only(mesh: Mesh) -> None:
    mesh.apis["https://shop"].answers["/api/v1/pods"] = fakes.refused("Forbidden", 403)
    found = verdicts(mesh.survey(SHOP), "shop")
    assert [check for check, verdict in found.items() if verdict != "ok"] == ["site.no-control-plane"]


def test_a_primary_that_doesnt_answer_makes_what_needs_it_unknown(mesh: Mesh) -> None:
    mesh.apis["https://centre"] = fakes.FakeApi({"*": fakes.refused()})
    found = verdicts(mesh.survey(SHOP), "shop")
    assert [check for check, verdict in found.items() if verdict == "unknown"] == ["input.reader", "input.trust"]


def test_a_primary_that_isnt_named_makes_what_needs_it_unknown(mesh: Mesh) -> None:
    records = mesh.survey(SHOP, primaries=())
    assert verdicts(records, "shop")["input.trust"] == "unknown"
    assert any("no primary is named centre" in item.evidence["reason"] for item in records if item.verdict != "ok")


def test_a_kubeconfig_that_is_missing_is_unknown(mesh: Mesh) -> None:
    lost = Site("lost", "edge", "net-lost", "centre", "/lost.yaml")
    found = mesh.survey(lost, SHOP)
    assert set(verdicts(found, "lost").values()) == {"unknown"}
    assert set(verdicts(found, "shop").values()) == {"ok"}


@pytest.mark.parametrize(
    ("option", "check"), [("istiod_address", "input.istiod-address"), ("gateway_addresses", "gateway.address")]
)
def test_nothing_is_well_for_want_of_a_value_to_compare_with(mesh: Mesh, option: str, check: str) -> None:
    blind = replace(SHOP, **{option: type(getattr(SHOP, option))()}, unread=(option,))
    records = mesh.survey(blind)
    assert [item.id for item in records if item.verdict != "ok"] == [check]
    told = next(item for item in records if item.id == check)
    assert told.verdict == "unknown"
    assert "isn't known: it couldn't be read at" in told.evidence["seen"]


def test_a_fault_that_needs_no_comparison_is_told_without_one(mesh: Mesh) -> None:
    mesh.apis["https://shop"].answers["/api/v1/namespaces/istio-system/services"] = []
    blind = replace(SHOP, gateway_addresses=(), unread=("gateway_addresses",))
    assert verdicts(mesh.survey(blind), "shop")["gateway.address"] == "failed"


def test_an_address_of_istiod_without_an_ip_is_unknown(mesh: Mesh) -> None:
    mesh.resolve = lambda _name: []
    found = mesh.survey(replace(SHOP, istiod_address="istiod.example"))
    told = next(item for item in found if item.id == "input.istiod-address")
    assert told.verdict == "unknown"
    assert "istiod.example has no IP" in told.evidence["seen"]


def test_only_the_checks_asked_for_are_made(mesh: Mesh) -> None:
    records = mesh.survey(SHOP, only=frozenset({"input.webhook"}))
    assert [item.id for item in records] == ["input.webhook"]
    assert "/api/v1/pods" not in mesh.apis["https://shop"].asked


def test_the_same_question_is_asked_once(mesh: Mesh) -> None:
    mesh.survey(SHOP)
    asked = mesh.apis["https://shop"].asked
    assert len(asked) == len(set(asked))


def test_waiting_ends_when_the_site_is_well(mesh: Mesh) -> None:
    api = mesh.apis["https://shop"]
    good = api.answers[fakes.WEBHOOKS]
    api.answers[fakes.WEBHOOKS] = []

    def heal() -> None:
        if mesh.clock.time >= 1002:
            api.answers[fakes.WEBHOOKS] = good

    mesh.clock.on_sleep = heal
    records = mesh.survey(SHOP, only=frozenset({"input.webhook"}), wait=60)
    assert [item.verdict for item in records] == ["ok"]
    assert mesh.clock.time == 1002


def test_waiting_ends_when_the_time_is_over(mesh: Mesh) -> None:
    mesh.apis["https://shop"].answers[fakes.WEBHOOKS] = []
    records = mesh.survey(CENTRE, SHOP, only=frozenset({"input.webhook", "input.trust"}), wait=3)
    assert verdicts(records, "shop")["input.webhook"] == "failed"
    assert mesh.clock.time == 1003


def test_sites_that_are_well_arent_asked_again(mesh: Mesh) -> None:
    mesh.apis["https://shop"].answers[fakes.WEBHOOKS] = []
    mesh.survey(CENTRE, SHOP, only=frozenset({"input.webhook", "gateway.ready"}), wait=2)
    assert mesh.apis["https://centre"].asked.count(fakes.DEPLOYMENTS) == 1


def test_connections_are_closed(mesh: Mesh) -> None:
    mesh.survey(SHOP)
    assert mesh.apis["https://shop"].closed == 1


def test_an_address_resolves_to_itself_and_a_bad_name_to_nothing() -> None:
    assert survey.resolve("192.0.2.1") == ["192.0.2.1"]
    assert survey.resolve("name.invalid") == []


def _peers(records: list[Record]) -> list[tuple[str, str, str | None, str]]:
    return [(item.site, item.id, item.peer, item.verdict) for item in records if item.peer]


BOTH = (Primary("centre", "/centre.yaml"), Primary("south", "/south.yaml"))


def test_the_credentials_of_other_primaries_are_tried_too(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVERS, "/south.yaml", "https://south")
    mesh.apis["https://south"] = fakes.centre()
    assert _peers(mesh.survey(SHOP, primaries=BOTH)) == [("shop", "input.reader", "south", "ok")]
    assert _peers(mesh.survey(SHOP, primaries=BOTH, only=frozenset({"input.trust"}))) == []
    # what another primary lacks is told of the site; the site's own primary has its record beside it
    mesh.apis["https://south"].answers[f"{survey._SYSTEM}/secrets"] = []
    found = mesh.survey(SHOP, primaries=BOTH)
    assert _peers(found) == [("shop", "input.reader", "south", "failed")]
    assert [item.verdict for item in found if item.id == "input.reader" and item.peer is None] == ["ok"]


def test_another_primary_that_gives_no_answer_spoils_no_site_of_others(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SERVERS, "/south.yaml", "https://south")
    mesh.apis["https://south"] = fakes.FakeApi({"*": fakes.refused()})
    found = mesh.survey(SHOP, primaries=BOTH)
    assert _peers(found) == []
    assert {item.verdict for item in found} == {"ok"}
