# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run refuses: an exact error before anything is touched, with a running mesh as the witness."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.holdings import Held, held
from tests.lab.lab import EDGES, MESH, PRIMARY, Lab, Played, write_inventory

EDGE = EDGES[0]


@pytest.fixture(scope="module")
def witness(lab: Lab, second_run: Played) -> dict[str, dict[str, Held]]:
    """What the clusters of the mesh hold before anybody is refused."""
    assert second_run.rc == 0
    return {site: held(lab, site) for site in (PRIMARY, EDGE)}


class Bench:
    """An inventory of provider `existing` over clusters of the mesh, whose state directory knows nothing."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = Lab(directory)
        self.sites: dict[str, dict[str, Any]] = {}
        for name in (PRIMARY, EDGE):
            copy = directory.parent / f"{name}.kubeconfig"  # beside the inventory, which is read as a whole
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(lab.kubeconfig(name), copy)
            copy.chmod(0o600)
            self.sites[name] = {"edge_mesh_kubeconfig": str(copy), "edge_mesh_gateway_addresses": [lab.address(name)]}
        self.common: dict[str, Any] = {"edge_mesh_provider": "existing", "edge_mesh_artifacts": "build"}
        self.mesh = MESH
        self.primaries: tuple[str, ...] = (PRIMARY,)

    def kubeconfig(self, site: str) -> Path:
        return Path(self.sites[site]["edge_mesh_kubeconfig"])

    def change_kubeconfig(self, site: str, **sections: Any) -> None:
        """Replace sections of a site's kubeconfig."""
        path = self.kubeconfig(site)
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **sections}))

    def refused(self, *arguments: str) -> str:
        """What the main job says; it must have failed, and left no state but its reports."""
        write_inventory(self.lab.inventory, self.mesh, self.sites, self.primaries, self.common)
        played = self.lab.play("site.yml", *arguments)
        assert played.rc != 0, played.output[-3000:]
        assert played.changed == 0, played.output[-3000:]
        assert "nothing was touched" in played.output
        state = self.lab.inventory / ".state"
        assert not state.exists() or [path.name for path in state.iterdir()] in ([], ["reports"])
        return " ".join(played.output.split())


@pytest.fixture
def bench(lab: Lab, witness: dict[str, dict[str, Held]], tmp_path: Path) -> Bench:
    assert witness
    return Bench(lab, tmp_path / "inventory")


def no_provider(bench: Bench) -> str:
    del bench.common["edge_mesh_provider"]
    return "edge_mesh_provider is required"


def unknown_provider(bench: Bench) -> str:
    bench.sites[EDGE]["edge_mesh_provider"] = "kindd"
    return "edge_mesh_provider is 'kindd'; it can be kind, k3s, existing"


def bad_name(bench: Bench) -> str:
    bench.sites[EDGE]["edge_mesh_site"] = "Dock_7"
    return "the site's name 'Dock_7' is not a DNS-1123 label"


def one_name_twice(bench: Bench) -> str:
    bench.sites[EDGE]["edge_mesh_site"] = PRIMARY
    return f"{PRIMARY}: two groups name this site"


def one_network_twice(bench: Bench) -> str:
    bench.common["edge_mesh_network"] = "n"
    return f"{EDGE}, {PRIMARY} share the network n"


def no_primary(bench: Bench) -> str:
    bench.primaries = ()
    return "no primary: put at least one group site_<name> under mesh_primary"


def several_primaries(bench: Bench) -> str:
    bench.sites["south"] = {"edge_mesh_kubeconfig": "/nowhere"}
    bench.primaries = (PRIMARY, "south")
    return f"{EDGE}: edge_mesh_primary is required with several primaries ({PRIMARY}, south)"


def missing_kubeconfig(bench: Bench) -> str:
    bench.kubeconfig(EDGE).unlink()
    return f"{EDGE}: the kubeconfig {bench.kubeconfig(EDGE)} can't be used: it doesn't exist"


def unreadable_kubeconfig(bench: Bench) -> str:
    bench.kubeconfig(EDGE).unlink()
    bench.kubeconfig(EDGE).mkdir()
    return "can't be used: it isn't a regular file"


def open_kubeconfig(bench: Bench) -> str:
    bench.kubeconfig(EDGE).chmod(0o644)
    return "can't be used: others can read it (mode 0644)"


def executing_kubeconfig(bench: Bench) -> str:
    bench.change_kubeconfig(EDGE, users=[{"name": f"kind-{MESH}-{EDGE}", "user": {"exec": {"command": "touch"}}}])
    return "'exec' is refused: it would run a program"


def several_contexts(bench: Bench) -> str:
    config = yaml.safe_load(bench.kubeconfig(EDGE).read_text())
    other = {**config["contexts"][0], "name": "other"}
    bench.change_kubeconfig(EDGE, contexts=[*config["contexts"], other])
    return "it has several contexts and none is chosen"


def api_on_loopback(bench: Bench) -> str:
    bench.sites[EDGE]["edge_mesh_api_server"] = "https://127.0.0.1:6443"
    return f"{EDGE}: edge_mesh_api_server https://127.0.0.1:6443 leads to the machine that uses it"


def unknown_variable(bench: Bench) -> str:
    bench.common["edge_mesh_trust_domian"] = "x"
    return "unknown variable edge_mesh_trust_domian"


def another_mesh(bench: Bench) -> str:
    bench.mesh = "elsewhere"
    return f"{PRIMARY}: it is a primary of the mesh {MESH}, not of elsewhere"


def another_version(bench: Bench) -> str:
    bench.common |= {"edge_mesh_artifacts": "upstream", "edge_mesh_istio_version": "1.29.0"}
    return "this run would bring 1.29.0 from upstream; set edge_mesh_artifacts and edge_mesh_istio_version"


CASES = (
    no_provider,
    unknown_provider,
    bad_name,
    one_name_twice,
    one_network_twice,
    no_primary,
    several_primaries,
    missing_kubeconfig,
    unreadable_kubeconfig,
    open_kubeconfig,
    executing_kubeconfig,
    several_contexts,
    api_on_loopback,
    unknown_variable,
    another_mesh,
    another_version,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_bad_input_is_refused_by_name(bench: Bench, case: Any) -> None:
    expected = case(bench)
    said = bench.refused()
    assert expected in said, said[-3000:]


def test_an_unknown_variable_is_refused_with_the_nearest_known_name(bench: Bench) -> None:
    assert "did you mean edge_mesh_retire?" in bench.refused("-e", "edge_mesh_retier=x")


def test_a_ca_that_the_state_directory_does_not_know_is_refused(bench: Bench) -> None:
    said = bench.refused()
    assert f"{PRIMARY}" in said
    assert "restore the state directory from a backup" in said or "import" in said


def test_nothing_was_touched(lab: Lab, witness: dict[str, dict[str, Held]]) -> None:
    assert {site: held(lab, site) for site in witness} == witness
