# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proxy marks, and whether the hosts of rules exist: verdicts on what clusters answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.module_utils._verify import hosts, marking
from ansible_collections.edge.mesh.plugins.module_utils._verify.marking import Mark, judge
from ansible_collections.edge.mesh.plugins.modules import wan_info
from tests.unit.plugins.modules.test_site_checks import assert_same

HOST = "till.sales.svc.cluster.local"
MARK = Mark(HOST, "wan-lte", 46, http=True)
CLUSTER = f"outbound|80|wan-lte|{HOST}"
RULE = {"service": "till", "namespace": "sales", "host": HOST, "link": "lte",
        "conditions": [{"kind": "header", "key": "user", "way": "exact", "value": "boss"}]}  # fmt: skip
LINKS = [
    {"name": "plain", "default": True, "dscp": 0, "interface": None, "next_hop": None, "to": []},
    {"name": "lte", "default": False, "dscp": 46, "interface": None, "next_hop": None, "to": []},
]


def clusters_dump(**dscp: int) -> dict[str, Any]:
    """A dump as Envoy writes it: numbers of 64 bits are texts, and a field that is 0 is left out."""
    entries: list[dict[str, Any]] = [{"cluster": {"name": "PassthroughCluster"}}]
    entries.append(
        {"cluster": {"name": "Inbound", "upstream_bind_config": {"source_address": {"address": "127.0.0.6"}}}}
    )
    for name, value in dscp.items():
        options = [{"name": "1", "int_value": str(value << 2)}, {"level": "6", "name": "18", "int_value": "5000"}]
        entries.append({"cluster": {"name": name, "upstream_bind_config": {"socket_options": options}}})
    return {"configs": entries}


def routes_dump(*clusters: str) -> dict[str, Any]:
    routes = [{"route": {"cluster": cluster}} for cluster in clusters]
    return {"configs": [{"route_config": {"virtual_hosts": [{"routes": [*routes, {"redirect": {}}]}]}}, {}]}


def test_a_dump_tells_which_clusters_mark_and_where_routes_lead() -> None:
    assert marking.marked(clusters_dump(**{CLUSTER: 46})) == {CLUSTER: 46}
    assert marking.marked({}) == {}
    assert marking.routed(routes_dump(CLUSTER, "other")) == [CLUSTER, "other"]


@pytest.mark.parametrize(
    ("clusters", "routed", "verdict", "words"),
    [
        ({CLUSTER: 46}, [CLUSTER], "ok", "as 46"),
        ({}, [], "failed", "wan-lte of till.sales.svc.cluster.local isn't marked"),
        ({CLUSTER: 34}, [CLUSTER], "failed", "is marked 34 instead of 46"),
        ({CLUSTER: 46}, [], "failed", "no route leads to wan-lte"),
        ({CLUSTER: 46, "outbound|80||x.y": 8}, [CLUSTER, "outbound|80||x.y"], "failed", "for which there is no rule"),
        # another site's subset is marked in this proxy, too, but nothing leads there
        ({CLUSTER: 46, f"outbound|80|wan-dsl|{HOST}": 8}, [CLUSTER], "ok", "as 46"),
    ],
)
def test_a_proxy_marks_what_the_rules_say_and_nothing_else(
    clusters: Mapping[str, int], routed: list[str], verdict: str, words: str
) -> None:
    found = judge([MARK], clusters, routed)
    assert found.verdict == verdict
    assert words in found.evidence["seen"]
    assert bool(found.hint) == (verdict != "ok")


def test_a_rule_of_plain_tcp_needs_no_http_route() -> None:
    assert judge([Mark(HOST, "wan-lte", 46, http=False)], {CLUSTER: 46}, []).verdict == "ok"


class FakeApi:
    """A cluster with Services, VirtualServices, and a pod whose proxy answers."""

    def __init__(
        self,
        services: tuple[str, ...] = (),
        routes: tuple[dict[str, Any], ...] = (),
        answers: str = "",
        gone: bool = False,
    ) -> None:
        self.services = services
        self.routes = routes
        self.answers = answers
        self.gone = gone
        self.asked: list[str] = []

    def get(self, path: str) -> dict[str, Any] | None:
        return {} if path in self.services else None

    def list(self, path: str, **_query: str) -> list[dict[str, Any]]:
        if "virtualservices" in path:
            if self.gone:
                raise ApiError("the routes can't be listed", status=404, reason="NotFound")
            return list(self.routes)
        return [{"metadata": {"name": "sleep-1"}, "status": {"phase": "Running"}}] if self.answers != "no pod" else []

    def exec(self, _namespace: str, _pod: str, container: str, command: list[str], *, timeout: float) -> Any:
        assert container == "istio-proxy"
        assert timeout > 0
        self.asked.append(command[-1])
        dump = clusters_dump(**{CLUSTER: 46}) if "clusters" in command[-1] else routes_dump(CLUSTER)
        return SimpleNamespace(rc=0, stdout=self.answers or json.dumps(dump), stderr="pilot-agent says so")


def ask(api: FakeApi | MeshError) -> Any:
    def connect(_path: str, _context: str | None, _site: str) -> Any:
        if isinstance(api, MeshError):
            raise api
        return nullcontext(api)

    return marking.run([marking.Caller("shop", "k", None, (MARK,))], "sample", "app=sleep", 2, connect)[0]


def test_the_proxy_of_a_running_pod_is_asked() -> None:
    api = FakeApi()
    assert ask(api).verdict == "ok"
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("api", "words"),
    [
        (FakeApi(answers="no pod"), "no pod with app=sleep runs in namespace sample"),
        (FakeApi(answers="<html>"), "pilot-agent says so"),
        (MeshError("its API can't be asked", why="it is away"), "it is away"),
    ],
)
def test_a_proxy_that_cannot_be_asked_is_unknown(api: Any, words: str) -> None:
    found = ask(api)
    assert (found.id, found.verdict) == ("wan.marking", "unknown")
    assert words in found.evidence["seen"]


def virtual_service(host: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "mine", "namespace": "sales", "labels": labels or {}}
    return {"metadata": metadata, "spec": {"hosts": [host], **spec}}


def look(*apis: FakeApi | None) -> dict[str, hosts.Found | None]:
    by_name = {f"s{number}": api for number, api in enumerate(apis)}

    def connect(_path: str, _context: str | None, site: str) -> Any:
        if by_name[site] is None:
            raise MeshError("its API doesn't answer")
        return nullcontext(by_name[site])

    clusters = [hosts.Cluster(name, "k", None, routes=True) for name in by_name]
    return hosts.look(clusters, {HOST}, "wan-association", 2, connect)


TILL = ("/api/v1/namespaces/sales/services/till",)


def test_a_host_that_any_cluster_or_the_run_itself_has_is_known() -> None:
    assert hosts.problems({"shop": [HOST]}, [], look(FakeApi(), FakeApi(TILL))) == []
    assert hosts.problems({"shop": [HOST]}, [HOST], look(FakeApi())) == []


def test_a_host_that_nobody_knows_is_refused() -> None:
    wrong = hosts.problems({"shop": [HOST, HOST]}, [], look(FakeApi(gone=True)))
    assert len(wrong) == 1
    assert wrong[0].startswith(f"shop: edge_mesh_wan_rules names the host {HOST}, which nobody knows")
    assert "there is no cluster yet" in hosts.problems({"shop": [HOST]}, [], {})[0]


def test_a_host_that_a_silent_site_may_have_is_not_refused() -> None:
    assert hosts.problems({"shop": [HOST]}, [], look(FakeApi(), None)) == []


@pytest.mark.parametrize(
    ("route", "refused"),
    [
        (virtual_service(HOST), True),
        (virtual_service("till"), True),
        (virtual_service("till.sales"), True),
        (virtual_service(HOST, gateways=["mesh", "shop"]), True),
        (virtual_service(HOST, gateways=["shop"]), False),
        (virtual_service(HOST, {"edge.mesh/set": "wan-association"}), False),
        (virtual_service("other.sales"), False),
    ],
)
def test_a_host_that_somebody_else_routes_is_refused(route: dict[str, Any], refused: bool) -> None:
    wrong = hosts.problems({"shop": [HOST]}, [], look(FakeApi(TILL, (route,))))
    assert bool(wrong) == refused
    assert not refused or "has the VirtualService sales/mine already" in wrong[0]


def parameters(**options: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(dict(wan_info.ARGUMENTS)).validate(options)
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def test_the_module_asks_what_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wan_info, "Client", lambda _endpoint, **_options: nullcontext(FakeApi(TILL)))
    monkeypatch.setattr(wan_info.kubeconfig, "load", lambda path, _context: path)
    there = tmp_path / "kubeconfig"
    there.touch()
    sites = [
        {"name": "shop", "kubeconfig": str(there), "primary": True, "links": LINKS, "rules": [RULE]},
        {"name": "north", "kubeconfig": str(tmp_path / "missing"), "links": LINKS},
    ]
    documented = yaml.safe_load(wan_info.RETURN)
    found = wan_info.handle(Call(parameters(ask="hosts", sites=sites), True, False))
    assert (found.changed, found.result) == (False, {"healthy": True, "problems": []})
    found = wan_info.handle(Call(parameters(ask="marking", sites=sites), True, False))
    assert [(record["site"], record["id"], record["verdict"]) for record in found.result["checks"]] == [
        ("shop", "wan.marking", "ok")
    ]
    assert {"healthy", "problems", "checks"} == set(documented)
    assert_same(yaml.safe_load(wan_info.DOCUMENTATION)["options"], wan_info.ARGUMENTS)
