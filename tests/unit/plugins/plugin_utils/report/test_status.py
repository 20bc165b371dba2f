# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet as it is: a line a site, the worst thing about it, and what is due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.report import status, table
from ansible_collections.edge.mesh.plugins.plugin_utils.report.records import status_document
from tests.unit.plugins.plugin_utils.report.test_records import made

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
GATEWAYS = {"istio-eastwestgateway": {"ready": 1, "replicas": 1}, "istio-ingressgateway": {"ready": 1, "replicas": 2}}
AUTHORITY = {
    "root": {"not_before": "2026-11-01T00:00:00Z", "not_after": "2036-11-01T00:00:00Z"},
    "intermediates": [{"not_before": "2026-11-01T00:00:00Z", "not_after": "2028-11-01T00:00:00Z"}],
}
SECRET = {"cluster": "shop", "primary": "centre", "expires_at": "2027-02-20T12:00:00Z"}


def row(
    *, records: list[dict[str, Any]] | None = None, secret: dict[str, Any] | None = None,
    authority: dict[str, Any] | None = None, proxies: tuple[dict[str, str], ...] = (),
    site: dict[str, Any] | None = None, **facts: Any,
) -> dict[str, Any]:  # fmt: skip
    told = {
        "name": "shop", "role": "edge", "primary": "centre", "token_ttl": "90d", "token_renew_before": "",
        "facts": {"known": True, "joined_at": "2026-11-20T12:00:00Z", "kubernetes_version": "v1.36.3", **facts},
        **(site or {}),
    }  # fmt: skip
    found = [made("gateway.ready", "shop", gateways=GATEWAYS)] if records is None else records
    secrets = [{**SECRET, **(secret or {})}]
    return status.rows([told], found, proxies, secrets, {"centre": authority or AUTHORITY}, NOW)[0]


def test_a_site_that_is_well_has_no_reason() -> None:
    found = row(proxies=({"cluster": "shop", "version": "1.30.3"}, {"cluster": "other", "version": "1.1"}))
    assert (found["status"], found["reason"]) == ("healthy", "")
    assert (found["gateways"], found["istio"]) == ("2/3", "1.30.3")
    assert found["certificate_expires_at"] == "2028-11-01T00:00:00Z"
    assert found["token_expires_at"] == "2027-02-20T12:00:00Z"


def test_the_worst_check_is_the_reason_and_others_are_counted() -> None:
    found = row(records=[
        made("proxy.synced", "shop", "unknown", seen="not asked"),
        made("input.webhook", "shop", "failed", seen="no CA bundle"),
        made("join.csr", "shop", "failed", seen="refused"),
        made("join.csr", "other", "failed", seen="not this site's"),
    ])  # fmt: skip
    assert (found["status"], found["reason"]) == ("failed", "input.webhook: no CA bundle (and 1 more)")


def test_what_could_not_be_asked_is_not_healthy() -> None:
    assert row(records=[made("proxy.synced", "shop", "unknown", seen="not asked")])["status"] == "unknown"
    assert row(records=[])["status"] == "unknown"
    assert row(known=False, unanswered=True, why="shop: no answer")["reason"] == "shop: no answer"
    assert row(known=False, unanswered=True, why="x")["status"] == "unreachable"
    assert row(known=False, unanswered=False, why="shop: 401")["status"] == "unknown"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"secret": {"expires_at": "2026-12-20T00:00:00Z"}}, "its token ends on 2026-12-20: run maintain.yml"),
        ({"secret": {"expires_at": "2026-11-20T00:00:00Z"}}, "its token ended on 2026-11-20"),
        (
            {"authority": {"root": {"not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"}}},
            "the primary's certificate ends on 2027-01-01",
        ),
        ({"credential_expires_at": "2026-12-01T00:00:00Z"}, "the kubeconfig's client certificate ends on 2026-12-01"),
    ],
)  # fmt: skip
def test_what_is_due_is_a_warning(change: dict[str, Any], words: str) -> None:
    found = row(**change)
    assert found["status"] == "warning"
    assert words in found["reason"]


def test_a_warning_of_a_check_is_one_of_the_site() -> None:
    found = row(records=[made("join.tls", "shop", "warning", seen="20 days left")])
    assert (found["status"], found["reason"]) == ("warning", "join.tls: 20 days left")


@pytest.mark.parametrize(
    ("ttl", "early", "issued", "end", "due"),
    [
        ("90d", "", None, "2026-12-24T12:00:00Z", True),
        ("90d", "", None, "2026-12-26T12:00:00Z", False),
        ("7776000", "", None, "2026-12-24T12:00:00Z", True),  # a bare number is seconds, as for remote_secret
        ("90d", "3600", None, "2026-11-25T14:00:00Z", False),
        ("90d", "30m", None, "2026-11-25T12:20:00Z", True),
        # A server that gives a day only: its tokens aren't due from the start.
        ("90d", "", "2026-11-25T11:00:00Z", "2026-11-26T11:00:00Z", False),
        ("90d", "30d", "2026-11-25T11:00:00Z", "2026-11-26T11:00:00Z", False),
        ("90d", "", "2026-11-24T18:00:00Z", "2026-11-25T18:00:00Z", True),
    ],
)
def test_a_token_is_due_when_maintain_renews_it(ttl: str, early: str, issued: str | None, end: str, due: bool) -> None:
    secret = {"issued_at": issued, "expires_at": end}
    found = row(secret=secret, site={"token_ttl": ttl, "token_renew_before": early})
    assert (found["status"] == "warning") is due, found["reason"]


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (None, "-"),
        ("2027-02-22T12:00:00Z", "89d"),
        ("2026-11-26T12:00:00Z", "24h"),
        ("2026-11-25T13:00:00Z", "60m"),
        ("2026-11-25T12:00:00Z", "0m"),
        ("2026-11-22T12:00:00Z", "-3d"),
    ],
)
def test_times_are_told_shortly(moment: str | None, words: str) -> None:
    assert status.short(moment, NOW) == words


def test_the_table_has_who_needs_a_person_first() -> None:
    well = row()
    sick = {**row(records=[made("input.webhook", "shop", "failed", seen="no CA bundle")]), "site": "quay"}
    document = status_document("mesh1", [well, sick], [], status.written(NOW))
    assert document["healthy"] is False
    lines = [line.text for line in table.whole(document, 140)]
    assert lines[1].split() == [
        "SITE", "STATUS", "REASON", "GATEWAYS", "ISTIO", "CERT", "EXPIRES", "TOKEN", "EXPIRES", "AGE",
    ]  # fmt: skip
    assert lines[2].startswith("quay")
    assert lines[3].split()[:2] == ["shop", "healthy"]
    assert lines[3].endswith("87d            5d")
    assert lines[-1] == "mesh1: 2 sites: 1 failed, 1 healthy"


def test_a_fleet_of_nobody_is_not_healthy() -> None:
    assert status_document("mesh1", [], [], status.written(NOW))["healthy"] is False
