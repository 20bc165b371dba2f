# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`service_info` and what the filter `bad_targets` makes of it: hosts that routes name, looked for in the clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.filter.bad_targets import FilterModule
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.modules import service_info
from tests.unit.plugins.module_utils._verify import fakes
from tests.unit.plugins.modules.test_site_checks import assert_same

HOST = "till.shop.svc.cluster.local"
SERVICE = "/api/v1/namespaces/shop/services/till"
PODS = "/api/v1/namespaces/shop/pods"


class Clusters:
    """Two clusters: `centre` has the host in two versions, `edge` has it not."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pods = [fakes.pod(f"till-{number}", "shop", {"version": version}) for number, version in enumerate("112")]
        service = fakes.named("till", "shop", spec={"selector": {"app": "till"}})
        self.apis = {"centre": fakes.FakeApi({SERVICE: service, PODS: pods}), "edge": fakes.FakeApi({})}
        self.sites = []
        for name in self.apis:
            path = directory / name
            path.write_text("there")
            self.sites.append({"name": name, "kubeconfig": str(path)})
        monkeypatch.setattr(kubeconfig, "load", lambda path, _context: fakes.endpoint(path))
        monkeypatch.setattr(service_info, "Client", lambda _endpoint, site, **_options: self.apis[site])

    def find(self, *hosts: str) -> dict[str, Any]:
        given = {"sites": self.sites, "hosts": list(hosts)}
        validated = ArgumentSpecValidator(service_info.ARGUMENTS).validate(given)
        assert validated.error_messages == []
        outcome = service_info.handle(Call(dict(validated.validated_parameters), check_mode=True, diff_mode=False))
        assert not outcome.changed
        sites: dict[str, Any] = outcome.result["sites"]
        return sites

    def wrong(self, to: dict[str, Any], host: str = HOST) -> list[str]:
        bad_targets = FilterModule().filters()["bad_targets"]
        problems: list[str] = bad_targets([{"host": host, "rules": [{"to": [to]}]}], self.find(host), [host])
        return problems


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clusters:
    return Clusters(tmp_path, monkeypatch)


def test_versions_are_counted_where_the_service_is(clusters: Clusters) -> None:
    found = clusters.find(HOST)
    assert found == {
        "centre": {
            "known": True,
            "why": "",
            "hosts": {HOST: {"1": 2, "2": 1}},
            "specs": {HOST: {"selector": {"app": "till"}, "ports": [], "set": ""}},
        },
        "edge": {"known": True, "why": "", "hosts": {}, "specs": {}},
    }
    assert set(found["edge"]) == set(yaml.safe_load(service_info.RETURN)["sites"]["sample"]["shop"])


def test_a_service_without_a_selector_or_without_pods_is_there_all_the_same(clusters: Clusters) -> None:
    clusters.apis["centre"].answers[SERVICE] = fakes.named("till", "shop", spec={})
    assert clusters.find(HOST)["centre"]["hosts"] == {HOST: {}}
    assert "nothing of this host runs at any site" in clusters.wrong({})[0]


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ({}, ""),
        ({"version": "2"}, ""),
        ({"version": "3"}, "there is no version '3'; there is 1, 2"),
        ({"site": "edge"}, "edge has no instance of it; centre has"),
        ({"site": "centre", "failover": "any"}, "only centre has it, so there is nothing to fail over to"),
    ],
)
def test_what_a_route_wants_and_nobody_has_is_said(clusters: Clusters, to: dict[str, Any], expected: str) -> None:
    problems = clusters.wrong(to)
    assert [expected in problem for problem in problems] == ([True] if expected else []), problems


def test_a_host_that_doesnt_exist_is_said(clusters: Clusters) -> None:
    (problem,) = clusters.wrong({}, "nothere.shop.svc.cluster.local")
    assert problem == "edge_mesh_routes, nothere.shop: there is no such host: no site has a Service of that name"


def test_nothing_is_said_while_a_site_gives_no_answer(clusters: Clusters) -> None:
    clusters.apis["edge"].answers["*"] = fakes.refused()
    assert clusters.find(HOST)["edge"]["known"] is False
    assert clusters.wrong({"version": "3"}) == []


def test_a_site_whose_cluster_isnt_made_yet_has_nothing(clusters: Clusters) -> None:
    Path(clusters.sites[0]["kubeconfig"]).unlink()
    assert clusters.find(HOST)["centre"] == {"known": True, "why": "", "hosts": {}, "specs": {}}


@pytest.mark.parametrize("host", ["till", "a.b.c", "a/b.c", "till.shop.example"])
def test_names_that_are_none_are_refused(clusters: Clusters, host: str) -> None:
    with pytest.raises(MeshError, match=r"a host is <service>\.<namespace>"):
        clusters.find(host)


def test_the_documentation_is_the_argument_spec() -> None:
    assert_same(yaml.safe_load(service_info.DOCUMENTATION)["options"], service_info.ARGUMENTS)
