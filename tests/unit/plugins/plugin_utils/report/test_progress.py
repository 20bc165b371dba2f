# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of a run's hosts say of each site."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.report.progress import sites_of

SITES = {
    name: {"name": name, "host": f"{name}-box", "role": "primary" if name == "hub" else "edge", "mode": "sidecar"}
    for name in ("hub", "paris", "oslo")
}
HOSTS = [site["host"] for site in SITES.values()]


def told(at: str, hosts: list[str], known: dict[str, Any] | None = None, **mesh: Any) -> dict[str, dict[str, Any]]:
    model = {"mesh": {"sample_apps": False, **mesh}, "wan": mesh.get("wan", False), "sites": SITES}
    found = sites_of(model, {host: (known or {}).get(host, {}) for host in HOSTS}, at, hosts, HOSTS[:2])
    return {each["site"]: each for each in found}


def test_a_site_outside_the_run_is_not_told() -> None:
    model = {"mesh": {"sample_apps": False}, "wan": False, "sites": SITES}
    assert [each["site"] for each in sites_of(model, {"oslo-box": {}}, "cluster", ["oslo-box"], HOSTS)] == ["oslo"]


def test_edges_wait_for_their_turn_while_others_are_worked_on() -> None:
    found = told("enrolment", ["paris-box"])
    assert (found["paris"]["at"], found["paris"]["begun"]) == ("enrolment", True)
    assert (found["oslo"]["at"], found["oslo"]["begun"]) == ("enrolment", False)


@pytest.mark.parametrize(
    ("mesh", "step"), [({}, ""), ({"sample_apps": True}, "sample apps"), ({"wan": True}, "WAN links")]
)
def test_who_has_been_joined_waits_for_what_comes_after_the_waves(mesh: dict[str, Any], step: str) -> None:
    found = told("enrolment", ["oslo-box"], {"paris-box": {"__edge_mesh_joined": True}}, **mesh)
    assert (found["paris"]["at"], found["paris"]["begun"]) == (step, False)


def test_only_at_the_end_it_counts_that_ansible_dropped_a_host() -> None:
    assert not told("cluster", HOSTS)["oslo"]["dropped"]
    ended = told("", [])
    assert [ended[name]["dropped"] for name in SITES] == [False, False, True]
    assert ended["hub"]["at"] == ""


def test_failures_unknown_clusters_and_what_modules_registered_are_passed_on() -> None:
    fault = {"stage": "cluster", "result": "failed", "reason": "x"}
    variables = {
        "__edge_mesh_failed": fault,
        "site_cluster_facts": {"known": False},
        "__edge_gateway_applied": {"changed": True},
        "__site_enrollment_peers": {"results": [{"changed": False}, {"changed": True}]},
        "__something_else": {"changed": True},
    }
    found = told("enrolment", HOSTS, {"paris-box": variables})["paris"]
    assert (found["failed"], found["known"]) == (fault, False)
    assert found["results"] == [{"changed": False}, {"changed": True}, {"changed": True}]
    assert told("enrolment", HOSTS)["paris"]["known"]


def test_facts_of_a_failed_reading_are_no_word_of_a_missing_cluster() -> None:
    assert told("cluster", HOSTS, {"paris-box": {"site_cluster_facts": {"failed": True}}})["paris"]["known"]
