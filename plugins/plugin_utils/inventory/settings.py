# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that mean something together, or to Istio and Kubernetes only, judged before anything is touched.

Pure: the mesh's values or a site's entry in, problems out (used by the site model). Unfit ones would fail late,
when the clusters are made and half the mesh stands.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.tokens import seconds_of
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["bad_mesh", "bad_site"]

# github.com/spiffe/spiffe, SPIFFE-ID 2.1: lower case letters, digits, dots, dashes and underscores.
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_REVISION = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_LABEL = 63
_LONGEST_REVISION = _LONGEST_LABEL - len("istiod-")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SHORTEST_TTL = 600.0  # a TokenRequest for less is refused by the API


def bad_mesh(mesh: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the values of the whole mesh."""
    problems = []
    domain, revision = mesh["trust_domain"], mesh["revision"]
    if not _TRUST_DOMAIN.fullmatch(domain):
        message = f"edge_mesh_trust_domain is {domain!r}; it can hold lower case letters, digits, '.', '-' and '_'"
        problems.append(Problem(None, message))
    if revision and not (_REVISION.fullmatch(revision) and len(revision) <= _LONGEST_REVISION):
        wanted = f"up to {_LONGEST_REVISION} lower case letters, digits and -"
        message = f"edge_mesh_revision is {revision!r}; it can hold {wanted}"
        problems.append(Problem(None, message))
    return problems


def bad_site(site: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a site's network, token and subnets."""
    found = [*_network(site), *_token(site), *(_subnets(site) if site["provider"] != "existing" else [])]
    return [Problem(site["name"], message) for message in found]


def _network(site: Mapping[str, Any]) -> list[str]:
    network, made = site["network"], f"net-{site['name']}"
    if _LABEL_VALUE.fullmatch(network) or (network == made and len(network) <= _LONGEST_LABEL):
        return []  # what is wrong with a site's name is told of the name
    if network == made:
        return [f"its network would be called {network}, over {_LONGEST_LABEL} characters; set edge_mesh_network"]
    wanted = f"up to {_LONGEST_LABEL} letters, digits, '-', '_' and '.'"
    return [f"edge_mesh_network is {network!r}; it is a label's value, which has {wanted}"]


def _token(site: Mapping[str, Any]) -> list[str]:
    early = site["token_renew_before"]
    try:
        ttl = seconds_of(site["token_ttl"], "edge_mesh_token_ttl")
        before = seconds_of(early, "edge_mesh_token_renew_before") if early else 0.0
    except MeshError as error:
        return [error.message]
    if ttl < _SHORTEST_TTL:
        return [f"edge_mesh_token_ttl is {site['token_ttl']!r}; it must be at least 10m"]
    if before >= ttl:
        return [
            f"edge_mesh_token_renew_before ({early}) must be shorter than edge_mesh_token_ttl ({site['token_ttl']})"
        ]
    return []


def _subnets(site: Mapping[str, Any]) -> list[str]:
    """Each is one CIDR, or one for IPv4 and one for IPv6 with a comma between; the two don't overlap."""
    networks: dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {}
    for name in ("pod_subnet", "service_subnet"):
        try:
            networks[name] = [ipaddress.ip_network(part.strip(), strict=False) for part in site[name].split(",")]
        except ValueError:
            return [f"edge_mesh_{name} is {site[name]!r}, which is no CIDR (10.244.0.0/16, say)"]
    for pods in networks["pod_subnet"]:
        for services in networks["service_subnet"]:
            if pods.version == services.version and pods.overlaps(services):
                return [f"edge_mesh_pod_subnet {pods} and edge_mesh_service_subnet {services} overlap"]
    return []
