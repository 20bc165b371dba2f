# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image of a site's machine: Debian with systemd, sshd, sudo and Python, made as the lab makes its others.

It also holds the lab's Kubernetes programs where the stand-in for K3s finds them, as a release of K3s brings its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import catalogue, image_archive, node_image, rootfs
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache, cache_root
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import Docker
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.engine import Engine
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import go_version
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.image_archive import Entry, Settings
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.images import ARCHIVE, SEARCH_PATH
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import line
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.service import architecture
from tests.lab.lab import ROOT

IMAGE = "edge-mesh.local/machine:1"
STANDIN = "/opt/standin"
CONTAINERD = Path(__file__).with_name("standin") / "containerd.toml"
FILES = ROOT / "roles/artifacts/files"
_ROOTFS = "rootfs-machine"
_PROGRAMS = (
    *("containerd", "containerd-shim-runc-v2", "ctr", "etcd", "kube-apiserver", "kube-controller-manager"),
    *("kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet"),
)
_PACKAGES = (*rootfs.NODE, "openssh-server", "openssl", "python3", "sudo")
_UNITS = "/etc/systemd/system"


def _entries(ctx: BuildContext) -> Iterator[Entry]:
    recipe = ctx.files / node_image.RECIPE
    for name in _PROGRAMS:
        yield Entry(f"{STANDIN}/{name}", source=ctx.inputs[name] / name)
    for name in node_image.CNI_PLUGINS:
        yield Entry(f"{STANDIN}/cni/{name}", source=ctx.inputs["cni"] / name)
    template = (recipe / "etc/cni/edge-mesh.conflist.template").read_text(encoding="utf-8")
    # K3s keeps what its plugins know of addresses where its own removal finds it.
    template = template.replace("/run/cni-ipam-state", "/var/lib/cni/networks")
    yield Entry(f"{STANDIN}/cni.template", source=template.encode(), mode=0o644)
    yield Entry(f"{STANDIN}/containerd.toml", source=CONTAINERD.read_bytes(), mode=0o644)
    yield Entry("/usr/local/bin/entrypoint", source=recipe / "entrypoint")
    for file in ("systemd/journald.conf.d/edge-mesh.conf", "systemd/system.conf.d/edge-mesh.conf"):
        yield Entry(f"/etc/{file}", source=recipe / "etc" / file, mode=0o644)
    yield Entry(f"{_UNITS}/default.target", link="/lib/systemd/system/multi-user.target")
    # A kubelet in a container needs a slice of its own, which is a mount there (see the entry point).
    yield Entry(f"{_UNITS}/kubelet.slice", source=recipe / "etc/systemd/system/kubelet.slice", mode=0o644)
    yield Entry(f"{_UNITS}/multi-user.target.wants/kubelet.slice", link=f"{_UNITS}/kubelet.slice")
    for unit in node_image.MASKED:
        yield Entry(f"{_UNITS}/{unit}", link="/dev/null")
    yield Entry("/etc/machine-id", source=b"", mode=0o444)
    yield Entry("/etc/sudoers.d/site", source=b"site ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
    yield Entry("/etc/ssh/sshd_config.d/lab.conf", source=b"PasswordAuthentication no\nUseDNS no\n", mode=0o644)
    for path, text in (
        ("/etc/passwd", "site:x:1000:1000::/home/site:/bin/bash\nguest:x:1001:1001::/home/guest:/bin/bash\n"),
        ("/etc/group", "site:x:1000:\nguest:x:1001:\n"),
        ("/etc/shadow", "site:*:20000::::::\nguest:*:20000::::::\n"),
    ):
        below = image_archive.read_member(ctx.inputs[_ROOTFS] / rootfs.TAR, path)
        yield Entry(path, source=below + text.encode(), mode=0o640 if path.endswith("shadow") else 0o644)
    for number, user in ((1000, "site"), (1001, "guest")):
        yield Entry(f"/home/{user}", owner=number)
        yield Entry(f"/home/{user}/.ssh", owner=number, mode=0o700)


def _build(ctx: BuildContext) -> None:
    """Compose the image and hand it to Docker."""
    settings = Settings(
        entrypoint=("/usr/local/bin/entrypoint",),
        environment={"PATH": SEARCH_PATH, "container": "docker"},
        stop_signal="SIGRTMIN+3",
        labels={**ctx.labels, **rootfs.package_labels(ctx.inputs[_ROOTFS])},
    )
    layer, archive = ctx.work / "layer.tar", ctx.work / "machine.tar"
    image_archive.write_layer(layer, _entries(ctx))
    image_archive.write_image(archive, ctx.image, [ctx.inputs[_ROOTFS] / rootfs.TAR, layer], settings, ctx.arch)
    ctx.run(["docker", "load", "--quiet", "--input", archive])


_PARAMS = {"version": "1", "format": image_archive.FORMAT, "containerd": CONTAINERD.read_text(encoding="utf-8")}
_COMPONENTS = (
    rootfs._component(_ROOTFS, _PACKAGES, 60),
    Component(
        name="machine-image", kind="node-image", build=_build, needs=(_ROOTFS, *_PROGRAMS, "cni"),
        recipe_files=(node_image.RECIPE,), params=_PARAMS, image=IMAGE,
    ),
)  # fmt: skip


def engine() -> Engine:
    """An engine that can make the machine's image beside everything else of the lab."""
    components = {**catalogue.components(), **{each.name: each for each in _COMPONENTS}}
    return Engine(
        components=components, cache=Cache(cache_root(os.environ)), images=Docker(), files=FILES, arch=architecture(),
        toolchain={"go": go_version()[0]}, report=lambda event: print(line(event), flush=True),
    )  # fmt: skip


def make() -> None:
    """Make the image, if it isn't there."""
    maker = engine()
    maker.run(maker.plan(["machine-image"]))


def archive(image: str) -> Path:
    """The archive of one of the lab's images (``image-coredns``), made if it isn't there."""
    maker = engine()
    maker.run(maker.plan([image]))
    return maker.path(image, ARCHIVE)


if __name__ == "__main__":
    make()
