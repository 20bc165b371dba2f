# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`mesh_ca` and `mesh_ca_info` as modules: what they document is what they take and return."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Outcome
from ansible_collections.edge.mesh.plugins.module_utils._pki import _crypto
from ansible_collections.edge.mesh.plugins.modules import mesh_ca, mesh_ca_info

MODULES = [mesh_ca, mesh_ca_info]


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ca"


def filled(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options with their defaults, as Ansible hands them over."""
    values: dict[str, Any] = {}
    for name, option in spec.items():
        value = given.get(name, option.get("default"))
        if "options" in option and isinstance(value, list):
            value = [filled(option["options"], entry) for entry in value]
        elif "options" in option and isinstance(value, dict):
            value = filled(option["options"], value)
        values[name] = value
    return values


def call(module: ModuleType, *, check: bool = False, **given: Any) -> Outcome:
    return module.handle(Call(filled(module.ARGUMENT_SPEC, given), check, True))


@pytest.mark.parametrize("module", MODULES)
def test_the_documentation_is_the_argument_spec(module: ModuleType) -> None:
    def documented(options: Mapping[str, Any]) -> dict[str, Any]:
        kept = ("type", "elements", "required", "default", "choices")
        return {
            name: {key: option[key] for key in kept if key in option}
            | ({"options": documented(option["suboptions"])} if "suboptions" in option else {})
            for name, option in options.items()
        }

    def specified(options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: {key: value for key, value in option.items() if key not in ("no_log", "options")}
            | ({"options": specified(option["options"])} if "options" in option else {})
            for name, option in options.items()
        }

    assert documented(yaml.safe_load(module.DOCUMENTATION)["options"]) == specified(module.ARGUMENT_SPEC)


def test_what_mesh_ca_returns_is_what_it_documents(ca: Path) -> None:
    outcome = call(mesh_ca, path=str(ca), intermediates=[{"name": "centre"}])
    documented = yaml.safe_load(mesh_ca.RETURN)
    assert set(outcome.result) == set(documented)
    assert set(outcome.result["root"]) == set(documented["root"]["sample"]) == set(documented["root"]["contains"])
    assert set(outcome.result["intermediates"][0]) == set(documented["intermediates"]["sample"][0])


def test_what_mesh_ca_info_returns_is_what_it_documents(ca: Path) -> None:
    call(mesh_ca, path=str(ca), intermediates=[{"name": "centre"}])
    outcome = call(mesh_ca_info, path=str(ca))
    documented = yaml.safe_load(mesh_ca_info.RETURN)
    assert set(outcome.result) == set(documented)
    assert set(outcome.result["root"]) == set(documented["root"]["sample"])
    assert set(outcome.result["intermediates"][0]) == set(documented["intermediates"]["sample"][0])


def test_changed_reasons_and_diff_speak_with_one_voice(ca: Path) -> None:
    options = {"path": str(ca), "intermediates": [{"name": "centre"}]}
    foreseen = call(mesh_ca, check=True, **options)
    first, second = call(mesh_ca, **options), call(mesh_ca, **options)
    assert (foreseen.changed, first.changed, second.changed) == (True, True, False)
    assert foreseen.result["reasons"] == first.result["reasons"]
    assert second.result["reasons"] == []
    assert isinstance(second.diff, dict)
    assert second.diff["before"] == second.diff["after"] != ""
    assert foreseen.diff == {"before": "", "after": "root: a new certificate\ncentre: a new certificate\n"}


def test_no_key_and_no_passphrase_is_in_what_comes_back(ca: Path) -> None:
    options = {"path": str(ca), "intermediates": [{"name": "centre"}], "passphrase": "hush hush"}
    outcome = call(mesh_ca, **options)
    told = json.dumps([outcome.result, outcome.diff, outcome.warnings])
    assert "hush" not in told
    for key in ("root/root-key.pem", "centre/ca-key.pem"):
        assert (ca / key).read_text().splitlines()[1] not in told


def test_secret_options_are_hidden_from_logs() -> None:
    assert mesh_ca.ARGUMENT_SPEC["passphrase"]["no_log"] is True
    assert mesh_ca.ARGUMENT_SPEC["root"]["options"]["passphrase"]["no_log"] is True


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_library_is_said_in_one_line(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_crypto, "MISSING", "No module named 'cryptography'")
    with pytest.raises(MeshError, match="the Python library cryptography can't be imported"):
        call(module, path="/nowhere")


class FakeClient:
    """The API as far as it is asked: one secret, or none."""

    answer: dict[str, Any] | None = None
    asked: ClassVar[list[str]] = []

    def __init__(self, endpoint: object, *, timeout: float, site: str) -> None:
        self.timeout = timeout
        self.site = site

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def get(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        return self.answer


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any] | None], None]:
    monkeypatch.setattr(mesh_ca_info, "Client", FakeClient)
    monkeypatch.setattr(mesh_ca_info, "load", lambda path, context: Endpoint("https://x", context or "x"))
    monkeypatch.setattr(FakeClient, "asked", [])

    def answer(secret: dict[str, Any] | None) -> None:
        monkeypatch.setattr(FakeClient, "answer", secret)

    return answer


def test_a_missing_secret_is_told_and_no_error(cluster: Callable[[dict[str, Any] | None], None]) -> None:
    cluster(None)
    outcome = call(mesh_ca_info, secret={"kubeconfig": "/k"})
    assert (outcome.changed, outcome.result["present"]) == (False, False)
    assert FakeClient.asked == ["/api/v1/namespaces/istio-system/secrets/cacerts"]


def test_a_secret_is_told(cluster: Callable[[dict[str, Any] | None], None], ca: Path) -> None:
    made = call(mesh_ca, path=str(ca), intermediates=[{"name": "centre"}])
    files = {file.name: base64.b64encode(file.read_bytes()).decode() for file in (ca / "centre").iterdir()}
    cluster({"data": files})
    outcome = call(mesh_ca_info, secret={"kubeconfig": "/k"})
    assert outcome.result["chain"] == "ok"
    assert outcome.result["root"]["fingerprint"] == made.result["root"]["fingerprint"]


@pytest.mark.parametrize("secret", [{}, {"data": None}])
def test_an_empty_secret_is_broken_and_no_error(
    cluster: Callable[[dict[str, Any] | None], None], secret: dict[str, Any]
) -> None:
    cluster(secret)
    result = call(mesh_ca_info, secret={"kubeconfig": "/k"}).result
    assert (result["present"], result["chain"]) == (True, "failed")
    assert "ca-cert.pem is missing" in result["problems"]
