# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check records: what `mesh_verify` and `status` are made of (used by every module that reports checks).

The shape and the ids are fixed in the contracts; ``CHECKS`` is the one list of ids, with each one's title.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["CHECKS", "Record", "Verdict", "is_healthy", "record", "timed"]

Verdict = Literal["ok", "warning", "failed", "skipped", "unknown"]
Source = Literal["controller", "istiod", "site-api", "pod", "node"]

CHECKS: Mapping[str, str] = {
    "site.no-control-plane": "no control plane runs at the edge, and an injector only where the inventory wants one",
    "site.gateway-only": "nothing at the gateway-only site has or demands a sidecar",
    "input.namespace": "the site's istio-system names its network and, at an edge, its control plane",
    "input.webhook": "the injection webhook points at what the inventory wants to inject, and has its CA bundle",
    "input.reader": "the primary's credential can read the site's API",
    "input.trust": "the site's namespaces hold the mesh's root certificate",
    "input.istiod-address": "the site's istiod Service leads to the primary's gateway",
    "join.address": "istiod's address resolves and connects",
    "join.tls": "istiod's certificate is valid under the site's root",
    "join.token": "the site's API issues a token for the mesh",
    "join.ads": "istiod answers with clusters and listeners",
    "join.endpoints": "endpoints of other networks point at gateways",
    "join.csr": "istiod signs a certificate for the site's identity",
    "join.injection": "a pod created at the site would get its sidecar",
    "istiod.cluster-synced": "istiod has synced the site's cluster",
    "proxy.synced": "the site's proxies have the configuration that istiod sent",
    "gateway.ready": "the site's gateways are ready",
    "gateway.address": "the mesh knows the address of the site's gateways",
    "traffic.reach": "calls from the site are answered by every site",
    "traffic.mtls": "the peer of a cross-site call proves its SPIFFE identity",
    "traffic.ingress": "calls from outside through the site's ingress are answered by every site",
    "traffic.plain-text": "a call without mutual TLS is refused",
    "traffic.bookinfo": "pages through the site's ingress are complete, and the versions of reviews have their shares",
    "traffic.header": "pages for a user whom a route names come from the version that it names",
    "traffic.split": "calls from the site are shared out over the sites as the route says",
    "wan.marking": "the site's proxies mark the traffic of the WAN rules, and no other",
    "wan.routing": "the site's node routes marked packets by WAN link",
    "wan.fallback": "the node has a default route, and watches the next hops of the WAN links",
}


@dataclass(frozen=True)
class Record:
    """One check at one site; ``evidence`` is JSON-serialisable and holds no secret, ``took_ms`` is milliseconds."""

    id: str
    site: str
    peer: str | None
    title: str
    verdict: Verdict
    evidence: Mapping[str, Any]
    hint: str
    origin: Source
    took_ms: int

    def as_dict(self) -> dict[str, Any]:
        """The record as the contract spells it (``from`` is a keyword in Python)."""
        values = asdict(self)
        values["from"] = values.pop("origin")
        return values


def record(
    check: str,
    site: str,
    verdict: Verdict,
    *,
    origin: Source,
    evidence: Mapping[str, Any] | None = None,
    hint: str = "",
    peer: str | None = None,
    took_ms: int = 0,
) -> Record:
    """A record of a known check; raises KeyError for an id that ``CHECKS`` doesn't list."""
    return Record(check, site, peer, CHECKS[check], verdict, dict(evidence or {}), hint, origin, took_ms)


def timed(clock: Callable[[], float] = time.monotonic) -> Callable[[], int]:
    """A stopwatch: call the result to get the milliseconds since."""
    start = clock()
    return lambda: round((clock() - start) * 1000)


def is_healthy(verdicts: list[str]) -> bool:
    """Whether a mesh with these verdicts is healthy: `unknown` is not, and nothing proven is not either."""
    return bool(verdicts) and all(verdict in ("ok", "warning", "skipped") for verdict in verdicts)
