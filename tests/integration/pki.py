# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority for one API server on loopback, for as long as a test run lasts."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Pki", "make_pki"]


@dataclass(frozen=True)
class Pki:
    """``ca`` is PEM; the directory holds ``ca.pem``, ``server.pem`` and ``service-accounts.pem`` (both with keys)."""

    ca: str
    directory: Path


def make_pki(directory: Path) -> Pki:
    """A CA, a server certificate for 127.0.0.1, and a key that signs service accounts' tokens."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, server, accounts = (ec.generate_private_key(ec.SECP256R1()) for _turn in range(3))
    root = _certificate("CA of a test run", authority, authority, None)
    leaf = _certificate("kube-apiserver", server, authority, root)
    ca = root.public_bytes(serialization.Encoding.PEM).decode()
    (directory / "ca.pem").write_text(ca)
    _secret(directory / "server.pem", leaf.public_bytes(serialization.Encoding.PEM).decode() + _key(server))
    _secret(directory / "service-accounts.pem", _key(accounts))
    return Pki(ca, directory)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    # a spelling of 127.0.0.1 that isn't refused as an address that leads nowhere from another machine
    names = [x509.DNSName("localhost"), x509.DNSName("0x7f.1")]
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *names]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _key(key: ec.EllipticCurvePrivateKey) -> str:
    # kube-controller-manager reads SEC 1 keys
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
