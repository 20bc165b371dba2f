# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""K3s taken off a machine that a test lays out: only ours, all of it, and in an order that can be cut off anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.module_utils._k3s.machine import Machine
from ansible_collections.edge.mesh.plugins.module_utils._k3s.removal import Removal
from tests.unit.plugins.module_utils._k3s.test_machine import lay

RULES = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A INPUT -p tcp --dport 22
COMMIT
"""
MOUNTS = "proc /proc proc\ntmpfs /run/k3s/a tmpfs\ntmpfs /run/k3s/a/b tmpfs\ntmpfs /srv/run/k3s tmpfs\n"


class World:
    """A machine whose programs remember how they were called; its packet filter is a text."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        self.rules = RULES

    def __call__(self, words: list[str], data: str = "") -> tuple[int, str, str]:
        self.calls.append(words)
        if words[0] == "iptables-save":
            return 0, self.rules, ""
        if words[0] == "iptables-restore":
            self.rules = data
        if words[0] == "umount":
            mounts = self.root / "proc/self/mounts"
            mounts.write_text(
                "".join(line for line in mounts.read_text().splitlines(True) if f" {words[2]} " not in line)
            )
        return 0, "", ""


@pytest.fixture
def world(tmp_path: Path) -> World:
    lay(tmp_path, {
        paths.BINARY: "x", paths.MARKER: json.dumps({"mesh": "m", "site": "shop", "adopted": False}),
        paths.unit_file("server"): "u", f"{paths.DATA}/server/token": "t", "/var/lib/kubelet/pods/a": "",
        "/run/k3s/s": "",
        "proc/self/mounts": MOUNTS,
        "sys/class/net/eth0/x": "", "sys/class/net/flannel.1/x": "", "/etc/rancher/other": "kept",
    })  # fmt: skip
    return World(tmp_path)


def removal(world: World) -> Removal:
    return Removal(Machine(world, str(world.root)), sleep=lambda _seconds: None)


def test_what_there_is_is_listed_and_nothing_else(world: World) -> None:
    found = removal(world).found()
    assert "unit k3s" in found
    assert "interface flannel.1" in found
    assert "mount /run/k3s/a/b" in found
    assert "rules of iptables" in found
    assert not [line for line in found if "eth0" in line or "/srv" in line or "/proc" in line]


def test_all_of_it_goes_and_strangers_stay(world: World) -> None:
    gone = removal(world)
    gone.remove()
    (world.root / "sys/class/net/flannel.1/x").unlink()  # what the kernel does for `ip link delete`
    (world.root / "sys/class/net/flannel.1").rmdir()
    assert gone.found() == []
    assert (world.root / "etc/rancher/other").read_text() == "kept"
    assert "--dport 22" in world.rules
    assert "KUBE" not in world.rules


@pytest.mark.parametrize("brought", [False, True])
def test_the_kubelets_directory_of_plugins_goes_unless_somebody_brought_one(world: World, brought: bool) -> None:
    plugins = world.root / "usr/libexec/kubernetes/kubelet-plugins/volume/exec"
    plugins.mkdir(parents=True)
    if brought:
        (plugins / "theirs").write_text("")
    removal(world).remove()
    assert (world.root / "usr/libexec/kubernetes").exists() is brought
    assert (world.root / "usr/libexec").exists()


def test_it_stops_before_it_unmounts_and_inner_mounts_go_first(world: World) -> None:
    removal(world).remove()
    words = [" ".join(call) for call in world.calls]
    stop = words.index("systemctl disable --now k3s")
    inner, outer = words.index("umount --lazy /run/k3s/a/b"), words.index("umount --lazy /run/k3s/a")
    assert stop < inner < outer
    assert ["ip", "link", "delete", "flannel.1"] in world.calls


def test_the_mark_goes_last_so_that_a_removal_that_was_cut_off_is_known_as_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    module = "ansible_collections.edge.mesh.plugins.module_utils._k3s.removal.shutil.rmtree"
    monkeypatch.setattr(module, lambda path, **_ignored: seen.append(str(path)))
    removal(world).remove()
    assert seen[-1] == str(world.root / "etc/rancher/k3s")


@pytest.mark.parametrize(("owner", "allowed"), [
    ({"mesh": "m", "site": "shop", "adopted": False}, True), ({"mesh": "m", "site": "shop", "adopted": True}, False),
])  # fmt: skip
def test_one_that_was_taken_over_stays(world: World, owner: dict[str, object], allowed: bool) -> None:
    lay(world.root, {paths.MARKER: json.dumps(owner)})
    assert removal(world).allowed("m", "shop") is allowed


@pytest.mark.parametrize(("mesh", "site"), [("other", "shop"), ("m", "inn")])
def test_anothers_is_refused(world: World, mesh: str, site: str) -> None:
    with pytest.raises(MeshError, match="belongs to site shop of mesh m"):
        removal(world).allowed(mesh, site)


def test_one_of_nobody_we_know_is_refused(world: World) -> None:
    (world.root / paths.MARKER.lstrip("/")).unlink()
    with pytest.raises(MeshError, match="nothing says"):
        removal(world).allowed("m", "shop")


def test_where_there_is_none_nothing_is_done(tmp_path: Path) -> None:
    assert removal(World(tmp_path)).allowed("m", "shop") is False
