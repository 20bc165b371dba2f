# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites that leave: both sides are listed, by kubectl too; a dead one is cleaned on the primary.

The clusters that have left then make a second mesh, with provider `existing`, which adopts what was there and leaves it
there. Nothing of the first mesh could stay unnoticed under it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import outage
from tests.lab.holdings import name_of
from tests.lab.lab import EDGES, PRIMARY, Lab, Played, docker, node, write_inventory

HUB, SHOP = "store-1", "kiosk"  # the second mesh's names for the two edges of the first
CLUSTER = {HUB: EDGES[0], SHOP: EDGES[1]}
SYSTEM = ("-n", "istio-system")


def retire(lab: Lab, site: str, *arguments: str) -> Played:
    return lab.play("playbooks/retire_site.yml", "-e", f"edge_mesh_retire={site}", *arguments)


def everything(lab: Lab, site: str) -> dict[str, dict[str, Any]]:
    """Every object of the cluster by its name."""
    return {name_of(item): item for item in lab.objects(site, lab.all_kinds(site), "--all-namespaces")}


def of_the_mesh(lab: Lab, site: str) -> list[str]:
    """Whatever reminds of Istio or of us; a node remembers the images that it has."""
    return sorted(
        name
        for name, item in everything(lab, site).items()
        if not name.startswith("Node ") and ("istio" in json.dumps(item) or "edge.mesh/" in json.dumps(item))
    )


@pytest.mark.usefixtures("second_run")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "name the site to take out of the mesh: -e edge_mesh_retire=<site>"),
        (("-e", "edge_mesh_retire=nowhere"), "there is no site nowhere (the inventory has "),
        (("-e", f"edge_mesh_retire={PRIMARY}"), f"{PRIMARY} is the primary of {', '.join(EDGES)}; retire those first"),
        (("-e", f"edge_mesh_retire={EDGES[0]}", "--limit", f"{PRIMARY}-machine"), "the run is limited to other sites"),
    ],
)
def test_what_cant_be_retired_is_refused(lab: Lab, arguments: tuple[str, ...], expected: str) -> None:
    refused = lab.play("playbooks/retire_site.yml", *arguments)
    assert refused.rc != 0
    said = " ".join(refused.output.split())
    assert "nothing was touched" in said
    assert expected in said, said[-2000:]


@pytest.fixture(scope="module")
def dead(lab: Lab, second_run: Played) -> Iterator[Played]:
    """A site is retired while its API is dropped."""
    assert second_run.rc == 0
    outage.cut(EDGES[1])
    try:
        yield retire(lab, EDGES[1])
    finally:
        outage.mend(EDGES[1])


def test_a_dead_site_is_cleaned_on_the_primary(lab: Lab, dead: Played) -> None:
    assert dead.rc == 0, dead.output[-4000:]
    secrets = [item["metadata"]["name"] for item in lab.objects(PRIMARY, "secrets", *SYSTEM)]
    assert f"istio-remote-secret-{EDGES[1]}" not in secrets
    assert f"istio-remote-secret-{EDGES[0]}" in secrets
    service = json.loads(lab.kubectl(PRIMARY, "get", "service", "istiod-gateway", *SYSTEM, "-o", "json"))
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", node(EDGES[1]))
    assert f"{address.strip()}/32" not in service["spec"]["loadBalancerSourceRanges"]


def test_what_the_dead_site_still_has_is_listed(lab: Lab, dead: Played) -> None:
    assert dead.rc == 0
    rows = {(row["site"], row["step"]): row for row in lab.report("retire")["results"]}
    assert rows[PRIMARY, "listed"]["reason"] == f"nothing of {EDGES[1]} is left"
    assert "it gave no answer, so it still has its gateways, webhook" in rows[EDGES[1], "site"]["reason"]


@pytest.fixture(scope="module")
def left(lab: Lab, dead: Played) -> dict[str, Played]:
    """Both edges leave; the dead one has come back."""
    assert dead.rc == 0
    outage.mend(EDGES[1])
    return {site: retire(lab, site) for site in EDGES}


@pytest.mark.parametrize("site", EDGES)
def test_a_site_that_left_has_nothing_of_the_mesh(lab: Lab, left: dict[str, Played], site: str) -> None:
    assert left[site].rc == 0, left[site].output[-4000:]
    assert of_the_mesh(lab, site) == []


@pytest.mark.parametrize("site", EDGES)
def test_the_primary_knows_nothing_of_a_site_that_left(lab: Lab, left: dict[str, Played], site: str) -> None:
    assert left[site].rc == 0
    assert not [name for name in everything(lab, PRIMARY) if name.endswith(f"istio-remote-secret-{site}")]


def test_retiring_again_changes_nothing(lab: Lab, left: dict[str, Played]) -> None:
    assert left
    again = retire(lab, EDGES[0])
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]


# -- the second mesh, of clusters that are there already ---------------------------------------------------------------

DEFINITION = "CustomResourceDefinition virtualservices.networking.istio.io"
LATE_DEFINITION = "CustomResourceDefinition destinationrules.networking.istio.io"
ADOPTED = ("Namespace istio-system", "Namespace sample", DEFINITION)
FOREIGN = (*ADOPTED, "VirtualService shop/theirs", "ConfigMap istio-system/theirs", "ConfigMap sample/theirs")


def stranger(kind: str, namespace: str, name: str, **more: Any) -> dict[str, Any]:
    """An object that somebody else made before us."""
    group = "networking.istio.io/v1" if kind in ("VirtualService", "DestinationRule") else "v1"
    metadata = {"name": name, "labels": {"team": "shop"}, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **more}


@pytest.fixture(scope="module")
def second(lab: Lab, left: dict[str, Played]) -> Lab:
    """An inventory of provider `existing` over the clusters that left, with others' things at the edge."""
    assert all(played.rc == 0 for played in left.values())
    found = Lab(lab.inventory.parent / "second")
    sites = {
        name: {
            "edge_mesh_kubeconfig": str(lab.kubeconfig(cluster)),
            "edge_mesh_gateway_addresses": [lab.address(cluster)],
        }
        for name, cluster in CLUSTER.items()
    }
    common = {"edge_mesh_provider": "existing", "edge_mesh_artifacts": "build"}
    write_inventory(found.inventory, "second", sites, (HUB,), common)
    definition = json.loads(lab.kubectl(PRIMARY, "get", "crd", "virtualservices.networking.istio.io", "-o", "json"))
    bare = {
        "apiVersion": definition["apiVersion"], "kind": definition["kind"],
        "metadata": {"name": definition["metadata"]["name"], "labels": {"team": "shop"}}, "spec": definition["spec"],
    }  # fmt: skip
    lab.kubectl(CLUSTER[SHOP], "create", "-f", "-", stdin=json.dumps(bare))
    lab.kubectl(CLUSTER[SHOP], "wait", "--for=condition=Established", "crd/virtualservices.networking.istio.io")
    things = [
        stranger("Namespace", "", "istio-system"),
        stranger("Namespace", "", "sample"),
        stranger("Namespace", "", "shop"),
        stranger("ConfigMap", "istio-system", "theirs", data={"a": "1"}),
        stranger("ConfigMap", "sample", "theirs", data={"a": "1"}),
        stranger("VirtualService", "shop", "theirs", spec={"hosts": ["x.example"], "http": [
            {"route": [{"destination": {"host": "x.example"}}]}]}),
    ]  # fmt: skip
    for thing in things:
        lab.kubectl(CLUSTER[SHOP], "create", "-f", "-", stdin=json.dumps(thing))
    return found


@pytest.fixture(scope="module")
def before(lab: Lab, second: Lab) -> dict[str, dict[str, Any]]:
    """The edge's cluster before the second mesh."""
    assert second.inventory.exists()
    return everything(lab, CLUSTER[SHOP])


@pytest.fixture(scope="module")
def theirs(before: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Others' things as they were then."""
    return {name: before[name] for name in FOREIGN}


@pytest.fixture(scope="module")
def planned(second: Lab, theirs: dict[str, dict[str, Any]]) -> Played:
    """The plan for clusters without Istio."""
    assert theirs
    return second.play("site.yml", "--check", "--diff")


@pytest.fixture(scope="module")
def adopted(second: Lab, planned: Played) -> Played:
    """The main job on clusters that were there before; sample apps too, into a namespace that somebody has."""
    assert planned.output
    return second.play("site.yml", "-e", "edge_mesh_sample_apps=true")


def test_a_plan_for_clusters_without_istio_fails_nowhere_and_changes_nothing(
    lab: Lab, planned: Played, theirs: dict[str, dict[str, Any]]
) -> None:
    assert planned.rc == 0, planned.output[-6000:]
    assert planned.changed > 0
    assert "PRIVATE KEY" not in planned.output
    assert len(planned.output.splitlines()) < 6000
    now = everything(lab, CLUSTER[SHOP])
    assert {name: now[name]["metadata"]["resourceVersion"] for name in theirs} == {
        name: item["metadata"]["resourceVersion"] for name, item in theirs.items()
    }
    assert of_the_mesh(lab, CLUSTER[HUB]) == []


def test_a_kubeconfig_is_all_that_a_site_needs(adopted: Played, second: Lab) -> None:
    assert adopted.rc == 0, adopted.output[-6000:]
    proven = second.play("verify.yml", "-e", "edge_mesh_sample_apps=true")
    assert proven.rc == 0, proven.output[-6000:]
    again = second.play("site.yml", "-e", "edge_mesh_sample_apps=true")
    assert (again.rc, again.changed) == (0, 0), again.output[-4000:]


def test_without_sample_apps_verify_brings_probes_and_takes_them_away(lab: Lab, adopted: Played, second: Lab) -> None:
    assert adopted.rc == 0
    before = everything(lab, CLUSTER[SHOP]).keys()
    proven = second.play("verify.yml")
    assert proven.rc == 0, proven.output[-6000:]
    assert "Namespace edge-mesh-verify" not in everything(lab, CLUSTER[SHOP])
    assert {name for name in before if name.startswith("Deployment ")} <= everything(lab, CLUSTER[SHOP]).keys()


def test_an_existing_cluster_is_never_deleted_and_loses_only_what_we_made(
    lab: Lab, adopted: Played, second: Lab, theirs: dict[str, dict[str, Any]], before: dict[str, dict[str, Any]]
) -> None:
    assert adopted.rc == 0
    late = stranger("DestinationRule", "shop", "late", spec={"host": "x.example"})
    lab.kubectl(CLUSTER[SHOP], "create", "-f", "-", stdin=json.dumps(late))
    retired = retire(second, SHOP, "-e", "edge_mesh_delete_cluster=true")
    assert retired.rc == 0, retired.output[-6000:]
    now = everything(lab, CLUSTER[SHOP])
    for name, item in theirs.items():
        assert now[name]["metadata"]["uid"] == item["metadata"]["uid"], name
        assert now[name].get("spec") == item.get("spec"), name
        assert now[name]["metadata"].get("annotations") == item["metadata"].get("annotations"), name
        assert now[name]["metadata"]["labels"] == item["metadata"]["labels"], name
    kept = {row["step"] for row in second.report("retire")["results"] if row["result"] == "kept"}
    assert {DEFINITION, LATE_DEFINITION} <= kept
    stays = {*before, LATE_DEFINITION, "DestinationRule shop/late"}
    assert [name for name in of_the_mesh(lab, CLUSTER[SHOP]) if name not in stays] == []


def test_a_definition_of_ours_goes_when_nobody_uses_it_any_more(lab: Lab, adopted: Played, second: Lab) -> None:
    assert adopted.rc == 0
    lab.kubectl(CLUSTER[SHOP], "delete", "destinationrule", "late", "-n", "shop")
    assert retire(second, SHOP).rc == 0
    assert LATE_DEFINITION not in everything(lab, CLUSTER[SHOP])


def test_a_primary_without_sites_can_be_retired_and_its_ca_stays_here(lab: Lab, second: Lab, adopted: Played) -> None:
    assert adopted.rc == 0
    inventory = second.inventory / "hosts.yml"
    only = {HUB: {"edge_mesh_kubeconfig": str(lab.kubeconfig(CLUSTER[HUB])),
                  "edge_mesh_gateway_addresses": [lab.address(CLUSTER[HUB])]}}  # fmt: skip
    write_inventory(inventory.parent, "second", only, (HUB,), {"edge_mesh_provider": "existing"})
    retired = retire(second, HUB)
    assert retired.rc == 0, retired.output[-6000:]
    assert of_the_mesh(lab, CLUSTER[HUB]) == []
    assert (second.state / f"ca/{HUB}/ca-key.pem").exists()
