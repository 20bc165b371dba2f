# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs at a site: no control plane, and gateways that are ready and have addresses (used by `_verify.survey`).

Pure: JSON of the API in, findings out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import local_injector
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    EAST_WEST,
    EGRESS,
    INGRESS,
    ISTIOD_CONTAINER,
    ISTIOD_GATEWAY,
    NETWORK_LABEL,
    PROXY_CONTAINER,
    SYSTEM_NAMESPACE,
)
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Finding, Json

__all__ = ["gateway_address", "gateway_names", "gateways_ready", "no_control_plane"]


_CONTROL_PLANE_IMAGES = frozenset({"pilot", "istiod", "pilot-discovery"})
_MOST_NAMES = 50


def gateway_names(role: str, mode: str = "sidecar") -> tuple[str, ...]:
    """The Deployments of a site's gateways, as the contract names them; all but the egress gateway have addresses."""
    if role == "primary":
        return (INGRESS, EAST_WEST, ISTIOD_GATEWAY)
    return (INGRESS, EAST_WEST, EGRESS) if mode == "gateway_only" else (INGRESS, EAST_WEST)


def no_control_plane(pods: Sequence[Json], *, injects: bool = False) -> Finding:
    """Whether none of the cluster's pods (all of them) is a control plane's.

    With ``injects`` the site may have an injector of its own, and an injector only: what it could do more is a fault.
    """
    control = [pod for pod in pods if _is_control_plane(pod)]
    injectors = [pod for pod in control if local_injector.is_ours(pod)] if injects else []
    excess = [f"{_name(pod)} {what}" for pod in injectors for what in local_injector.excess(pod)]
    found = sorted(_name(pod) for pod in control if pod not in injectors)
    proxies = sorted(_name(pod) for pod in pods if _has_proxy(pod))
    evidence: dict[str, Any] = {"pods": len(pods), "control_plane": found, "proxies": proxies[:_MOST_NAMES]}
    if injects:
        evidence |= {"injector": sorted(_name(pod) for pod in injectors), "excess": excess}
    if found:
        evidence["seen"] = f"{', '.join(found)} of {len(pods)} pods"
        return Finding("failed", evidence, "an edge site gets its control plane from the primary: remove these pods")
    if excess:
        evidence["seen"] = f"more than an injector: {excess[0]}"
        return Finding("failed", evidence, f"{RERUN}, which makes it an injector and nothing else")
    own = f" but {', '.join(evidence['injector'])}, which only injects" if injectors else ""
    evidence["seen"] = f"{len(pods)} pods, {len(proxies)} with a proxy, none of istiod{own}"
    return Finding("ok", evidence)


def gateways_ready(deployments: Iterable[Json], pods: Iterable[Json], wanted: Iterable[str]) -> Finding:
    """Whether each gateway in ``wanted`` has all its replicas ready and filled in by the injection webhook."""
    by_name = {item["metadata"]["name"]: item for item in deployments}
    running = [pod for pod in pods if pod["metadata"].get("namespace") == SYSTEM_NAMESPACE]
    faults: list[str] = []
    seen: dict[str, Any] = {}
    for name in wanted:
        if name not in by_name:
            faults.append(f"there is no Deployment {name}")
            continue
        deployment = by_name[name]
        asked, ready = _replicas(deployment)
        own = [pod for pod in running if (pod["metadata"].get("labels") or {}).get("app") == name]
        bare = sorted(_name(pod) for pod in own if not _has_proxy(pod))
        seen[name] = {"replicas": asked, "ready": ready, "pods": sorted(_name(pod) for pod in own)}
        if bare:
            faults.append(f"{', '.join(bare)} wasn't filled in by injection")
        elif ready < asked or asked == 0:
            faults.append(f"{name} has {ready} of {asked} pods ready{_why_not(own)}")
    total = sum(entry["ready"] for entry in seen.values())
    evidence = {"seen": "; ".join(faults) or f"{len(seen)} gateways, {total} pods ready", "gateways": seen}
    if faults:
        return Finding("failed", {**evidence, "faults": faults}, "look at the gateway's pods, then " + RERUN)
    return Finding("ok", evidence)


def gateway_address(
    services: Iterable[Json], *, network: str, expected: Iterable[str], wanted: Iterable[str]
) -> Finding:
    """Whether each gateway's Service has an address, the east-west one those in ``expected`` and the site's network."""
    by_name = {item["metadata"]["name"]: item for item in services}
    faults: list[str] = []
    seen: dict[str, list[str]] = {}
    for name in wanted:
        if name not in by_name:
            faults.append(f"there is no Service {name}")
            continue
        seen[name] = _addresses(by_name[name])
        if not seen[name]:
            faults.append(f"{name} has no address yet")
    expected = sorted(set(expected))
    east_west = by_name.get(EAST_WEST)
    if east_west is not None:
        own = seen.get(EAST_WEST, [])
        if expected and own and sorted(own) != expected:
            faults.append(f"{EAST_WEST} has {', '.join(own)}, not {', '.join(expected)}")
        label = (east_west["metadata"].get("labels") or {}).get(NETWORK_LABEL)
        if label != network:
            faults.append(f"{EAST_WEST} is labelled with network {label or 'none'}, not {network}")
    addresses = ", ".join(dict.fromkeys(address for listed in seen.values() for address in listed))
    evidence = {"seen": "; ".join(faults) or addresses, "addresses": seen, "expected": expected, "network": network}
    return Finding("failed", {**evidence, "faults": faults}, RERUN) if faults else Finding("ok", evidence)


def _is_control_plane(pod: Json) -> bool:
    if (pod["metadata"].get("labels") or {}).get("app") == "istiod":
        return True
    for container in _containers(pod):
        repository = str(container.get("image", "")).partition("@")[0]
        image = repository.rpartition("/")[2].partition(":")[0]
        if image in _CONTROL_PLANE_IMAGES:
            return True
        # `discovery` is istiod's container; elsewhere it's a name that others may use
        if container.get("name") == ISTIOD_CONTAINER and pod["metadata"].get("namespace") == SYSTEM_NAMESPACE:
            return True
    return False


def _has_proxy(pod: Json) -> bool:
    """Whether the pod runs a proxy; `auto` is the image of one that no webhook has filled in."""
    return any(each.get("name") == PROXY_CONTAINER and each.get("image") != "auto" for each in _containers(pod))


def _containers(pod: Json) -> list[Json]:
    spec = pod.get("spec") or {}
    # a native sidecar is an init container that goes on running
    return [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]


def _replicas(deployment: Json) -> tuple[int, int]:
    """Replicas asked for, and how many of the newest template are ready."""
    status = deployment.get("status") or {}
    asked = deployment.get("spec", {}).get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return asked, 0
    return asked, min(status.get("readyReplicas") or 0, status.get("updatedReplicas") or 0)


def _why_not(pods: Iterable[Json]) -> str:
    """The first reason that a container of these pods gives for waiting, as `` (reason)``."""
    for pod in pods:
        status = pod.get("status") or {}
        for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
            waiting = (container.get("state") or {}).get("waiting")
            if waiting:
                return f" ({waiting.get('reason', 'waiting')})"
    return ""


def _addresses(service: Json) -> list[str]:
    """The addresses that Istio takes from a gateway's Service: what its load balancer has, and its external IPs."""
    entries = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    given = [entry.get("ip") or entry.get("hostname") or "" for entry in entries]
    return [address for address in [*given, *(service.get("spec", {}).get("externalIPs") or [])] if address]


def _name(pod: Json) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
