# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site model: what the inventory says, and every way in which it can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import Inventory, load_schema, read

ROOT = Path(__file__).resolve().parents[5]


def inventory(
    sites: dict[str, dict[str, Any]], *, primaries: tuple[str, ...] = ("centre",), **everywhere: Any
) -> Inventory:
    """An inventory of one host per site; ``sites`` maps a group suffix to its variables."""
    common = {"edge_mesh_id": "m", "edge_mesh_provider": "existing", **everywhere}
    groups: dict[str, list[str]] = {"mesh_primary": [], "mesh_edge": []}
    hostvars = {}
    for suffix, variables in sites.items():
        host = f"h-{suffix}"
        groups["mesh_primary" if suffix in primaries else "mesh_edge"].append(host)
        groups[f"site_{suffix}"] = [host]
        hostvars[host] = {**common, **variables}
    return Inventory(groups, hostvars, "/inv")


def messages(given: Inventory) -> list[str]:
    return [str(problem) for problem in read(given)[1]]


def test_a_sound_inventory_gives_every_site_its_defaults() -> None:
    model, problems = read(inventory({"centre": {}, "shop_1": {}}))
    assert problems == []
    assert model["primaries"] == ["centre"]
    assert model["edges"] == ["shop-1"]
    shop = model["sites"]["shop-1"]
    assert shop["network"] == "net-shop-1"
    assert shop["primary"] == "centre"
    assert shop["kubeconfig"] == "/inv/.state/kubeconfig/shop-1.yaml"
    assert shop["injection_path"] == "/inject/cluster/shop-1/net/net-shop-1"
    assert model["mesh"]["names"]["istiod"] == "istiod"


def test_the_site_variable_overrides_the_groups_suffix() -> None:
    model, problems = read(inventory({"centre": {}, "x": {"edge_mesh_site": "shop-9"}}))
    assert problems == []
    assert model["edges"] == ["shop-9"]


def test_a_secret_is_known_and_never_in_the_model_or_in_a_problem() -> None:
    given = inventory(
        {"centre": {"edge_mesh_backup_passphrase": "hush one"}, "shop": {"edge_mesh_backup_passphrase": "hush two"}}
    )
    model, problems = read(given)
    assert problems == []
    assert "hush" not in repr(model)


def test_the_state_directory_is_required_without_an_inventory_directory() -> None:
    given = inventory({"centre": {}})
    assert messages(Inventory(given.groups, given.hostvars, None)) == [
        "edge_mesh_state_dir is required where the inventory has no directory"
    ]


def test_one_edge_or_five_make_no_difference() -> None:
    for count in (1, 5):
        model, problems = read(inventory({"centre": {}, **{f"e{number}": {} for number in range(count)}}))
        assert problems == []
        assert len(model["edges"]) == count


@pytest.mark.parametrize(
    ("sites", "extra", "expected"),
    [
        pytest.param({"centre": {"edge_mesh_provider": None}}, {}, "edge_mesh_provider is required", id="no provider"),
        pytest.param({"centre": {"edge_mesh_provider": "kindd"}}, {}, "it can be kind, k3s, existing", id="provider"),
        pytest.param({"centre": {}, "Shop": {}}, {}, "the site's name 'Shop' is not a DNS-1123 label", id="name"),
        pytest.param({"centre": {}, "": {}}, {}, "rename the group site_, or set its edge_mesh_site", id="no name"),
        pytest.param(
            {"centre": {}, "a": {"edge_mesh_site": "x"}, "b": {"edge_mesh_site": "x"}},
            {},
            "x: two groups name this site: site_a and site_b",
            id="same name",
        ),
        pytest.param(
            {"centre": {}, "a": {"edge_mesh_network": "n"}, "b": {"edge_mesh_network": "n"}},
            {},
            "a, b share the network n",
            id="same network",
        ),
        pytest.param({"shop": {}}, {}, "no primary: put at least one group", id="no primary"),
        pytest.param(
            {"centre": {}, "shop": {"edge_mesh_primary": "center"}},
            {},
            "'center', which is no primary; did you mean centre?",
            id="unknown primary",
        ),
        pytest.param(
            {"centre": {}},
            {"edge_mesh_trust_domian": "x"},
            "did you mean edge_mesh_trust_domain?",
            id="unknown variable",
        ),
        pytest.param({"centre": {}}, {"edge_mesh_mtls": "off"}, "it can be strict, permissive", id="mtls"),
        pytest.param({"centre": {}}, {"edge_mesh_id": "Mesh_1"}, "'Mesh_1' is not a DNS-1123 label", id="mesh id"),
        pytest.param(
            {"centre": {}}, {"edge_mesh_istiod_allowed_sources": ["10.0.0.0/99"]}, "which is no CIDR", id="sources"
        ),
        pytest.param(
            {"centre": {}},
            {"edge_mesh_istiod_allowed_sources": ["192.0.2.1"]},
            "an address with /32, say",
            id="bare address",
        ),
        pytest.param({"centre": {"edge_mesh_mode": "none"}}, {}, "it can be sidecar, gateway_only", id="mode"),
        pytest.param({"centre": {}}, {"edge_mesh_shared_network": "perhaps"}, "must be true or false", id="bool"),
        pytest.param(
            {"centre": {}}, {"edge_mesh_waves": "all"}, "edge_mesh_waves must be a list, not a text", id="list"
        ),
        pytest.param(
            {"centre": {"edge_mesh_id": "m1"}, "shop": {"edge_mesh_id": "m2"}},
            {},
            "edge_mesh_id must be the same for the whole mesh, but is 'm1' at h-centre, 'm2' at h-shop",
            id="two meshes",
        ),
    ],
)
def test_bad_input_is_named(sites: dict[str, dict[str, Any]], extra: dict[str, Any], expected: str) -> None:
    found = messages(inventory(sites, **extra))
    assert any(expected in message for message in found), found


def test_a_host_of_two_sites_is_named() -> None:
    given = inventory({"centre": {}, "shop": {}})
    groups = {**given.groups, "site_stall": ["h-shop"]}
    found = messages(Inventory(groups, given.hostvars, "/inv"))
    assert "host h-shop is in site_shop and in site_stall; give each site its own" in found


def test_hosts_of_a_site_that_disagree_are_named() -> None:
    given = inventory({"centre": {}, "shop": {}})
    groups = {**given.groups, "mesh_edge": ["h-shop", "h-2"], "site_shop": ["h-shop", "h-2"]}
    hostvars = {**given.hostvars, "h-2": {**given.hostvars["h-shop"], "edge_mesh_network": "other"}}
    assert messages(Inventory(groups, hostvars, "/inv")) == [
        "edge_mesh_network differs between the hosts of site_shop; set it for the group"
    ]


def test_two_sites_with_one_cluster_are_named() -> None:
    sites = {"centre": {}, "a": {"edge_mesh_kubeconfig": "/k"}, "b": {"edge_mesh_kubeconfig": "/k"}}
    assert messages(inventory(sites)) == ["b: its cluster is a's too: both use /k"]
    sites["b"]["edge_mesh_context"] = "b"
    assert messages(inventory(sites)) == []


def test_a_node_name_that_is_too_long_is_named() -> None:
    found = messages(inventory({"centre": {}, "s" * 50: {}}, edge_mesh_provider="kind"))
    assert any("over 63 characters" in message for message in found)


def test_a_tilde_in_a_path_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/op")
    model, problems = read(inventory({"centre": {}}, edge_mesh_state_dir="~/mesh"))
    assert problems == []
    assert model["sites"]["centre"]["kubeconfig"] == "/home/op/mesh/kubeconfig/centre.yaml"


def test_several_primaries_need_a_choice() -> None:
    given = inventory({"centre": {}, "south": {}, "shop": {}}, primaries=("centre", "south"))
    assert messages(given) == ["shop: edge_mesh_primary is required with several primaries (centre, south)"]


def test_a_host_without_a_site_is_named() -> None:
    given = inventory({"centre": {}})
    groups = {**given.groups, "mesh_edge": ["stray"]}
    found = messages(Inventory(groups, {**given.hostvars, "stray": {}}, "/inv"))
    assert "host stray in mesh_edge belongs to no group site_<name>; add one for its site" in found


def test_a_site_outside_the_roles_is_named() -> None:
    given = inventory({"centre": {}})
    groups = {**given.groups, "site_lost": ["lost"]}
    found = messages(Inventory(groups, {**given.hostvars, "lost": {}}, "/inv"))
    assert any("group site_lost is neither in mesh_primary nor in mesh_edge" in message for message in found)


def test_a_shared_network_is_allowed_on_request() -> None:
    sites = {"centre": {}, "a": {"edge_mesh_network": "n"}, "b": {"edge_mesh_network": "n"}}
    assert messages(inventory(sites, edge_mesh_shared_network=True)) == []


def test_every_variable_of_the_schema_is_described() -> None:
    for name, entry in load_schema().items():
        assert name.startswith("edge_mesh_")
        assert entry["scope"] in ("mesh", "site", "host", "run")
        assert entry["description"].endswith(".")
        assert "default" in entry
        assert entry.get("elements", "str") == "str"
        assert "elements" not in entry or entry["type"] == "list"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"edge_mesh_api_server": "https://127.0.0.1:6443"}, "leads to the machine that uses it"),
        ({"edge_mesh_api_server": "https://localhost:6443"}, "leads to the machine that uses it"),
        ({"edge_mesh_api_server": "https://[::1]:6443"}, "leads to the machine that uses it"),
        ({"edge_mesh_api_server": "http://192.0.2.1:6443"}, "is no address of an API: write https://<host>:<port>"),
        ({"edge_mesh_api_server": "192.0.2.1:6443"}, "is no address of an API"),
        ({"edge_mesh_gateway_addresses": ["127.0.0.1"]}, "holds '127.0.0.1', where no other site finds it"),
        ({"edge_mesh_gateway_addresses": ["192.0.2.0/24"]}, "holds '192.0.2.0/24', where no other site finds it"),
        ({"edge_mesh_gateway_addresses": [""]}, "holds '', which is empty"),
        ({"edge_mesh_gateway_addresses": ["1.2.3"]}, "holds '1.2.3', which is neither an IP nor a host's name"),
        ({"edge_mesh_gateway_addresses": ["gw 1"]}, "holds 'gw 1', which is neither an IP nor a host's name"),
    ],
)
def test_an_address_that_leads_nowhere_is_named(variables: dict[str, Any], expected: str) -> None:
    found = messages(inventory({"centre": {}, "shop": variables}))
    assert len(found) == 1
    assert found[0].startswith("shop: ")
    assert expected in found[0]


@pytest.mark.parametrize(
    "variables",
    [
        {"edge_mesh_api_server": "https://203.0.113.10:6443"},
        {"edge_mesh_api_server": "https://api.shop.example"},
        {"edge_mesh_gateway_addresses": ["203.0.113.10", "2001:db8::1", "gateway.shop.example"]},
    ],
)
def test_an_address_that_others_reach_is_taken(variables: dict[str, Any]) -> None:
    assert messages(inventory({"centre": {}, "shop": variables})) == []


def test_nobody_has_to_reach_the_api_of_a_primary() -> None:
    assert messages(inventory({"centre": {"edge_mesh_api_server": "https://127.0.0.1:6443"}})) == []


def test_the_lab_of_two_primaries_is_sound_and_says_whose_each_site_is() -> None:
    directory = ROOT / "inventories/lab-multi-primary"
    children = yaml.safe_load((directory / "hosts.yml").read_text())["all"]
    sites = {}
    for group in ("site_centre", "site_south", "site_shop"):
        own = yaml.safe_load((directory / f"group_vars/{group}.yml").read_text())
        sites[group.removeprefix("site_")] = {**children["vars"], **own}
    assert set(children["children"]["mesh_primary"]["children"]) == {"site_centre", "site_south"}
    model, problems = read(inventory(sites, primaries=("centre", "south")))
    assert problems == []
    assert {name: site["primary"] for name, site in model["sites"].items()} == {
        "centre": "centre", "south": "south", "shop": "centre",
    }  # fmt: skip
    assert (model["exports"], model["mesh"]["id"]) == (False, "mesh2")
