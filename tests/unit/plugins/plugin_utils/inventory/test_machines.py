# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines of a K3s site as an inventory has them, and every way in which that can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import Inventory, read


def given(machines: dict[str, dict[str, Any]], **variables: Any) -> Inventory:
    common = {"edge_mesh_id": "m", "edge_mesh_provider": "k3s", **variables}
    hostvars = {host: {**common, **own} for host, own in machines.items()}
    hostvars["centre"] = {"edge_mesh_id": "m", "edge_mesh_provider": "existing"}
    groups = {
        "mesh_primary": ["centre"],
        "mesh_edge": list(machines),
        "site_centre": ["centre"],
        "site_shop": list(machines),
    }
    return Inventory(groups, hostvars, "/inv")


def messages(inventory: Inventory) -> list[str]:
    return [str(problem) for problem in read(inventory)[1]]


SERVER, AGENT = {"edge_mesh_k3s_role": "server"}, {"edge_mesh_k3s_role": "agent"}


def test_a_site_of_one_machine_has_one_server_and_the_schemas_settings() -> None:
    model, problems = read(given({"a": {}}))
    assert problems == []
    shop = model["sites"]["shop"]
    assert shop["machines"] == [
        {"host": "a", "role": "server", "address": None, "external_address": None, "labels": []}
    ]
    assert shop["k3s"]["disable"] == ["traefik"]
    assert "registries" not in shop["k3s"]
    assert "role" not in shop["k3s"]


def test_machines_of_a_site_may_differ_in_what_is_their_own() -> None:
    machines = {
        "a": {**SERVER, "edge_mesh_k3s_address": "10.0.0.1", "edge_mesh_k3s_external_address": "203.0.113.1"},
        "b": {**AGENT, "edge_mesh_k3s_labels": ["place=roof"]},
    }
    model, problems = read(given(machines))
    assert problems == []
    assert [machine["external_address"] for machine in model["sites"]["shop"]["machines"]] == ["203.0.113.1", None]
    assert model["sites"]["shop"]["machines"][1]["labels"] == ["place=roof"]


def test_other_providers_have_no_machines() -> None:
    assert read(given({"a": {}}))[0]["sites"]["centre"]["machines"] == []


@pytest.mark.parametrize(("machines", "variables", "said"), [
    ({"a": {}, "b": SERVER}, {}, "a needs edge_mesh_k3s_role (server or agent)"),
    ({"a": AGENT, "b": AGENT}, {}, "none of its machines has edge_mesh_k3s_role: server"),
    ({"a": SERVER, "b": SERVER}, {}, "it has 2 servers: etcd needs an odd number"),
    ({"a": {"edge_mesh_k3s_role": "master"}}, {}, "edge_mesh_k3s_role of a is 'master'; it can be server, agent"),
    ({"a": {"edge_mesh_k3s_address": "shop.example"}}, {}, "edge_mesh_k3s_address of a is 'shop.example'"),
    ({"a": {"edge_mesh_k3s_external_address": "127.0.0.1"}}, {}, "edge_mesh_k3s_external_address of a is '127.0.0.1'"),
    ({"a": {"edge_mesh_k3s_labels": ["roof"]}}, {}, "it must be a list of name=value"),
    ({"a": {}}, {"edge_mesh_k3s_version": "1.35"}, "K3s's releases are called like v1.35.0+k3s1"),
    ({"a": {}}, {"edge_mesh_k3s_config": ["x"]}, "edge_mesh_k3s_config must be a dictionary, not a list"),
    ({"a": {}}, {"edge_mesh_k3s_config": {"token": "hush"}}, "edge_mesh_k3s_config can't hold token: the run makes it"),
    ({"a": {}}, {"edge_mesh_k3s_config": {"node-name+": "x"}}, "edge_mesh_k3s_config can't hold node-name"),
    ({"a": {}}, {"edge_mesh_k3s_config": {"cluster-cidr": "10.0.0.0/8"}}, "set edge_mesh_pod_subnet"),
    ({"a": {}}, {"edge_mesh_k3s_tunnel_port": 70000}, "edge_mesh_k3s_tunnel_port is 70000"),
    ({"a": {}}, {"edge_mesh_k3s_controller_api": "203.0.113.1"}, "controller_api 203.0.113.1 is no address of an API"),
    ({"a": {}}, {"edge_mesh_k3s_url": "releases"}, "edge_mesh_k3s_url is 'releases'"),
    ({"a": {}}, {"edge_mesh_k3s_image_gc_low": 90}, "edge_mesh_k3s_image_gc_low (90) must be below"),
    ({"a": {}}, {"edge_mesh_k3s_image_gc_high": 101}, "must be below edge_mesh_k3s_image_gc_high (101), both percents"),
    ({"a": {}}, {"edge_mesh_k3s_log_files": 1}, "the kubelet keeps at least 2"),
    ({"a": {}}, {"edge_mesh_k3s_log_size": "ten"}, "edge_mesh_k3s_log_size is 'ten'; write a size as 10Mi"),
    ({"a": {}}, {"edge_mesh_k3s_log_size": "10240ki"}, "write a size as 10Mi"),
    ({"a": {}}, {"edge_mesh_k3s_min_disk": -1}, "edge_mesh_k3s_min_disk is -1"),
    ({"a": {}}, {"edge_mesh_k3s_images": [None]}, "edge_mesh_k3s_images holds None, which is empty"),
    ({"a": {}}, {"edge_mesh_k3s_images": ["/a/i.tar", "/b/i.tar"]}, "has two archives called i.tar"),
    ({"a": {}}, {"edge_mesh_k3s_versoin": "x"}, "did you mean edge_mesh_k3s_version?"),
    ({"a": SERVER, "b": {**AGENT, "edge_mesh_k3s_log_files": 9}}, {}, "edge_mesh_k3s_log_files differs between"),
])  # fmt: skip
def test_what_is_wrong_is_said(machines: dict[str, dict[str, Any]], variables: dict[str, Any], said: str) -> None:
    found = messages(given(machines, **variables))
    assert [message for message in found if said in message], found


def test_a_token_in_the_configuration_is_in_no_message() -> None:
    found = messages(given({"a": {}}, edge_mesh_k3s_config={"token": "hush"}))
    assert len(found) == 1
    assert "hush" not in found[0]


def test_an_empty_directory_of_releases_is_none() -> None:
    assert read(given({"a": {}}, edge_mesh_k3s_files=""))[0]["sites"]["shop"]["k3s"]["files"] is None
