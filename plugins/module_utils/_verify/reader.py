# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the credential in a primary's remote secret opens the site's API (used by `_verify.survey`).

The kubeconfig is parsed in memory and used from the controller: first at the address that istiod uses, else (where
only the primary can reach that one) at the address that the controller knows. No part of the credential is told.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import reader, remote_secret, tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Api, Finding, Json, unknown
from ansible_collections.edge.mesh.plugins.module_utils._xds import credential

__all__ = ["Open", "check"]

Open = Callable[[Endpoint], AbstractContextManager[Api]]

_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_RIGHTS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


def check(secret: Json | None, site: str, own: Endpoint, connect: Open, now: float, *, peer: bool = False) -> Finding:
    """What the remote secret of ``site`` is worth at ``now`` (seconds since 1970).

    ``own`` is the site's API as the controller knows it; ``connect`` opens an endpoint (raises MeshError). ``peer``
    says that the primary isn't the site's own, so that its reader has fewer rights.
    """
    name = remote_secret.name_of(site)
    if secret is None:
        return Finding("failed", {"seen": f"the primary has no Secret {name}"}, RERUN)
    live = remote_secret.read(secret, site)
    access = live.judged.access
    evidence: dict[str, Any] = {
        "secret": name,
        "kind": live.judged.kind,
        "server": access.server if access else None,
        "expires_at": tokens.rfc3339(live.claims.expires) if live.claims else None,
    }
    if live.judged.refused or live.faults:
        seen = f"istiod can't use {name}: {live.judged.refused or live.faults[0]}"
        return Finding("failed", {**evidence, "seen": seen}, RERUN)
    if access is None or not access.token:
        seen = f"{name} holds a credential of the kind '{live.judged.kind}', which can't be tried from here"
        return Finding("unknown", {**evidence, "seen": seen}, RERUN)
    if live.claims and live.claims.expires is not None and live.claims.expires <= now:
        seen = f"the token expired {tokens.span(now - live.claims.expires)} ago"
        return Finding("failed", {**evidence, "seen": seen}, RERUN)
    left = tokens.span(live.claims.expires - now) if live.claims and live.claims.expires is not None else None
    return _tried(access, site, own, lambda end: _opened(connect, end, evidence, left, peer), evidence)


def _opened(connect: Open, endpoint: Endpoint, evidence: dict[str, Any], left: str | None, peer: bool) -> Finding:
    with connect(endpoint) as api:
        return _asked(api, evidence, left, peer)


def _tried(
    access: Access, site: str, own: Endpoint, ask: Callable[[Endpoint], Finding], evidence: dict[str, Any]
) -> Finding:
    """Use the credential where istiod does, or else where the controller can."""
    for endpoint, as_istiod in credential.places(access, site, own):
        evidence["as_istiod"] = as_istiod
        try:
            return ask(endpoint)
        except ApiError as error:
            if as_istiod and credential.is_elsewhere(error):
                evidence["silent"] = access.server
                continue
            return _refused(error, evidence)
        except MeshError as error:
            return unknown(error, **evidence)
    raise AssertionError("unreachable")


def _asked(api: Api, evidence: dict[str, Any], left: str | None, peer: bool) -> Finding:
    review = api.create(_WHO, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    user = str(((review.get("status") or {}).get("userInfo") or {}).get("username", ""))
    evidence["user"] = user
    namespace, _colon, account = user.removeprefix("system:serviceaccount:").partition(":")
    rights = api.create(
        _RIGHTS,
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace if account else "istio-system"},
        },
    )
    missing = reader.missing_rights(rights, peer=peer)
    evidence["missing_rights"] = missing
    if missing:
        shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        return Finding("failed", {"seen": f"{account or user} may not {shown}", **evidence}, RERUN)
    seen = f"{account or user} is let in" + (f", for {left} more" if left else "")
    if "silent" in evidence:
        seen += f", but nothing answers the controller at {evidence['silent']}"
        hint = "right only if the primary alone reaches that address: join.csr shows whether istiod does"
        return Finding("warning", {"seen": seen, **evidence}, hint)
    if not evidence["as_istiod"]:
        seen += " (tried at the controller's address of the API)"
    return Finding("ok", {"seen": seen, **evidence})


def _refused(error: ApiError, evidence: dict[str, Any]) -> Finding:
    if error.status == 401:
        return Finding("failed", {"seen": "the site's API rejects the token", **evidence}, RERUN)
    if error.status == 0 and error.reason == "TLS":
        return Finding("failed", {"seen": error.why or error.what, **evidence}, RERUN)
    return unknown(error, **evidence)
