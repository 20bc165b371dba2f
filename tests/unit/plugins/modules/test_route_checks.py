# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`route_checks`: its input, and that it returns what its documentation says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.module_utils._verify import fetching
from ansible_collections.edge.mesh.plugins.modules import route_checks
from tests.unit.plugins.module_utils._verify import fakes
from tests.unit.plugins.module_utils._verify.test_routes import Mesh
from tests.unit.plugins.modules.test_site_checks import assert_same

SITES = [{"name": "shop", "kubeconfig": "/shop.yaml", "ingress_addresses": ["192.0.2.20"]}]
ALL: dict[str, Any] = {
    "pages": {"shares": {"v1": 33, "v2": "33", "v3": 34},
              "users": [{"header": "end-user", "value": "banzai", "shares": {"v2": 100}}]},
    "splits": [{"host": "stock", "url": "http://stock/hello", "shares": {"shop": {"shop": 50, "centre": 50}}}],
    "strict_port": 5000,
}  # fmt: skip


@pytest.fixture(autouse=True)
def mesh(monkeypatch: pytest.MonkeyPatch) -> Mesh:
    """Every connection leads to one fake API, every page comes from memory."""
    found = Mesh()
    monkeypatch.setattr(kubeconfig, "load", fakes.load_from({"/shop.yaml": "x"}))
    monkeypatch.setattr(route_checks, "Client", lambda _endpoint, **_options: found.api)
    monkeypatch.setattr(fetching, "fetch", found.fetch)
    return found


def handle(**options: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(route_checks.ARGUMENTS).validate({"sites": SITES, **options})
    assert validated.error_messages == []
    outcome = route_checks.handle(Call(dict(validated.validated_parameters), check_mode=True, diff_mode=False))
    assert not outcome.changed
    return dict(outcome.result)


def test_it_returns_what_its_documentation_says() -> None:
    documented = yaml.safe_load(route_checks.RETURN)
    result = handle(**ALL)
    assert set(result) == set(documented)
    assert [check["verdict"] for check in result["checks"]] == ["ok"] * 4
    for check in result["checks"]:
        assert set(check) == set(documented["checks"]["contains"])
    assert result["healthy"]


def test_nothing_proven_is_not_healthy() -> None:
    assert handle() == {"healthy": False, "checks": []}


@pytest.mark.parametrize("requests", [9, 1001])
def test_the_number_of_requests_is_bounded(requests: int) -> None:
    with pytest.raises(MeshError, match="it can be 10 to 1000"):
        handle(requests=requests)


def test_shares_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(MeshError, match="they must map names to percentages"):
        handle(pages={"shares": {"v1": "most"}})
    with pytest.raises(MeshError, match="the shares of stock can't be used"):
        handle(splits=[{**ALL["splits"][0], "shares": {"shop": 50}}])


def test_the_documentation_is_the_argument_spec() -> None:
    assert_same(yaml.safe_load(route_checks.DOCUMENTATION)["options"], route_checks.ARGUMENTS)
