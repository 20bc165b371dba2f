# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be issued, and why: pure, the clock is an argument (used by ``authority``).

A certificate is kept until its renewal window opens; ``now`` alone never changes anything. A root is made once and
never replaced here: replacing it is a rotation, which running meshes have to be taken through step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import (
    CertFacts,
    Evidence,
    Found,
    IntermediateSpec,
    Issue,
    Keep,
    RootSpec,
    day,
)

__all__ = ["SKEW", "key_wanted_from", "plan_intermediate", "plan_root", "validity_window"]

# Certificates start a little in the past, for machines whose clock is behind.
SKEW = timedelta(minutes=5)

# How long before a renewal falls due people hear that it needs a key which isn't at hand: a month, and not from the
# first day on where lives are short.
_AHEAD = timedelta(days=30)
_AHEAD_PART = 3


def validity_window(now: datetime, validity: timedelta, issuer: CertFacts | None) -> tuple[datetime, datetime]:
    """First and last moment of a new certificate, in whole seconds, inside its issuer's life."""
    now = now.replace(microsecond=0)
    start, end = now - SKEW, now + validity
    if issuer is None:
        return start, end
    return max(start, issuer.not_before), min(end, issuer.not_after)


def plan_root(
    spec: RootSpec,
    found: CertFacts | None,
    given: CertFacts | None,
    existing: Sequence[Evidence],
    *,
    allow_new: bool,
    now: datetime,
    path: str,
) -> Keep | Issue:
    """Whether the root of the directory ``path`` is kept, taken in from ``given`` or made.

    Raises MeshError where a mesh uses a root that this one isn't, where the root would change, and where it
    isn't valid.
    """
    root = found or given
    if found and given and found.fingerprint != given.fingerprint:
        raise MeshError(
            "root.certificate is another root than the state directory's",
            why=f"{spec.certificate} is {given.fingerprint}, {path}/root/root-cert.pem is {found.fingerprint}",
            hint="changing the root of a mesh is a rotation; leave root.certificate out to keep the root",
        )
    if not allow_new:
        _refuse_foreign(root, existing, path)
    if root is None:
        return Issue(("there is no root yet",))
    if now >= root.not_after:
        raise MeshError(
            "the root certificate has expired", why=f"on {day(root.not_after)}", hint="the mesh needs a new root"
        )
    if now < root.not_before:
        raise MeshError(
            "the root certificate isn't valid yet",
            why=f"it starts on {day(root.not_before)}",
            hint="is the clock right?",
        )
    if found is None:
        return Issue((f"the root of {spec.certificate} is taken in",))
    return Keep(tuple(_root_warnings(spec, found, now)))


def _refuse_foreign(root: CertFacts | None, existing: Sequence[Evidence], path: str) -> None:
    for evidence in existing:
        if root is None or evidence.fingerprint != root.fingerprint:
            known = "holds no root" if root is None else f"holds the root {root.fingerprint}"
            raise MeshError(
                f"{evidence.name} already trusts a root that the state directory doesn't know",
                why=f"its root is {evidence.fingerprint}, and {path} {known}",
                hint="restore the state directory from a backup, or import that root with root.certificate "
                "and root.key; allow_new_root makes a new one, and cuts off whoever trusts the old one",
            )


def _root_warnings(spec: RootSpec, root: CertFacts, now: datetime) -> list[str]:
    warnings = []
    if now >= root.not_after - spec.renew_before:
        warnings.append(f"the root certificate expires on {day(root.not_after)}: plan the rotation to a new root")
    for option, wanted, is_now in (
        ("key_type", spec.key_type, root.key_type),
        ("common_name", spec.common_name, root.common_name),
        ("organization", spec.organization, root.organization),
    ):
        if wanted is not None and wanted != is_now and spec.certificate is None:
            warnings.append(f"the root keeps its {option} '{is_now}' ('{wanted}' would need a new root)")
    return warnings


def key_wanted_from(spec: IntermediateSpec, facts: CertFacts) -> datetime:
    """From when on people hear that the renewal of the certificate will need the root key."""
    due = facts.not_after - spec.renew_before
    return due - min(_AHEAD, max(due - facts.not_before, timedelta(0)) / _AHEAD_PART)


def plan_intermediate(
    spec: IntermediateSpec,
    found: Found | None,
    issuer: CertFacts | None,
    *,
    obstacle: str | None,
    ours: bool,
    now: datetime,
) -> Keep | Issue:
    """Whether a primary's intermediate is kept.

    ``issuer`` is the certificate above it that ends first, None if a new root is about to be made. ``obstacle`` is a
    clause about the root key ("isn't at hand") where nothing can be signed now, else None; ``ours`` says whether the
    names in the certificate are ours to choose.
    Raises MeshError where a certificate is needed now and can't be signed.
    """
    reasons = list(_defects(spec, found, ours))
    if issuer is None and found is not None:
        reasons.append("its root is new")
    facts = found.facts if found else None
    warnings: list[str] = []
    if facts and issuer and not reasons:
        due = facts.not_after - spec.renew_before
        gains = validity_window(now, spec.validity, issuer)[1] > facts.not_after
        if now < facts.not_before:
            reasons.append(f"it isn't valid before {day(facts.not_before)}")
        elif now >= facts.not_after:
            reasons.append(f"it expired on {day(facts.not_after)}")
        elif now >= due and not gains:
            warnings.append(
                f"{spec.name}: the intermediate can't live longer than its root, which ends on {day(issuer.not_after)}"
            )
        elif now >= due and obstacle is None:
            reasons.append(f"it expires on {day(facts.not_after)}, and its renewal was due on {day(due)}")
        elif gains and now >= key_wanted_from(spec, facts) and obstacle is not None:
            warnings.append(_key_wanted(spec, facts, due, obstacle))
        if not reasons:
            return Keep(tuple(warnings))
    if obstacle is not None:
        raise MeshError(
            f"the intermediate of {spec.name} has to be issued, and the root key {obstacle}",
            why="; ".join(reasons),
            hint="give root.key (and its passphrase), or set root.offline to get a request to be signed elsewhere",
        )
    return Issue(tuple(reasons))


def _key_wanted(spec: IntermediateSpec, facts: CertFacts, due: datetime, obstacle: str) -> str:
    return (
        f"{spec.name}: the intermediate expires on {day(facts.not_after)}, its renewal is due from {day(due)}, "
        f"and that needs the root key, which {obstacle}"
    )


def _defects(spec: IntermediateSpec, found: Found | None, ours: bool) -> list[str]:
    """Why a bundle has to be issued whatever the time is."""
    if found is None:
        return ["there is no intermediate yet"]
    reasons = list(found.problems)
    facts = found.facts
    if facts is None:
        return reasons
    if facts.key_type != spec.key_type:
        reasons.append(f"its key is {facts.key_type}, and {spec.key_type} is wanted")
    if ours and (facts.common_name, facts.organization) != (spec.common_name, spec.organization):
        reasons.append(f"its subject is '{facts.subject}', and CN={spec.common_name} O={spec.organization} is wanted")
    return reasons
