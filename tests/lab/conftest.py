# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One mesh for all tests of this folder: made once, broken in many ways, taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import interrupt, lifetime
from tests.lab.interrupt import Spot
from tests.lab.lab import EDGES, MESH, PRIMARY, ROOT, Lab, Played, docker, node
from tests.lab.lifetime import KEEP, KEEPER

# Each file finds a healthy mesh and leaves one, but for the last one.
ORDER = (
    "test_main_job",
    "test_traffic",
    "test_interruption",
    "test_refusals",
    "test_fleet",
    "test_workers",
    "test_state_backup",
    "test_repair",
    "test_wan_association",
    "test_wan_machine",
    "test_credential",
    "test_fault_table",
    "test_dead_site",
    "test_links",
    "test_reboot",
    "test_leaving",
)

# What CI has no room for: `make test-all` runs these files, and tests with the mark deep, on a mesh of their own.
DEEP = frozenset({"test_workers", "test_state_backup", "test_fault_table", "test_links", "test_wan_machine"})

SPOTS = (
    Spot("artifacts", "start", "Get what the run needs", "Bring the artifacts"),
    Spot("artifacts", "middle", "Get what the run needs", "Remember the artifacts"),
    Spot("site_cluster", "start", "Give every site its cluster", "Make the KinD cluster"),
    Spot("site_cluster", "middle", "Give every site its cluster", "Make the KinD cluster"),
    Spot("mesh_trust", "start", "Give every primary", "See which clusters exist"),
    Spot("mesh_trust", "middle", "Give every primary", "Put the bundle into the secret"),
    Spot("control_plane", "start", "Give every primary", "Apply Istio and wait for istiod"),
    Spot("control_plane", "middle", "Give every primary", "Apply Istio and wait for istiod"),
    Spot("edge_gateway", "start", "Give every primary", "Apply the gateways"),
    Spot("edge_gateway", "middle", "Give every primary", "Apply the gateways"),
    Spot("site_enrollment", "start", "Join the edge sites", "Apply the site's part of Istio"),
    Spot("site_enrollment", "middle", "Join the edge sites", "Give the primary its access"),
    Spot("sample_apps", "start", "Run the sample apps", "Apply the sample apps"),
    Spot("sample_apps", "middle", "Run the sample apps", "Apply the sample apps"),
    Spot("mesh_verify", "start", "Prove the mesh", "Ask the sites' own APIs", playbook="verify.yml"),
    Spot("mesh_verify", "middle", "Prove the mesh", "Call in every direction", playbook="verify.yml"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in their order: what follows a file builds on the mesh that it leaves."""
    items.sort(key=lambda item: ORDER.index(item.path.stem))
    for item in items:
        if item.path.stem in DEEP:
            item.add_marker("deep")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab with its inventory; what an earlier run left is removed first, what this one made at the end."""
    found = Lab(ROOT / "tests/output/lab/inventory")
    if KEEP:
        found.write_inventory()
    with lifetime.of(found, MESH, found.write_inventory):
        yield found


@pytest.fixture(scope="session")
def plan(lab: Lab) -> Played:
    """The main job in check mode, before anything exists."""
    return lab.play("site.yml", "--check", "--diff")


def _seen(lab: Lab, spot: Spot) -> bool:
    """Whether the task that is to be cut off in its middle has begun its work."""

    def there(site: str, *arguments: str) -> bool:
        try:
            return bool(lab.kubectl(site, "get", *arguments, "--ignore-not-found", "-o", "name").strip())
        except AssertionError:
            return False

    match spot.role:
        case "site_cluster":
            return docker("ps", "--quiet", "--filter", f"name={node(PRIMARY)}") != ""
        case "mesh_trust":
            return there(PRIMARY, "namespace", "istio-system")
        case "control_plane":
            return there(PRIMARY, "serviceaccount", "istiod", "-n", "istio-system")
        case "edge_gateway":
            return there(PRIMARY, "service", "istio-eastwestgateway", "-n", "istio-system")
        case "site_enrollment":
            return there(EDGES[0], "secret", "-n", "istio-system", "-l", "edge.mesh/set=site-reader")
        case "sample_apps":
            return there(PRIMARY, "namespace", "sample")
        case _:
            return True


@pytest.fixture(scope="session")
def interrupted(request: pytest.FixtureRequest, lab: Lab, plan: Played) -> dict[str, tuple[int, list[str]]]:
    """The way to the first mesh, cut off where this session wants it; for each spot the dead and the half files."""
    assert plan.output
    found: dict[str, tuple[int, list[str]]] = {}
    if KEEP:
        pytest.skip(f"{KEEPER} is set: the mesh that is there isn't cut off again")
    wanted = [getattr(item, "callspec", None) for item in request.session.items]
    spots = {each.params["spot"] for each in wanted if each is not None and "spot" in each.params}
    for spot in SPOTS:
        if spot.playbook != "site.yml" or spot not in spots:
            continue
        seen = (lambda spot=spot: _seen(lab, spot)) if spot.where == "middle" else None
        killed = interrupt.cut_off(lab, spot, seen)
        found[str(spot)] = killed, interrupt.half_files(lab.state)
    return found


@pytest.fixture(scope="session")
def first_run(request: pytest.FixtureRequest, lab: Lab) -> Played:
    """The first run of the main job that isn't cut off."""
    if not KEEP and any(item.path.stem == "test_interruption" for item in request.session.items):
        request.getfixturevalue("interrupted")
    return lab.play("site.yml")


@pytest.fixture(scope="session")
def second_run(lab: Lab, first_run: Played) -> Played:
    """The second run, with nothing to do."""
    assert first_run.rc == 0
    return lab.play("site.yml")


@pytest.fixture(scope="session")
def verified(lab: Lab, first_run: Played) -> Played:
    """A run of verify.yml on the mesh."""
    assert first_run.rc == 0
    return lab.play("verify.yml")
