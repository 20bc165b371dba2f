# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the hosts of WAN rules exist and nobody else routes them (used by `wan_info` before anything is touched)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX, full_name
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.ownership import SET
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api, Json

__all__ = ["Cluster", "Found", "look", "problems"]

_ROUTES = "/apis/networking.istio.io/v1/virtualservices"
_GONE = 404


@dataclass(frozen=True)
class Cluster:
    """A site's cluster; ``routes`` says that it is a primary, whose VirtualServices count."""

    name: str
    kubeconfig: str
    context: str | None
    routes: bool


@dataclass(frozen=True)
class Found:
    """What one cluster knows: the hosts that are Services there, and the VirtualServices of others by host."""

    services: frozenset[str]
    routed: Mapping[str, str]


def look(
    clusters: Sequence[Cluster], hosts: Collection[str], ours: str, seconds: float,
    connect: Callable[[str, str | None, str], AbstractContextManager[Api]],
) -> dict[str, Found | None]:  # fmt: skip
    """What each cluster knows of ``hosts`` (None: no answer); ``ours`` is the set that our own routes are in."""
    jobs: dict[str, Callable[[], Found | None]] = {
        cluster.name: partial(_ask, cluster, hosts, ours, connect) for cluster in clusters
    }
    return parallel.each(jobs, seconds, lambda _name: None)


def problems(
    wanted: Mapping[str, Sequence[str]], made: Collection[str], found: Mapping[str, Found | None]
) -> list[str]:
    """What is wrong with the hosts that sites have rules for; ``wanted`` maps a site to its rules' hosts.

    A host that nobody has may be at a site that gave no answer: then it isn't refused.
    """
    answers = [answer for answer in found.values() if answer is not None]
    known = {host for answer in answers for host in answer.services} | set(made)
    wrong = []
    if len(answers) == len(found):
        asked = f"there is no such Service at {', '.join(found)}" if found else "there is no cluster yet"
        for site, hosts in wanted.items():
            wrong += [
                f"{site}: edge_mesh_wan_rules names the host {host}, which nobody knows: {asked}, and the run makes "
                "none; deploy it, then run again"
                for host in dict.fromkeys(hosts) if host not in known
            ]  # fmt: skip
    for cluster, answer in found.items():
        for host, name in (answer.routed if answer else {}).items():
            wrong.append(
                f"{cluster}: {host} has the VirtualService {name} already, and Istio takes one for each host; drop the "
                "rule of edge_mesh_wan_rules, or that object"
            )
    return wrong


def _ask(
    cluster: Cluster, hosts: Collection[str], ours: str,
    connect: Callable[[str, str | None, str], AbstractContextManager[Api]],
) -> Found | None:  # fmt: skip
    try:
        with connect(cluster.kubeconfig, cluster.context, cluster.name) as api:
            services = frozenset(host for host in hosts if api.get(_service(host)) is not None)
            return Found(services, _routed(_virtual_services(api), hosts, ours) if cluster.routes else {})
    except MeshError:
        return None  # preflight and the run itself say what is wrong with it


def _service(host: str) -> str:
    name, namespace = host.split(".")[:2]
    return f"/api/v1/namespaces/{namespace}/services/{name}"


def _virtual_services(api: Api) -> list[dict[str, object]]:
    try:
        return api.list(_ROUTES)
    except ApiError as error:
        if error.status == _GONE:  # Istio isn't there yet
            return []
        raise


def _routed(objects: Sequence[Json], hosts: Collection[str], ours: str) -> dict[str, str]:
    """Host -> the VirtualService of others that routes it for callers of the mesh."""
    found = {}
    for each in objects:
        metadata, spec = each["metadata"], each.get("spec") or {}
        if (metadata.get("labels") or {}).get(SET) == ours or "mesh" not in spec.get("gateways", ["mesh"]):
            continue
        for name in spec.get("hosts") or []:
            full = _full(str(name), str(metadata["namespace"]))
            if full in hosts:
                found[full] = f"{metadata['namespace']}/{metadata['name']}"
    return found


def _full(host: str, namespace: str) -> str:
    """A host as Istio reads a short one: in the namespace of the object that names it."""
    if "." not in host:
        return full_name(host, namespace)
    return f"{host}{SERVICE_SUFFIX}" if host.count(".") == 1 else host
