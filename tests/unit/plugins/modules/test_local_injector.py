# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `local_injector` against an API: its life, its certificate, and what it never shows."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._pki import serving
from ansible_collections.edge.mesh.plugins.modules import local_injector
from tests.unit.plugins.module_utils._istio.test_local_injector import INJECTION, MESH, deployment
from tests.unit.plugins.module_utils._k8s.conftest import make_pki, write_kubeconfig
from tests.unit.plugins.module_utils._k8s.fake_api import TOKEN, FakeApi, Server, answering

NAME = "edge-mesh-injector"
SECRET = f"/api/v1/namespaces/{NAME}/secrets/{NAME}"
HOOK_PATH = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAME}"
HOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "istio-sidecar-injector"},
    "webhooks": [{
        "name": "object.sidecar-injector.istio.io", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system", "path": "/inject/x", "port": 443}},
    }],
}  # fmt: skip
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """The kubeconfig of an API that is the site's and, for brevity, the primary's."""
    pki = make_pki(tmp_path)
    server = Server(answering(FakeApi()), certificate=pki.server_file)
    yield str(write_kubeconfig(tmp_path / "kubeconfig", server.url, pki.ca, f"{{token: {TOKEN}}}"))
    server.close()


@pytest.fixture
def api(path: str) -> Iterator[Client]:
    with Client(kubeconfig.load(path, None)) as client:
        yield client


def put(api: Client, path: str, kind: str, **content: Any) -> None:
    namespace, name = path.split("/")[-3], path.split("/")[-1]
    version = "apps/v1" if kind == "Deployment" else "v1"
    metadata = {"name": name} if kind == "Namespace" else {"name": name, "namespace": namespace}
    api.apply(path, {"apiVersion": version, "kind": kind, "metadata": metadata, **content}, field_manager="setup")


@pytest.fixture
def primary(api: Client) -> None:
    """The primary has istiod with its template and its mesh configuration."""
    put(api, "/api/v1/namespaces/istio-system", "Namespace")
    put(api, "/apis/apps/v1/namespaces/istio-system/deployments/istiod", "Deployment", **deployment())
    put(api, "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector", "ConfigMap", **INJECTION)
    put(api, "/api/v1/namespaces/istio-system/configmaps/istio", "ConfigMap", **MESH)


@pytest.fixture
def run(path: str) -> Run:
    def call(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"kubeconfig": path, "site": "shop", "wait": False, "timeout": 5}
        if options.get("state") != "absent":
            given |= {"primary": {"kubeconfig": path, "name": "centre"}, "webhook": HOOK}
        printed = io.StringIO()
        arguments = {**given, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), redirect_stdout(printed), pytest.raises(SystemExit):
            local_injector.main()
        assert "PRIVATE" not in printed.getvalue()
        answer: dict[str, Any] = json.loads(printed.getvalue())
        return answer

    return call


def actions(answer: dict[str, Any]) -> set[str]:
    return {each["action"] for each in answer["objects"]}


def held(api: Client) -> dict[str, bytes]:
    """What the injector's Secret holds."""
    return {key: base64.b64decode(value) for key, value in (api.get(SECRET) or {})["data"].items()}


def test_its_life_is_made_again_left_alone_and_taken_away(run: Run, api: Client, primary: None) -> None:
    predicted, first = run(check=True), run()
    assert actions(predicted) == actions(first) == {"created"}
    assert first["reasons"] == ["there is no certificate"]
    assert first["expires_at"] is not None
    again = run()
    assert (again["changed"], actions(again), again["reasons"]) == (False, {"unchanged"}, [])
    client = api.get(HOOK_PATH)["webhooks"][0]["clientConfig"]  # type: ignore[index]
    assert (client["service"]["namespace"], client["service"]["path"]) == (NAME, "/inject/x")
    assert base64.b64decode(client["caBundle"]) == held(api)["ca.crt"]
    gone = run(state="absent")
    assert (actions(gone), gone["expires_at"]) == ({"deleted"}, None)
    assert api.get(HOOK_PATH) is None
    assert run(state="absent")["changed"] is False


def test_what_changes_at_the_primary_comes_to_the_site(run: Run, api: Client, primary: None) -> None:
    run()
    put(api, "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector", "ConfigMap",
        data={"config": "templates: {new: x}", "values": "{}"})  # fmt: skip
    changed = [each["kind"] for each in run()["objects"] if each["action"] != "unchanged"]
    assert changed == ["ConfigMap"]


def test_a_certificate_that_is_due_is_replaced_and_stays_trusted(run: Run, api: Client, primary: None) -> None:
    run(validity=10, renew_before=1)
    old = held(api)
    kept = run(validity=10, renew_before=1, only_due=True)
    assert (kept["changed"], kept["objects"], held(api)) == (False, [], old)
    renewed = run(validity=10, renew_before=20, only_due=True)
    assert renewed["reasons"][0].startswith("the certificate that is there ends")
    assert [each["kind"] for each in renewed["objects"] if each["action"] != "unchanged"] == [
        "Secret", "ConfigMap", "MutatingWebhookConfiguration",
    ]  # fmt: skip
    new = held(api)
    assert new["tls.key"] != old["tls.key"]
    assert new["ca.crt"] == new["tls.crt"] + old["tls.crt"]


def test_a_broken_secret_is_mended(run: Run, api: Client, primary: None) -> None:
    run()
    api.patch(SECRET, {"data": {"tls.key": "bm8ga2V5"}}, fieldManager="kubectl-edit")
    assert run()["reasons"] == ["the certificate that is there can't be read"]
    parts = held(api)
    mended = serving.Serving(parts["tls.crt"], parts["tls.key"], parts["ca.crt"])
    name = f"{NAME}.{NAME}.svc"
    assert serving.due(mended, name, now=datetime.now(UTC), renew_before=timedelta(days=1)) == ""


def test_without_the_primarys_istiod_it_is_predicted_and_refused(run: Run) -> None:
    assert run(check=True)["changed"]
    refused = run()
    assert refused["failed"]
    assert "centre: the primary's injection can't be read" in refused["msg"]


def test_an_injector_needs_the_name_of_its_site(run: Run) -> None:
    assert "needs the name of its site" in run(site=None)["msg"]
