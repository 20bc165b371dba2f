# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service account tokens for the mesh (used by `_xds.istiod` and `_xds.synthetic`).

Only claims ever leave this file as text; the token itself has no ``repr``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["AUDIENCE", "Creator", "Token", "is_accepted", "request"]

# istiod accepts no other audience unless TOKEN_AUDIENCES says so
AUDIENCE = "istio-ca"
_SECONDS = 600  # the shortest that the API gives
CLOCK_SECONDS = 60  # clocks that differ by more are told


class Creator(Protocol):
    """The part of a Kubernetes client that is needed here."""

    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """POST the body; the API's answer."""


@dataclass(frozen=True)
class Token:
    """A bearer token and what it says of itself."""

    text: str = field(repr=False)
    claims: Mapping[str, Any]

    def evidence(self, now: datetime) -> dict[str, Any]:
        """Its claims that matter: ``{audience, issuer, subject, seconds_left, clock_ahead}``, times by our clock.

        ``clock_ahead`` is how many seconds the issuer's clock is before ours, at the time of asking.
        """
        found: dict[str, Any] = {
            "audience": self.claims.get("aud"),
            "issuer": self.claims.get("iss"),
            "subject": self.claims.get("sub"),
        }
        if isinstance(self.claims.get("exp"), (int, float)):
            found["seconds_left"] = round(self.claims["exp"] - now.timestamp())
        if isinstance(self.claims.get("iat"), (int, float)):
            found["clock_ahead"] = round(self.clock_ahead(now))
        return found

    def clock_ahead(self, now: datetime) -> float:
        """How many seconds the issuer's clock is before ours; 0 if the token doesn't say when it was issued."""
        issued = self.claims.get("iat")
        return issued - now.timestamp() if isinstance(issued, (int, float)) else 0.0

    @property
    def is_for_the_mesh(self) -> bool:
        """Whether istiod is among its audiences."""
        audiences = self.claims.get("aud")
        return audiences == AUDIENCE or (isinstance(audiences, list) and AUDIENCE in audiences)


def request(api: Creator, namespace: str, service_account: str) -> Token:
    """A token of the service account for the mesh, valid for ten minutes.

    Raises the client's MeshError, and one of its own for an answer without a readable token.
    """
    answer = api.create(
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [AUDIENCE], "expirationSeconds": _SECONDS},
        },
    )
    text = str((answer.get("status") or {}).get("token") or "")
    return Token(text, _claims(text))


def is_accepted(api: Creator, token: Token) -> bool:
    """Whether the API that is asked takes the token for the mesh's audience (a TokenReview); raises MeshError."""
    answer = api.create(
        "/apis/authentication.k8s.io/v1/tokenreviews",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.text, "audiences": [AUDIENCE]},
        },
    )
    return bool((answer.get("status") or {}).get("authenticated"))


def _claims(text: str) -> Mapping[str, Any]:
    """The unverified claims of a JWT; the API that made it has just been asked, over TLS."""
    parts = text.split(".")
    try:
        payload = parts[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        claims = None
    if not isinstance(claims, dict):
        raise MeshError("the API issued no readable token", why="its answer holds no JSON web token")
    return claims
