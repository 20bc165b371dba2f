# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`xds_health`: its input, and that it returns what its documentation says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.module_utils._xds import health
from ansible_collections.edge.mesh.plugins.modules import xds_health
from tests.unit.plugins.module_utils._xds.fakes import Authority, FakeApi, Istiod, serve

PRIMARY = {"kubeconfig": "/hub.yaml"}
EDGE = {"cluster": "edge", "network": "net-edge", "kubeconfig": "/edge.yaml"}


def parameters(**options: Any) -> dict[str, Any]:
    """What Ansible makes of the options."""
    validated = ArgumentSpecValidator(xds_health.ARGUMENT_SPEC).validate({"primary": PRIMARY, **options})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def test_a_request_has_the_documented_defaults() -> None:
    request = xds_health.read(parameters(sites=[EDGE]))
    mesh = request.mesh
    assert (mesh.namespace, mesh.istiod_name, mesh.revision_label) == ("istio-system", "istiod", "default")
    assert (mesh.trust_domain, mesh.server_name) == ("cluster.local", "istiod.istio-system.svc")
    assert mesh.networks == {"edge": "net-edge"}
    assert request.timeout == 20
    assert request.sites[0][0].is_primary is False


def test_a_revision_decides_istiods_names() -> None:
    mesh = xds_health.read(parameters(revision="v2")).mesh
    assert (mesh.server_name, mesh.revision_label) == ("istiod-v2.istio-system.svc", "v2")


def test_a_site_with_the_primarys_access_is_the_primary() -> None:
    own = {"cluster": "hub", "network": "net-hub", **PRIMARY}
    other = {**own, "cluster": "other", "context": "other"}
    sites = xds_health.read(parameters(sites=[own, other])).sites
    assert [site.is_primary for site, _access in sites] == [True, False]


def test_the_primarys_address_serves_sites_that_name_none() -> None:
    own = {**EDGE, "cluster": "own", "istiod_address": "10.9.9.9:443"}
    request = xds_health.read(parameters(primary={**PRIMARY, "address": "10.1.1.1"}, sites=[EDGE, own]))
    assert [site.istiod_address for site, _access in request.sites] == ["10.1.1.1", "10.9.9.9:443"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sites": [EDGE, EDGE]}, "edge stands there twice"),
        ({"timeout": 0}, "isn't positive"),
        ({"expect": [{"that": "a["}]}, "at character 3"),
    ],
)
def test_input_that_cant_be_used_is_an_error(options: dict[str, Any], why: str) -> None:
    with pytest.raises(MeshError, match=why):
        xds_health.read(parameters(**options))


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """What the module returns for a healthy mesh of the tests."""
    root = Authority()
    apis = {f"/{name}.yaml": FakeApi(name, root.pem, f"net-{name}") for name in ("hub", "edge")}
    with serve(Istiod(root)) as address:
        params = parameters(
            primary={**PRIMARY, "address": address},
            sites=[{"cluster": "hub", "network": "net-hub", **PRIMARY}, EDGE],
            expect=[{"that": "healthy", "message": "all is well"}],
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(health.examine, "__defaults__", (lambda access, *_: apis[access.kubeconfig], lambda _: None))
            outcome = xds_health.handle(Call(params=params, check_mode=True, diff_mode=False))
    assert outcome.changed is False
    return dict(outcome.result)


def test_a_healthy_mesh_is_reported_without_a_change(result: dict[str, Any]) -> None:
    assert result["healthy"] is True
    assert result["expectations"][0]["met"] is True


def test_what_comes_back_is_what_the_documentation_says(result: dict[str, Any]) -> None:
    documented = yaml.safe_load(xds_health.RETURN)
    assert set(result) == set(documented)
    for name, entry in documented.items():
        if "contains" in entry:
            assert result[name], f"{name} is empty: nothing is compared"
            for item in result[name]:
                assert set(item) == set(entry["contains"]), name


def test_every_option_is_documented_with_its_type_and_default() -> None:
    documented = yaml.safe_load(xds_health.DOCUMENTATION)["options"]
    _compare(xds_health.ARGUMENT_SPEC, documented)


def _compare(spec: dict[str, Any], documented: dict[str, Any]) -> None:
    assert set(spec) == set(documented)
    for name, option in spec.items():
        for key in ("type", "default", "elements"):
            assert option.get(key) == documented[name].get(key), (name, key)
        assert option.get("required", False) == documented[name].get("required", False), name
        if "options" in option:
            _compare(option["options"], documented[name]["suboptions"])
