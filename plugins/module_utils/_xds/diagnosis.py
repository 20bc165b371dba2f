# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why istiod refuses a token, from facts of our own (used by `_xds.synthetic`).

Every failed authentication looks the same to a client. So what istiod does is done once more from here: the token is
reviewed with the credential of the remote secret, at the address that stands there. Beside it lie the token's claims,
whether the site's own API takes the token, and what istiod's log says of the cluster, where it may be read.
Sources: `security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go` for what istiod does and logs (1.32 development
tree).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._istio.tokens import rfc3339
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._xds import credential, tokens
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Finding, Site
from ansible_collections.edge.mesh.plugins.module_utils._xds.tokens import CLOCK_SECONDS, Token
from ansible_collections.edge.mesh.plugins.module_utils._xds.transport import RpcError

__all__ = ["Witness", "explain", "facts", "log_line"]

Json = Mapping[str, Any]

_RERUN = "run site.yml for this site"
# istiod's own words for the two ways in which it finds nobody to ask, or is told no
_LOGGED = ("claims to be in cluster", "failed to validate the JWT from cluster")
_TOKEN = re.compile(r"[\w-]+\.[\w-]{20,}\.[\w-]{8,}")
_LONGEST = 400


class Witness(Protocol):
    """Who can tell more of a site than the site itself; every method raises MeshError where it can't be asked."""

    def secrets(self) -> Sequence[Json]:
        """The primary's remote secrets."""

    def own(self) -> Endpoint:
        """The site's API as the controller knows it."""

    def open(self, endpoint: Endpoint, seconds: float) -> AbstractContextManager[tokens.Creator]:
        """A client of an endpoint, all of whose requests end within ``seconds``."""

    def log(self) -> Iterable[str]:
        """The last lines of istiod's log, of all its ready replicas."""


def explain(error: RpcError, site: Site, known: Callable[[], Json]) -> Finding:
    """What a refusal means; ``known`` gives :func:`facts`, and is asked only where istiod's own text says nothing."""
    evidence: dict[str, Any] = {"code": error.code, "details": error.details, "cluster": site.cluster}
    match error.code:
        case "UNAUTHENTICATED" | "DEADLINE_EXCEEDED":
            evidence |= known()
            return Finding("failed", evidence, _hint(evidence, site))
        case "RESOURCE_EXHAUSTED":
            return Finding("unknown", evidence, "istiod's answer is larger than what is read, or it is overloaded")
        case "UNAVAILABLE":
            return Finding("failed", evidence, "istiod closed the connection: look at its pods and its gateway")
    return Finding("failed", evidence, "istiod's own text says why")


def facts(
    token: Token,
    site: Site,
    now: datetime,
    *,
    accepted: Callable[[Token], bool],
    witness: Witness,
    left: Callable[[], float],
) -> dict[str, Any]:
    """``{token, accepted_by_site, remote_secret, review, log}``, without secrets; ``now`` is aware UTC.

    ``accepted`` asks the site's own API, ``left`` gives the seconds that are left. A primary's own cluster has no
    ``remote_secret`` and no ``review``. What couldn't be asked is a text that begins with `unknown`.
    """
    found: dict[str, Any] = {"token": token.evidence(now), "accepted_by_site": _ask(lambda: accepted(token))}
    if not site.is_primary:
        found |= _secret_and_review(token, site, now, witness, left)
    found["log"] = _ask(lambda: log_line(witness.log(), site.cluster))
    return found


def _secret_and_review(
    token: Token, site: Site, now: datetime, witness: Witness, left: Callable[[], float]
) -> dict[str, Any]:
    try:
        secrets = witness.secrets()
    except MeshError as error:
        return {"remote_secret": f"unknown: {error.message}"}
    ours = [secret for secret in secrets if site.cluster in (secret.get("data") or {})]
    if not ours:
        keys = {str(secret["metadata"]["name"]): sorted(secret.get("data") or {}) for secret in secrets}
        return {"remote_secret": {"exists": False, "others": keys}}
    live = remote_secret.read(ours[0], site.cluster)
    told: dict[str, Any] = {"exists": True, "name": ours[0]["metadata"]["name"], "kind": live.judged.kind}
    if live.judged.access is not None:
        told["server"] = live.judged.access.server
    if live.claims is not None and live.claims.expires is not None:
        told |= {"expires_at": rfc3339(live.claims.expires), "expired": live.claims.expires <= now.timestamp()}
    if live.judged.refused:
        return {"remote_secret": told | {"refused": live.judged.refused}}
    if live.judged.access is None or not live.judged.access.token:
        return {"remote_secret": told, "review": "unknown: a credential of this kind can't be tried from here"}
    access = live.judged.access
    return {"remote_secret": told, "review": _ask(lambda: _review(access, token, site, witness, left))}


def _review(access: Access, token: Token, site: Site, witness: Witness, left: Callable[[], float]) -> dict[str, Any]:
    """istiod's own question, asked from here: ``{result, at}``, and ``silent`` with the address that didn't answer."""
    told: dict[str, Any] = {}
    for endpoint, as_istiod in credential.places(access, site.cluster, witness.own()):
        at = {**told, "at": endpoint.server}
        try:
            # half of it: the next place is asked too
            with witness.open(endpoint, left() / 2) as api:
                return {**at, "result": "accepted" if tokens.is_accepted(api, token) else "rejected"}
        except ApiError as error:
            if credential.is_elsewhere(error):
                told = {**told, "silent": endpoint.server, "error": error.why or error.what} if as_istiod else told
                last = {**at, "result": "no answer", "error": error.why or error.what}
                continue
            known = {401: "credential refused", 403: "forbidden"}
            result = "not trusted" if error.reason == "TLS" else known.get(error.status, "no verdict")
            return {**at, "result": result, "error": (error.why or error.what)[:_LONGEST]}
    return last


def log_line(lines: Iterable[str], cluster: str) -> str:
    """The last line in which istiod says why it refused a token of the cluster; empty if there is none.

    No token stands in istiod's log; whatever looks like one is left out all the same.
    """
    found = ""
    for line in lines:
        if f'cluster "{cluster}"' in line and any(words in line for words in _LOGGED):
            found = line
    return _TOKEN.sub("(left out)", " ".join(found.split()))[:_LONGEST]


def _ask(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except MeshError as error:
        return f"unknown: {error.message}"


def _hint(evidence: Json, site: Site) -> str:
    ahead = evidence["token"].get("clock_ahead", 0)
    clock = f"; the site's clock is {abs(ahead)} s off the controller's" if abs(ahead) > CLOCK_SECONDS else ""
    return _cause(evidence, site) + clock


def _cause(evidence: Json, site: Site) -> str:
    """What to do, from the first fact that explains a refusal."""
    secret, review = evidence.get("remote_secret"), evidence.get("review")
    if isinstance(secret, Mapping):
        if not secret["exists"]:
            other = next((keys for name, keys in secret["others"].items() if name.endswith(f"-{site.cluster}")), None)
            if other is not None:
                return (
                    f"wrong cluster id: the remote secret's key is {', '.join(other) or 'missing'}, not {site.cluster}"
                )
            return f"the primary has no remote secret for {site.cluster}: {_RERUN}"
        if secret.get("refused"):
            return f"istiod can't use the remote secret, {secret['refused']}: {_RERUN}"
        if secret.get("expired"):
            return f"the token in the remote secret has expired: {_RERUN}"
    if evidence.get("accepted_by_site") is False:
        return "the site's API itself refuses the token: check its service account issuer, its audiences and the clocks"
    if isinstance(review, Mapping):
        return _reviewed(review, str(evidence.get("log") or ""))
    if site.is_primary:
        return f"istiod doesn't know its own cluster as {site.cluster}: see istiod.cluster-synced"
    return "the token couldn't be reviewed from here: the remote secret's credential or API address may be wrong"


def _reviewed(review: Json, log: str) -> str:
    where = review["at"]
    match review["result"]:
        case "credential refused":
            return f"the site's API rejects the credential in the remote secret (revoked?): {_RERUN}"
        case "forbidden":
            return f"the reader may not review tokens at the site: {_RERUN}, which gives it its rights back"
        case "not trusted":
            return f"the CA in the remote secret isn't that of {where}: {_RERUN}"
        case "rejected":
            return (
                f"the token is another cluster's than the one at {where}: the remote secret or the site's kubeconfig "
                "leads to the wrong cluster"
            )
        case "no answer":
            return f"nothing answers at {where}, the API address in the remote secret: check edge_mesh_api_server"
        case "accepted" if review.get("silent"):
            return f"the credential is good, but nothing answers at {review['silent']}, where istiod looks for the API"
        case "accepted" if _LOGGED[0] in log:
            return "istiod hasn't taken in the remote secret: see istiod.cluster-synced; if it stays so, restart istiod"
        case "accepted":
            return f"the credential works from here, so istiod itself doesn't reach {where}: its log says why"
    return f"the site's API gave no verdict at {where}: its text says why"
