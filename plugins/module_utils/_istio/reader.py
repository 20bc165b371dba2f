# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a primary may do at a site: the reader's objects and the rights that istiod needs (used by `remote_secret`).

The rights are those that the code of istiod (1.32 development tree) uses at a remote cluster: the registry's informers
(`pilot/pkg/serviceregistry/kube/controller`), the credentials controller, the CRD watcher, the namespace controller
with its leader election, and the webhook patcher. `tests/reader` takes each of them away from a real istiod and writes
down what stops (docs/reader_rights.md). ConfigMaps are watched with a field selector on one name, so the
right to read them is bound to names; `create` can't be.

A *peer* is a primary that isn't the site's own: its istiod must know the site's endpoints, and no more. It gets what is
read, but neither the reviews by which istiod serves a site's proxies nor any right to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    ROOT_CERT_CONFIGMAP,
    ROOT_CRL_CONFIGMAP,
    SYSTEM_NAMESPACE,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership

__all__ = [
    "ACCOUNT",
    "CLUSTER_ANNOTATION",
    "LABELS",
    "PEER_ACCOUNT",
    "PRIMARY_ANNOTATION",
    "READER_ANNOTATION",
    "Reader",
    "Right",
    "anchor",
    "differences",
    "missing_rights",
    "objects",
    "path_of",
    "rights",
    "unproven",
]

Json = Mapping[str, Any]

LABELS: Json = {ownership.SET: "site-reader", ownership.ORIGIN: "created"}
PRIMARY_ANNOTATION = "edge.mesh/primary"
CLUSTER_ANNOTATION = "edge.mesh/cluster"
READER_ANNOTATION = "edge.mesh/reader"  # the service account that an anchor's token is of
ACCOUNT = "istio-reader-edge-mesh"
PEER_ACCOUNT = "istio-reader-edge-mesh-peer"

_RBAC = "rbac.authorization.k8s.io"
_FOLLOW = ("list", "watch")  # what an informer does; it never gets an object by its name
_READING = ("get", *_FOLLOW)
_ELECTION_CONFIGMAP = "istio-namespace-controller-election"


@dataclass(frozen=True)
class Reader:
    """Who reads a site for its primaries; ``peer`` says that none of them is the site's own."""

    namespace: str
    service_account: str
    peer: bool = False

    @property
    def subject(self) -> str:
        """The name under which the site's API knows the reader."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"

    @property
    def cluster_role(self) -> str:
        """Name of the ClusterRole and its binding."""
        return f"{self.service_account}-{self.namespace}"


@dataclass(frozen=True)
class Right:
    """One thing that the reader may do: ``namespace`` None is everywhere, ``name`` None any object."""

    verb: str
    group: str
    resource: str
    name: str | None = None
    namespace: str | None = None

    def __str__(self) -> str:
        """As people write it: ``list pods``, ``update configmaps/x in istio-system``."""
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {what}" + (f"/{self.name}" if self.name else "") + where

    def as_review(self) -> dict[str, Any]:
        """The SelfSubjectAccessReview that asks for it."""
        asked = {"verb": self.verb, "group": self.group, "resource": self.resource}
        asked |= {key: value for key, value in (("name", self.name), ("namespace", self.namespace)) if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }


@dataclass(frozen=True)
class _Rule:
    """One line of rights: what istiod does with ``resources`` of the API group ``group``."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()

    def as_rbac(self) -> dict[str, Any]:
        rule: dict[str, Any] = {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }
        return {**rule, "resourceNames": list(self.names)} if self.names else rule

    def reading(self) -> _Rule | None:
        """What of it only reads; None if nothing does, and for the lock, which only who writes here needs."""
        verbs = tuple(verb for verb in self.verbs if verb in _READING)
        return replace(self, verbs=verbs) if verbs and _ELECTION_CONFIGMAP not in self.names else None


_EVERYWHERE = (
    # endpoints, localities and networks of the site
    _Rule("", ("nodes", "pods", "services"), _FOLLOW),
    # the same, and once by name: whether this primary may write here (the annotation controlPlaneClusters)
    _Rule("", ("namespaces",), ("get", *_FOLLOW)),
    _Rule("discovery.k8s.io", ("endpointslices",), _FOLLOW),
    _Rule("networking.istio.io", ("workloadentries",), _FOLLOW),
    # which optional kinds the site has, and the one that describes its gateways
    _Rule("apiextensions.k8s.io", ("customresourcedefinitions",), _FOLLOW),
    _Rule("gateway.networking.k8s.io", ("gateways",), _FOLLOW),
    # certificates of the site's gateways; without this right istiod never reports the cluster as synced
    _Rule("", ("secrets",), _FOLLOW),
    _Rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",)),
    # the identity of whoever asks for a certificate
    _Rule("authentication.k8s.io", ("tokenreviews",), ("create",)),
    # upkeep of the injection webhook's CA bundle and of the root certificate in every namespace
    _Rule("admissionregistration.k8s.io", ("mutatingwebhookconfigurations",), (*_FOLLOW, "update")),
    _Rule("", ("configmaps",), (*_FOLLOW, "update"), (ROOT_CERT_CONFIGMAP, ROOT_CRL_CONFIGMAP)),
    _Rule("", ("configmaps",), ("create",)),
)
_IN_SYSTEM_NAMESPACE = (
    # the mesh configuration; its name carries the revision
    _Rule("", ("configmaps",), _FOLLOW),
    # the lock of the leader election, which `create` above makes
    _Rule("", ("configmaps",), ("get", "update"), (_ELECTION_CONFIGMAP,)),
)


def _rules(*, peer: bool) -> tuple[tuple[_Rule, ...], tuple[_Rule, ...]]:
    """What a reader may do everywhere, and in its own namespace."""
    if not peer:
        return _EVERYWHERE, _IN_SYSTEM_NAMESPACE
    everywhere, here = (
        tuple(less for rule in rules if (less := rule.reading())) for rules in (_EVERYWHERE, _IN_SYSTEM_NAMESPACE)
    )
    return everywhere, here


def objects(reader: Reader) -> list[dict[str, Any]]:
    """The reader's objects at the site, in the order in which they are applied."""
    everywhere, here = _rules(peer=reader.peer)
    return [
        _object("v1", "ServiceAccount", reader.service_account, reader.namespace, automountServiceAccountToken=False),
        _object(
            f"{_RBAC}/v1", "ClusterRole", reader.cluster_role, None, rules=[rule.as_rbac() for rule in everywhere]
        ),
        _binding("ClusterRoleBinding", "ClusterRole", reader.cluster_role, None, reader),
        _object(
            f"{_RBAC}/v1", "Role", reader.service_account, reader.namespace,
            rules=[rule.as_rbac() for rule in here],
        ),
        _binding("RoleBinding", "Role", reader.service_account, reader.namespace, reader),
    ]  # fmt: skip


def anchor(reader: Reader, cluster: str, primary: str, *, static: bool) -> dict[str, Any]:
    """The Secret that a token lives and dies with; the API server completes its name.

    A bound token is bound to it by reference; a static one is put into it by the token controller.
    """
    made = _object("v1", "Secret", "", reader.namespace, type="Opaque")
    made["metadata"] = {
        "generateName": f"{reader.service_account}-token-",
        "namespace": reader.namespace,
        "labels": dict(LABELS),
        "annotations": {
            PRIMARY_ANNOTATION: primary,
            CLUSTER_ANNOTATION: cluster,
            READER_ANNOTATION: reader.service_account,
        },
    }
    if static:
        made["type"] = "kubernetes.io/service-account-token"
        made["metadata"]["annotations"]["kubernetes.io/service-account.name"] = reader.service_account
    return made


def path_of(body: Json) -> str:
    """The API path of one of the reader's objects."""
    resource = body["kind"].lower() + "s"
    version = body["apiVersion"]
    root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    namespace = body["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{resource}/{body['metadata']['name']}"


def differences(wanted: Json, live: Json | None) -> list[str]:
    """The fields of ``wanted`` that the live object lacks or holds otherwise, as dotted paths."""
    if live is None:
        return ["is missing"]
    return _differing(wanted, live, "")


def rights(namespace: str, *, peer: bool = False) -> tuple[Right, ...]:
    """Every right that istiod needs of a reader in ``namespace``, in the order of the roles."""
    everywhere, here = _rules(peer=peer)
    return tuple(
        Right(verb, rule.group, resource, name, where)
        for rules, where in ((everywhere, None), (here, namespace))
        for rule in rules
        for resource in rule.resources
        for verb in rule.verbs
        for name in rule.names or (None,)
    )


def unproven(everywhere: Json, here: Json, namespace: str, *, peer: bool = False) -> list[Right]:
    """The rights that two SelfSubjectRulesReviews don't show.

    ``here`` was asked in the reader's namespace, ``everywhere`` in one that doesn't exist: it shows what holds in all.
    """
    shown = {None: everywhere, namespace: here}
    return [
        right
        for right in rights(namespace, peer=peer)
        if not any(
            _covers(rule, right) for rule in (shown[right.namespace].get("status") or {}).get("resourceRules") or []
        )
    ]


def missing_rights(review: Json, *, peer: bool = False) -> list[str]:
    """The rights that one SelfSubjectRulesReview (by the reader, in its namespace) doesn't show, in words.

    A review that calls itself incomplete (an authoriser that can't list its rules) is no proof: then nothing is missed.
    Rights that hold in its namespace only pass for such that hold everywhere; `unproven` is the stricter judge.
    """
    if (review.get("status") or {}).get("incomplete"):
        return []
    return [str(right) for right in unproven(review, review, SYSTEM_NAMESPACE, peer=peer)]


def _covers(granted: Json, right: Right) -> bool:
    def allows(key: str, value: str) -> bool:
        listed: Iterable[str] = granted.get(key) or []
        return value in listed or "*" in listed

    names = granted.get("resourceNames") or []
    return (
        allows("verbs", right.verb)
        and allows("apiGroups", right.group)
        and allows("resources", right.resource)
        and (not names or right.name in names)
    )


def _object(version: str, kind: str, name: str, namespace: str | None, **body: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": dict(LABELS)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def _binding(kind: str, role_kind: str, name: str, namespace: str | None, reader: Reader) -> dict[str, Any]:
    return _object(
        f"{_RBAC}/v1", kind, name, namespace,
        roleRef={"apiGroup": _RBAC, "kind": role_kind, "name": name},
        subjects=[{"kind": "ServiceAccount", "name": reader.service_account, "namespace": reader.namespace}],
    )  # fmt: skip


def _differing(wanted: Any, live: Any, path: str) -> list[str]:
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping):
            return [path]
        found = []
        for key, value in wanted.items():
            found += _differing(value, live.get(key), f"{path}.{key}" if path else str(key))
        return found
    return [] if wanted == live else [path]
