# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site's side of a remote secret: the reader's objects, its tokens and what they are worth (for `credential`)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import reader as readers
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Api, Time, until

__all__ = ["Issued", "Probe", "SiteSide", "Survey"]

Json = Mapping[str, Any]

_RIGHTS_SECONDS = 10.0  # the API server's authoriser sees a new role binding after a moment
_CONNECTIONS = 3
_AT_ONCE = 8  # reviews
_NAMED = 8  # missing rights in a message
_RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_NOWHERE = "edge-mesh.nowhere"  # no namespace can have that name, so only what holds in all of them is shown
_DEAD_SECONDS = 25.0  # the API server remembers an accepted token for about ten seconds


@dataclass(frozen=True)
class Survey:
    """What is at the site: ``wanted`` objects with the fields in which the live ones ``differ``, and our anchors."""

    wanted: tuple[Json, ...]
    live: tuple[Json | None, ...]
    differ: tuple[tuple[str, ...], ...]
    anchors: tuple[Json, ...]

    def reasons(self) -> list[str]:
        """One line for each object that has to be made or changed."""
        found = []
        for body, live, fields in zip(self.wanted, self.live, self.differ, strict=True):
            if fields:
                how = "is missing" if live is None else f"differs in {', '.join(fields)}"
                found.append(f"the reader's {body['kind']} {_name(body)} {how}")
        return found

    def anchors_of(self, cluster: str, primary: str) -> list[str]:
        """The names of the Secrets whose tokens were issued for one primary."""
        mine = {readers.PRIMARY_ANNOTATION: primary, readers.CLUSTER_ANNOTATION: cluster}
        found = []
        for item in self.anchors:
            annotations = item["metadata"].get("annotations") or {}
            if all(annotations.get(key) == value for key, value in mine.items()):
                found.append(str(item["metadata"]["name"]))
        return found


@dataclass(frozen=True)
class Issued:
    """A new token, the Secret that it lives with, and its end (seconds since 1970, None if it never ends)."""

    anchor: str
    expires: float | None
    token: str = field(repr=False)


@dataclass(frozen=True)
class Probe:
    """What the site's API says of a token: whether it takes it, and the rights of the reader that it lacks."""

    accepted: bool
    missing: tuple[str, ...] = ()


class SiteSide:
    """One site; ``connect`` opens its API as the holder of a token."""

    def __init__(
        self, api: Api, connect: Callable[[str], AbstractContextManager[Api]], reader: Reader, time: Time
    ) -> None:
        self._api = api
        self._connect = connect
        self._time = time
        self.reader = reader
        self.requests = 0  # those made with tokens

    @property
    def _secrets(self) -> str:
        return f"/api/v1/namespaces/{self.reader.namespace}/secrets"

    def survey(self) -> Survey:
        """Read the reader's objects and its anchors, a few at a time: a connection costs more than a request."""
        wanted = readers.objects(self.reader)
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            anchors = pool.submit(self._api.list, self._secrets, labelSelector=_selector())
            live = list(pool.map(lambda body: self._api.get(readers.path_of(body)), wanted))
        wanted = [_adopting(body, found) for body, found in zip(wanted, live, strict=True)]
        differ = [tuple(readers.differences(body, found)) for body, found in zip(wanted, live, strict=True)]
        mine = [each for each in anchors.result() if self._is_mine(each)]
        return Survey(tuple(wanted), tuple(live), tuple(differ), tuple(mine))

    def _is_mine(self, anchor: Json) -> bool:
        """Whether an anchor's token is of this reader: a site has another one for primaries that aren't its own."""
        account = (anchor["metadata"].get("annotations") or {}).get(readers.READER_ANNOTATION)
        return account == self.reader.service_account or (account is None and not self.reader.peer)

    def has_namespace(self) -> bool:
        """Whether the reader's namespace exists."""
        return self._api.get(f"/api/v1/namespaces/{self.reader.namespace}") is not None

    def ensure(self, survey: Survey) -> None:
        """Apply the objects that differ; raises MeshError if their namespace doesn't exist."""
        if survey.live[0] is None and not self.has_namespace():
            raise MeshError(
                f"the namespace {self.reader.namespace} doesn't exist",
                site=self._api.site,
                hint="create it first, with its network label and controlPlaneClusters annotation",
            )
        for body, fields in zip(survey.wanted, survey.differ, strict=True):
            if fields:
                self._api.apply(readers.path_of(body), body, force=True)

    def root_ca(self) -> str | None:
        """The CA that the cluster itself publishes for its API."""
        found = self._api.get(f"/api/v1/namespaces/{self.reader.namespace}/configmaps/kube-root-ca.crt")
        return (found.get("data") or {}).get("ca.crt") if found else None

    def issue(self, cluster: str, primary: str, *, ttl: float, static: bool) -> Issued:
        """A new token of the reader, in a Secret of its own; nothing is left behind if that fails."""
        body = readers.anchor(self.reader, cluster, primary, static=static)
        made = self._api.create(self._secrets, body, fieldManager="edge.mesh")
        name = str(made["metadata"]["name"])
        try:
            issued = self._static(name) if static else self._bound(made, ttl)
            self._check_rights(issued.token)
        except BaseException:
            self.revoke([name])
            raise
        return issued

    def revoke(self, anchors: list[str]) -> None:
        """Delete the Secrets that tokens live with, and so the tokens."""
        for name in anchors:
            self._api.delete(f"{self._secrets}/{name}")

    def probe(self, token: str, *, hasty: bool = False) -> Probe:
        """Ask the site's API, with the token itself, whether it takes it and what it may do.

        Two SelfSubjectRulesReviews show all rights at once. What they don't show, because an authoriser can't list its
        rules or because it isn't granted, is asked for one by one: only a SelfSubjectAccessReview can tell. ``hasty``
        leaves that out where the list is complete.
        """
        with self._connect(token) as api:
            try:
                everywhere, here = (api.create(_RULES, _rules_of(name)) for name in (_NOWHERE, self.reader.namespace))
                doubtful = readers.unproven(everywhere, here, self.reader.namespace, peer=self.reader.peer)
                complete = not any((each.get("status") or {}).get("incomplete") for each in (everywhere, here))
                if doubtful and not (hasty and complete):
                    with ThreadPoolExecutor(_AT_ONCE) as pool:
                        allowed = pool.map(lambda right: _allows(api.create(_ACCESS, right.as_review())), doubtful)
                        doubtful = [right for right, granted in zip(doubtful, allowed, strict=True) if not granted]
            except ApiError as error:
                if error.status == 401:
                    return Probe(accepted=False)
                if error.status != 403:
                    raise
                return Probe(accepted=True)
            finally:
                self.requests += api.requests
        return Probe(accepted=True, missing=tuple(map(str, doubtful)))

    def has_endpoints(self, namespace: str, service: str) -> bool:
        """Whether a Service of the site has endpoints that are ready."""
        slices = self._api.list(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            labelSelector=f"kubernetes.io/service-name={service}",
        )
        conditions = [each.get("conditions") or {} for found in slices for each in found.get("endpoints") or []]
        return any(each.get("ready") is not False for each in conditions)

    def is_dead(self, token: str) -> bool:
        """Wait until the API rejects the token; False if it still takes it after some 25 seconds."""
        return until(lambda: not self.probe(token).accepted, self._time, seconds=_DEAD_SECONDS, pause=1.0)

    def remove(self, survey: Survey, *, check_mode: bool) -> list[str]:
        """Delete the reader's objects that we made, take our labels off the adopted ones; what is done, a line each."""
        done = []
        for body, live in reversed(list(zip(survey.wanted, survey.live, strict=True))):
            if live is None:
                continue
            path = readers.path_of(body)
            origin = ownership.origin_of(live)
            if origin == "created":
                if not check_mode:
                    self._api.delete(path)
                done.append(f"the reader's {body['kind']} {_name(body)} is deleted")
            elif origin == "adopted":
                if not check_mode:
                    self._api.patch(path, {"metadata": {"labels": dict.fromkeys(readers.LABELS)}})
                done.append(f"the reader's {body['kind']} {_name(body)} was adopted and stays, without our labels")
        return done

    def _bound(self, made: Json, ttl: float) -> Issued:
        metadata = made["metadata"]
        account = f"/api/v1/namespaces/{self.reader.namespace}/serviceaccounts/{self.reader.service_account}"
        reference = {"kind": "Secret", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        answer = self._api.create(
            f"{account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": round(ttl), "boundObjectRef": reference},
            },
        )
        status = answer["status"]
        expires = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
        return Issued(str(metadata["name"]), expires, str(status["token"]))

    def _static(self, name: str) -> Issued:
        found: list[str] = []

        def filled() -> bool:
            secret = self._api.get(f"{self._secrets}/{name}") or {}
            token = (secret.get("data") or {}).get("token")
            if token:
                found.append(base64.b64decode(token).decode())
            return bool(found)

        if not until(filled, self._time, seconds=_RIGHTS_SECONDS):
            raise MeshError(
                "the static token wasn't made", site=self._api.site,
                why=f"Secret {name} stayed empty", hint="is the site's kube-controller-manager running?",
            )  # fmt: skip
        return Issued(name, None, found[0])

    def _check_rights(self, token: str) -> None:
        last: list[Probe] = []

        def granted(*, hasty: bool = True) -> bool:
            last[:] = [self.probe(token, hasty=hasty)]
            return last[0].accepted and not last[0].missing

        if until(granted, self._time, seconds=_RIGHTS_SECONDS) or granted(hasty=False):
            return
        if not last[0].accepted:
            raise MeshError("the site's API rejects the token that it has just issued", site=self._api.site)
        raise MeshError(
            "the reader lacks rights that istiod needs", site=self._api.site, why=_shown(last[0].missing),
            hint="an authoriser beside RBAC takes them away, or denies them to new accounts; ask who runs the cluster",
        )  # fmt: skip


def _adopting(body: dict[str, Any], live: Json | None) -> dict[str, Any]:
    """The wanted object; one that was there before us is marked as adopted."""
    if live is None or ownership.origin_of(live) == "created":
        return body
    labels = {**body["metadata"]["labels"], ownership.ORIGIN: "adopted"}
    return {**body, "metadata": {**body["metadata"], "labels": labels}}


def _rules_of(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }


def _allows(review: Json) -> bool:
    return bool((review.get("status") or {}).get("allowed"))


def _shown(missing: tuple[str, ...]) -> str:
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return ", ".join(missing[:_NAMED]) + more


def _selector() -> str:
    return ",".join(f"{key}={value}" for key, value in readers.LABELS.items())


def _name(body: Json) -> str:
    namespace = body["metadata"].get("namespace")
    return f"{namespace}/{body['metadata']['name']}" if namespace else str(body["metadata"]["name"])
