# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A namespace's worth of objects and a way to make them as wished (used by the tests of ``converge``)."""

from __future__ import annotations

import time

from ansible_collections.edge.mesh.plugins.module_utils._k8s.converge import Request, converge
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import Rules
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import Clock

CLOCK = Clock(time.monotonic, lambda seconds: time.sleep(min(seconds, 0.05)))


class World:
    """A namespace of its own with a ConfigMap, a webhook configuration and whatever a test adds, as one set."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.client = cluster.client
        self.name = cluster.unique
        self.namespace_path = f"/api/v1/namespaces/{self.name}"
        self.map_path = f"{self.namespace_path}/configmaps/c"
        self.webhook_path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{self.name}"
        self.namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.name, "labels": {"net": "n"}},
        }

    def map(self, name="c", **data):
        metadata = {"name": name, "namespace": self.name}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"a": "1"}}

    def webhook(self, policy="Ignore"):
        service = {"name": "istiod", "namespace": self.name, "path": "/validate"}
        rule = {"operations": ["CREATE"], "apiGroups": ["x.test"], "apiVersions": ["*"], "resources": ["foos"]}
        hook = {
            "name": "v.x.test", "failurePolicy": policy, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": service}, "rules": [rule],
        }  # fmt: skip
        return {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": self.name}, "webhooks": [hook],
        }  # fmt: skip

    def definition(self):
        schema = {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        }
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        group = f"{self.name}.test"
        return {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"foos.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Foo", "plural": "foos"},
                     "versions": [version]},
        }  # fmt: skip

    def custom(self, name="f"):
        metadata = {"name": name, "namespace": self.name}
        return {"apiVersion": f"{self.name}.test/v1", "kind": "Foo", "metadata": metadata, "spec": {"a": 1}}

    def run(self, *objects, present=True, check=False, prune=False, wait=None, subresource="", prune_kinds=(), **rules):
        rules.setdefault("set_name", None if subresource else self.name)
        request = Request(
            objects, Rules(**rules), present, prune, check, CLOCK.now() + 30, wait, subresource, prune_kinds,
        )  # fmt: skip
        return converge(self.client, request, CLOCK)

    def actions(self, *objects, **options):
        return [item.action for item in self.run(*objects, **options).items]
