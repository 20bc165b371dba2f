# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sites have a Service, and which versions of it run there (used by `service_info`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api, Json

__all__ = ["Place", "find"]

Connect = Callable[[str, "str | None", str], AbstractContextManager[Api]]


@dataclass(frozen=True)
class Place:
    """A site to look at."""

    name: str
    kubeconfig: str
    context: str | None = None


def find(
    places: Sequence[Place], hosts: Sequence[str], connect: Connect, seconds: float, *, everything: bool = False
) -> dict[str, dict[str, Any]]:
    """Site -> ``{known, why, hosts: {host: {version: pods}}, specs}``; a host without a Service there is missing.

    ``specs`` holds ``{selector, ports, set}`` of each host's Service; ``set`` is ours that it belongs to, or empty.

    With ``everything`` also ``services`` (``<service>.<namespace>``) and ``namespaces``, all that there are.
    A site whose kubeconfig isn't written yet has no cluster, so it is known to have nothing.
    """

    def late(_name: str) -> dict[str, Any]:
        return _answer(f"no answer within {seconds:g} s", everything=everything)

    jobs = {each.name: partial(_look, each, hosts, connect, everything) for each in places}
    return parallel.each(jobs, seconds, late)


def _look(place: Place, hosts: Sequence[str], connect: Connect, everything: bool) -> dict[str, Any]:
    answer = _answer("", everything=everything)
    if not Path(place.kubeconfig).exists():
        return answer
    try:
        with connect(place.kubeconfig, place.context, place.name) as api:
            asked = {host: _service(api, host) for host in hosts}
            found = {host: service for host, service in asked.items() if service is not None}
            answer["hosts"] = {host: _versions(api, host, service) for host, service in found.items()}
            answer["specs"] = {host: _spec(service) for host, service in found.items()}
            if everything:
                services = [item["metadata"] for item in api.list("/api/v1/services")]
                answer["services"] = sorted(f"{item['name']}.{item['namespace']}" for item in services)
                answer["namespaces"] = sorted(item["metadata"]["name"] for item in api.list("/api/v1/namespaces"))
    except MeshError as error:
        return _answer(error.message, everything=everything)
    return answer


def _answer(why: str, *, everything: bool) -> dict[str, Any]:
    more: dict[str, Any] = {"services": [], "namespaces": []} if everything else {}
    return {"known": not why, "why": why, "hosts": {}, "specs": {}, **more}


def _service(api: Api, host: str) -> Json | None:
    name, namespace = host.split(".")[:2]
    return api.get(f"/api/v1/namespaces/{namespace}/services/{name}")


def _spec(service: Json) -> dict[str, Any]:
    spec = service.get("spec") or {}
    ours = ownership.set_of(service) if ownership.origin_of(service) else None
    return {"selector": spec.get("selector") or {}, "ports": spec.get("ports") or [], "set": ours or ""}


def _versions(api: Api, host: str, service: Json) -> dict[str, int]:
    """The pods of a host by the value of their label ``version``."""
    namespace = host.split(".")[1]
    selector = (service.get("spec") or {}).get("selector") or {}
    if not selector:
        return {}
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    found: dict[str, int] = {}
    for pod in api.list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=labels):
        version = str((pod["metadata"].get("labels") or {}).get("version", ""))
        found[version] = found.get(version, 0) + 1
    return found
