# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PEM in, certificates and keys out, with an exact error for whatever people bring (used by ``_pki`` and its modules).

``name`` is always the file (or secret key) that the text came from: every error begins with it. Line ends, a byte order
mark and text around the PEM blocks don't matter.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import (
    NameOID,
    UnsupportedAlgorithm,
    ec,
    hashes,
    rsa,
    serialization,
    x509,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import CertFacts

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import PrivateKey

__all__ = [
    "basic_constraints",
    "facts_of",
    "fingerprint_of",
    "hash_of",
    "key_is_encrypted",
    "key_type_of",
    "read_certificates",
    "read_file",
    "read_private_key",
    "same_key",
]

# No chain of certificates comes near it; what is larger was given by mistake.
MAX_BYTES = 1 << 20

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384", "secp521r1": "ecdsa-p521"}


def read_file(path: str) -> bytes:
    """The bytes of a small file; MeshError: missing, a directory, unreadable, empty, above 1 MiB."""
    if os.path.isdir(path):
        raise MeshError(f"{path} is a directory, and a PEM file is wanted")
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MeshError(f"{path} doesn't exist") from None
    except OSError as error:
        raise MeshError(f"{path} can't be read", why=error.strerror) from None
    return _sized(data, path)


def _sized(data: bytes, name: str) -> bytes:
    if not data.strip():
        raise MeshError(f"{name} is empty")
    if len(data) > MAX_BYTES:
        raise MeshError(f"{name} is larger than 1 MiB", hint="give a PEM file with only the certificates or key needed")
    return data


def _blocks(data: bytes, name: str) -> list[tuple[str, bytes]]:
    """The PEM blocks as (label, text); MeshError if there is none or one isn't closed."""
    data = _sized(data, name)
    found = [(match[1].decode(), match[0]) for match in _BLOCK.finditer(data)]
    if not found:
        if b"-----BEGIN " in data:
            raise MeshError(f"{name} is cut off", why="a PEM block begins and doesn't end")
        if data[:1] == b"\x30":
            raise MeshError(f"{name} is DER, not PEM", hint="convert it with openssl x509 (or pkey) -inform der")
        raise MeshError(f"{name} isn't PEM", why="it holds no line that starts with -----BEGIN")
    if len(re.findall(rb"-----BEGIN ", data)) != len(found):
        raise MeshError(f"{name} is cut off", why="a PEM block begins and doesn't end")
    return found


def read_certificates(data: bytes, name: str) -> list[x509.Certificate]:
    """All certificates of a PEM text in its order; MeshError if there is none or one can't be read."""
    blocks = _blocks(data, name)
    texts = [text for label, text in blocks if label in ("CERTIFICATE", "X509 CERTIFICATE")]
    if not texts:
        held = ", ".join(sorted({label for label, _text in blocks}))
        raise MeshError(f"{name} holds no certificate", why=f"it holds: {held}")
    certificates = []
    for number, text in enumerate(texts, start=1):
        try:
            certificate = _parsed(text)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise MeshError(f"certificate {number} of {name} can't be read", why=str(error).split("\n", 1)[0]) from None
        certificates.append(certificate)
    return certificates


# Bundles of one mesh hold the same root, and each its own certificate twice.
@functools.lru_cache(maxsize=64)
def _parsed(text: bytes) -> x509.Certificate:
    """The certificate of one PEM block; raises ValueError, TypeError or UnsupportedAlgorithm."""
    certificate = x509.load_pem_x509_certificate(text.replace(b"X509 CERTIFICATE", b"CERTIFICATE"))
    # Extensions are parsed when first asked for: broken ones are to be found here.
    list(certificate.extensions)
    certificate.public_key()
    return certificate


def _key_block(data: bytes, name: str) -> tuple[str, bytes]:
    blocks = _blocks(data, name)
    keys = [(label, text) for label, text in blocks if label.endswith("PRIVATE KEY")]
    if not keys:
        held = ", ".join(sorted({label for label, _text in blocks}))
        raise MeshError(f"{name} holds no private key", why=f"it holds: {held}")
    if len(keys) > 1:
        raise MeshError(f"{name} holds {len(keys)} private keys, and one is wanted")
    return keys[0]


def key_is_encrypted(data: bytes, name: str) -> bool:
    """Whether the key needs a passphrase, told without decrypting; MeshError unless there is exactly one key."""
    label, text = _key_block(data, name)
    return label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in text


def read_private_key(data: bytes, name: str, passphrase: str | None = None, *, trusted: bool = False) -> PrivateKey:
    """The one ECDSA or RSA key of a PEM text.

    ``trusted`` leaves out the costly consistency check of RSA keys, for files that we wrote.
    Raises MeshError: none, several, encrypted without or with another passphrase, damaged, a kind istiod can't use.
    """
    _label, text = _key_block(data, name)
    encrypted = key_is_encrypted(data, name)
    if encrypted and not passphrase:
        raise MeshError(f"{name} is encrypted, and no passphrase was given")
    password = passphrase.encode() if encrypted and passphrase else None
    try:
        key = serialization.load_pem_private_key(text, password, unsafe_skip_rsa_key_validation=trusted)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's own text may quote what it read: it stays out.
        if encrypted:
            raise MeshError(
                f"{name} can't be decrypted", why="the passphrase is wrong, or the key is damaged"
            ) from None
        raise MeshError(f"{name} can't be read", why="the private key is damaged, or of an unknown kind") from None
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise MeshError(f"{name} is neither an ECDSA nor an RSA key", why="istiod signs with these two only")
    return key


def key_type_of(key: object) -> str:
    """The kind of a public or private key, as ``ecdsa-p256`` or ``rsa-2048``; other kinds by their class's name."""
    if isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return _CURVES.get(key.curve.name, f"ecdsa-{key.curve.name}")
    if isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return f"rsa-{key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").lower()


def same_key(certificate: x509.Certificate, key: PrivateKey) -> bool:
    """Whether the private key belongs to the certificate."""
    return certificate.public_key() == key.public_key()


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, as openssl prints it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def basic_constraints(certificate: x509.Certificate) -> tuple[bool, int | None]:
    """Whether it is a CA, and its path length (None: no limit)."""
    try:
        value = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False, None
    return value.ca, value.path_length


def hash_of(certificate: x509.Certificate) -> str:
    """The hash of its signature, as ``sha256``; empty for a kind of signature without one."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return algorithm.name if algorithm else ""


def _hex(number: int) -> str:
    digits = f"{number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    return ", ".join(str(attribute.value) for attribute in name.get_attributes_for_oid(oid))


@functools.lru_cache(maxsize=64)
def facts_of(certificate: x509.Certificate) -> CertFacts:
    """What the plan and the results say about a certificate."""
    is_ca, path_length = basic_constraints(certificate)
    return CertFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=_hex(certificate.serial_number),
        fingerprint=fingerprint_of(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_type=key_type_of(certificate.public_key()),
        is_ca=is_ca,
        path_length=path_length,
        signature_hash=hash_of(certificate),
        common_name=_attribute(certificate.subject, NameOID.COMMON_NAME),
        organization=_attribute(certificate.subject, NameOID.ORGANIZATION_NAME),
    )
