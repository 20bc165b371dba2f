# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of every kind for the tests of ``_pki``: good ones, and what people bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result, ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A certificate with its key, and both as PEM."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: str | None = None) -> bytes:
        how: Any = serialization.NoEncryption()
        if passphrase:
            how = serialization.BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def make(
    name: str = "outside root",
    issuer: Made | None = None,
    *,
    key: Any = None,
    ca: bool | None = True,
    path_length: int | None = None,
    sign_certificates: bool | None = True,
    days: tuple[float, float] = (-1, 3650),
    extension: tuple[x509.ExtensionType, bool] | None = None,
) -> Made:
    """A certificate as wanted; ``ca`` and ``sign_certificates`` None leave the extension out; ``days`` from NOW."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    if sign_certificates is not None:
        usage = [False] * 9
        usage[0], usage[5] = True, sign_certificates
        builder = builder.add_extension(x509.KeyUsage(*usage), critical=True)
    if extension is not None:
        builder = builder.add_extension(extension[0], critical=extension[1])
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., str]:
    """Write a file beside the CA's directory; returns its path."""

    def write(name: str, *content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(b"".join(content))
        return str(path)

    return write


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ca"


@pytest.fixture
def ensure(ca: Path) -> Callable[..., Result]:
    """`mesh_ca` without Ansible: options in, result out, at a time of the test's choice."""

    def call(*names: str, now: datetime = NOW, check: bool = False, **options: Any) -> Result:
        intermediates = options.pop("intermediates", [{"name": name} for name in names])
        request = request_from({"path": str(ca), "intermediates": intermediates, **options})
        return ensure_present(request, now=now, check=check)

    return call
