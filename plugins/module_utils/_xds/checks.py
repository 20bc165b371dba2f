# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what istiod said to what it means for a site (pure; used by `_xds.health` and `_xds.synthetic`).

A fault that was seen is ``failed`` even if something else couldn't be asked; ``ok`` needs the whole truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._xds.model import (
    Finding,
    Mesh,
    NetworkGateway,
    ProxyState,
    ServiceEndpoint,
    Site,
    Snapshot,
    TypeState,
)

__all__ = ["cluster_summary", "cluster_synced", "endpoints_of_other_networks", "proxy_synced"]

# without these a proxy serves nothing; other types istiod may rightly have nothing to send for
_NEEDED = ("CDS", "LDS", "EDS")
# Envoy asks for these before anything else: istiod lists only what was asked for (a ztunnel asks for others)
_ASKED_FIRST = ("CDS", "LDS")
_ENVOY = frozenset({"CDS", "LDS", "EDS", "RDS"})
_MANY = 10


def cluster_synced(site: Site, snapshot: Snapshot) -> Finding:
    """Whether every replica of istiod has synced the site's cluster (its *first* sync: it says nothing of now)."""
    states = {item.istiod: item for item in snapshot.clusters if item.cluster == site.cluster}
    answered = [replica.pod for replica in snapshot.replicas if replica.answered]
    evidence: dict[str, Any] = {"states": {pod: states[pod].status for pod in answered if pod in states}}
    secrets = sorted({item.secret for item in states.values() if item.secret})
    if secrets:
        evidence["secret"] = secrets[0]
    missing = [pod for pod in answered if pod not in states]
    if missing:
        known = sorted({item.cluster for item in snapshot.clusters})
        evidence |= {"unknown_to": missing, "known": known[:_MANY]}
        if site.is_primary:
            hint = f"istiod runs under another cluster name: set global.multiCluster.clusterName to {site.cluster}"
        else:
            hint = f"the primary needs a remote secret with the key {site.cluster}; if it is there, restart istiod"
        return Finding("failed", evidence, hint)
    if any(status != "synced" for status in evidence["states"].values()):
        return Finding("failed", evidence, _not_synced_hint(evidence["states"].values()))
    if not snapshot.complete:
        return Finding("unknown", evidence | snapshot.doubt(), _DOUBT_HINT)
    return Finding("ok", evidence)


_DOUBT_HINT = "every ready replica of istiod must answer: check the primary's API and istiod's pods"


def _not_synced_hint(states: Iterable[str]) -> str:
    if "timeout" in states:
        return "istiod gave up waiting: check the API address in the remote secret and the reader's rights at the site"
    return "istiod can't read the site yet: check the API address in the remote secret and the reader's rights"


def proxy_synced(site: Site, mesh: Mesh, snapshot: Snapshot) -> Finding:
    """Whether the site's gateway is connected to istiod, and all the site's proxies have what istiod sent them."""
    proxies = [proxy for proxy in snapshot.proxies if proxy.cluster == site.cluster]
    gateways = [proxy.id for proxy in proxies if _is_gateway(proxy, mesh)]
    problems = [problem for proxy in proxies for problem in _problems(proxy)]
    evidence: dict[str, Any] = {
        "proxies": len(proxies),
        "gateways": gateways[:_MANY],
        "types": dict(sorted(Counter(f"{item.type} {item.state}" for p in proxies for item in p.types).items())),
    }
    if problems:
        evidence |= {"problems": problems[:_MANY], "problem_count": len(problems)}
        sure = any(problem["state"] != "unknown" for problem in problems)
        return Finding("failed" if sure else "unknown", evidence | snapshot.doubt(), _problem_hint(problems))
    if not snapshot.complete:
        return Finding("unknown", evidence | snapshot.doubt(), _DOUBT_HINT)
    if not gateways:
        hint = f"no proxy of {mesh.gateway} at {site.cluster} is connected: look at its pod's log, and at join.csr"
        return Finding("failed", evidence, hint)
    return Finding("ok", evidence)


def _is_gateway(proxy: ProxyState, mesh: Mesh) -> bool:
    return proxy.namespace == mesh.namespace and proxy.id.startswith(f"{mesh.gateway}-")


def _problems(proxy: ProxyState) -> list[dict[str, str]]:
    bad = [
        item
        for item in proxy.types
        if item.state in ("stale", "nacked", "unknown") or (item.state == "never-sent" and item.type in _NEEDED)
    ]
    listed = {item.type for item in proxy.types}
    if not listed or listed & _ENVOY:
        bad += [TypeState(missing, "never-sent") for missing in _ASKED_FIRST if missing not in listed]
    return [
        {"proxy": proxy.id, "type": item.type, "state": item.state} | ({"error": item.error} if item.error else {})
        for item in bad
    ]


def _problem_hint(problems: Sequence[dict[str, str]]) -> str:
    states = {problem["state"] for problem in problems}
    if "nacked" in states:
        return "a proxy rejects its configuration: the error names the resource; look for an EnvoyFilter or a version"
    if "never-sent" in states:
        return "istiod has sent nothing: look at istiod's log for this proxy"
    if states == {"unknown"}:
        return "istiod gives a state that isn't known here: compare its version with what this collection supports"
    return "a proxy doesn't acknowledge: its connection hangs or it is overloaded; look at the pod's log"


def endpoints_of_other_networks(
    site: Site,
    mesh: Mesh,
    endpoints: Sequence[ServiceEndpoint],
    gateways: Sequence[NetworkGateway],
) -> Finding:
    """Whether every endpoint in another network is a gateway's address.

    ``gateways`` are those that istiod knows (networkz); where the caller gave IP addresses for a cluster, these count
    instead. An endpoint names its cluster in istiod's metadata; without it only a gateway can be told from a pod.
    """
    networks = {gateway.cluster: gateway.network for gateway in gateways if gateway.cluster} | dict(mesh.networks)
    networks[site.cluster] = site.network
    known = {(gateway.address, gateway.port) for gateway in gateways}
    counts: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    stale = False
    for endpoint in endpoints:
        given = _ip_addresses(mesh.gateway_addresses.get(endpoint.cluster, ()))
        through = endpoint.address in given if given else (endpoint.address, endpoint.port) in known
        if networks.get(endpoint.cluster) == site.network:
            counts["own"] += 1
        elif through:
            counts["gateway"] += 1
        elif not endpoint.cluster:
            counts["unlabelled"] += 1
        else:
            address = f"{endpoint.address}:{endpoint.port}"
            wrong.append({"service": endpoint.service, "address": address, "cluster": endpoint.cluster})
            stale = stale or (endpoint.address, endpoint.port) in known
    others = sorted({network for network in networks.values() if network != site.network})
    without = [network for network in others if network not in {gateway.network for gateway in gateways}]
    evidence: dict[str, Any] = {
        "endpoints": len(endpoints),
        "own_network": counts["own"],
        "through_gateways": counts["gateway"],
        "other_networks": others,
        "gateways": sorted({f"{item.address}:{item.port}" for item in gateways if item.network != site.network}),
    }
    if counts["unlabelled"]:
        evidence["without_cluster"] = counts["unlabelled"]
    if wrong:
        evidence |= {"wrong": wrong[:_MANY], "wrong_count": len(wrong), "without_gateway": without}
        if stale:
            hint = "istiod has another address for that gateway than the inventory: its Service's address is an old one"
        else:
            hint = "these are pods that can't be reached from here: that network's gateway has no address, or no label"
        return Finding("failed", evidence, hint)
    if without:
        hint = f"istiod knows no gateway of {', '.join(without)}, so nothing there can be called: see gateway.address"
        return Finding("failed", evidence | {"without_gateway": without}, hint)
    if not endpoints:
        return Finding("unknown", evidence, "istiod knows no endpoint at all: look at istiod.cluster-synced")
    if others and not counts["own"] and not counts["gateway"]:
        hint = "istiod's endpoints don't name their cluster (PILOT_ENDPOINT_TELEMETRY_LABEL): nothing can be told"
        return Finding("unknown", evidence, hint)
    return Finding("ok", evidence)


def _ip_addresses(addresses: Sequence[str]) -> Sequence[str]:
    """The addresses if all are IP addresses: what istiod makes of a name can't be compared."""
    try:
        return [str(ip_address(address)) for address in addresses]
    except ValueError:
        return []


def cluster_summary(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The module's ``clusters``: ``{cluster, secret, status, states}``; ``status`` is ``synced`` only if all say so."""
    summary: dict[str, dict[str, Any]] = {}
    for item in snapshot.clusters:
        entry = summary.setdefault(item.cluster, {"cluster": item.cluster, "secret": "", "status": "", "states": {}})
        entry["secret"] = entry["secret"] or item.secret
        entry["states"][item.istiod] = item.status
    for entry in summary.values():
        other = [status for status in entry["states"].values() if status != "synced"]
        entry["status"] = other[0] if other else "synced"
    return [summary[name] for name in sorted(summary)]
