# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nodes and istiod do to a site's objects, where there are neither: so that a run finds its waits fulfilled.

Deployments are said to be ready, webhooks get a CA bundle and namespaces the mesh's root, as soon as they are there.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

from tests.integration.site import Site

__all__ = ["Hands"]

Json = dict[str, Any]

_MERGE = "application/merge-patch+json"
_APPS = "/apis/apps/v1"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_ROOT = "istio-ca-root-cert"
_SYSTEM = "istio-system"
_PAUSE = 0.5


class Hands:
    """A context manager: looks at one API server twice a second, in a thread; ``root`` gives the mesh's root."""

    def __init__(self, api: Site, root: Callable[[], str]) -> None:
        self._api = api
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Hands:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(_PAUSE):
            # the object went or was changed meanwhile: the next look sees
            with contextlib.suppress(urllib.error.URLError, OSError):
                self._run_deployments()
                root = self._root()
                if root:
                    self._trust(root)

    def _items(self, path: str) -> Iterator[Json]:
        yield from (self._api.get(path) or {"items": []})["items"]

    def _run_deployments(self) -> None:
        for item in self._items(f"{_APPS}/deployments"):
            wanted, generation = item["spec"].get("replicas", 1), item["metadata"]["generation"]
            status = item.get("status", {})
            if status.get("observedGeneration") == generation and status.get("readyReplicas", 0) == wanted:
                continue
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            conditions = [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ]
            done = {**counts, "observedGeneration": generation, "conditions": conditions}
            place = f"namespaces/{item['metadata']['namespace']}/deployments/{item['metadata']['name']}"
            self._api.call("PATCH", f"{_APPS}/{place}/status", {"status": done}, _MERGE)

    def _trust(self, root: str) -> None:
        bundle = base64.b64encode(root.encode()).decode()
        for item in self._items(_WEBHOOKS):
            hooks = item.get("webhooks") or []
            if hooks and any(hook["clientConfig"].get("caBundle") != bundle for hook in hooks):
                changes = [
                    {"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": bundle}
                    for number in range(len(hooks))
                ]
                place = f"{_WEBHOOKS}/{item['metadata']['name']}?fieldManager=pilot-discovery"
                self._api.call("PATCH", place, changes, "application/json-patch+json")
        for item in self._items("/api/v1/namespaces"):
            name = item["metadata"]["name"]
            if not name.endswith(_SYSTEM):
                continue
            maps = f"/api/v1/namespaces/{name}/configmaps"
            if self._api.get(f"{maps}/{_ROOT}") is None:
                body = {"metadata": {"name": _ROOT}, "data": {"root-cert.pem": root}}
                self._api.call("POST", f"{maps}?fieldManager=pilot-discovery", body)
