# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why istiod refuses a token: every cause gets its own diagnosis, from facts of our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._xds import diagnosis
from tests.unit.plugins.module_utils._xds.fakes import FakeApi, Istiod, refused, token_of
from tests.unit.plugins.module_utils._xds.walks import Run, Witness, verdicts

AT = "https://127.0.0.1:1"
OWN = "https://site.example:6443"
GONE = refused(0, "refuses connections", "Refused")
LOG = 'Authentication failed: client claims to be in cluster "edge", but we only know about local cluster "hub"'


@pytest.mark.parametrize(
    ("change", "review", "hint"),
    [
        ({"keys": {}}, None, "has no remote secret"),
        ({"keys": {"edge": ["other"]}}, None, "wrong cluster id: the remote secret's key is other, not edge"),
        ({"access": Access("", token="t")}, None, "istiod can't use the remote secret"),
        ({"access": Access(AT, token=token_of("edge", exp=1_000_000_000))}, "accepted", "has expired"),
        ({"refusal": {AT: refused(401, "Unauthorized")}}, "credential refused", "rejects the credential"),
        ({"refusal": {AT: refused(403, "cannot create tokenreviews")}}, "forbidden", "may not review tokens"),
        ({"refusal": {AT: refused(0, "self-signed", "TLS")}}, "not trusted", "isn't that of https://127.0.0.1:1"),
        ({"refusal": {AT: GONE, OWN: GONE}}, "no answer", "nothing answers at https://site.example:6443"),
        ({"refusal": {AT: GONE}}, "accepted", "nothing answers at https://127.0.0.1:1, where istiod looks"),
        ({"refusal": {AT: GONE, OWN: refused(401, "Unauthorized")}}, "credential refused", "rejects the credential"),
        ({"refusal": {AT: refused(500, "etcd is slow")}}, "no verdict", "gave no verdict"),
        ({"reviewed": False}, "rejected", "the token is another cluster's"),
        ({"lines": [LOG]}, "accepted", "hasn't taken in the remote secret"),
        ({}, "accepted", "istiod itself doesn't reach https://127.0.0.1:1"),
        ({"error": refused(403, "secrets is forbidden")}, None, "couldn't be reviewed from here"),
    ],
)
def test_a_refused_authentication_is_explained_by_facts_of_our_own(
    walk: Run, istiod: Istiod, witness: Witness, change: dict[str, Any], review: str | None, hint: str
) -> None:
    istiod.clusters["edge"] = "another issuer"
    for name, value in change.items():
        setattr(witness, name, value)
    records = walk()
    assert verdicts(records) == {"ads": "failed", "endpoints": "unknown", "csr": "failed"}
    evidence = records["join.csr"].evidence
    assert evidence["code"] == "UNAUTHENTICATED"
    assert evidence["token"]["audience"] == ["istio-ca"]
    assert (evidence.get("review") or {}).get("result") == review
    assert evidence["log"] == (LOG if "lines" in change else "")
    assert hint in records["join.csr"].hint
    assert hint in records["join.ads"].hint


def test_a_token_that_the_sites_own_api_refuses_is_told_before_istiods_way(
    walk: Run, istiod: Istiod, api: FakeApi
) -> None:
    istiod.clusters["edge"] = "another issuer"
    api.accepts = False
    assert "itself refuses the token" in walk()["join.csr"].hint


def test_a_clock_that_is_off_is_told_with_a_refusal(walk: Run, istiod: Istiod, api: FakeApi) -> None:
    istiod.clusters["edge"] = "another issuer"
    api.claims = {"iat": datetime.now(UTC).timestamp() + 300}
    assert "the site's clock is 300 s off" in walk()["join.csr"].hint


def test_a_log_line_is_that_of_the_cluster_and_the_last() -> None:
    lines = [LOG, LOG.replace('"edge"', '"other"'), LOG + " again", "unrelated", 'cluster "edge" is fine']
    assert diagnosis.log_line(lines, "edge") == LOG + " again"
    assert diagnosis.log_line(lines, "nobody") == ""
