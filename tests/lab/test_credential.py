# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site's credential is renewed, and a bad one tried, while calls go on across sites: none of them fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.running import run_module
from tests.lab.lab import EDGES, NAMES, PRIMARY, Lab, Played
from tests.lab.load import Answers, Load

EDGE = EDGES[0]
SECONDS = 60
NOWHERE = "https://192.0.2.1:6443"  # an address for documentation: nothing answers there
Answer = dict[str, Any]


@dataclass
class Changes:
    """What three changes of one credential came to, and the calls beside them."""

    before: Answer
    renewed: list[Answer]
    refused: Answer
    after: Answer
    unfinished: list[str]
    answers: Mapping[str, Answers]
    tokens: list[str]


def info(lab: Lab) -> Answer:
    """The primary's remote secret of the site."""
    found = run_module("remote_secret_info", {"primary": {"kubeconfig": str(lab.kubeconfig(PRIMARY))}, "cluster": EDGE})
    (entry,) = found["remote_secrets"]
    return dict(entry)


def change(lab: Lab, server: str, **options: Any) -> Answer:
    """Ask for a credential as the role `site_enrollment` does."""
    return run_module(
        "remote_secret",
        {
            "cluster": EDGE,
            "site": {"kubeconfig": str(lab.kubeconfig(EDGE))},
            "primaries": [{"name": PRIMARY, "kubeconfig": str(lab.kubeconfig(PRIMARY))}],
            "api_server": server,
            **options,
        },
    )


def anchors(lab: Lab) -> list[str]:
    """The Secrets at the site with which tokens live."""
    listed = lab.objects(EDGE, "secret", "-n", "istio-system", "-l", "edge.mesh/set=site-reader")
    return [item["metadata"]["name"] for item in listed]


@pytest.fixture(scope="module")
def changes(lab: Lab, second_run: Played) -> Changes:
    """Renewed, tried with an address where nobody answers, and renewed again, all under load from two sites."""
    assert second_run.rc == 0
    before = info(lab)
    server = before["server"]
    with Load(lab, PRIMARY, SECONDS) as central, Load(lab, EDGES[1], SECONDS) as other:
        renewed = [change(lab, server, recreate=True)]
        refused = change(lab, NOWHERE, timeout=8)
        renewed.append(change(lab, server, recreate=True))
        unfinished = [name for name, load in ((PRIMARY, central), (EDGES[1], other)) if load.running]
        answers = {PRIMARY: central.answers(), EDGES[1]: other.answers()}
    return Changes(before, renewed, refused, info(lab), unfinished, answers, anchors(lab))


def test_no_call_fails_while_a_credential_is_renewed_twice(changes: Changes) -> None:
    assert changes.unfinished == [PRIMARY, EDGES[1]], "the calls ended before the changes did"
    for site, answers in changes.answers.items():
        assert answers.failed == [], f"from {site}"
        assert answers.count == sum(answers.sites.values()) == SECONDS * 5
        assert set(answers.sites) == set(NAMES)


def test_each_renewal_is_proven_with_istiod_and_revokes_what_was_before(changes: Changes) -> None:
    digests = [changes.before["token_digest"]]
    for answer in changes.renewed:
        assert not answer.get("failed"), answer
        (primary,) = answer["primaries"]
        assert (primary["action"], primary["istiod"]) == ("renewed", "synced")
        assert primary["endpoints"] > 0
        assert "1 former token revoked" in primary["reasons"]
        digests.append(primary["token_digest"])
    assert len(set(digests)) == 3
    assert changes.after["token_digest"] == digests[-1]
    assert len(changes.tokens) == 1


def test_a_credential_that_istiod_cant_use_is_taken_back_with_the_reason(changes: Changes) -> None:
    assert changes.refused["failed"]
    message = changes.refused["msg"]
    assert f"istiod didn't sync the cluster {EDGE}" in message
    assert "the former remote secret was put back and istiod is synced with it" in message
    assert "seen from the controller" in message or "couldn't be checked from the controller" in message
    assert changes.after["server"] == changes.before["server"]


def test_the_mesh_runs_on_with_nothing_to_do(lab: Lab, changes: Changes) -> None:
    again = change(lab, changes.after["server"])
    assert (again["changed"], again["reasons"]) == (False, [])
    (primary,) = again["primaries"]
    assert primary["istiod"] == "synced"
