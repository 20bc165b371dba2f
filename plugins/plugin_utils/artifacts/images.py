# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container images that run in the clusters, as a table (recipes; each leaves its archive as a file).

They are archives, not images of a Docker daemon: only the nodes' containerd runs them, and a wiped daemon costs
nothing. Where a program is static there is nothing else in the image. Names lie in a registry that doesn't exist, so
that no image of ours is ever taken for a publisher's, and none is pulled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import image_archive
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.image_archive import Entry, Settings
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.rootfs import TAR, package_labels

__all__ = ["ARCHIVE", "COMPONENTS", "IMAGES", "PAUSE", "SEARCH_PATH", "Image"]

ARCHIVE = "image.tar"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE = "rootfs-base"
PROXY_USER = 1337  # istio-iptables lets this user's traffic past the proxy: it is part of Istio's interface
NOBODY = 65532
PAUSE = f"{BUILD.kubernetes_images}/pause:{BUILD.pause_tag}"


@dataclass(frozen=True)
class Image:
    """An image: ``programs`` maps its paths to ``<component>/<file>``, ``recipes`` to files below ``files/images``."""

    name: str  # "<repository>:<tag>"
    version: str  # of what is inside; the tag may be what somebody else asks for
    title: str
    programs: Mapping[str, str] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)
    base: bool = False  # on the Debian root file system, or from scratch
    entrypoint: Sequence[str] = ()
    user: int = 0
    user_name: str = ""  # entered in /etc/passwd and /etc/group
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        """The components that it is made of."""
        programs = {source.partition("/")[0]: None for source in self.programs.values()}
        return (*programs, *([BASE] if self.base and BASE not in programs else []))


def _kubernetes(name: str, *, base: bool = False) -> Image:
    return Image(
        name=f"{BUILD.kubernetes_images}/{name}:{BUILD.kubernetes}",
        version=BUILD.kubernetes,
        title=f"Kubernetes {name}, built by edge.mesh",
        programs={f"/usr/local/bin/{name}": f"{name}/{name}"},
        base=base,
    )


IMAGES: Mapping[str, Image] = {
    "image-kube-apiserver": _kubernetes("kube-apiserver"),
    "image-kube-controller-manager": _kubernetes("kube-controller-manager"),
    "image-kube-scheduler": _kubernetes("kube-scheduler"),
    "image-kube-proxy": _kubernetes("kube-proxy", base=True),
    "image-etcd": Image(
        name=f"{BUILD.kubernetes_images}/etcd:{BUILD.etcd_tag}",
        version=BUILD.etcd,
        title="etcd, built by edge.mesh",
        programs={"/usr/local/bin/etcd": "etcd/etcd"},
    ),
    "image-coredns": Image(
        name=f"{BUILD.kubernetes_images}/coredns:{BUILD.coredns_tag}",
        version=BUILD.coredns,
        title="CoreDNS, built by edge.mesh",
        programs={"/coredns": "coredns/coredns"},
        entrypoint=("/coredns",),
    ),
    "image-pause": Image(
        name=PAUSE,
        version=BUILD.pause_tag,
        title="Pause container of edge.mesh: Debian's catatonit, waiting",
        programs={"/catatonit": f"{BASE}/usr/bin/catatonit"},
        entrypoint=("/catatonit", "-P"),
        user=NOBODY,
    ),
    "image-pilot": Image(
        name=BUILD.pilot,
        version=BUILD.istio,
        title="Istio pilot-discovery, built by edge.mesh",
        programs={
            "/usr/local/bin/pilot-discovery": "pilot-discovery/pilot-discovery",
            "/etc/ssl/certs/ca-certificates.crt": f"{BASE}/etc/ssl/certs/ca-certificates.crt",
        },
        entrypoint=("/usr/local/bin/pilot-discovery",),
        user=PROXY_USER,
        user_name="istio-proxy",
    ),
    "image-proxyv2": Image(
        name=BUILD.proxyv2,
        version=BUILD.istio,
        title=f"Istio pilot-agent with a stock Envoy {BUILD.envoy}, built by edge.mesh",
        programs={
            "/usr/local/bin/pilot-agent": "pilot-agent/pilot-agent",
            "/usr/local/bin/envoy": "envoy/envoy",
            "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": "envoy-bootstrap/envoy_bootstrap.json",
        },
        base=True,
        entrypoint=("/usr/local/bin/pilot-agent",),
        user=PROXY_USER,
        user_name="istio-proxy",
        environment={"ISTIO_META_ISTIO_VERSION": BUILD.istio},
    ),
    "image-helloworld": Image(
        name=BUILD.helloworld,
        version=BUILD.samples,
        title="Sample service of edge.mesh that says where it runs",
        recipes={"/app/server.py": "helloworld/server.py"},
        base=True,
        entrypoint=("/usr/bin/python3", "-IS", "-u", "/app/server.py"),
        user=NOBODY,
        user_name="app",
    ),
    "image-bookinfo": Image(
        name=BUILD.bookinfo,
        version=BUILD.samples,
        title="Sample application of edge.mesh: a page that four services make",
        recipes={"/app/server.py": "bookinfo/server.py"},
        base=True,
        entrypoint=("/usr/bin/python3", "-IS", "-u", "/app/server.py"),
        user=NOBODY,
        user_name="app",
    ),
    "image-sleep": Image(
        name=BUILD.sleep,
        version=BUILD.samples,
        title="Sample client of edge.mesh: a shell and curl",
        base=True,
        entrypoint=("/usr/bin/catatonit", "--", "/usr/bin/sleep", "infinity"),
        user=NOBODY,
        user_name="app",
    ),
}


def _passwd(ctx: BuildContext, image: Image) -> list[Entry]:
    """The base's users and groups, and the image's own."""
    if not image.user_name:
        return []
    entries = []
    for path, line in (
        ("/etc/passwd", f"{image.user_name}:x:{image.user}:{image.user}::/nonexistent:/usr/sbin/nologin\n"),
        ("/etc/group", f"{image.user_name}:x:{image.user}:\n"),
    ):
        below = image_archive.read_member(ctx.inputs[BASE] / TAR, path) if image.base else b""
        entries.append(Entry(path, source=below + line.encode(), mode=0o644))
    return entries


def _program(ctx: BuildContext, source: str) -> Path | bytes:
    component, file = source.split("/", 1)
    if component == BASE:
        return image_archive.read_member(ctx.inputs[BASE] / TAR, f"/{file}")
    return ctx.inputs[component] / file


def _build(image: Image) -> Callable[[BuildContext], None]:
    def build(ctx: BuildContext) -> None:
        entries = [
            Entry(path, source=_program(ctx, source), mode=0o755 if "bin/" in path or path.count("/") == 1 else 0o644)
            for path, source in image.programs.items()
        ]
        entries += [
            Entry(path, source=ctx.files / "images" / source, mode=0o644) for path, source in image.recipes.items()
        ]
        entries += _passwd(ctx, image)
        if not image.base:
            entries.append(Entry("/tmp", mode=0o1777))  # noqa: S108 (a directory in the image)
        own = ctx.work / "own.tar"
        image_archive.write_layer(own, entries)
        settings = Settings(
            entrypoint=image.entrypoint,
            environment={"PATH": SEARCH_PATH, **image.environment},
            user=f"{image.user}:{image.user}" if image.user else "",
            labels={
                **ctx.labels,
                **(package_labels(ctx.inputs[BASE]) if BASE in image.needs else {}),
                "org.opencontainers.image.title": image.title,
                "org.opencontainers.image.version": image.version,
            },
        )
        layers = [ctx.inputs[BASE] / TAR, own] if image.base else [own]
        identity = image_archive.write_image(ctx.out / ARCHIVE, image.name, layers, settings, ctx.arch)
        ctx.say(f"{image.name} is {identity}")

    return build


def _component(name: str, image: Image) -> Component:
    return Component(
        name=name,
        kind="image",
        build=_build(image),
        needs=image.needs,
        recipe_files=tuple(f"images/{source}" for source in image.recipes.values()),
        params={
            "name": image.name,
            "version": image.version,
            "title": image.title,
            "recipe": repr(image),
            "format": image_archive.FORMAT,
        },
        outputs=(ARCHIVE,),
        cost=4 if image.base else 2,
    )


COMPONENTS = tuple(_component(name, image) for name, image in IMAGES.items())
