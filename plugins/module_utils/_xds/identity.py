# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate as a workload of the site gets it (used by `_xds.synthetic`; why it gets none: `_xds.diagnosis`).

The one proof that istiod reaches the site's API *now*: it reviews the fresh token there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Finding, Mesh, Site
from ansible_collections.edge.mesh.plugins.module_utils._xds.tokens import CLOCK_SECONDS, Token
from ansible_collections.edge.mesh.plugins.module_utils._xds.transport import Connection

__all__ = ["request_certificate"]

_SLACK = 600


def request_certificate(
    connection: Connection, token: Token, site: Site, mesh: Mesh, roots_pem: str, now: datetime, timeout: float
) -> Finding:
    """Have a certificate signed and look at it: identity, key, chain to the site's root, lifetime. The key is dropped.

    Raises RpcError if istiod refuses.
    """
    key, csr = workload.make_csr(mesh.identity)
    chain = connection.sign(
        csr, token=token.text, cluster=site.cluster, lifetime=mesh.certificate_seconds, timeout=timeout
    )
    try:
        return _judge(chain, workload.public_bytes(key), mesh, roots_pem, now, token.clock_ahead(now))
    except MeshError as error:
        return Finding(
            "failed", {"error": str(error)}, "workloads of this site can't verify each other: check the roots"
        )


def _judge(
    chain: tuple[str, ...], public_key: bytes, mesh: Mesh, roots_pem: str, now: datetime, ahead: float
) -> Finding:
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
    if abs(ahead) > CLOCK_SECONDS:  # the site's proxies go by the site's clock
        try:
            workload.verify_chain(chain, roots_pem, now + timedelta(seconds=ahead))
        except MeshError as error:
            evidence |= {"clock_ahead": ahead, "error": str(error)}
            return Finding("failed", evidence, "by the site's clock this certificate isn't valid: set the clock there")
    wanted = mesh.certificate_seconds
    if seconds > wanted + _SLACK:
        return Finding("warning", evidence | {"asked_hours": wanted / 3600}, "certificates live longer than asked for")
    if seconds < wanted - _SLACK:
        hint = "certificates live shorter than asked for: the signing CA ends soon, or istiod's MAX_WORKLOAD_CERT_TTL"
        return Finding("warning", evidence | {"asked_hours": wanted / 3600}, hint)
    return Finding("ok", evidence)
