# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Others' objects that would die with one of ours (used by ``converge`` before it deletes).

Deleting a definition deletes its custom resources, deleting a namespace everything in it: where somebody else's things
are among that, ours has to stay.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k8s import observe, ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import FIELD_MANAGER, ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.discovery import Resource
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Ref, ref_of
from ansible_collections.edge.mesh.plugins.module_utils._k8s.observe import Live, Parallel

__all__ = ["living_on"]

Identity = tuple[str, str, str, str]

# Whatever else they write, controllers write it for somebody: for us, for the cluster, or for an owner that is named.
_CONTROLLERS = frozenset({FIELD_MANAGER, *ownership.RESPECTED, "kube-apiserver", "kube-scheduler"})
# what Kubernetes puts into each namespace; the account is made without a field, so nothing says who made it
_IN_EVERY_NAMESPACE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})


def living_on(client: Client, ref: Ref, resource: Resource, live: Live, going: Set[Identity]) -> list[Ref]:
    """The objects of others that would die with ``live``; ``going`` are those that are deleted in the same call.

    Empty for kinds that nothing lives on. Raises ApiError if the cluster can't be asked.
    """
    if ref.kind == "CustomResourceDefinition":
        return _in_definition(client, ref, resource, live, going)
    if ref.kind == "Namespace" and not ref.group:
        return _in_namespace(client, ref.name, going)
    return []


def _in_definition(client: Client, ref: Ref, resource: Resource, live: Live, going: Set[Identity]) -> list[Ref]:
    whole = live if "spec" in live else client.get(resource.path("", ref.name))
    if whole is None:
        return []
    return [
        ref_of(item)
        for item in observe.crd_instances(client, whole)
        if ref_of(item).identity not in going and ownership.origin_of(item) != "created"
    ]


def _in_namespace(client: Client, namespace: str, going: Set[Identity]) -> list[Ref]:
    def strange(resource: Resource) -> list[Ref]:
        try:
            items = observe.metadata(client, resource, namespace)
        except ApiError as error:
            if error.status in (404, 405):
                return []
            raise  # what can't be seen may be somebody's
        return [ref_of(item) for item in items if is_strange(item) and ref_of(item).identity not in going]

    with Parallel() as work:  # its own threads: the caller may hold one of its
        kinds = [resource for resource in observe.kinds(client) if resource.namespaced]
        return [ref for refs in work.all(strange, kinds) for ref in refs]


def is_strange(item: dict[str, Any]) -> bool:
    """Whether somebody else made the object, and not a controller for an owner, for the cluster or for us."""
    metadata = item["metadata"]
    if metadata.get("deletionTimestamp") or ownership.origin_of(item) == "created":
        return False
    if (item.get("kind"), metadata["name"]) in _IN_EVERY_NAMESPACE:
        return False
    if ownership.has_controller(item):
        return False
    managers = {
        str(entry.get("manager")) for entry in metadata.get("managedFields") or [] if not entry.get("subresource")
    }
    return not managers or not managers <= _CONTROLLERS
