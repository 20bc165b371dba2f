# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every remote secret of a primary in words, ours and those of others (used by `remote_secret_info`)."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret, tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, Judged, judge

__all__ = ["describe"]

Json = Mapping[str, Any]


def describe(secrets: Iterable[Json]) -> list[dict[str, Any]]:
    """One entry for each cluster of each Secret, by cluster and name; digests and dates, no secret.

    istiod takes a cluster from one Secret only, the first that it saw: the others say so in ``risks``.
    """
    found = [_entry(secret, cluster) for secret in secrets for cluster in sorted(secret.get("data") or {}) or [""]]
    times = Counter(entry["cluster"] for entry in found)
    for entry in found:
        if entry["cluster"] and times[entry["cluster"]] > 1:
            entry["risks"].append("several Secrets hold this cluster, and istiod takes the first that it saw")
    return sorted(found, key=lambda entry: (entry["cluster"], entry["name"]))


def _entry(secret: Json, cluster: str) -> dict[str, Any]:
    judged = _judged(secret, cluster)
    access = judged.access or Access(server="")
    claims = tokens.read_claims(access.token) if access.token else None
    return {
        "name": secret["metadata"]["name"],
        "namespace": secret["metadata"]["namespace"],
        "cluster": cluster,
        "server": access.server or None,
        "credential": judged.kind,
        "reader": claims.subject if claims else None,
        "token_digest": tokens.digest(access.token) if access.token else None,
        "issued_at": tokens.rfc3339(claims.issued) if claims else None,
        "expires_at": tokens.rfc3339(claims.expires) if claims else None,
        "accepted": judged.refused is None,
        "refused": judged.refused,
        "risks": [*judged.risks, *_endless(judged, claims)],
        "ours": remote_secret.is_ours(secret),
        "owner": _owner(secret),
    }


def _judged(secret: Json, cluster: str) -> Judged:
    if not cluster:
        return Judged("malformed", refused="it holds no cluster")
    try:
        return judge(base64.b64decode(secret["data"][cluster], validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return Judged("malformed", refused="its data isn't text")


def _endless(judged: Judged, claims: tokens.Claims | None) -> list[str]:
    ends = claims is None or claims.expires is not None
    return [] if judged.kind != "token" or ends else ["the token never expires"]


def _owner(secret: Json) -> str | None:
    """The field manager that wrote the data last, as the API server keeps it."""
    entries = [
        entry for entry in secret["metadata"].get("managedFields") or [] if "f:data" in (entry.get("fieldsV1") or {})
    ]
    entries.sort(key=lambda entry: str(entry.get("time") or ""))
    return str(entries[-1].get("manager")) if entries else None
