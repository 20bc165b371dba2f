# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node image: what kind starts as a node, with every image of a run inside (a recipe).

Three layers: the Debian root file system that boots systemd, our programs and settings, and containerd's own directory
with all images unpacked in it. What kind wants of such an image is listed in ``roles/artifacts/files/images/node``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import image_archive
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.image_archive import Entry, Settings
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.images import ARCHIVE, IMAGES, PAUSE, SEARCH_PATH
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.rootfs import TAR, package_labels

__all__ = ["COMPONENTS", "RECIPE", "recipe_entries"]

ROOTFS = "rootfs-node"
RECIPE = "images/node"
CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr")
PROGRAMS = (*CONTAINERD, "kubeadm", "kubectl", "kubelet")
CNI_PLUGINS = ("host-local", "loopback", "portmap", "ptp")
ENABLED = ("containerd.service", "kubelet.service")
# Nobody logs in, and nothing is cleaned up by the clock.
MASKED = (
    "console-getty.service",
    "dpkg-db-backup.timer",
    "getty.target",
    "systemd-logind.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
)


def recipe_entries(recipe: Path) -> Iterator[Entry]:
    """Everything below ``etc`` and ``kind``, in its place; the sandbox image's name filled in."""
    for top in ("etc", "kind"):
        for file in sorted((recipe / top).rglob("*")):
            if file.is_file():
                content = file.read_bytes().replace(b"@SANDBOX@", PAUSE.encode())
                mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
                yield Entry(f"/{file.relative_to(recipe)}", source=content, mode=mode)


def _units() -> Iterator[Entry]:
    units = "/etc/systemd/system"
    yield Entry(f"{units}/default.target", link="/lib/systemd/system/multi-user.target")
    for unit in ENABLED:
        yield Entry(f"{units}/multi-user.target.wants/{unit}", link=f"{units}/{unit}")
    for unit in MASKED:
        yield Entry(f"{units}/{unit}", link="/dev/null")


def _settings_layer(ctx: BuildContext) -> Path:
    recipe = ctx.files / RECIPE
    target = ctx.work / "settings.tar"
    entries = [
        *(Entry(f"/usr/local/bin/{name}", source=ctx.inputs[name] / name) for name in PROGRAMS),
        *(Entry(f"/opt/cni/bin/{name}", source=ctx.inputs["cni"] / name) for name in CNI_PLUGINS),
        Entry("/usr/local/bin/entrypoint", source=recipe / "entrypoint"),
        *recipe_entries(recipe),
        *_units(),
        Entry("/etc/cni/net.d"),
        Entry("/etc/machine-id", source=b"", mode=0o444),
        Entry("/kind/version", source=BUILD.kubernetes.encode(), mode=0o644),
    ]
    image_archive.write_layer(target, entries)
    return target


def _images_layer(ctx: BuildContext) -> Path:
    programs, root, target = ctx.work / "programs", ctx.work / "root", ctx.work / "images.tar"
    programs.mkdir()
    for name in CONTAINERD:
        (programs / name).symlink_to(ctx.inputs[name] / name)
    archives = [ctx.inputs[name] / ARCHIVE for name in IMAGES]
    directory = root / "var/lib/containerd"
    ctx.run([ctx.files / RECIPE / "import-images", programs, directory, ctx.work / "scratch", *archives])
    ctx.run(["tar", "--create", "--file", target, "--numeric-owner", "--sort=name", "--directory", root, "var"])
    return target


def build(ctx: BuildContext) -> None:
    """Compose the node image and hand it to Docker."""
    settings = Settings(
        entrypoint=("/usr/local/bin/entrypoint",),
        environment={"PATH": SEARCH_PATH, "container": "docker"},
        stop_signal="SIGRTMIN+3",
        labels={
            **ctx.labels,
            **package_labels(ctx.inputs[ROOTFS]),
            "org.opencontainers.image.title": f"Node for kind with Kubernetes {BUILD.kubernetes}, built by edge.mesh",
            "org.opencontainers.image.version": BUILD.kubernetes,
            "edge.mesh.images": " ".join(sorted(image.name for image in IMAGES.values())),
        },
    )
    layers = [ctx.inputs[ROOTFS] / TAR, _settings_layer(ctx), _images_layer(ctx)]
    archive = ctx.work / "node.tar"
    image_archive.write_image(archive, ctx.image, layers, settings, ctx.arch)
    ctx.run(["docker", "load", "--quiet", "--input", archive])


COMPONENTS = (
    Component(
        name="node-image",
        kind="node-image",
        build=build,
        needs=(ROOTFS, *PROGRAMS, "cni", *IMAGES),
        recipe_files=(RECIPE,),
        params={"version": BUILD.kubernetes, "format": image_archive.FORMAT},
        image=BUILD.node,
        # Its parts lie in the cache, and putting them together takes half a minute: a second gigabyte isn't worth it.
        saved=False,
        cost=30,
    ),
)
