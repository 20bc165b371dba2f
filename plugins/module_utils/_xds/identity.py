# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate as a workload of the site gets it, and why it gets none (used by `_xds.synthetic`).

The one proof that istiod reaches the site's API *now*: it reviews the fresh token there. Every failed authentication
looks the same to a client, so facts of our own are laid beside it: the token's claims, whether the site's API takes
the token, and what the primary's remote secret says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Finding, Mesh, Site
from ansible_collections.edge.mesh.plugins.module_utils._xds.tokens import Token
from ansible_collections.edge.mesh.plugins.module_utils._xds.transport import Connection, RpcError

__all__ = ["diagnosis", "request_certificate"]

# what Istio's agent asks for (SECRET_TTL)
_LIFETIME = 24 * 3600
_SLACK = 600


def request_certificate(
    connection: Connection, token: Token, site: Site, mesh: Mesh, roots_pem: str, now: datetime, timeout: float
) -> Finding:
    """Have a certificate signed and look at it: identity, key, chain to the site's root, lifetime. The key is dropped.

    Raises RpcError if istiod refuses.
    """
    key, csr = workload.make_csr(mesh.identity)
    chain = connection.sign(csr, token=token.text, cluster=site.cluster, lifetime=_LIFETIME, timeout=timeout)
    try:
        return _judge(chain, workload.public_bytes(key), mesh, roots_pem, now)
    except MeshError as error:
        return Finding(
            "failed", {"error": str(error)}, "workloads of this site can't verify each other: check the roots"
        )


def _judge(chain: tuple[str, ...], public_key: bytes, mesh: Mesh, roots_pem: str, now: datetime) -> Finding:
    leaf = workload.inspect(chain[0] if chain else "")[0]
    seconds = (leaf.not_after - now).total_seconds()
    evidence: dict[str, Any] = {
        "identity": list(leaf.uris),
        "issuer": leaf.issuer,
        "hours_left": round(seconds / 3600, 1),
        "chain": len(chain),
    }
    if leaf.uris != (mesh.identity,):
        evidence["expected"] = mesh.identity
        return Finding("failed", evidence, "the identity is another: compare edge_mesh_trust_domain with istiod's")
    if leaf.public_key != public_key:
        return Finding("failed", evidence, "the certificate is for another key: something answers in istiod's place")
    evidence["root_sha256"] = workload.verify_chain(chain, roots_pem, now)
    if seconds > _LIFETIME + _SLACK:
        return Finding("warning", evidence, "certificates live longer than was asked for")
    if seconds < _LIFETIME - _SLACK:
        return Finding("warning", evidence, "certificates live shorter than was asked for: the signing CA ends soon")
    return Finding("ok", evidence)


def diagnosis(
    error: RpcError,
    token: Token,
    site: Site,
    now: datetime,
    accepted: Callable[[Token], bool],
    secret: Callable[[], Mapping[str, Any]],
) -> Finding:
    """Why istiod refused, from facts of our own.

    ``accepted`` asks the site's API for a review of the token, ``secret`` tells ``{exists, keys}`` of the site's remote
    secret on the primary; both may raise MeshError.
    """
    evidence: dict[str, Any] = {"code": error.code, "details": error.details, "cluster": site.cluster}
    if error.code != "UNAUTHENTICATED" and error.code != "DEADLINE_EXCEEDED":
        return Finding("failed", evidence, "istiod's own text says why")
    evidence["token"] = token.evidence(now)
    evidence["accepted_by_site"] = _ask(lambda: accepted(token))
    if not site.is_primary:
        evidence["remote_secret"] = _ask(secret)
    return Finding("failed", evidence, _hint(evidence, site, error.code))


def _ask(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except MeshError as error:
        return f"unknown: {error}"


def _hint(evidence: Mapping[str, Any], site: Site, code: str) -> str:
    secret = evidence.get("remote_secret")
    if isinstance(secret, Mapping):
        if not secret.get("exists"):
            return f"the primary has no remote secret for {site.cluster}: run site.yml for this site"
        if site.cluster not in secret.get("keys", ()):
            return f"the remote secret's key must be the cluster's name, {site.cluster}"
    if evidence.get("accepted_by_site") is False:
        return "the site's API itself refuses the token: check its service account issuer and the clocks"
    if code == "DEADLINE_EXCEEDED":
        return "istiod waits for the site's API: it can't reach the address in the remote secret"
    return (
        "istiod can't have the token reviewed: the remote secret's credential or API address is wrong, or has no right"
    )
