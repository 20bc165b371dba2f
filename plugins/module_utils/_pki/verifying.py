# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether certificates can be a CA's, fit together and lead to a root (used by ``authority`` and ``report``).

Everything that istiod's own loader refuses (`security/pkg/pki/util/keycertbundle.go`, Verify) is refused here, which
`tests/istiod_loader` holds; and so is what istiod would load and proxies would not trust: weak keys, a CA certificate
that may not sign, a path length that is used up. Problems are returned as clauses, so
that a plan can use them as reasons and a report as findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import (
    ExtendedKeyUsageOID,
    InvalidSignature,
    UnsupportedAlgorithm,
    rsa,
    x509,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import BUNDLE_FILES, day
from ansible_collections.edge.mesh.plugins.module_utils._pki.plain import form_problems
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import (
    basic_constraints,
    hash_of,
    key_type_of,
    read_certificates,
    read_private_key,
    same_key,
)

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import PrivateKey

__all__ = ["bundle_problems", "ca_problems", "find_chain", "is_self_signed", "signature_problems", "time_problems"]

_WEAK_HASHES = {"md5": "MD5", "sha1": "SHA-1"}
_EC_TYPES = ("ecdsa-p256", "ecdsa-p384")
_LONGEST_CHAIN = 8


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether it is a root: its own issuer, by name and signature."""
    return certificate.subject == certificate.issuer and signed_by(certificate, certificate)


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``issuer`` signed ``certificate``, by name and signature; what it may sign isn't looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def time_problems(certificate: x509.Certificate, now: datetime) -> list[str]:
    """Why it isn't valid at ``now``."""
    if now >= certificate.not_valid_after_utc:
        return [f"expired on {day(certificate.not_valid_after_utc)}"]
    if now < certificate.not_valid_before_utc:
        return [f"isn't valid before {day(certificate.not_valid_before_utc)}"]
    return []


def ca_problems(certificate: x509.Certificate, *, below: int = 0) -> list[str]:
    """Why it can't sign with ``below`` intermediates under it, whatever the time."""
    problems = []
    is_ca, path_length = basic_constraints(certificate)
    if not is_ca:
        problems.append("isn't a CA certificate (basic constraints)")
    elif path_length is not None and path_length < below:
        problems.append(f"allows {path_length} intermediates below it, and {below} would be needed (path length)")
    if not _may_sign(certificate):
        problems.append("may not sign certificates (key usage)")
    problems += _extension_problems(certificate)
    return problems + _key_problems(certificate)


def signature_problems(certificate: x509.Certificate) -> list[str]:
    """Why nobody checks its signature any more; a root that is trusted as it is needs none."""
    name = hash_of(certificate)
    return [f"is signed with {_WEAK_HASHES[name]}, which is not accepted any more"] if name in _WEAK_HASHES else []


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _extension_problems(certificate: x509.Certificate) -> list[str]:
    """Uses that leave mutual TLS out, and critical extensions that verifiers must refuse if they don't know them."""
    problems = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            uses = set(extension.value)
            needed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
            if not needed <= uses and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in uses:
                problems.append("is limited to uses without TLS servers and clients (extended key usage)")
        elif extension.critical and isinstance(extension.value, x509.UnrecognizedExtension):
            problems.append(f"has a critical extension that isn't known ({extension.oid.dotted_string})")
    return problems


def _key_problems(certificate: x509.Certificate) -> list[str]:
    key, kind = certificate.public_key(), key_type_of(certificate.public_key())
    if isinstance(key, rsa.RSAPublicKey):
        return [f"has an RSA key of {key.key_size} bits, and 2048 is the least"] if key.key_size < 2048 else []
    return [] if kind in _EC_TYPES else [f"has a key of the kind {kind}, and istiod needs ECDSA P-256, P-384 or RSA"]


def find_chain(
    leaf: x509.Certificate, pool: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """The certificates from ``leaf`` to one of ``roots``, both included, in signing order; empty if there is no way."""
    trusted = set(roots)
    issuers = list(dict.fromkeys([*roots, *pool]))
    todo = [[leaf]]
    # Breadth first and each certificate once: so the shortest way is found, and loops end.
    for chain in todo:
        if chain[-1] in trusted:
            return chain
        if chain[-1] in issuers:
            issuers.remove(chain[-1])
        if len(chain) < _LONGEST_CHAIN:
            todo += [[*chain, issuer] for issuer in issuers if signed_by(chain[-1], issuer)]
    return []


def chain_problems(
    chain: Sequence[x509.Certificate], now: datetime | None, files: tuple[str, str, str] | None = None
) -> list[str]:
    """Why a chain (CA certificate first, root last) doesn't hold; ``now`` None leaves the times out.

    ``files`` names where the first, those between and the last one stand, for the messages.
    """
    problems = []
    first = files[0] if files else "the certificate"
    for position, certificate in enumerate(chain):
        said = first if position == 0 else f"its issuer '{certificate.subject.rfc4514_string()}'"
        if files and position:
            said += f" in {files[2] if position == len(chain) - 1 else files[1]}"
        # A self-issued certificate doesn't count for the path length (RFC 5280, 4.2.1.9).
        below = sum(1 for lower in chain[:position] if lower.subject != lower.issuer)
        faults = ca_problems(certificate, below=below) + (time_problems(certificate, now) if now else [])
        faults += signature_problems(certificate) if position < len(chain) - 1 else []
        problems += [f"{said} {fault}" for fault in faults]
        if position and certificate.not_valid_after_utc < chain[0].not_valid_after_utc:
            problems.append(f"{first} outlives {said}, which ends on {day(certificate.not_valid_after_utc)}")
        if position < len(chain) - 1 and _names_another_key(certificate, chain[position + 1]):
            problems.append(f"{said} names another key of its issuer than that one has (authority key identifier)")
    return problems


def _names_another_key(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key identifiers contradict each other: openssl and proxies then find no way to the issuer."""
    try:
        wanted = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        there = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return wanted is not None and wanted != there


def bundle_problems(
    files: Mapping[str, bytes], now: datetime | None, root: x509.Certificate | None = None
) -> tuple[x509.Certificate | None, list[str]]:
    """The CA certificate of a bundle with istiod's four files, and why istiod couldn't use it.

    ``root`` is the certificate that the bundle has to lead to (None: its own root file decides). ``now`` None leaves
    the times out. Never raises for bad content.
    """
    missing = [name for name in BUNDLE_FILES if name not in files]
    if missing:
        return _first(files), [f"{name} is missing" for name in missing]
    odd = [problem for name in BUNDLE_FILES for problem in form_problems(files[name], name)]
    try:
        leaf = read_certificates(files["ca-cert.pem"], "ca-cert.pem")[0]
    except MeshError as error:
        return None, [error.message]
    try:
        key = read_private_key(files["ca-key.pem"], "ca-key.pem", trusted=True)
        pool = read_certificates(files["cert-chain.pem"], "cert-chain.pem")
        roots = read_certificates(files["root-cert.pem"], "root-cert.pem")
    except MeshError as error:
        return leaf, [error.message]
    return leaf, odd + _fit_problems(leaf, key, pool, roots, root, now)


def _first(files: Mapping[str, bytes]) -> x509.Certificate | None:
    try:
        return read_certificates(files.get("ca-cert.pem", b""), "ca-cert.pem")[0]
    except MeshError:
        return None


def _fit_problems(
    leaf: x509.Certificate,
    key: PrivateKey,
    pool: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    root: x509.Certificate | None,
    now: datetime | None,
) -> list[str]:
    problems = []
    if not same_key(leaf, key):
        problems.append("ca-key.pem is the key of another certificate than ca-cert.pem")
    if pool[0] != leaf:
        problems.append("cert-chain.pem doesn't begin with ca-cert.pem")
    if root is not None and root not in roots:
        return [*problems, "root-cert.pem isn't the root"]
    chain = find_chain(leaf, pool, roots if root is None else [root])
    if not chain:
        weak = [f"ca-cert.pem {fault}" for fault in signature_problems(leaf)]
        weak += [f"a certificate in cert-chain.pem {fault}" for one in pool[1:] for fault in signature_problems(one)]
        return [*problems, *weak, "no chain leads from ca-cert.pem through cert-chain.pem to root-cert.pem"]
    return problems + chain_problems(chain, now, ("ca-cert.pem", "cert-chain.pem", "root-cert.pem"))
