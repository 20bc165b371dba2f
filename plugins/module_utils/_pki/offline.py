# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intermediates that somebody else signs: a request goes out, a certificate comes in (used by ``authority``).

The key is made here and never leaves: it waits beside the request, in ``requests/<primary>``, until a certificate for
it is handed in. The bundle in use stays in place meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.issuing import key_pem, new_key, pem, request_pem
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import (
    CertFacts,
    Found,
    IntermediateSpec,
    Issue,
    Keep,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import (
    facts_of,
    fingerprint_of,
    key_type_of,
    read_certificates,
    read_file,
    read_private_key,
    same_key,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.signing import Chain
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import chain_problems, find_chain

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import x509

__all__ = ["Outcome", "bundle", "forget", "hand_out_or_take_in", "newly_signed"]

_REQUEST = "ca-csr.pem"
_KEY = "ca-key.pem"


@dataclass(frozen=True)
class Outcome:
    """``action`` is ``imported`` or ``requested``; ``reasons`` is empty where nothing was written."""

    action: str
    reasons: tuple[str, ...]
    facts: CertFacts | None
    request: str | None = None
    warnings: tuple[str, ...] = ()


def bundle(certificate: x509.Certificate, key: bytes, above: Sequence[x509.Certificate]) -> dict[str, bytes]:
    """istiod's four files; ``above`` is the chain over the certificate, its root last."""
    return {
        "ca-cert.pem": pem([certificate]),
        "ca-key.pem": key,
        "cert-chain.pem": pem([certificate, *above]),
        "root-cert.pem": pem([above[-1]]),
    }


def forget(store: Store, name: str) -> None:
    """Remove a request of a primary that is removed."""
    if store.read(_folder(name)) is not None:
        store.remove(_folder(name))


def _folder(name: str) -> str:
    return f"requests/{name}"


def newly_signed(spec: IntermediateSpec, found: Found | None) -> bool:
    """Whether a certificate is handed in that isn't the one in use; MeshError if its file can't be read as one."""
    if spec.certificate is None or not os.path.exists(spec.certificate):
        return False
    prints = {fingerprint_of(entry) for entry in read_certificates(read_file(spec.certificate), spec.certificate)}
    return found is None or found.facts is None or found.facts.fingerprint not in prints


def hand_out_or_take_in(
    spec: IntermediateSpec,
    plan: Issue | Keep,
    found: Found | None,
    chain: Chain,
    store: Store,
    now: datetime,
    check: bool,
) -> Outcome:
    """Install the certificate that was handed in, or make (or keep) the request for one.

    Raises MeshError if what was handed in is for another key, doesn't lead to the root, or can't be a CA's.
    """
    waiting = store.read(_folder(spec.name))
    if newly_signed(spec, found):
        files = _signed_bundle(spec, waiting, store.read(spec.name), chain, now)
        if not check:
            store.write(spec.name, files)
            forget(store, spec.name)
        taken = facts_of(read_certificates(files["ca-cert.pem"], "ca-cert.pem")[0])
        return Outcome("imported", (f"{spec.certificate} was signed for it",), taken)
    where = f"{store.path}/{_folder(spec.name)}/{_REQUEST}"
    reasons: tuple[str, ...] = ()
    if _waiting_type(waiting) != spec.key_type:
        reasons = plan.reasons if isinstance(plan, Issue) else ()
        if not check:
            key = new_key(spec.key_type)
            store.write(_folder(spec.name), {_KEY: key_pem(key), _REQUEST: request_pem(spec, key)})
    wanted = f"{spec.name}: have {where} signed, and hand the certificate in as the intermediate's certificate"
    facts = found.facts if found and not found.problems else None
    return Outcome("requested", reasons, facts, where, (wanted,))


def _waiting_type(waiting: Mapping[str, bytes] | None) -> str | None:
    if not waiting or _KEY not in waiting or _REQUEST not in waiting:
        return None
    return key_type_of(read_private_key(waiting[_KEY], _KEY, trusted=True))


def _signed_bundle(
    spec: IntermediateSpec,
    waiting: Mapping[str, bytes] | None,
    current: Mapping[str, bytes] | None,
    chain: Chain,
    now: datetime,
) -> dict[str, bytes]:
    where = spec.certificate or ""
    certificates = read_certificates(read_file(where), where)
    for files in (waiting, current):
        if files and _KEY in files:
            key = read_private_key(files[_KEY], _KEY, trusted=True)
            mine = [certificate for certificate in certificates if same_key(certificate, key)]
            if mine:
                return bundle(mine[0], key_pem(key), _checked(mine[0], certificates, chain, where, now))
    raise MeshError(
        f"{where} holds no certificate for {spec.name}'s key",
        why="it was signed for another request" if waiting else "no request waits for a certificate",
        hint=f"have {_folder(spec.name)}/{_REQUEST} of the state directory signed",
    )


def _checked(
    leaf: x509.Certificate, given: Sequence[x509.Certificate], chain: Chain, where: str, now: datetime
) -> list[x509.Certificate]:
    """The chain over ``leaf``; MeshError if it doesn't lead to the root or doesn't hold."""
    way = find_chain(leaf, [*given, *chain.certificates], [chain.root])
    if not way:
        raise MeshError(
            f"{where}: no chain leads to the root '{chain.root.subject.rfc4514_string()}'",
            hint="put the certificates between it and the root into the same file",
        )
    problems = chain_problems(way, now)
    if problems:
        raise MeshError(f"{where}: {problems[0]}", why="; ".join(problems[1:]) or None)
    return way[1:]
