# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where K3s keeps what on a machine (used by everything that reads, plans or removes one).

The places are K3s's own, as its documentation and its install and uninstall scripts have them; ours are marked.
"""

from __future__ import annotations

__all__ = [
    "AGENT_TOKEN", "BINARY", "CONFIG", "DATA", "IMAGES", "KUBECONFIG", "LINKS", "MARKER", "PARENTS", "PENDING",
    "PREVIOUS", "REGISTRIES", "SERVER_TOKEN", "STATIC", "TOKEN_FILES", "TREES", "UNITS", "unit_file",
]  # fmt: skip

BINARY = "/usr/local/bin/k3s"
PREVIOUS = ".before"  # ours: suffix of what a start that fails goes back to
CONFIG = "/etc/rancher/k3s/config.yaml"
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
MARKER = "/etc/rancher/k3s/edge-mesh.json"  # ours: whose K3s this is
PENDING = "/etc/rancher/k3s/edge-mesh.pending"  # ours: files were changed, and K3s hasn't started with them yet
DATA = "/var/lib/rancher/k3s"
IMAGES = f"{DATA}/agent/images"
# Ours: what config.yaml names as token-file and agent-token-file.
TOKEN_FILES = {"server": "/etc/rancher/k3s/token", "agent": "/etc/rancher/k3s/agent-token"}
# K3s's: the same with the hash of the cluster's CA in front, which a joining machine checks.
SERVER_TOKEN = f"{DATA}/server/token"
AGENT_TOKEN = f"{DATA}/server/agent-token"
UNITS = {"server": "k3s", "agent": "k3s-agent"}

# What a machine loses with K3s.
TREES = (
    "/etc/rancher/k3s", "/etc/rancher/node", DATA, "/var/lib/kubelet", "/var/lib/cni", "/run/k3s", "/run/flannel",
)  # fmt: skip
# If nothing else is in them; the kubelet makes the last ones for plugins that somebody may bring.
PARENTS = (
    "/etc/rancher", "/var/lib/rancher", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "/usr/libexec/kubernetes/kubelet-plugins/volume", "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes",
)  # fmt: skip
STATIC = (BINARY, BINARY + PREVIOUS)
LINKS = ("cni0", "flannel.1", "flannel-v6.1", "kube-ipvs0", "flannel-wg", "flannel-wg-v6")


def unit_file(role: str) -> str:
    """The systemd unit of a role (``server`` or ``agent``)."""
    return f"/etc/systemd/system/{UNITS[role]}.service"
