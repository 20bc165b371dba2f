# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The synthetic proxy's walk, against a real gRPC server with TLS on loopback."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Site
from ansible_collections.edge.mesh.plugins.module_utils._xds.synthetic import STAGES, Walk
from tests.unit.plugins.module_utils._xds.fakes import (
    Authority,
    FakeApi,
    Istiod,
    refused,
    token_of,
)
from tests.unit.plugins.module_utils._xds.walks import MESH, ROOT, Run, Witness, verdicts


def test_a_healthy_site_passes_every_stage(walk: Run, api: FakeApi) -> None:
    records = walk()
    assert list(records) == list(STAGES)
    assert verdicts(records) == {}
    assert records["join.ads"].evidence["services"] == 3
    assert records["join.endpoints"].evidence["through_gateways"] == 1
    assert records["join.csr"].evidence["identity"] == ["spiffe://cluster.local/ns/istio-system/sa/default"]
    assert records["join.csr"].evidence["hours_left"] == 24.0


def test_a_walk_changes_nothing_at_the_site(walk: Run, api: FakeApi) -> None:
    walk()
    asked = {path.rpartition("/")[2]: body["query"] for path, body in api.created}
    assert asked == {"token": {}, "pods": {"dryRun": "All"}}
    # the root, the site's own endpoints for istiod, the token, the dry run
    assert api.requests == 4


def test_no_evidence_holds_a_token_or_a_key(walk: Run, istiod: Istiod, witness: Witness) -> None:
    istiod.clusters["edge"] = "another issuer"
    witness.lines = ['failed to validate the JWT from cluster "edge": ' + token_of("edge")]
    for records in (walk(), walk(cluster="other")):
        text = json.dumps([entry.as_dict() for entry in records.values()])
        assert "e30." not in text
        assert "c2lnbmF0dXJl" not in text
        assert "PRIVATE" not in text


def test_istiod_out_of_reach_fails_the_address_and_leaves_what_needs_it_unknown(walk: Run) -> None:
    records = walk(given="127.0.0.1:1")
    assert verdicts(records) == {
        "address": "failed",
        "tls": "unknown",
        "ads": "unknown",
        "endpoints": "unknown",
        "csr": "unknown",
    }
    assert records["join.tls"].evidence == {"needs": ["join.address"]}


def test_another_root_at_the_site_fails_tls(walk: Run, api: FakeApi) -> None:
    api.root = Authority("old").pem
    assert verdicts(walk()) == {"tls": "failed", "ads": "unknown", "endpoints": "unknown", "csr": "unknown"}


def test_no_root_at_the_site_fails_tls(walk: Run, api: FakeApi) -> None:
    api.root = ""
    records = walk()
    assert records["join.tls"].verdict == "failed"
    assert "istio-ca-root-cert" in records["join.tls"].hint


def test_a_site_whose_api_is_silent_is_unknown_and_is_asked_once(walk: Run, api: FakeApi) -> None:
    api.errors = {"/": refused(0, "no connection in time", "Timeout")}
    records = walk()
    assert verdicts(records) == dict.fromkeys(["tls", "token", "ads", "endpoints", "csr", "injection"], "unknown")
    assert api.requests == 1


def test_an_unusable_kubeconfig_of_a_site_is_unknown_and_says_why(walk: Run) -> None:
    records = walk(MeshError("the kubeconfig can't be used", why="it doesn't exist"))
    assert records["join.token"].verdict == "unknown"
    assert "doesn't exist" in records["join.token"].evidence["error"]


@pytest.mark.parametrize(("status", "verdict"), [(404, "failed"), (403, "unknown"), (401, "unknown")])
def test_a_token_that_isnt_issued_is_a_fact_unless_we_lack_the_right(
    walk: Run, api: FakeApi, status: int, verdict: str
) -> None:
    api.errors = {"/token": refused(status, "no")}
    records = walk()
    assert records["join.token"].verdict == verdict
    assert records["join.csr"].evidence == {"needs": ["join.token"]}


def test_a_clock_that_differs_is_a_warning_and_a_failure_where_certificates_arent_valid_by_it(
    walk: Run, api: FakeApi
) -> None:
    now = datetime.now(UTC).timestamp()
    api.claims = {"iat": now + 300}
    assert verdicts(walk()) == {"token": "warning"}
    api.claims = {"iat": now + 25 * 3600}
    records = walk()
    assert verdicts(records) == {"token": "warning", "csr": "failed"}
    assert "by the site's clock" in records["join.csr"].hint


def test_a_token_for_other_audiences_fails(walk: Run, api: FakeApi) -> None:
    api.claims = {"aud": ["https://kubernetes.default.svc"]}
    records = walk()
    assert records["join.token"].verdict == "failed"
    assert "istio-ca" in records["join.token"].hint


def test_an_istiod_that_is_silent_fails_within_the_deadline(walk: Run, istiod: Istiod) -> None:
    istiod.silent = threading.Event()
    records = walk(seconds=1)
    assert records["join.ads"].verdict == "failed"
    assert records["join.ads"].evidence["code"] == "DEADLINE_EXCEEDED"
    assert records["join.endpoints"].verdict == "unknown"


@pytest.mark.parametrize(("services", "listeners"), [(0, 2), (3, 0)])
def test_an_istiod_that_has_nothing_for_the_site_fails(
    walk: Run, istiod: Istiod, services: int, listeners: int
) -> None:
    istiod.services, istiod.listeners = services, listeners
    assert verdicts(walk()) == {"ads": "failed", "endpoints": "unknown"}


def test_an_endpoint_that_is_a_pod_of_another_network_fails(walk: Run, istiod: Istiod) -> None:
    istiod.more_endpoints.append(("10.0.0.9", 5000, "hello;sample;hello;v1;hub"))
    records = walk()
    assert verdicts(records) == {"endpoints": "failed"}
    assert records["join.endpoints"].evidence["wrong"][0]["address"] == "10.0.0.9:5000"


@pytest.mark.parametrize(
    ("change", "verdict", "hint"),
    [
        ({"identity": "spiffe://other/ns/istio-system/sa/default"}, "failed", "trust_domain"),
        ({"life": timedelta(hours=3)}, "warning", "shorter"),
        ({"life": timedelta(hours=48)}, "warning", "longer"),
        ({"life": timedelta(hours=-1)}, "failed", "check the roots"),
        ({"signer": Authority("stranger")}, "failed", "check the roots"),
    ],
)
def test_a_certificate_is_looked_at(walk: Run, istiod: Istiod, change: dict[str, Any], verdict: str, hint: str) -> None:
    for name, value in change.items():
        setattr(istiod, name, value)
    records = walk()
    assert verdicts(records) == {"csr": verdict}
    assert hint in records["join.csr"].hint


def test_a_pod_that_would_get_no_sidecar_fails(walk: Run, api: FakeApi) -> None:
    api.injected = False
    records = walk()
    assert verdicts(records) == {"injection": "failed"}
    assert "has no injection webhook" in records["join.injection"].hint


def webhook(path: str = "/inject/cluster/edge/net/net-edge", bundle: str | None = None) -> dict[str, Any]:
    client = {"service": {"path": path}, "caBundle": base64.b64encode((bundle or "").encode()).decode()}
    return {"metadata": {"name": "istio-sidecar-injector"}, "webhooks": [{"clientConfig": client}]}


@pytest.mark.parametrize(
    ("configuration", "bundle", "hint"),
    [
        (webhook(), "none", "has no CA bundle"),
        (webhook(bundle="garbage"), "none", "has no CA bundle"),
        (webhook(bundle=Authority("other").pem), "another root", "is another root"),
        (webhook("/inject/cluster/x/net/y", ROOT.pem), "the site's root", "not /inject/cluster/x/net/y"),
        (webhook(bundle=ROOT.pem), "the site's root", "check 15017"),
    ],
)
def test_a_refused_injection_is_explained_by_the_webhook(
    walk: Run, api: FakeApi, configuration: dict[str, Any], bundle: str, hint: str
) -> None:
    api.errors = {"/pods": refused(500, "failed calling webhook: context deadline exceeded")}
    api.webhooks = [configuration]
    record = walk()["join.injection"]
    assert record.verdict == "failed"
    assert record.evidence["webhook"]["ca_bundle"] == bundle
    assert hint in record.hint


def test_without_a_given_address_the_sites_own_endpoint_is_taken(walk: Run, api: FakeApi) -> None:
    record = walk(given=None)["join.address"]
    assert (record.evidence["address"], record.evidence["source"]) == ("127.0.0.1:15012", "endpointslice")
    api.slices = []
    assert walk(given=None)["join.address"].verdict == "failed"


def test_beside_a_given_address_the_sites_own_service_must_lead_somewhere(walk: Run, api: FakeApi) -> None:
    api.slices = [{"endpoints": [{"addresses": ["10.9.9.9"]}]}]
    elsewhere = walk()["join.address"]
    assert (elsewhere.verdict, elsewhere.evidence["site"]) == ("warning", ["10.9.9.9"])
    api.slices = [{"endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": False}}]}]
    assert walk()["join.address"].verdict == "failed"
    api.external_name = "127.0.0.1"
    assert walk()["join.address"].verdict == "ok"


def test_a_stage_that_hangs_is_unknown_and_names_itself() -> None:
    release, entered = threading.Event(), threading.Event()

    def hang(_deadline: object) -> FakeApi:
        entered.set()
        release.wait(10)
        raise MeshError("too late")

    site = Site("edge", "net-edge", "127.0.0.1:1")
    stuck = Walk(site, MESH, connect=hang, forward=None, witness=Witness(FakeApi("edge", "")), seconds=5)
    thread = threading.Thread(target=stuck.run, daemon=True)
    thread.start()
    assert entered.wait(5)
    records = {entry.id: entry for entry in stuck.records()}
    assert {entry.verdict for entry in records.values()} == {"unknown"}
    assert "no answer in 5 s" in records["join.injection"].evidence["error"]
    assert records["join.csr"].evidence == {"error": "not asked: the time was up"}
    release.set()
    thread.join(5)


def test_a_bug_in_a_stage_is_unknown_and_not_healthy(walk: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "create", None)
    records = walk()
    assert records["join.injection"].verdict == "unknown"
    assert "TypeError" in records["join.injection"].evidence["error"]
