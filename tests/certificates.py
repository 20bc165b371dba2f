# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of every kind for tests, made when they are needed: no key is ever committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

__all__ = ["Made", "make", "sha1_signed"]

_SHA256_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_RSA = bytes.fromhex("06092a864886f70d010105")


@dataclass(frozen=True)
class Made:
    """A certificate with its key, and both as PEM."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(
        self,
        passphrase: str | None = None,
        form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    ) -> bytes:
        """The key, encrypted where a passphrase is given."""
        how: Any = serialization.NoEncryption()
        if passphrase:
            how = serialization.BestAvailableEncryption(passphrase.encode())
        return bytes(self.key.private_bytes(serialization.Encoding.PEM, form, how))


def make(
    name: str,
    issuer: Made | None = None,
    *,
    now: datetime,
    key: Any = None,
    ca: bool | None = True,
    path_length: int | None = None,
    sign_certificates: bool | None = True,
    days: tuple[float, float] = (-1, 3650),
    extension: tuple[x509.ExtensionType, bool] | None = None,
) -> Made:
    """A certificate as wanted; ``ca`` and ``sign_certificates`` None leave the extension out; ``days`` from ``now``."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    if sign_certificates is not None:
        usage = [False] * 9
        usage[0], usage[5] = True, sign_certificates
        builder = builder.add_extension(x509.KeyUsage(*usage), critical=True)
    if extension is not None:
        builder = builder.add_extension(extension[0], critical=extension[1])
    signer = issuer.key if issuer else key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Made(builder.sign(signer, algorithm), key)


def sha1_signed(made: Made, issuer: Made) -> Made:
    """The same certificate signed with SHA-1 by an RSA issuer, which libraries of today don't do any more."""
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    # The two names of the algorithm differ in one byte, so all lengths stay.
    signed = made.certificate.tbs_certificate_bytes.replace(_SHA256_RSA, _SHA1_RSA)
    signature = issuer.key.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    whole = made.certificate.public_bytes(serialization.Encoding.DER).replace(_SHA256_RSA, _SHA1_RSA)
    return Made(x509.load_der_x509_certificate(whole[: -len(signature)] + signature), made.key)
