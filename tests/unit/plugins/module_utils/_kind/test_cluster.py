# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KinD clusters: what is recognised, what is touched, and what is said when a program fails.

The programs are scripted here; the lab runs the real ones.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._kind.cluster import Kind, Wanted
from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.modules import kind_cluster
from tests.unit.plugins.module_utils._k8s.conftest import make_pki, write_kubeconfig
from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply

Answer = tuple[int, str, str]
NODE = json.dumps(
    [
        {
            "State": {"Running": True},
            "NetworkSettings": {"Networks": {"edge-mesh-m": {}}},
            "Config": {"Image": "node:1"},
        }
    ]
)


class Programs:
    """Answers by the words that a command holds, and all commands that were run."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = {
            "container inspect": (0, NODE, ""),
            "network inspect": (0, "m\n", ""),
            **{name.replace("_", " "): answer for name, answer in answers.items()},
        }
        self.run: list[str] = []

    def __call__(self, words: list[str], *, data: str | None, environ_update: dict[str, str]) -> Answer:
        assert words[0] == "timeout"
        line = " ".join(words[2:])
        self.run.append(line)
        return next((answer for part, answer in self.answers.items() if part in line), (0, "", ""))

    def ran(self, part: str) -> bool:
        return any(part in line for line in self.run)


def apply(tmp_path: Path, programs: Programs, *, check: bool = False, **params: Any) -> Any:
    values = {
        "name": "m-shop",
        "mesh": "m",
        "network": "edge-mesh-m",
        "links": [],
        "image": "node:1",
        "config": "kind: Cluster",
        "kubeconfig": str(tmp_path / "kubeconfig/shop.yaml"),
        "kind": "kind",
        "docker": "docker",
        "timeout": 1,
        "state": "present",
        **params,
    }
    return kind_cluster.handle(Call(values, check, False, programs))


def test_check_mode_says_that_there_is_no_cluster_and_makes_none(tmp_path: Path) -> None:
    programs = Programs(container_inspect=(1, "", "Error: No such container: m-shop-control-plane"))
    outcome = apply(tmp_path, programs, check=True)
    assert (outcome.changed, outcome.result["reasons"]) == (True, ["there was no cluster"])
    assert not programs.ran("create")
    assert not (tmp_path / "kubeconfig").exists()


def test_a_half_created_cluster_is_recognised_by_its_missing_marker(tmp_path: Path) -> None:
    programs = Programs(docker_cp=(1, "", "Error response from daemon: Could not find the file /kind/x in container m"))
    outcome = apply(tmp_path, programs, check=True)
    assert outcome.result["reasons"] == ["the cluster was half-created"]
    assert not programs.ran("delete")


def test_docker_that_cannot_look_is_no_reason_to_delete(tmp_path: Path) -> None:
    programs = Programs(docker_cp=(1, "", "no space left on device"))
    with pytest.raises(MeshError, match="the node m-shop-control-plane can't be looked into: no space left on device"):
        apply(tmp_path, programs)
    assert not programs.ran("delete")


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_kubeconfig_of_something_else_is_neither_replaced_nor_deleted(tmp_path: Path, state: str) -> None:
    kubeconfig = tmp_path / "kubeconfig/shop.yaml"
    kubeconfig.parent.mkdir()
    kubeconfig.write_text("contexts: [{name: work, context: {}}]")
    with pytest.raises(MeshError, match="holds other contexts than kind-m-shop"):
        apply(tmp_path, Programs(), state=state)
    assert "work" in kubeconfig.read_text()


def test_check_mode_without_docker_says_that_there_is_no_cluster(tmp_path: Path) -> None:
    outcome = apply(tmp_path, Programs(**{"docker_--version": (127, "", "")}), check=True)
    assert outcome.result["reasons"] == ["there was no cluster"]


def test_a_whole_cluster_is_left_alone_in_check_mode(tmp_path: Path) -> None:
    outcome = apply(tmp_path, Programs(), check=True)
    assert (outcome.changed, outcome.result["reasons"]) == (False, [])


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_cluster_of_somebody_else_is_never_deleted(tmp_path: Path, state: str) -> None:
    programs = Programs(network_inspect=(0, "\n", ""))
    if state == "present":
        with pytest.raises(MeshError, match="exists that this mesh didn't make"):
            apply(tmp_path, programs, state=state)
    else:
        assert not apply(tmp_path, programs, state=state).changed
    assert not programs.ran("delete cluster")
    assert not programs.ran("network rm")


def test_removal_takes_cluster_kubeconfig_and_network(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig/shop.yaml"
    kubeconfig.parent.mkdir()
    kubeconfig.write_text("contexts: [{name: kind-m-shop, context: {}}]")
    programs = Programs()
    assert apply(tmp_path, programs, state="absent").changed
    assert programs.ran("kind delete cluster --name m-shop")
    assert programs.ran("network rm edge-mesh-m")
    assert not kubeconfig.exists()


def test_a_network_that_stays_for_others_containers_is_told(tmp_path: Path) -> None:
    attached = "m-till-control-plane m-till\nrouter \n"
    programs = Programs(network_rm=(1, "", "has active endpoints"), docker_ps=(0, attached, ""))
    (warning,) = apply(tmp_path, programs, state="absent").warnings
    assert warning == "the Docker network edge-mesh-m stays, for containers of others are on it: router"
    programs.answers["docker ps"] = (0, "m-till-control-plane m-till\n", "")
    assert apply(tmp_path, programs, state="absent").warnings == ()


def test_a_network_of_another_mesh_is_refused(tmp_path: Path) -> None:
    programs = Programs(network_inspect=(0, "other\n", ""))
    wanted = Wanted("m-shop", "m", "edge-mesh-m", "node:1", "kind: Cluster", tmp_path / "shop.yaml")
    with pytest.raises(MeshError, match="the Docker network edge-mesh-m exists and is not this mesh's"):
        Kind(programs, "kind").create(wanted)


def test_docker_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    programs = Programs(container_inspect=(1, "", "Cannot connect to the Docker daemon"))
    with pytest.raises(MeshError, match="Docker doesn't answer: Cannot connect to the Docker daemon"):
        apply(tmp_path, programs)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    programs = Programs(container_inspect=(127, "", "timeout: failed to run command"))
    with pytest.raises(MeshError, match=r"docker can't be run: no such program \(run the role artifacts\)"):
        apply(tmp_path, programs)


def test_a_program_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    programs = Programs(container_inspect=(124, "", ""))
    with pytest.raises(MeshError, match=r"`docker container inspect .*` didn't end within 120 s"):
        apply(tmp_path, programs)


def test_a_paused_node_is_named_with_its_cure(tmp_path: Path) -> None:
    node = json.loads(NODE)
    node[0]["State"]["Paused"] = True
    with pytest.raises(MeshError, match=r"node m-shop-control-plane is paused \(docker unpause m-shop-control-plane"):
        apply(tmp_path, Programs(container_inspect=(0, json.dumps(node), "")))


@pytest.mark.parametrize(
    ("running_since", "seconds"),
    [
        pytest.param(None, 180, id="just started"),
        pytest.param(1000.0, 180, id="started this second"),
        pytest.param(900.0, 80, id="still coming up"),
        pytest.param(0.0, 20, id="up for long"),
        pytest.param(2000.0, 180, id="a clock that went back"),
    ],
)
def test_a_node_that_has_been_up_for_long_is_not_waited_for(running_since: float | None, seconds: float) -> None:
    assert kind_cluster.patience(180, running_since, 1000.0) == seconds


def test_the_start_of_a_node_is_read_and_nonsense_is_none() -> None:
    node = json.loads(NODE)
    node[0]["State"]["StartedAt"] = "2026-11-25T09:40:11.123456789Z"
    found = Kind(Programs(container_inspect=(0, json.dumps(node), "")), "kind").node("m-shop")
    assert found is not None
    assert found.started == 1795599611.0
    missing = Kind(Programs(), "kind").node("m-shop")
    assert missing is not None
    assert missing.started is None


def test_what_a_killed_creation_left_of_a_kubeconfig_goes(tmp_path: Path) -> None:
    left = tmp_path / ".kind-m-shop"
    left.mkdir()
    (left / "config").write_text("somebody's key")
    programs = Programs()
    Kind(programs, "kind").create(
        Wanted("m-shop", "m", "edge-mesh-m", "node:1", "kind: Cluster", tmp_path / "shop.yaml")
    )
    assert programs.ran(f"--kubeconfig {left}/config")
    assert not left.exists()


def test_a_node_without_a_network_is_named_with_its_cure(tmp_path: Path) -> None:
    node = json.loads(NODE)
    node[0]["NetworkSettings"]["Networks"] = {}
    with pytest.raises(MeshError, match=r"is on no Docker network \(docker network connect edge-mesh-m m-shop-control"):
        apply(tmp_path, Programs(container_inspect=(0, json.dumps(node), "")))


def kubeconfig(certificate: str, key: str) -> str:
    """A KinD cluster's kubeconfig with this client certificate."""

    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    return json.dumps({
        "clusters": [{"name": "kind-m-shop", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "kind-m-shop", "user": user}],
        "contexts": [{"name": "kind-m-shop", "context": {"cluster": "kind-m-shop", "user": "kind-m-shop"}}],
    })  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> str:
    pki = make_pki(tmp_path)  # whose certificates end tomorrow
    return kubeconfig(pki.client_certificate, pki.client_key)


def test_certificates_are_renewed_inside_their_window_only(tmp_path: Path, config: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(kind_cluster, "_wait_ready", lambda *_args: None)
    programs = Programs(get_kubeconfig=(0, config, ""))
    outcome = apply(tmp_path, programs, state="renewed", renew_before="12h")
    assert (outcome.changed, programs.ran("kubeadm")) == (False, False)
    planned = apply(tmp_path, programs, state="renewed", renew_before="30d", check=True)
    assert (planned.changed, programs.ran("kubeadm")) == (True, False)
    outcome = apply(tmp_path, programs, state="renewed", renew_before="30d")
    assert outcome.changed
    assert "inside the renewal window of 30 d" in outcome.result["reasons"][0]
    renewed = next(number for number, line in enumerate(programs.run) if "kubeadm certs renew all" in line)
    assert "pkill" in programs.run[renewed + 1]
    assert (tmp_path / "kubeconfig/shop.yaml").read_text() == config


def test_a_control_plane_that_cant_be_ended_is_told(tmp_path: Path, config: str) -> None:
    programs = Programs(get_kubeconfig=(0, config, ""), pkill=(126, "", "not permitted"))
    with pytest.raises(MeshError, match="the control plane of m-shop-control-plane doesn't end: not permitted"):
        apply(tmp_path, programs, state="renewed", renew_before="30d")


@pytest.mark.parametrize(
    ("inspected", "words"),
    [
        ((1, "", "Error: No such container: m-shop-control-plane"), "there is no cluster"),
        ((0, NODE.replace("true", "false"), ""), "the node is stopped"),
    ],
)
def test_nothing_is_made_or_started_to_be_renewed(tmp_path: Path, inspected: Answer, words: str) -> None:
    programs = Programs(container_inspect=inspected)
    with pytest.raises(MeshError, match=rf"m-shop can't be kept up: {words} \(run site.yml\)"):
        apply(tmp_path, programs, state="renewed", renew_before="30d")
    assert not programs.ran("create")
    assert not programs.ran("docker start")


LINKED = json.dumps([
    {
        "State": {"Running": True, "StartedAt": "2026-01-01T00:00:00Z"},
        "NetworkSettings": {"Networks": {"edge-mesh-m": {}, "edge-mesh-m-old": {}, "somebodys": {}}},
        "Config": {"Image": "node:1"},
    }
])  # fmt: skip


def test_a_node_joins_the_links_that_are_named_and_leaves_those_that_are_not(tmp_path: Path) -> None:
    programs = Programs(container_inspect=(0, LINKED, ""), network_ls=(0, "edge-mesh-m-old old\n", ""))
    planned = apply(tmp_path, programs, check=True, links=["express"])
    wanted = ["the node wasn't on the WAN link express", "the node was on the WAN link old"]
    assert (planned.changed, planned.result["reasons"]) == (True, wanted)
    assert not programs.ran("network connect")
    kind = Kind(programs, "kind")
    target = Wanted("m-shop", "m", "edge-mesh-m", "", "", tmp_path / "shop.yaml")
    kind.link(target, "edge-mesh-m-express", "express")
    assert programs.run[-1] == "docker network connect edge-mesh-m-express m-shop-control-plane"
    assert not programs.ran("network create")  # it is there already, and the mesh's
    programs.answers["network inspect"] = (1, "", "No such network")
    kind.link(target, "edge-mesh-m-express", "express")
    created = next(line for line in programs.run if "network create" in line)
    assert "--label edge.mesh/mesh=m --label edge.mesh/link=express" in created
    assert created.endswith("edge-mesh-m-express")


def test_taking_a_node_off_its_links_touches_no_other_network(tmp_path: Path) -> None:
    programs = Programs(container_inspect=(0, LINKED, ""), network_ls=(0, "edge-mesh-m-old old\n", ""))
    assert apply(tmp_path, programs, check=True, state="unlinked").result["reasons"] == [
        "the node was on the WAN link old"
    ]
    assert not programs.ran("disconnect")
    assert apply(tmp_path, programs, state="unlinked").changed
    assert [line for line in programs.run if "network disconnect" in line or "network rm" in line] == [
        "docker network disconnect edge-mesh-m-old m-shop-control-plane", "docker network rm edge-mesh-m-old",
    ]  # fmt: skip
    gone = Programs(container_inspect=(1, "", "Error: No such container: m-shop-control-plane"))
    assert not apply(tmp_path, gone, state="unlinked").changed


def test_a_cluster_that_goes_takes_the_networks_of_its_links_with_it(tmp_path: Path) -> None:
    programs = Programs(network_ls=(0, "edge-mesh-m-express express\n", ""))
    apply(tmp_path, programs, state="absent")
    removed = [line for line in programs.run if "network rm" in line]
    assert removed == ["docker network rm edge-mesh-m-express", "docker network rm edge-mesh-m"]


def test_a_link_whose_network_is_somebody_elses_is_refused(tmp_path: Path) -> None:
    programs = Programs(network_inspect=(0, "other\n", ""))
    target = Wanted("m-shop", "m", "edge-mesh-m", "", "", tmp_path / "shop.yaml")
    with pytest.raises(MeshError, match="edge-mesh-m-express exists and is not this mesh's"):
        Kind(programs, "kind").link(target, "edge-mesh-m-express", "express")
    assert not programs.ran("network connect")


@pytest.mark.parametrize(
    ("published", "name", "ready", "asked"),
    [
        pytest.param("its own", "m-shop-control-plane", "True", False, id="leads there"),
        pytest.param("1", "m-shop-control-plane", "True", True, id="another port"),
        pytest.param("its own", "other-control-plane", "True", True, id="another cluster"),
        pytest.param("its own", "m-shop-control-plane", "False", True, id="not ready"),
    ],
)
def test_kind_is_asked_for_a_kubeconfig_only_if_the_one_that_is_there_is_of_no_use(
    tmp_path: Path, monkeypatch: Any, published: str, name: str, ready: str, asked: bool
) -> None:
    monkeypatch.setattr(kind_cluster, "_wait_ready", lambda *_args: None)
    node = {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}
    pki = make_pki(tmp_path)
    server = Server(lambda handler, _raw: reply(handler, 200, {"items": [node]}), certificate=pki.server_file)
    try:
        port = server.url.rpartition(":")[2]
        written = tmp_path / "kubeconfig/shop.yaml"
        written.parent.mkdir()
        write_kubeconfig(written, f"https://127.0.0.1:{port}", pki.ca, "{token: t}")
        written.write_text(written.read_text().replace("name: x", "name: kind-m-shop"))
        inspected = json.loads(NODE)
        ports = {"6443/tcp": [{"HostPort": port if published == "its own" else published}]}
        inspected[0]["NetworkSettings"]["Ports"] = ports
        programs = Programs(container_inspect=(0, json.dumps(inspected), ""), get_kubeconfig=(0, "asked", ""))
        outcome = apply(tmp_path, programs)
    finally:
        server.close()
    assert (programs.ran("get kubeconfig"), outcome.changed) == (asked, asked)


def test_each_deletion_has_a_kubeconfig_of_its_own_so_that_several_at_once_share_no_lock(tmp_path: Path) -> None:
    programs = Programs()
    for _turn in range(2):
        Kind(programs, kind="kind", docker="docker").delete("m-shop")
    paths = [line.split("--kubeconfig ")[1].split()[0] for line in programs.run]
    assert len(set(paths)) == 2
    assert not any(Path(path).parent.exists() for path in paths)
