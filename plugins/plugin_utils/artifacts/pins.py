# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place for versions and image names, a set for each artifact source (used by everything here).

The modules' checksums of source ``build`` stand in ``go.sum`` and ``requirements.txt`` beside the recipes. Source
``upstream`` has no checksum here on purpose: the publisher's is fetched and recorded, see ``upstream.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUILD", "ISTIO_COMMIT", "UPSTREAM", "BuildPins", "UpstreamPins"]

ISTIO_COMMIT = "eed52ebb66ad"  # istio.io/istio v0.0.0-20260827124520-eed52ebb66ad


@dataclass(frozen=True)
class BuildPins:
    """What source ``build`` makes. Image names never look like upstream's."""

    istio: str = f"1.32-dev.{ISTIO_COMMIT}"
    envoy: str = "1.40.0"
    kubernetes: str = "v1.36.3"
    kind: str = "v0.33.0"
    containerd: str = "v2.4.2"
    coredns: str = "v1.15.0"
    etcd: str = "3.6.8"
    cni: str = "v1.9.1"
    # The tags that this kubeadm asks for, whatever is inside; the real versions are in the labels.
    coredns_tag: str = "v1.14.2"
    etcd_tag: str = "3.6.8-0"
    pause_tag: str = "3.10.2"

    registry: str = "edge-mesh.local"  # resolves nowhere: an image that is missing can't be pulled by mistake
    samples: str = "2"  # version of the sample apps' images; the node's tag names it, because they are inside

    @property
    def istio_hub(self) -> str:
        return f"{self.registry}/istio"

    @property
    def kubernetes_images(self) -> str:
        return f"{self.registry}/kubernetes"

    @property
    def pilot(self) -> str:
        return f"{self.istio_hub}/pilot:{self.istio}"

    @property
    def proxyv2(self) -> str:
        return f"{self.istio_hub}/proxyv2:{self.istio}"

    @property
    def helloworld(self) -> str:
        return f"{self.registry}/sample/helloworld:{self.samples}"

    @property
    def bookinfo(self) -> str:
        return f"{self.registry}/sample/bookinfo:{self.samples}"

    @property
    def sleep(self) -> str:
        return f"{self.registry}/sample/sleep:{self.samples}"

    @property
    def node(self) -> str:
        return f"{self.registry}/node:{self.kubernetes}-istio-{self.istio}-samples-{self.samples}"


@dataclass(frozen=True)
class UpstreamPins:
    """What source ``upstream`` fetches: newest releases known when this was written."""

    istio: str = "1.31.1"
    istio_hub: str = "docker.io/istio"
    kubernetes: str = "v1.36.4"  # of the node images that kind v0.33.0 was released with, the one of Kubernetes 1.36
    kind: str = "v0.33.0"
    node: str = "docker.io/kindest/node:v1.36.4"
    kubernetes_images: str = "registry.k8s.io"
    # No publisher has sample apps that answer as ours do: a stock Python runs our scripts, see Facts.
    helloworld: str = "docker.io/library/python:3.13-alpine"
    bookinfo: str = "docker.io/library/python:3.13-alpine"
    sleep: str = "docker.io/curlimages/curl:8.21.0"
    kubernetes_url: str = "https://dl.k8s.io/release"
    kind_url: str = "https://github.com/kubernetes-sigs/kind/releases/download"
    istio_url: str = "https://github.com/istio/istio/releases/download"

    @property
    def pilot(self) -> str:
        return f"{self.istio_hub}/pilot:{self.istio}"

    @property
    def proxyv2(self) -> str:
        return f"{self.istio_hub}/proxyv2:{self.istio}"


BUILD = BuildPins()
UPSTREAM = UpstreamPins()
