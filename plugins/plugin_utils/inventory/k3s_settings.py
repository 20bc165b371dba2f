# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a K3s site, judged without asking a machine (used by the site model).

Pure: the site's entry in, problems out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.addresses import bad_url
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["bad_settings"]

_QUANTITY = re.compile(r"[1-9][0-9]*(k|[KMG]i|[MG])?")
_URL = re.compile(r"https?://[^\s/]+\S*")
# Options of K3s's config.yaml by which the role finds its way, and what says them instead.
_OURS = {
    "token": "the run makes it, and it must not stand in an inventory",
    "agent-token": "the run makes it, and it must not stand in an inventory",
    "token-file": "the run writes it",
    "agent-token-file": "the run writes it",
    "server": "the run finds the server to join",
    "cluster-init": "the number of servers decides it",
    "node-name": "a node is called as its machine",
    "with-node-id": "a node is called as its machine",
    "node-ip": "set edge_mesh_k3s_address",
    "node-external-ip": "set edge_mesh_k3s_external_address",
    "cluster-cidr": "set edge_mesh_pod_subnet",
    "service-cidr": "set edge_mesh_service_subnet",
    "data-dir": "its place is fixed",
    "write-kubeconfig": "its place is fixed",
    "https-listen-port": "it is 6443",
}


def bad_settings(site: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with ``edge_mesh_k3s_*`` but for the registries, which are a secret and not in the entry."""
    settings, found = site["k3s"], []
    if isinstance(settings["config"], Mapping):
        for name, why in _OURS.items():
            if name in settings["config"] or f"{name}+" in settings["config"]:
                found.append(f"edge_mesh_k3s_config can't hold {name}: {why}")
    port = settings["tunnel_port"]
    if port is not None and not 0 < port < 1 << 16:
        found.append(f"edge_mesh_k3s_tunnel_port is {port}; a port is from 1 to 65535")
    elif settings["controller_api"] and (wrong := bad_url(settings["controller_api"])):
        found.append(f"edge_mesh_k3s_controller_api {settings['controller_api']} {wrong}")
    if not settings["files"] and not _URL.fullmatch(settings["url"]):
        found.append(f"edge_mesh_k3s_url is {settings['url']!r}, which is no address to fetch from")
    found += _limits(settings)
    names = [PurePath(path).name for path in settings["images"]]
    if double := [name for name in names if names.count(name) > 1]:
        found.append(
            f"edge_mesh_k3s_images has two archives called {double[0]}, and machines keep them by name; rename one"
        )
    return [Problem(site["name"], message) for message in found]


def _limits(settings: Mapping[str, Any]) -> list[str]:
    """What the kubelet refuses at its start, and numbers that can't be meant."""
    found = []
    low, high = settings["image_gc_low"], settings["image_gc_high"]
    if not 0 <= low < high <= 100:
        found.append(
            f"edge_mesh_k3s_image_gc_low ({low}) must be below edge_mesh_k3s_image_gc_high ({high}), both percents"
        )
    if settings["log_files"] < 2:
        found.append(f"edge_mesh_k3s_log_files is {settings['log_files']}; the kubelet keeps at least 2")
    if not _QUANTITY.fullmatch(settings["log_size"]):
        found.append(f"edge_mesh_k3s_log_size is {settings['log_size']!r}; write a size as 10Mi")
    for name in ("min_memory_server", "min_memory_agent", "min_disk", "max_clock_offset"):
        if settings[name] < 0:
            found.append(f"edge_mesh_k3s_{name} is {settings[name]}, which can't be meant")
    return found
