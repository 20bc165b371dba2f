# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the other roles get to know about the artifacts: the fact ``artifacts_facts`` (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BuildPins, UpstreamPins

__all__ = ["build_facts", "upstream_facts"]


def build_facts(pins: BuildPins, binaries: Mapping[str, str], missing: list[str]) -> dict[str, Any]:
    """Facts of source ``build``; ``missing`` names what isn't at hand (yet)."""
    return {
        "source": "build",
        "istio_version": pins.istio,
        "kubernetes_version": pins.kubernetes,
        "kind_version": pins.kind,
        "binaries": dict(binaries),
        "node_image": pins.node,
        "hub": pins.istio_hub,
        "tag": pins.istio,
        "images": {
            "pilot": pins.pilot,
            "proxyv2": pins.proxyv2,
            "helloworld": pins.helloworld,
            "bookinfo": pins.bookinfo,
            "sleep": pins.sleep,
        },
        "helloworld_script": "",
        "bookinfo_script": "",
        "kubernetes_image_repository": pins.kubernetes_images,
        # A stock Envoy doesn't know Istio's own filters, so istiod must not ask for them.
        "istio_env": {"PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_METADATA_EXCHANGE": "false"},
        "istio_values": {"telemetry": {"enabled": False}},
        "image_archives": {},
        "missing": missing,
    }


def upstream_facts(
    pins: UpstreamPins, binaries: Mapping[str, str], missing: list[str], scripts: Mapping[str, str]
) -> dict[str, Any]:
    """Facts of source ``upstream``; ``scripts`` are the files that the stock Python image has to run, by app."""
    return {
        "source": "upstream",
        "istio_version": pins.istio,
        "kubernetes_version": pins.kubernetes,
        "kind_version": pins.kind,
        "binaries": dict(binaries),
        "node_image": pins.node,
        "hub": pins.istio_hub,
        "tag": pins.istio,
        "images": {
            "pilot": pins.pilot,
            "proxyv2": pins.proxyv2,
            "helloworld": pins.helloworld,
            "bookinfo": pins.bookinfo,
            "sleep": pins.sleep,
        },
        "helloworld_script": scripts["helloworld"],
        "bookinfo_script": scripts["bookinfo"],
        "kubernetes_image_repository": pins.kubernetes_images,
        "istio_env": {},
        "istio_values": {},
        "image_archives": {},
        "missing": missing,
    }
