# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who signs: the root of the state directory, an outside one, or somebody else (used by ``authority``)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import x509
from ansible_collections.edge.mesh.plugins.module_utils._pki.issuing import Signer
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import CertFacts, Request, RootSpec
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import (
    facts_of,
    key_is_encrypted,
    read_certificates,
    read_file,
    read_private_key,
    same_key,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import (
    ca_problems,
    find_chain,
    is_self_signed,
    signature_problems,
    time_problems,
)

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import PrivateKey

__all__ = ["Chain", "given_chain", "key_away", "load_signer", "stored_chain"]

_OWN_KEY = "root-key.pem"


@dataclass(frozen=True)
class Chain:
    """The signing certificate first, the root last (one and the same for a plain root)."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def signer(self) -> x509.Certificate:
        """The certificate that signs intermediates."""
        return self.certificates[0]

    @property
    def root(self) -> x509.Certificate:
        """The certificate that everybody trusts."""
        return self.certificates[-1]

    @property
    def root_facts(self) -> CertFacts:
        """Facts about the root."""
        return facts_of(self.root)

    @property
    def limit(self) -> CertFacts:
        """The certificate that ends first: nothing below may live longer."""
        return min((facts_of(certificate) for certificate in self.certificates), key=lambda facts: facts.not_after)


def stored_chain(files: Mapping[str, bytes] | None, path: str) -> Chain | None:
    """The chain of the state directory, or None if it has none.

    Raises MeshError for a root that is damaged or half there: it is never replaced by itself.
    """
    if files is None:
        return None
    where = f"{path}/root/root-cert.pem"
    hint = "restore the state directory from a backup"
    if "root-cert.pem" not in files:
        held = ", ".join(files) or "nothing"
        raise MeshError(f"{where} is missing", why=f"{path}/root holds {held}", hint=hint)
    try:
        roots = read_certificates(files["root-cert.pem"], where)
        name = "signer-cert.pem"
        above = read_certificates(files[name], f"{path}/root/{name}") if name in files else []
    except MeshError as error:
        raise MeshError(error.what, why=error.why, hint=error.hint or hint) from None
    return Chain((*above, roots[0]))


def given_chain(spec: RootSpec, now: datetime, known: Chain | None = None) -> Chain | None:
    """The outside root of ``root.certificate``, checked, or None; raises MeshError, which names the file.

    ``known`` is the chain that was taken in before: its key may be kept away now.
    """
    if spec.certificate is None:
        return None
    found = read_certificates(read_file(spec.certificate), spec.certificate)
    for certificate in found:
        weak = signature_problems(certificate)
        if weak:
            raise MeshError(f"{spec.certificate}: '{certificate.subject.rfc4514_string()}' {weak[0]}")
    anchors = [certificate for certificate in found if is_self_signed(certificate)]
    if not anchors:
        ends = found[-1].issuer.rfc4514_string()
        raise MeshError(
            f"{spec.certificate} holds no root",
            why=f"no certificate in it is self-signed; its issuer is '{ends}'",
            hint="put the chain up to the root into the file",
        )
    signer = found[0] if len(found) == 1 else _signing_one(spec, found, known)
    chain = find_chain(signer, found, anchors)
    if not chain:
        raise MeshError(f"{spec.certificate} holds no chain from '{signer.subject.rfc4514_string()}' to a root")
    for position, certificate in enumerate(chain):
        # Below each stand the ones before it and the primary's intermediate.
        faults = ca_problems(certificate, below=position + 1) + time_problems(certificate, now)
        if faults:
            who = "the certificate" if len(found) == 1 else f"'{certificate.subject.rfc4514_string()}'"
            raise MeshError(f"{spec.certificate}: {who} {faults[0]}", why="; ".join(faults[1:]) or None)
    return Chain(tuple(chain))


def _signing_one(spec: RootSpec, found: Sequence[x509.Certificate], known: Chain | None) -> x509.Certificate:
    """Which of several certificates signs: the key's, else the known one, else the one that none was signed by."""
    if spec.key is not None and os.path.exists(spec.key):
        try:
            key = _outside_key(spec)
            mine = [certificate for certificate in found if same_key(certificate, key)]
            if mine:
                return mine[0]
            raise MeshError(f"{spec.key} is the key of another certificate than {spec.certificate}")
        except MeshError:
            if known is None:
                raise
    if known is not None and known.signer in found:
        return known.signer
    issuers = {certificate.issuer.rfc4514_string() for certificate in found if not is_self_signed(certificate)}
    lowest = [certificate for certificate in found if certificate.subject.rfc4514_string() not in issuers]
    return (lowest or list(found))[0]


def _outside_key(spec: RootSpec) -> PrivateKey:
    path = spec.key or ""
    return read_private_key(read_file(path), path, spec.passphrase)


def key_away(request: Request, files: Mapping[str, bytes] | None) -> str | None:
    """A clause about a root key that is kept away (absent, or locked without its passphrase), else None.

    Raises MeshError, which names the file, for what isn't a key.
    """
    if request.root.key is not None:
        if not os.path.exists(request.root.key):
            return "isn't at hand"
        path, data, passphrase = request.root.key, read_file(request.root.key), request.root.passphrase
    elif files and _OWN_KEY in files:
        path, data, passphrase = f"{request.path}/root/{_OWN_KEY}", files[_OWN_KEY], request.passphrase
    else:
        return "isn't at hand"
    locked = not passphrase and key_is_encrypted(data, path)
    return f"isn't at hand: {path} is encrypted, and no passphrase was given" if locked else None


def load_signer(request: Request, chain: Chain, files: Mapping[str, bytes] | None) -> Signer:
    """The key that signs, with its chain; raises MeshError if it is unreadable or another certificate's."""
    if request.root.key is not None:
        path, key, wanted = request.root.key, _outside_key(request.root), request.root.certificate or "the root"
    else:
        path, wanted = f"{request.path}/root/{_OWN_KEY}", f"{request.path}/root/root-cert.pem"
        key = read_private_key((files or {})[_OWN_KEY], path, request.passphrase, trusted=True)
    if not same_key(chain.signer, key):
        raise MeshError(f"{path} is the key of another certificate than {wanted}")
    return Signer(chain.certificates, key)
