# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files with which K3s is told what to be: config.yaml, our marker, and a person's kubeconfig (pure).

config.yaml may hold every long option of ``k3s server`` and ``k3s agent`` (docs.k3s.io/installation/configuration).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import Machine, Site

__all__ = ["configuration", "digest", "kubeconfig", "marker"]

_HEAD = "# Written by edge.mesh; the next run of site.yml puts it back as the inventory has it.\n"


def digest(text: str) -> str:
    """SHA-256 of a text as a file holds it."""
    return hashlib.sha256(text.encode()).hexdigest()


def configuration(site: Site, machine: Machine, address: str, join: str) -> str:
    """config.yaml of a machine; ``join`` is the URL of the server that it joins, empty for the one that begins.

    What ``edge_mesh_k3s_config`` says goes before ours, but for lists, which are added to.
    """
    settings = site.settings
    ours: dict[str, Any] = {"node-ip": address}
    if machine.external_address:
        ours["node-external-ip"] = machine.external_address
    if join:
        ours["server"] = join
    ours["token-file"] = paths.TOKEN_FILES["server" if machine.role == "server" else "agent"]
    if machine.role == "server":
        ours |= _server(site, join)
    ours["kubelet-arg"] = [
        f"container-log-max-size={settings['log_size']}",
        f"container-log-max-files={settings['log_files']}",
        f"image-gc-high-threshold={settings['image_gc_high']}",
        f"image-gc-low-threshold={settings['image_gc_low']}",
        *settings["kubelet_args"],
    ]
    if machine.labels:
        ours["node-label"] = list(machine.labels)
    for name, value in settings["config"].items():
        both = isinstance(value, list) and isinstance(ours.get(name), list)
        ours[name] = ours[name] + value if both else value
    return _HEAD + _yaml(ours)


def _yaml(value: Mapping[str, Any]) -> str:
    """A value as YAML. What comes from an inventory is of Ansible's own kinds, which YAML's writer doesn't know."""
    return str(yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=True, default_flow_style=False))


def _server(site: Site, join: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "agent-token-file": paths.TOKEN_FILES["agent"],
        "write-kubeconfig-mode": "0600",
        "disable": list(site.settings["disable"]),
    }
    if len(site.servers) > 1 and not join:
        found["cluster-init"] = True  # embedded etcd instead of SQLite
    if names := sorted({*site.api_names, *(each.external_address for each in site.servers if each.external_address)}):
        found["tls-san"] = names
    if site.pod_subnet:
        found["cluster-cidr"] = site.pod_subnet
    if site.service_subnet:
        found["service-cidr"] = site.service_subnet
    return found


def marker(site: Site, adopted: bool) -> str:
    """Our marker: whose K3s this is, and whether it was there before us."""
    return json.dumps({"mesh": site.mesh, "site": site.name, "adopted": adopted}, sort_keys=True) + "\n"


def kubeconfig(text: str, name: str, server: str) -> str:
    """The kubeconfig that K3s wrote, with the API at ``server`` and its cluster, user and context named for the site.

    Raises ValueError if it isn't one of K3s's.
    """
    try:
        found = yaml.safe_load(text)
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise ValueError(f"{paths.KUBECONFIG} isn't a kubeconfig") from None
    return _yaml({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {**_kept(cluster, "certificate-authority-data"), "server": server}}],
        "users": [{"name": name, "user": _kept(user, "client-certificate-data", "client-key-data")}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    })  # fmt: skip


def _kept(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: entry[name] for name in names if name in entry}
