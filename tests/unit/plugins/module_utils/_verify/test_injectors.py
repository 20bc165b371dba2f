# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The webhook of a site that injects by itself: it is well only if its injector is called, trusted and running."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._pki import serving
from ansible_collections.edge.mesh.plugins.module_utils._verify import injectors
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Finding
from tests.unit.plugins.module_utils._verify import fakes
from tests.unit.plugins.module_utils._verify.test_survey import SHOP, Mesh

NAME = "edge-mesh-injector"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
PATH = "/inject/cluster/shop/net/net-shop"
CERTIFICATE = serving.issue(f"{NAME}.{NAME}.svc", None, now=NOW, validity=timedelta(days=365)).trusted.decode()
CENTRE = fakes.named("istio-sidecar-injector")


def hook(name: str = NAME, service: str = NAME, path: str = PATH, bundle: str = CERTIFICATE) -> dict[str, Any]:
    client = {
        "service": {"name": service, "namespace": service, "path": path},
        "caBundle": base64.b64encode(bundle.encode()).decode(),
    }
    return fakes.named(name, webhooks=[{"name": "x", "clientConfig": client}])


def judge(*hooks: dict[str, Any], after: int = 0, ready: int = 1, centre: Any = (), own: Any = None) -> Finding:
    return injectors.webhook(
        hooks, list(centre), own or {"data": {"ca.crt": CERTIFICATE}}, {"status": {"availableReplicas": ready}},
        wanted=PATH, now=NOW + timedelta(days=after),
    )  # fmt: skip


def test_a_site_whose_own_injector_is_called_is_well() -> None:
    found = judge(hook())
    assert (found.verdict, found.evidence["expires_at"]) == ("ok", "2027-11-26T00:00:00Z")
    assert found.evidence["seen"] == f"calls the site's own injector at {PATH}"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (judge(), "there is no webhook"),
        (judge(hook("other")), "there is no webhook"),
        (judge(hook(service="istiod")), "calls istiod"),
        (judge(hook(path="/inject")), f"calls /inject, not {PATH}"),
        (judge(hook(bundle="")), "isn't the injector's certificate"),
        (judge(hook(bundle=fakes.ROOT)), "isn't the injector's certificate"),
        (judge(hook(), own={"data": {}}), "isn't the injector's certificate"),
        (judge(hook(), centre=[CENTRE]), "istio-sidecar-injector calls the primary, too"),
        (judge(hook(), ready=0), "no pod that is ready"),
        (judge(hook(), after=366), "ended 2027-11-26"),
    ],
)
def test_what_keeps_pods_from_being_created_fails(found: Finding, told: str) -> None:
    assert found.verdict == "failed"
    assert told in str(found.evidence["faults"])
    assert found.hint


def test_a_certificate_near_its_end_is_a_warning() -> None:
    assert judge(hook(), after=334).verdict == "ok"
    assert judge(hook(), after=340).verdict == "warning"


def asked(local_injector: bool, *hooks: dict[str, Any]) -> str:
    """The verdict of input.webhook, asked of a site's API."""
    mesh = Mesh()
    answers = mesh.apis["https://shop"].answers
    answers[fakes.WEBHOOKS] = list(hooks)
    answers[f"/api/v1/namespaces/{NAME}/configmaps/{NAME}"] = {"data": {"ca.crt": CERTIFICATE}}
    answers[f"/apis/apps/v1/namespaces/{NAME}/deployments/{NAME}"] = {"status": {"availableReplicas": 1}}
    site = replace(SHOP, local_injector=local_injector)
    (record,) = mesh.survey(site, only=frozenset({"input.webhook"}))
    return record.verdict


def test_the_inventory_says_who_must_inject() -> None:
    primarys = fakes.webhook(PATH)
    assert asked(True, hook()) == "ok"
    assert asked(False, primarys) == "ok"
    for local_injector, hooks in (
        (True, [primarys]), (True, [hook(), primarys]), (False, [hook()]), (False, [hook(), primarys]),
    ):  # fmt: skip
        assert asked(local_injector, *hooks) == "failed"
