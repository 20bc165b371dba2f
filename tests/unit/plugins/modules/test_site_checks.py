# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`site_checks`: its input, and that it returns what its documentation says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.modules import site_checks
from tests.unit.plugins.module_utils._verify import fakes

SERVERS = {"/centre.yaml": "https://centre", "/shop.yaml": "https://shop"}
SHOP = {"name": "shop", "role": "edge", "network": "net-shop", "primary": "centre", "kubeconfig": "/shop.yaml"}
PRIMARIES = [{"name": "centre", "kubeconfig": "/centre.yaml"}]


def parameters(**options: Any) -> dict[str, Any]:
    """What Ansible makes of the options."""
    validated = ArgumentSpecValidator(site_checks.ARGUMENTS).validate(
        {"sites": [SHOP], "primaries": PRIMARIES, **options}
    )
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


@pytest.fixture
def apis(monkeypatch: pytest.MonkeyPatch) -> dict[str, fakes.FakeApi]:
    """The module's connections lead to the fakes."""
    found = {
        "https://centre": fakes.centre(),
        "https://shop": fakes.shop(),
        "https://192.0.2.20:6443": fakes.reader_api(),
    }
    lasting = fakes.secret("shop", fakes.kubeconfig(expires=None))  # the module's clock is the real one
    found["https://centre"].answers[f"{fakes.SYSTEM}/secrets"] = [lasting]
    monkeypatch.setattr(kubeconfig, "load", fakes.load_from(SERVERS))
    monkeypatch.setattr(site_checks, "Client", lambda endpoint, **_options: found[endpoint.server])
    return found


def handle(**options: Any) -> dict[str, Any]:
    outcome = site_checks.handle(Call(parameters(**options), check_mode=True, diff_mode=False))
    assert not outcome.changed
    return dict(outcome.result)


@pytest.mark.usefixtures("apis")
def test_it_returns_what_its_documentation_says() -> None:
    documented = yaml.safe_load(site_checks.RETURN)
    result = handle(mesh_id="mesh1")
    assert set(result) == set(documented)
    assert result["checks"]
    for check in result["checks"]:
        assert set(check) == set(documented["checks"]["contains"])


def test_it_asks_the_sites_and_their_primary(apis: dict[str, fakes.FakeApi]) -> None:
    checks = handle(only=["input.reader", "input.webhook"])["checks"]
    assert {check["id"]: check["verdict"] for check in checks} == {"input.reader": "ok", "input.webhook": "ok"}
    assert all(api.asked for api in apis.values())


def test_a_sick_mesh_is_a_result(apis: dict[str, fakes.FakeApi]) -> None:
    assert handle(only=["gateway.ready"])["healthy"] is True
    apis["https://shop"].answers[fakes.DEPLOYMENTS] = []
    assert handle(only=["gateway.ready"])["healthy"] is False


def test_a_check_that_doesnt_exist_is_refused() -> None:
    with pytest.raises(MeshError, match=r"there is no check input\.webhoook"):
        handle(only=["input.webhoook"])


def test_the_documentation_is_the_argument_spec() -> None:
    options = yaml.safe_load(site_checks.DOCUMENTATION)["options"]
    assert_same(options, site_checks.ARGUMENTS)


def assert_same(documented: dict[str, Any], spec: dict[str, Any]) -> None:
    assert set(documented) == set(spec)
    for name, entry in spec.items():
        for key in ("type", "elements", "default", "required", "choices"):
            assert documented[name].get(key) == entry.get(key), f"{name}: {key}"
        assert_same(documented[name].get("suboptions", {}), entry.get("options", {}))
