# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Beyond one controller: two workers under ansible-runner, each on its own sites, at the same time, and one report."""

from __future__ import annotations

import json
from pathlib import Path

import ansible_runner
import pytest

from tests.lab.lab import EDGES, PRIMARY, ROOT, VENV, Lab, Played, wait_until

LOST = ("-n", "istio-system", "service", "istio-ingressgateway")
_PATIENCE = 600.0


def group(site: str) -> str:
    return f"site_{site.replace('-', '_')}"


def start(lab: Lab, directory: Path, part: str, limit: str) -> ansible_runner.Runner:
    """A worker on the sites of ``limit``; it ends by itself."""
    (directory / part).mkdir()
    _thread, runner = ansible_runner.run_async(
        private_data_dir=str(directory / part),
        playbook=str(ROOT / "playbooks/site.yml"),
        inventory=str(lab.inventory / "hosts.yml"),
        limit=limit,
        extravars={"edge_mesh_slice": part},
        envvars={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PATH": f"{VENV / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"},
        ident="run",
        quiet=True,
        timeout=int(_PATIENCE),
    )
    return runner


@pytest.fixture(scope="module")
def workers(lab: Lab, second_run: Played, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ansible_runner.Runner]:
    """Two workers that have ended; one finds a Service gone, and neither site may reach istiod when they begin."""
    assert second_run.rc == 0
    lab.kubectl(EDGES[1], "delete", *LOST)
    nobody = {"spec": {"loadBalancerSourceRanges": ["192.0.2.99/32"]}}
    lab.kubectl(
        PRIMARY, "patch", "-n", "istio-system", "service", "istiod-gateway", "--type=merge", "-p", json.dumps(nobody)
    )
    directory = tmp_path_factory.mktemp("workers")
    found = {site: start(lab, directory, str(number + 1), group(site)) for number, site in enumerate(EDGES)}
    wait_until(lambda: all(each.status not in ("unstarted", "starting", "running") for each in found.values()),
               "the workers end", _PATIENCE)  # fmt: skip
    return found


def test_each_worker_does_its_own_sites_and_tells_of_them(lab: Lab, workers: dict[str, ansible_runner.Runner]) -> None:
    for number, site in enumerate(EDGES):
        assert (workers[site].status, workers[site].rc) == ("successful", 0), workers[site].stdout.read()[-4000:]
        told = lab.report(f"run-{number + 1}")
        assert [(row["site"], row["result"]) for row in told["results"]] == [(site, "done")]


def test_what_they_write_at_the_same_time_at_the_primary_is_kept(
    lab: Lab, workers: dict[str, ansible_runner.Runner]
) -> None:
    assert len(workers) == len(EDGES)
    service = json.loads(lab.kubectl(PRIMARY, "get", "-n", "istio-system", "service", "istiod-gateway", "-o", "json"))
    allowed = service["spec"]["loadBalancerSourceRanges"]
    assert {f"{lab.address(site)}/32" for site in EDGES} <= set(allowed)


def test_their_reports_become_one(lab: Lab, workers: dict[str, ansible_runner.Runner]) -> None:
    assert len(workers) == len(EDGES)
    merged = lab.play("playbooks/merge_reports.yml", "-e", json.dumps({"edge_mesh_slices": ["1", "2"]}))
    assert (merged.rc, merged.changed) == (0, 0), merged.output[-4000:]
    rows = lab.report("run")["results"]
    assert [(row["site"], row["slice"], row["result"]) for row in rows] == [
        (site, str(number + 1), "done") for number, site in enumerate(EDGES)
    ]
    assert "Service istio-system/istio-ingressgateway" in rows[1]["changes"]["created"]
    assert "2 sites: 2 done" in merged.output.splitlines()[-1]


def test_a_worker_that_never_ran_is_missed(lab: Lab, workers: dict[str, ansible_runner.Runner]) -> None:
    assert len(workers) == len(EDGES)
    merged = lab.play("playbooks/merge_reports.yml", "-e", json.dumps({"edge_mesh_slices": ["1", "3"]}))
    assert merged.rc == 2
    assert "did the worker with edge_mesh_slice=3 run?" in merged.output


def test_all_is_as_the_inventory_says_again(lab: Lab, workers: dict[str, ansible_runner.Runner]) -> None:
    assert len(workers) == len(EDGES)
    healed = lab.play("site.yml")
    assert healed.rc == 0, healed.output[-4000:]
