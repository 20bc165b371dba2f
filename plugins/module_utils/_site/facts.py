# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a site's API says of the site itself: the facts of the provider contract (used by `site_cluster_info`).

Pure: JSON of the API in, facts out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["api_server", "gateway_addresses", "is_loopback", "node_addresses"]

Json = Mapping[str, Any]


def is_loopback(url: str) -> bool:
    """Whether a URL leads to the machine that uses it, so that no other machine can."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def node_addresses(nodes: Iterable[Json]) -> list[str]:
    """The internal IPs of the nodes, in the API's order."""
    found = []
    for node in nodes:
        for address in node.get("status", {}).get("addresses", []):
            if address["type"] == "InternalIP":
                found.append(address["address"])
    return found


def api_server(slices: Iterable[Json], kubeconfig_server: str) -> str:
    """The URL under which others reach the API: the kubeconfig's own, or what the API server advertises.

    ``slices`` are the EndpointSlices of the Service `kubernetes` in `default`; their addresses are the API servers'.
    Where neither serves, the kubeconfig's server is returned as it is.
    """
    if not is_loopback(kubeconfig_server):
        return kubeconfig_server
    for item in slices:
        ports = [port["port"] for port in item.get("ports") or [] if port.get("name") in ("https", "", None)]
        for endpoint in item.get("endpoints") or []:
            for address in endpoint.get("addresses") or []:
                if ports:
                    host = f"[{address}]" if ":" in address else address
                    return f"https://{host}:{ports[0]}"
    return kubeconfig_server


def gateway_addresses(service: Json | None) -> list[str]:
    """The addresses that the east-west gateway's Service was given, or none."""
    ingress = ((service or {}).get("status", {}).get("loadBalancer", {}) or {}).get("ingress") or []
    return [entry.get("ip") or entry.get("hostname") for entry in ingress if entry.get("ip") or entry.get("hostname")]
