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
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api

__all__ = ["Place", "find"]

Connect = Callable[[str, "str | None", str], AbstractContextManager[Api]]


@dataclass(frozen=True)
class Place:
    """A site to look at."""

    name: str
    kubeconfig: str
    context: str | None = None


def find(places: Sequence[Place], hosts: Sequence[str], connect: Connect, seconds: float) -> dict[str, dict[str, Any]]:
    """Site -> ``{known, why, hosts: {host: {version: pods}}}``; a host without a Service there is missing.

    A site whose kubeconfig isn't written yet has no cluster, so it is known to have nothing.
    """

    def late(_name: str) -> dict[str, Any]:
        return {"known": False, "why": f"no answer within {seconds:g} s", "hosts": {}}

    return parallel.each({each.name: partial(_look, each, hosts, connect) for each in places}, seconds, late)


def _look(place: Place, hosts: Sequence[str], connect: Connect) -> dict[str, Any]:
    if not Path(place.kubeconfig).exists():
        return {"known": True, "why": "", "hosts": {}}
    try:
        with connect(place.kubeconfig, place.context, place.name) as api:
            found = {host: _versions(api, host) for host in hosts}
    except MeshError as error:
        return {"known": False, "why": error.message, "hosts": {}}
    return {
        "known": True,
        "why": "",
        "hosts": {host: versions for host, versions in found.items() if versions is not None},
    }


def _versions(api: Api, host: str) -> dict[str, int] | None:
    """The pods of a host by the value of their label ``version``; None if there is no such Service."""
    name, namespace = host.split(".")[:2]
    service = api.get(f"/api/v1/namespaces/{namespace}/services/{name}")
    if service is None:
        return None
    selector = (service.get("spec") or {}).get("selector") or {}
    if not selector:
        return {}
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    found: dict[str, int] = {}
    for pod in api.list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=labels):
        version = str((pod["metadata"].get("labels") or {}).get("version", ""))
        found[version] = found.get(version, 0) + 1
    return found
