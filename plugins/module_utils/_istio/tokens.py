# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service account tokens without their key: what the claims say, and a digest to speak of (used by `remote_secret`).

A token is read, never verified: whether it is good is for the API server to say. Claims as in Kubernetes' bound tokens
(`kubernetes.io` with namespace, serviceaccount and, if the token is bound to one, secret).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["Claims", "digest", "read_claims", "rfc3339", "seconds_of", "span"]

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Claims:
    """What a token says of itself; times are seconds since 1970, ``expires`` None for a token that never does.

    ``subject`` is ``system:serviceaccount:<namespace>:<name>``; ``secret`` is the name of the Secret that it is bound
    to (or, for a static token, was made in), None if there is none.
    """

    subject: str | None
    issued: float | None
    expires: float | None
    secret: str | None


def read_claims(token: str) -> Claims | None:
    """The claims of a JSON web token, None for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        body = json.loads(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    bound = body.get("kubernetes.io")
    secret = bound.get("secret") if isinstance(bound, dict) else None
    name = secret.get("name") if isinstance(secret, dict) else body.get("kubernetes.io/serviceaccount/secret.name")
    return Claims(
        subject=_string(body.get("sub")),
        issued=_number(body.get("iat")),
        expires=_number(body.get("exp")),
        secret=_string(name),
    )


def digest(secret: str) -> str:
    """A short name for a secret that doesn't give it away: ``sha256:`` and the first 12 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:12]


def rfc3339(moment: float | None) -> str | None:
    """Seconds since 1970 as ``2026-02-19T12:00:00Z``; None stays None."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: object, option: str) -> float:
    """A span of time as seconds: a bare number is seconds, else ``90d``, ``36h``, ``15m``, ``6w``, ``600s``.

    Raises MeshError, which names ``option``, for anything else and for spans outside one second to 100 years.
    """
    match = re.fullmatch(r"\s*(\d{1,10})\s*([smhdw]?)\s*", str(text))
    if match is None:
        raise MeshError(f"{option} can't be understood", why=f"got '{text}'", hint="write seconds, or 36h, 90d, 6w")
    seconds = int(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= 100 * 365 * 86400:
        raise MeshError(f"{option} is out of range", why=f"got '{text}'", hint="between one second and 100 years")
    return float(seconds)


def span(seconds: float) -> str:
    """A span for people, in its largest fitting unit: ``29 d``, ``7 h``, ``12 min``, ``5 s``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        return None
    return float(value)
