# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and routes as the controller sees them (used by `site_cluster_info`)."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["resolve", "source_address"]


def resolve(addresses: Iterable[str]) -> list[str]:
    """The IPs behind addresses, names resolved, in order and without doubles; raises MeshError for an unknown name."""
    found: list[str] = []
    for address in addresses:
        try:
            entries = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
        except OSError as error:
            hint = "write an IP into edge_mesh_gateway_addresses, or mend the name"
            raise MeshError(f"the gateway address {address} has no IP", why=str(error), hint=hint) from error
        found += [ip for entry in entries if (ip := str(entry[4][0])) not in found]
    return found


def source_address(target: str) -> str | None:
    """The controller's address on the route to an IP, or None without a route; sends no packet."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])
