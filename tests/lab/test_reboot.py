# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reboot: Docker dies with all in it, the nodes come back with one another's addresses, one run heals the mesh."""

from __future__ import annotations

import pytest

from tests.lab import outage
from tests.lab.lab import EDGES, NAMES, PRIMARY, Lab, Played, wait_until


@pytest.fixture(scope="module")
def rebooted(lab: Lab, second_run: Played) -> tuple[dict[str, str], dict[str, str]]:
    """The nodes' addresses before and after."""
    assert second_run.rc == 0
    before = outage.addresses()
    print(f"killed: {outage.go_down()}")
    outage.come_up()
    outage.permute(before)
    return before, outage.addresses()


def _answers(lab: Lab, site: str) -> bool:
    try:
        return lab.kubectl(site, "get", "--raw", "/readyz") == "ok"
    except AssertionError:
        return False


@pytest.mark.parametrize("site", NAMES)
def test_a_cluster_comes_back_under_another_address(
    lab: Lab, rebooted: tuple[dict[str, str], dict[str, str]], site: str
) -> None:
    before, after = rebooted
    assert before[site] != after[site]
    assert sorted(before.values()) == sorted(after.values())
    wait_until(lambda: _answers(lab, site), f"the API of {site}", 180)
    wait_until(lambda: lab.address(site) == after[site], f"the node's own word for its address at {site}", 120)


def test_verify_says_what_is_wrong_before_anything_is_mended(
    lab: Lab, rebooted: tuple[dict[str, str], dict[str, str]]
) -> None:
    assert rebooted
    sick = lab.play("verify.yml")
    assert sick.rc != 0
    wrong = {(record["site"], record["id"]) for record in lab.verified()["checks"] if record["verdict"] != "ok"}
    expected = {(site, check) for site in EDGES for check in ("input.istiod-address", "input.reader")}
    expected |= {(site, "gateway.address") for site in NAMES}
    assert expected <= wrong, f"well: {sorted(expected - wrong)}\n{sick.output[-6000:]}"


def test_one_run_heals_the_mesh(lab: Lab, rebooted: tuple[dict[str, str], dict[str, str]]) -> None:
    _before, after = rebooted
    healed = lab.play("site.yml")
    assert healed.rc == 0, healed.output[-6000:]
    for site in EDGES:
        slices = lab.objects(site, "endpointslices", "-n", "istio-system", "-l", "kubernetes.io/service-name=istiod")
        assert {address for each in slices for entry in each["endpoints"] for address in entry["addresses"]} == {
            after[PRIMARY]
        }
    proven = lab.play("verify.yml")
    assert proven.rc == 0, proven.output[-6000:]


def test_there_is_nothing_left_to_heal(lab: Lab, rebooted: tuple[dict[str, str], dict[str, str]]) -> None:
    assert rebooted
    again = lab.play("site.yml")
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]
