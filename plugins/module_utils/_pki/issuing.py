# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys, certificates and signing requests (used by ``authority``); what is decided stands in ``plan``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import (
    NameOID,
    ec,
    hashes,
    rsa,
    serialization,
    x509,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import IntermediateSpec, RootSpec
from ansible_collections.edge.mesh.plugins.module_utils._pki.plan import validity_window
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import facts_of

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import PrivateKey, PublicKey

__all__ = ["Signer", "intermediate", "key_pem", "new_key", "new_keys", "pem", "request_pem", "self_signed"]

_ROOT_NAME = "edge.mesh root CA"


@dataclass(frozen=True)
class Signer:
    """Who signs: ``chain`` is the signing certificate first, the self-signed root last; ``key`` is the first one's."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey


def new_key(key_type: str) -> PrivateKey:
    """A fresh private key of one of ``model.KEY_TYPES``."""
    if key_type.startswith("rsa-"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type.removeprefix("rsa-")))
    return ec.generate_private_key(ec.SECP256R1() if key_type == "ecdsa-p256" else ec.SECP384R1())


def new_keys(key_types: Sequence[str]) -> list[PrivateKey]:
    """Fresh private keys of those types; RSA keys, which take long, are made on all cores at once."""
    if len(key_types) < 2 or not any(key_type.startswith("rsa-") for key_type in key_types):
        return [new_key(key_type) for key_type in key_types]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(new_key, key_types))


def key_pem(key: PrivateKey, passphrase: str | None = None) -> bytes:
    """PKCS#8; istiod reads no encrypted key, so a passphrase is for root keys only."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """The certificates as one PEM text."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def self_signed(spec: RootSpec, key: PrivateKey, now: datetime) -> x509.Certificate:
    """A root that may have one intermediate below it."""
    subject = _name(spec.common_name or _ROOT_NAME, spec.organization)
    start, end = validity_window(now, spec.validity, None)
    builder = _ca_builder(subject, key.public_key(), path_length=1, start=start, end=end)
    builder = builder.issuer_name(subject).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    return builder.sign(key, _hash_for(key))


def intermediate(spec: IntermediateSpec, public_key: PublicKey, signer: Signer, now: datetime) -> x509.Certificate:
    """A CA certificate below which only workload certificates may stand."""
    issuer = signer.chain[0]
    start, end = validity_window(now, spec.validity, facts_of(issuer))
    end = min(end, *(certificate.not_valid_after_utc for certificate in signer.chain), end)
    builder = _ca_builder(_name(spec.common_name, spec.organization), public_key, path_length=0, start=start, end=end)
    builder = builder.issuer_name(issuer.subject).add_extension(_authority_key_identifier(issuer), critical=False)
    return builder.sign(signer.key, _hash_for(signer.key))


def request_pem(spec: IntermediateSpec, key: PrivateKey) -> bytes:
    """A signing request that asks for what :func:`intermediate` would issue."""
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(spec.common_name, spec.organization))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
    )
    return builder.sign(key, _hash_for(key)).public_bytes(serialization.Encoding.PEM)


def _name(common_name: str, organization: str | None) -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _ca_builder(
    subject: x509.Name,
    public_key: PublicKey,
    *,
    path_length: int,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The issuer's own key identifier where it has one, whatever method made it."""
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _public(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    if isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        return key
    raise MeshError(f"the key of '{certificate.subject.rfc4514_string()}' is neither ECDSA nor RSA")


def _hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()
