# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The primary's credential for a site: tried, never shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._verify import reader
from tests.unit.plugins.module_utils._verify import fakes

THERE, HERE = "https://192.0.2.20:6443", "https://127.0.0.1:40000"


class Opened:
    """Opens endpoints: by server a fake API, or an error."""

    def __init__(self, **by_place: Any) -> None:
        self.by_server = {{"there": THERE, "here": HERE}[place]: found for place, found in by_place.items()}
        self.endpoints: list[Endpoint] = []

    def __call__(self, endpoint: Endpoint) -> fakes.FakeApi:
        self.endpoints.append(endpoint)
        found = self.by_server[endpoint.server]
        return found if isinstance(found, fakes.FakeApi) else fakes.FakeApi({"*": found})


def check(secret: dict[str, Any] | None, opened: Callable[[Endpoint], Any], now: float = fakes.NOW) -> Any:
    found = reader.check(secret, "shop", fakes.endpoint(HERE), opened, now)
    assert fakes.without_secrets(json.dumps(found.evidence) + found.hint), "a part of the token is told"
    return found


def test_a_credential_that_is_let_in_where_istiod_uses_it_is_ok() -> None:
    opened = Opened(there=fakes.reader_api())
    found = check(fakes.secret("shop", fakes.kubeconfig()), opened)
    assert (found.verdict, found.evidence["seen"]) == ("ok", "istio-reader-service-account is let in, for 90 d more")
    assert found.evidence["as_istiod"] is True
    assert opened.endpoints[0].token == fakes.token()


@pytest.mark.parametrize("reason", ["Refused", "Timeout", "Name", "Network", "Reset"])
def test_where_only_the_primary_gets_through_the_controllers_address_is_used(reason: str) -> None:
    opened = Opened(there=fakes.refused(reason), here=fakes.reader_api())
    found = check(fakes.secret("shop", fakes.kubeconfig()), opened)
    assert found.verdict == "warning"  # good for something, but nobody saw it used where istiod uses it
    assert found.evidence["as_istiod"] is False
    assert f"nothing answers the controller at {found.evidence['server']}" in found.evidence["seen"]
    assert opened.endpoints[-1].client_cert_pem is None, "the controller's own certificate would let anybody in"


def test_a_proxy_is_for_the_primary_alone() -> None:
    opened = Opened(here=fakes.reader_api())
    check(fakes.secret("shop", fakes.kubeconfig(proxy_url="http://proxy.example:3128")), opened)
    assert [each.server for each in opened.endpoints] == [HERE]


def test_a_token_that_never_expires_is_ok() -> None:
    found = check(fakes.secret("shop", fakes.kubeconfig(expires=None)), Opened(there=fakes.reader_api()))
    assert (found.verdict, found.evidence["expires_at"]) == ("ok", None)


def test_an_expired_token_fails_without_a_question() -> None:
    found = check(fakes.secret("shop", fakes.kubeconfig(expires=fakes.NOW - 7200)), Opened())
    assert (found.verdict, found.evidence["seen"]) == ("failed", "the token expired 2 h ago")


@pytest.mark.parametrize(
    ("error", "verdict", "seen"),
    [
        (fakes.refused("Unauthorized", 401), "failed", "the site's API rejects the token"),
        (fakes.refused("TLS"), "failed", "it refuses connections"),
        (fakes.refused("InternalError", 500), "unknown", "it refuses connections"),
    ],
)
def test_an_answer_that_isnt_a_welcome_isnt_ok(error: Exception, verdict: str, seen: str) -> None:
    found = check(fakes.secret("shop", fakes.kubeconfig()), Opened(there=error))
    assert (found.verdict, found.evidence["seen"]) == (verdict, seen)


def test_a_site_that_nobody_reaches_is_unknown() -> None:
    found = check(fakes.secret("shop", fakes.kubeconfig()), Opened(there=fakes.refused(), here=fakes.refused()))
    assert found.verdict == "unknown"


def test_a_ca_that_cant_be_used_is_unknown() -> None:
    def refuse(_endpoint: Endpoint) -> fakes.FakeApi:
        raise MeshError("the CA can't be used", why="it isn't PEM")

    assert check(fakes.secret("shop", fakes.kubeconfig()), refuse).verdict == "unknown"


def test_missing_rights_fail_by_name() -> None:
    api = fakes.reader_api()
    rules = [{"verbs": ["get", "list", "watch"], "apiGroups": ["*"], "resources": ["*"]}]
    api.answers["/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"] = {"status": {"resourceRules": rules}}
    found = check(fakes.secret("shop", fakes.kubeconfig()), Opened(there=api))
    assert found.verdict == "failed"
    assert "create tokenreviews.authentication.k8s.io" in found.evidence["missing_rights"]


def test_no_secret_fails() -> None:
    found = check(None, Opened())
    assert (found.verdict, found.evidence["seen"]) == ("failed", "the primary has no Secret istio-remote-secret-shop")


def test_a_secret_that_istiod_wouldnt_take_fails() -> None:
    other_key = fakes.secret("shop", fakes.kubeconfig())
    other_key["data"] = {"elsewhere": other_key["data"]["shop"]}
    unlabelled = fakes.secret("shop", fakes.kubeconfig())
    unlabelled["metadata"]["labels"] = {}
    for secret in (other_key, unlabelled, fakes.secret("shop", "]["), fakes.secret("shop", "clusters: 1")):
        found = check(secret, Opened())
        assert found.verdict == "failed"
        assert found.evidence["seen"].startswith("istiod can't use istio-remote-secret-shop: ")
