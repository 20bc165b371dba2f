# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses that an inventory states, judged without asking anybody (used by the site model).

Pure: a site's entry or a list in, problems out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._site.facts import is_loopback
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["bad_addresses", "bad_sources", "bad_url"]

_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_LONGEST_NAME = 253


def bad_addresses(site: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the API address and the gateway addresses of one site's entry."""
    problems = []
    server = site.get("api_server")
    if server:
        why = bad_url(str(server))
        if why is None and site["role"] == "edge" and is_loopback(str(server)):
            why = "leads to the machine that uses it; write the address at which its primary reaches the site's API"
        if why is not None:
            problems.append(Problem(site["name"], f"edge_mesh_api_server {server} {why}"))
    for address in _listed(site.get("gateway_addresses")):
        if "/" in address or _is_own(address):
            message = f"edge_mesh_gateway_addresses holds {address!r}, where no other site finds it; write IPs or names"
            problems.append(Problem(site["name"], message))
        elif not _is_address(address):
            message = f"edge_mesh_gateway_addresses holds {address!r}, which is neither an IP nor a host's name"
            problems.append(Problem(site["name"], message))
    return problems


def bad_sources(sources: Any) -> list[Problem]:
    """The entries of edge_mesh_istiod_allowed_sources that are no CIDR."""
    problems = []
    for cidr in sources if isinstance(sources, list) else []:  # the check of types says so
        try:
            if "/" not in str(cidr):
                raise ValueError(cidr)
            ipaddress.ip_network(str(cidr), strict=False)
        except ValueError:
            message = f"edge_mesh_istiod_allowed_sources holds {cidr!r}, which is no CIDR (an address with /32, say)"
            problems.append(Problem(None, message))
    return problems


def bad_url(server: str) -> str | None:
    """What is wrong with the address of an API, or None."""
    try:
        url = urlsplit(server)
        usable = url.scheme == "https" and bool(url.hostname) and url.port != 0 and url.username is None
    except ValueError:
        usable = False
    return None if usable else "is no address of an API: write https://<host>:<port>"


def _listed(addresses: Any) -> list[str]:
    """Those that are texts: the check of types names the others."""
    found = addresses if isinstance(addresses, list) else []
    return [str(address) for address in found if isinstance(address, (str, int)) and str(address).strip()]


def _is_address(address: str) -> bool:
    """Whether Istio takes it for an IP or a name; 1.2.3 is neither, though resolvers make 1.2.0.3 of it."""
    try:
        return bool(ipaddress.ip_address(address))
    except ValueError:
        labels = address.removesuffix(".").split(".")
        return len(address) <= _LONGEST_NAME and not labels[-1].isdigit() and all(map(_LABEL.fullmatch, labels))


def _is_own(address: str) -> bool:
    """Whether it leads to the machine that uses it; so does what is no address at all, for all that others can tell."""
    try:
        return is_loopback(f"https://{_bracketed(address)}")
    except ValueError:
        return True


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
