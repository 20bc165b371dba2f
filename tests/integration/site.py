# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site to test at, and a second judge of what is there that shares no code with the collection."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.integration.control_plane import ADMIN_TOKEN, ControlPlane
from tests.integration.running import run_module

__all__ = ["Answer", "Site"]

Answer = dict[str, Any]
_PATIENCE = 30.0


@dataclass(frozen=True)
class Site:
    """``name`` is a namespace, a set and a part of every cluster-wide name of one test."""

    plane: ControlPlane
    name: str

    def run(self, module: str, *, check: bool = False, **options: Any) -> Answer:
        """The answer of a module; it may be a failure."""
        return run_module(module, options, check=check)

    def manifests(self, *objects: Mapping[str, Any], check: bool = False, **options: Any) -> Answer:
        """The answer of ``manifests`` for this site and its set."""
        given: dict[str, Any] = {"kubeconfig": str(self.plane.kubeconfig), "site": self.name, "set": self.name}
        if objects:
            given["objects"] = list(objects)
        given.update(options)
        if given.get("subresource"):
            del given["set"]
        return run_module("manifests", given, check=check)

    # -- the second judge ---------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer | None:
        """An answer of the API as the administrator, None for 404; raises HTTPError for other failures."""
        request = urllib.request.Request(
            self.plane.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": kind, "User-Agent": "judge"},
        )
        context = ssl.create_default_context(cadata=self.plane.pki.ca)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(request, timeout=30) as response:
                answer: Answer = json.loads(response.read())
                return answer
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise

    def get(self, path: str) -> Answer | None:
        """What is at a path, None if nothing is."""
        return self.call("GET", path)

    def patch(self, path: str, change: Any, manager: str = "kubectl-edit") -> Answer | None:
        """A merge patch, as a hand with that field manager makes it."""
        return self.call("PATCH", f"{path}?fieldManager={manager}", change, "application/merge-patch+json")

    def apply(self, path: str, body: Any, manager: str) -> Answer | None:
        """A server-side apply, as another tool makes it."""
        return self.call("PATCH", f"{path}?fieldManager={manager}&force=true", body, "application/apply-patch+yaml")

    def until(self, condition: Callable[[], Any]) -> Any:
        """The first true answer of ``condition``; fails after half a minute."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.1)
        raise AssertionError("it didn't happen in time")

    # -- objects ------------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """The path of the namespace."""
        return f"/api/v1/namespaces/{self.name}"

    @property
    def namespace(self) -> Answer:
        """The namespace as an object."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}

    def object(self, kind: str, name: str, api_version: str = "v1", **parts: Any) -> Answer:
        """An object in the namespace."""
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": self.name}, **parts}

    def config_map(self, name: str = "c", **data: str) -> Answer:
        """A ConfigMap."""
        return self.object("ConfigMap", name, data=data or {"a": "1"})

    def definition(self) -> Answer:
        """A definition of the kind Foo in a group of this test."""
        spec = {"type": "object", "properties": {"a": {"type": "integer"}}}
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
        group = f"{self.name}.test"
        return {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"foos.{group}"},
            "spec": {
                "group": group, "scope": "Namespaced", "names": {"kind": "Foo", "plural": "foos"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        }  # fmt: skip

    def custom(self, name: str = "f", a: int = 1) -> Answer:
        """A custom resource of that kind."""
        return self.object("Foo", name, f"{self.name}.test/v1", spec={"a": a})

    def deployment(self, name: str = "d", **container: Any) -> Answer:
        """A Deployment of one pod, which nobody runs: there is no node."""
        labels = {"app": name}
        pod = {"containers": [{"name": "m", "image": "example.test/x:1", **container}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        return self.object("Deployment", name, "apps/v1", spec=spec)
