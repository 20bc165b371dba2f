# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CA's plan is made of: requests, facts about certificates and decisions (used by all of ``_pki``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Union

__all__ = [
    "BUNDLE_FILES",
    "KEY_TYPES",
    "CertFacts",
    "Evidence",
    "Found",
    "IntermediateSpec",
    "Issue",
    "Keep",
    "Request",
    "RootSpec",
    "day",
    "stamp",
]

KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096")

# istiod's names for a plugged-in CA; the secret `cacerts` has the same keys.
BUNDLE_FILES = ("ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem")


@dataclass(frozen=True)
class CertFacts:
    """What people and plans need to know about a certificate; times are aware, in UTC.

    ``fingerprint`` is SHA-256 as upper-case hex with colons, ``serial`` upper-case hex, ``key_type`` one of
    ``KEY_TYPES`` or another name of that form, ``path_length`` None where there is no limit.
    """

    subject: str
    issuer: str
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    key_type: str
    is_ca: bool
    path_length: int | None
    signature_hash: str
    common_name: str
    organization: str

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """The facts as a module returns them; ``remaining_days`` is negative for what has expired."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "fingerprint": self.fingerprint,
            "not_before": stamp(self.not_before),
            "not_after": stamp(self.not_after),
            "remaining_days": (self.not_after - now).days,
            "key_type": self.key_type,
            "path_length": self.path_length,
            "signature_hash": self.signature_hash,
        }


@dataclass(frozen=True)
class RootSpec:
    """The root that is wanted; names and key type are None where the caller leaves them open.

    ``certificate`` and ``key`` are paths of an outside root, ``passphrase`` is that key's; ``offline`` means that
    somebody else signs, from requests that are handed out.
    """

    common_name: str | None
    organization: str | None
    key_type: str | None
    validity: timedelta
    renew_before: timedelta
    certificate: str | None = None
    key: str | None = None
    passphrase: str | None = field(default=None, repr=False)
    offline: bool = False


@dataclass(frozen=True)
class IntermediateSpec:
    """The intermediate wanted for the primary ``name``; ``certificate`` is the path of one signed from our request."""

    name: str
    common_name: str
    organization: str
    key_type: str
    validity: timedelta
    renew_before: timedelta
    certificate: str | None = None


@dataclass(frozen=True)
class Evidence:
    """A root certificate that is in use somewhere: ``name`` says where, ``fingerprint`` is as in CertFacts."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Request:
    """A whole call of `mesh_ca`; ``passphrase`` protects a root key of our own, which is a ``root_key_type`` one."""

    path: str
    root: RootSpec
    root_key_type: str
    intermediates: tuple[IntermediateSpec, ...]
    passphrase: str | None = field(default=None, repr=False)
    allow_new_root: bool = False
    existing: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Found:
    """What the state directory holds for a primary: its certificate, and why the bundle can't be used as it is."""

    facts: CertFacts | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keep:
    """Nothing is to be done; ``warnings`` say what will be, and what for."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issue:
    """A certificate is to be issued, and why."""

    reasons: tuple[str, ...]


Decision = Union[Keep, Issue]
Bundle = Mapping[str, bytes]


def stamp(when: datetime) -> str:
    """A time as modules return it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(when: datetime) -> str:
    """A time as messages say it."""
    return when.strftime("%Y-%m-%d")
