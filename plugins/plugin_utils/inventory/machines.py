# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines of a K3s site as the inventory has them (used by the site model).

Pure: variables in, machines and problems out; no machine is asked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["machines_of"]

_VERSION = re.compile(r"v1\.\d+\.\d+(-[a-z0-9.]+)?\+k3s\d+")
_PREFIX = "edge_mesh_k3s_"
_LABEL = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_./]*=[-A-Za-z0-9_.]*")


def machines_of(
    site: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]], schema: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
) -> list[dict[str, Any]]:  # fmt: skip
    """``[{host, role, address, external_address, labels}]`` of a site's entry, in the inventory's order."""
    name, found = site["name"], []
    for host in site["hosts"]:
        variables = hostvars[host]
        machine: dict[str, Any] = {"host": host}
        for word in ("role", "address", "external_address", "labels"):
            value = variables.get(_PREFIX + word)
            machine[word] = schema[_PREFIX + word]["default"] if value is None else value
        if machine["role"] is None:
            machine["role"] = "server" if len(site["hosts"]) == 1 else ""
        problems += [Problem(name, message) for message in _wrong(machine, schema)]
        found.append(machine)
    servers = [machine for machine in found if machine["role"] == "server"]
    if not servers and all(machine["role"] for machine in found):
        problems.append(Problem(name, "none of its machines has edge_mesh_k3s_role: server"))
    if len(servers) % 2 == 0 and servers:
        message = f"it has {len(servers)} servers: etcd needs an odd number, or it stands still when one is lost"
        problems.append(Problem(name, f"{message}; make it {len(servers) - 1} or {len(servers) + 1}"))
    version = str(site["k3s"]["version"])
    if not _VERSION.fullmatch(version):
        message = f"edge_mesh_k3s_version is {version!r}; K3s's releases are called like v1.35.0+k3s1"
        problems.append(Problem(name, message))
    return found


def _wrong(machine: Mapping[str, Any], schema: Mapping[str, Mapping[str, Any]]) -> list[str]:
    host, role, found = machine["host"], machine["role"], []
    if not role:
        found.append(f"{host} needs edge_mesh_k3s_role (server or agent), for the site has several machines")
    elif role not in schema[_PREFIX + "role"]["choices"]:
        found.append(f"edge_mesh_k3s_role of {host} is {role!r}; it can be server, agent")
    for word in ("address", "external_address"):
        value = machine[word]
        try:
            if value is not None and ipaddress.ip_address(str(value)).is_loopback:
                raise ValueError(value)
        except ValueError:
            found.append(f"{_PREFIX}{word} of {host} is {value!r}; it must be an IP at which others find it")
    labels = machine["labels"]
    if not isinstance(labels, list) or any(not _LABEL.fullmatch(str(label)) for label in labels):
        found.append(f"edge_mesh_k3s_labels of {host} is {labels!r}; it must be a list of name=value")
    return found
