# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only file that imports the library `cryptography` (used by the rest of ``_pki``).

Where the library is missing, the names are None and :func:`require` says so in one line: so a module still loads, and
its documentation can be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    MISSING: str | None = None
except ImportError as error:
    MISSING = str(error)
    if not TYPE_CHECKING:
        x509 = hashes = serialization = ec = rsa = ExtendedKeyUsageOID = NameOID = None
        InvalidSignature = UnsupportedAlgorithm = None

if TYPE_CHECKING:
    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

__all__ = [
    "ExtendedKeyUsageOID",
    "InvalidSignature",
    "NameOID",
    "UnsupportedAlgorithm",
    "ec",
    "hashes",
    "require",
    "rsa",
    "serialization",
    "x509",
]


def require() -> None:
    """Raise MeshError if the library can't be imported."""
    if MISSING is not None:
        raise MeshError(
            "certificates can't be handled",
            why=f"the Python library cryptography can't be imported ({MISSING})",
            hint="install it, 42.0 or later, for the Python that runs Ansible on the controller",
        )
