# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A primary's remote secret for a site: what it should be, and whether the one there will do (used by `remote_secret`).

Pure: the live Secret, the wish and the clock go in, ``Keep`` or ``Issue`` with reasons comes out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, Judged, judge, same_ca
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership

__all__ = [
    "MULTICLUSTER_LABEL",
    "Issue",
    "Keep",
    "Live",
    "Wanted",
    "body",
    "is_ours",
    "name_of",
    "path_of",
    "plan",
    "read",
    "renewal_window",
]

Json = Mapping[str, Any]

MULTICLUSTER_LABEL = "istio/multiCluster"
CLUSTER_NAME_ANNOTATION = "networking.istio.io/cluster"

_SLACK = 60.0  # seconds by which a token may live longer than wished: clocks differ


@dataclass(frozen=True)
class Wanted:
    """The credential that a primary should have for ``cluster``: a token that ends, or a ``static`` one that doesn't.

    ``ttl`` and ``renew_before`` are seconds, the latter None for a third of the token's life.
    """

    cluster: str
    access: Access
    subject: str
    static: bool
    ttl: float
    renew_before: float | None


@dataclass(frozen=True)
class Live:
    """The remote secret that a primary has: ``text`` is the cluster's kubeconfig, None if its key isn't there.

    ``others`` are further data keys, which are clusters of somebody else; ``faults`` what istiod needs beside the data.
    """

    text: str | None
    judged: Judged
    claims: tokens.Claims | None
    ours: bool
    others: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Keep:
    """The credential is good; ``repairs`` are labels and annotations to set again."""

    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issue:
    """A new credential is needed, and why (at least one reason)."""

    reasons: tuple[str, ...]


def name_of(cluster: str) -> str:
    """The name of the remote secret, as istioctl names it too."""
    return f"istio-remote-secret-{cluster}"


def path_of(cluster: str) -> str:
    """The API path of the remote secret on a primary."""
    return f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/{name_of(cluster)}"


def body(cluster: str, text: str) -> dict[str, Any]:
    """The remote secret that holds the kubeconfig ``text``."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name_of(cluster),
            "namespace": SYSTEM_NAMESPACE,
            "labels": {MULTICLUSTER_LABEL: "true", ownership.SET: "remote-secret", ownership.ORIGIN: "created"},
            "annotations": {CLUSTER_NAME_ANNOTATION: cluster},
        },
        "type": "Opaque",
        "data": {cluster: base64.b64encode(text.encode()).decode()},
    }


def is_ours(secret: Json) -> bool:
    """Whether we made this Secret."""
    return ownership.origin_of(secret) == "created"


def read(secret: Json, cluster: str) -> Live:
    """What a primary's Secret says of ``cluster``."""
    data: Mapping[str, str] = secret.get("data") or {}
    metadata = secret["metadata"]
    text: str | None = None
    judged = Judged("malformed", refused=f"it has no data key '{cluster}'")
    if cluster in data:
        try:
            text = base64.b64decode(data[cluster], validate=True).decode()
            judged = judge(text)
        except (binascii.Error, UnicodeDecodeError):
            judged = Judged("malformed", refused="its data isn't text")
    faults = []
    if (metadata.get("labels") or {}).get(MULTICLUSTER_LABEL) != "true":
        faults.append(f"label {MULTICLUSTER_LABEL} was missing")
    if (metadata.get("annotations") or {}).get(CLUSTER_NAME_ANNOTATION) != cluster:
        faults.append(f"annotation {CLUSTER_NAME_ANNOTATION} was missing or wrong")
    token = judged.access.token if judged.access else None
    return Live(
        text=text,
        judged=judged,
        claims=tokens.read_claims(token) if token else None,
        ours=is_ours(secret),
        others=tuple(sorted(set(data) - {cluster})),
        faults=tuple(faults),
    )


def plan(wanted: Wanted, live: Live | None, *, now: float, accepted: bool | None = None) -> Keep | Issue:
    """Whether the live credential will do at ``now`` (seconds since 1970).

    ``accepted`` is what the site's API says of the token: None while it hasn't been asked, which counts as good. So
    the API needs to be asked only if everything else is as wished.
    """
    if live is None:
        return Issue(("there is no remote secret for this cluster",))
    reasons = [] if live.ours else ["the remote secret was made by others and is taken over"]
    if live.judged.refused:
        reasons.append(f"istiod can't use the remote secret: {live.judged.refused}")
    if live.judged.access:
        reasons += _access_reasons(wanted, live.judged.access)
        reasons += _token_reasons(wanted, live, now)
    if accepted is False:
        reasons.append("the site's API rejects the token")
    return Issue(tuple(reasons)) if reasons else Keep(live.faults)


def renewal_window(renew_before: float | None, lifetime: float) -> float:
    """How many seconds before its end a token of ``lifetime`` seconds is renewed; a third of that for None.

    A server may give less than was wished: the window stays below two thirds of that, or every run would renew.
    """
    if renew_before is None:
        return lifetime / 3
    return min(renew_before, lifetime * 2 / 3)


def _access_reasons(wanted: Wanted, live: Access) -> list[str]:
    wish = wanted.access
    reasons = []
    for what, old, new in (
        ("the server", live.server, wish.server),
        ("the TLS server name", live.tls_server_name, wish.tls_server_name),
        ("the proxy", live.proxy_url, wish.proxy_url),
    ):
        if old != new:
            reasons.append(f"{what} is {old or 'not set'}, wanted {new or 'none'}")
    if not same_ca(live.ca_pem, wish.ca_pem):
        reasons.append("the CA of the site's API differs")
    return reasons


def _token_reasons(wanted: Wanted, live: Live, now: float) -> list[str]:
    if live.judged.kind != "token":
        return [f"the credential is of the kind '{live.judged.kind}', wanted a token"]
    claims = live.claims
    if claims is None:
        return ["the token isn't a service account's"]
    reasons = []
    if claims.subject != wanted.subject:
        reasons.append(f"the token belongs to {claims.subject}, wanted {wanted.subject}")
    if claims.secret is None:
        reasons.append("the token isn't bound to a Secret and so can't be revoked")
    if wanted.static:
        return reasons if claims.expires is None else [*reasons, "the token is bound, wanted static"]
    if claims.expires is None:
        return [*reasons, "the token never expires, wanted a bound one"]
    return reasons + _expiry_reasons(wanted, claims, claims.expires, now)


def _expiry_reasons(wanted: Wanted, claims: tokens.Claims, expires: float, now: float) -> list[str]:
    left = expires - now
    lifetime = expires - claims.issued if claims.issued is not None else wanted.ttl
    window = renewal_window(wanted.renew_before, lifetime)
    if left <= 0:
        return [f"the token expired {tokens.span(-left)} ago"]
    if left <= window:
        return [f"the token expires in {tokens.span(left)}, inside the renewal window of {tokens.span(window)}"]
    if lifetime > wanted.ttl + _SLACK:
        return [f"the token lives for {tokens.span(lifetime)}, wanted {tokens.span(wanted.ttl)}"]
    return []
