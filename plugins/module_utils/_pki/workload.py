# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workload certificates: a request for a SPIFFE identity, and what came back for it (used by `_xds.synthetic`).

Private keys stay in memory: the key object leaves :func:`make_csr` only so that a caller can compare public keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import (
    InvalidSignature,
    UnsupportedAlgorithm,
    ec,
    hashes,
    require,
    serialization,
    x509,
)

__all__ = ["CertificateFacts", "inspect", "inspect_der", "make_csr", "public_bytes", "verify_chain"]


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says of itself; times are aware UTC, ``fingerprint`` is SHA-256 in lower-case hex."""

    uris: tuple[str, ...]
    dns_names: tuple[str, ...]
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    public_key: bytes


def make_csr(spiffe_id: str) -> tuple[Any, str]:
    """A new P-256 key and the PEM of a certificate request for the identity, as Istio's agent makes it.

    Raises MeshError if the library is missing.
    """
    require()
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=True)
    return key, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def public_bytes(key: Any) -> bytes:
    """The public half of a private key, comparable with :attr:`CertificateFacts.public_key`."""
    return _spki(key.public_key())


def inspect(pem: str) -> tuple[CertificateFacts, ...]:
    """The facts of every certificate in a PEM text, in order; raises MeshError if there is none or one is malformed."""
    return tuple(_facts(certificate) for certificate in _load(pem))


def inspect_der(der: bytes) -> CertificateFacts:
    """The facts of one certificate in DER; raises MeshError if it is malformed."""
    require()
    try:
        return _facts(x509.load_der_x509_certificate(der))
    except ValueError as error:
        raise MeshError("a certificate can't be read", why=str(error)) from None


def verify_chain(chain_pem: Sequence[str], roots_pem: str, now: datetime) -> str:
    """Walk from the first certificate to one of the roots; returns the root's SHA-256 fingerprint.

    Every step needs a signature by a CA that is valid at ``now``; the order of the certificates after the first
    doesn't matter. Only that is judged which a mesh's proxies judge: no extended usage, no names.
    Raises MeshError with the step that failed.
    """
    given = [certificate for pem in chain_pem for certificate in _load(pem)]
    roots = {_fingerprint(root): root for root in _load(roots_pem)}
    if not given:
        raise MeshError("the chain can't be verified", why="it is empty")
    current = given[0]
    for _step in range(len(given) + 1):
        _check_time(current, now)
        if _fingerprint(current) in roots:
            return _fingerprint(current)
        for fingerprint, root in roots.items():
            if _signed(current, root):
                _check_time(root, now)
                return fingerprint
        issuer = next((item for item in given if item is not current and _signed(current, item)), None)
        if issuer is None:
            break
        current = issuer
    raise MeshError(
        "the chain doesn't end in a trusted root", why=f"nothing given or trusted signed {_name(current.subject)!r}"
    )


def _load(pem: str) -> list[Any]:
    require()
    try:
        return list(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError as error:
        raise MeshError("a certificate can't be read", why=str(error)) from None


def _facts(certificate: Any) -> CertificateFacts:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
        dns_names = tuple(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        uris, dns_names = (), ()
    return CertificateFacts(
        uris=uris,
        dns_names=dns_names,
        subject=_name(certificate.subject),
        issuer=_name(certificate.issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=_fingerprint(certificate),
        public_key=_spki(certificate.public_key()),
    )


def _name(name: Any) -> str:
    return str(name.rfc4514_string())


def _spki(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def _fingerprint(certificate: Any) -> str:
    return str(certificate.fingerprint(hashes.SHA256()).hex())


def _check_time(certificate: Any, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise MeshError(f"the certificate {_name(certificate.subject)!r} isn't valid yet", hint="check the clocks")
    if now > certificate.not_valid_after_utc:
        raise MeshError(f"the certificate {_name(certificate.subject)!r} has expired")


def _signed(certificate: Any, issuer: Any) -> bool:
    """Whether ``issuer`` is a CA and signed the certificate."""
    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return True
