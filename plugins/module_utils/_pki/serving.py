# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A self-signed certificate for one server that one client is told to trust (used by the module `local_injector`).

Pure but for fresh keys. The certificate is no CA, may serve and nothing else, and stands below no root: whoever holds
its key can be that server to whoever trusts it, and nothing in the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import issuing, reading
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import (
    ExtendedKeyUsageOID,
    NameOID,
    hashes,
    require,
    x509,
)

__all__ = ["Serving", "due", "issue"]

_BACKDATED = timedelta(minutes=5)  # a site's clock may be behind the controller's


@dataclass(frozen=True, repr=False)
class Serving:
    """What a TLS Secret holds, as PEM: ``trusted`` is what clients should trust, the newest certificate first."""

    certificate: bytes
    key: bytes
    trusted: bytes

    def ends(self) -> datetime:
        """The end of the certificate's validity; raises MeshError for what can't be read."""
        return reading.read_certificates(self.certificate, "certificate")[0].not_valid_after_utc


def due(found: Serving | None, name: str, *, now: datetime, renew_before: timedelta) -> str:
    """Why a new certificate for the DNS name is needed; empty if ``found`` serves longer than ``renew_before``."""
    require()
    if found is None:
        return "there is no certificate"
    try:
        certificate = reading.read_certificates(found.certificate, "certificate")[0]
        trusted = reading.read_certificates(found.trusted, "trusted certificates")
        key = reading.read_private_key(found.key, "key")
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (MeshError, ValueError, x509.ExtensionNotFound):
        return "the certificate that is there can't be read"
    if not reading.same_key(certificate, key):
        return "the key that is there is another certificate's"
    if certificate not in trusted:
        return "the certificate that is there isn't among those that are trusted"
    if name not in names.get_values_for_type(x509.DNSName):
        return f"the certificate that is there isn't for {name}"
    if certificate.not_valid_after_utc - now < renew_before:
        return f"the certificate that is there ends {certificate.not_valid_after_utc:%Y-%m-%d}"
    return ""


def issue(name: str, before: Serving | None, *, now: datetime, validity: timedelta) -> Serving:
    """A new key and certificate for the DNS name.

    The certificate of ``before`` stays trusted as long as it is valid: servers take up a new one after a while.
    """
    require()
    key = issuing.new_key("ecdsa-p256")
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name.partition(".")[0])])
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    own = issuing.pem([certificate])
    return Serving(own, issuing.key_pem(key), own + _still_trusted(before, now))


def _still_trusted(before: Serving | None, now: datetime) -> bytes:
    try:
        found = reading.read_certificates(before.certificate, "certificate")[:1] if before else []
    except MeshError:
        return b""
    return issuing.pem([each for each in found if each.not_valid_after_utc > now])
