# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`mesh_traffic`: its input, and that it returns what its documentation says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.module_utils._verify import traffic
from ansible_collections.edge.mesh.plugins.module_utils._verify.answers import Answer
from ansible_collections.edge.mesh.plugins.modules import mesh_traffic
from tests.unit.plugins.module_utils._verify import fakes
from tests.unit.plugins.module_utils._verify.test_traffic import PODS, Mesh, client_pod
from tests.unit.plugins.modules.test_site_checks import assert_same

SITES = [
    {"name": "centre", "kubeconfig": "/centre.yaml", "ingress_addresses": ["192.0.2.10"]},
    {"name": "shop", "kubeconfig": "/shop.yaml", "ingress_addresses": ["192.0.2.20"]},
]


def parameters(**options: Any) -> dict[str, Any]:
    """What Ansible makes of the options."""
    validated = ArgumentSpecValidator(mesh_traffic.ARGUMENTS).validate({"sites": SITES, **options})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> fakes.FakeApi:
    """Every connection leads to one fake API, whose client hears from both sites."""
    found = fakes.FakeApi({PODS: [client_pod()]})
    found.on_exec = Mesh.answering("centre", "shop")
    turns = iter(["centre", "shop"] * 1000)
    monkeypatch.setattr(kubeconfig, "load", fakes.load_from({"/centre.yaml": "x", "/shop.yaml": "x"}))
    monkeypatch.setattr(mesh_traffic, "Client", lambda _endpoint, **_options: found)
    monkeypatch.setattr(traffic, "call_ingress", lambda *_call: Answer(next(turns), "v1", "p"))
    return found


def handle(**options: Any) -> dict[str, Any]:
    outcome = mesh_traffic.handle(Call(parameters(**options), check_mode=True, diff_mode=False))
    assert not outcome.changed
    return dict(outcome.result)


@pytest.mark.usefixtures("api")
def test_it_returns_what_its_documentation_says() -> None:
    documented = yaml.safe_load(mesh_traffic.RETURN)
    result = handle()
    assert set(result) == set(documented)
    for check in result["checks"]:
        assert set(check) == set(documented["checks"]["contains"])
    assert result["healthy"], result
    assert len(result["checks"]) == 4 + 2 + 2


@pytest.mark.usefixtures("api")
def test_sites_that_arent_expected_neednt_answer() -> None:
    checks = handle(expect_sites=["centre"])["checks"]
    assert {check["peer"] for check in checks if check["id"] == "traffic.reach"} == {"centre"}


def test_the_client_and_the_url_can_be_others(api: fakes.FakeApi) -> None:
    api.answers["/api/v1/namespaces/probes/pods"] = [client_pod("probe")]
    handle(namespace="probes", client={"container": "box"}, url="http://other/hello")
    assert "exec probes/probe/box" in api.asked


@pytest.mark.parametrize("requests", [0, -1, 1001])
def test_the_number_of_requests_is_bounded(requests: int) -> None:
    with pytest.raises(MeshError, match="it can be 1 to 1000"):
        handle(requests=requests)


def test_the_documentation_is_the_argument_spec() -> None:
    assert_same(yaml.safe_load(mesh_traffic.DOCUMENTATION)["options"], mesh_traffic.ARGUMENTS)
