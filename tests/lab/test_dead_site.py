# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One edge whose API is dropped: it costs its own stage, the others are joined, and the next run finishes the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import outage
from tests.lab.lab import EDGES, NAMES, SITES, Lab, Played

DEAD, ALIVE = EDGES
GATEWAY = ("deployment", "istio-eastwestgateway", "-n", "istio-system")


@pytest.fixture(scope="module")
def half_dead_run(lab: Lab, second_run: Played) -> Iterator[Played]:
    """A run with work at both edges, one of which drops what comes for its API."""
    assert second_run.rc == 0
    for site in EDGES:
        lab.kubectl(site, "delete", *GATEWAY)
    outage.cut(DEAD)
    try:
        yield lab.play("site.yml")
    finally:
        outage.mend(DEAD)


def test_the_run_ends_with_a_failure_and_a_table(half_dead_run: Played) -> None:
    assert half_dead_run.rc != 0
    assert f"{len(NAMES)} sites: {len(NAMES) - 1} done, 1 unreachable" in half_dead_run.output


def test_the_report_says_which_site_at_which_stage_and_why(lab: Lab, half_dead_run: Played) -> None:
    assert half_dead_run.rc != 0
    rows = {row["site"]: row for row in lab.report("run")["results"]}
    assert (rows[DEAD]["step"], rows[DEAD]["result"]) == ("cluster", "unreachable")
    assert "didn't answer in time" in rows[DEAD]["reason"] or "no connection" in rows[DEAD]["reason"]
    assert {rows[name]["result"] for name in NAMES if name != DEAD} == {"done"}


def test_the_dead_site_costs_one_task(half_dead_run: Played) -> None:
    counts = half_dead_run.hosts[f"{DEAD}-machine"]
    assert counts["rescued"] == 1
    assert counts["failed"] == 1  # the last task, which makes the exit code


def test_the_other_edge_is_mended(lab: Lab, half_dead_run: Played) -> None:
    assert half_dead_run.hosts[f"{ALIVE}-machine"]["changed"] == 1
    assert lab.kubectl(ALIVE, "get", *GATEWAY, "-o", "name").strip()


def test_the_next_run_finishes_the_rest(lab: Lab, half_dead_run: Played) -> None:
    assert half_dead_run.rc != 0
    outage.mend(DEAD)
    rest = lab.play("site.yml")
    assert rest.rc == 0
    assert {site.name: rest.hosts[f"{site.name}-machine"]["changed"] for site in SITES} == {
        site.name: int(site.name == DEAD) for site in SITES
    }
