# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA of a state directory: look, plan, do (used by the module `mesh_ca`).

Everything is planned before anything is written, so that a refusal leaves no trace, and check mode is the plan alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import offline
from ansible_collections.edge.mesh.plugins.module_utils._pki.issuing import (
    Signer,
    intermediate,
    key_pem,
    new_key,
    new_keys,
    pem,
    self_signed,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import (
    CertFacts,
    Evidence,
    Found,
    IntermediateSpec,
    Issue,
    Keep,
    Request,
    stamp,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.plan import (
    key_wanted_from,
    plan_intermediate,
    plan_root,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import (
    facts_of,
    key_is_encrypted,
    read_certificates,
    read_private_key,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.signing import (
    Chain,
    given_chain,
    key_away,
    load_signer,
    stored_chain,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems

if TYPE_CHECKING:
    from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import PrivateKey

__all__ = ["Entry", "Result", "ensure_absent", "ensure_present"]


@dataclass
class Entry:
    """What happened to one certificate; ``facts`` is None where it doesn't exist (yet)."""

    name: str
    action: str
    reasons: tuple[str, ...] = ()
    before: CertFacts | None = None
    facts: CertFacts | None = None
    request: str | None = None

    def as_dict(self, now: datetime, path: str) -> dict[str, Any]:
        """The entry as `mesh_ca` returns it."""
        values: dict[str, Any] = {"name": self.name, "action": self.action, "reasons": list(self.reasons)}
        values["path"] = f"{path}/{self.name}"
        values["request"] = self.request
        return {**values, **(self.facts.as_dict(now) if self.facts else {})}


@dataclass
class Result:
    """What a call did, or in check mode would do; ``root`` is None once it is gone."""

    root: Entry | None = None
    intermediates: list[Entry] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was or would be written."""
        return bool(self.reasons)

    def text(self, *, after: bool) -> str:
        """One line per certificate, for Ansible's diff."""
        lines = []
        for entry in [*([self.root] if self.root else []), *self.intermediates]:
            facts = entry.facts if after else entry.before
            if after and facts is None and entry.action in ("issued", "imported"):
                lines.append(f"{entry.name}: a new certificate\n")
            elif facts is not None:
                lines.append(
                    f"{entry.name}: {facts.subject}, until {stamp(facts.not_after)}, sha256 {facts.fingerprint}\n"
                )
        return "".join(lines)


def ensure_present(request: Request, *, now: datetime, check: bool) -> Result:
    """Root and intermediates as wanted; ``check`` writes nothing. Raises MeshError, and has then changed nothing."""
    store = Store(request.path)
    with store.locked(write=not check):
        result = _Run(request, store, now, check).present()
        coming = {entry.name for entry in result.intermediates if entry.action in ("issued", "imported")}
        result.remaining = sorted({*store.names(), *coming})
        return result


def ensure_absent(request: Request, *, check: bool) -> Result:
    """Take away the intermediates that are named, or, where none is, the whole CA with its root."""
    store = Store(request.path)
    result = Result()
    everything = not request.intermediates
    with store.locked(write=not check and bool(store.names() or store.read("root"))):
        names = store.names() if everything else [spec.name for spec in request.intermediates]
        if everything:
            names += ["root"]
        for name in names:
            files = store.read(name)
            if files is None:
                continue
            entry = Entry(name, "removed", ("it is not wanted any more",), before=_facts_in(files))
            result.reasons.append(f"{name}: {entry.reasons[0]}")
            if name == "root":
                result.root = entry
            else:
                result.intermediates.append(entry)
            if not check:
                store.remove(name)
                offline.forget(store, name)
        if everything and not check and result.changed:
            store.remove_all()
        gone = {entry.name for entry in result.intermediates}
        result.remaining = [name for name in store.names() if name not in gone]
    return result


def _facts_in(files: dict[str, bytes]) -> CertFacts | None:
    """Facts about a bundle's or the root's certificate, or None if it can't be read."""
    for name in ("ca-cert.pem", "root-cert.pem"):
        if name in files:
            try:
                return facts_of(read_certificates(files[name], name)[0])
            except MeshError:
                return None
    return None


class _Run:
    """One call: what was found is kept in attributes, so that each step reads as one sentence."""

    def __init__(self, request: Request, store: Store, now: datetime, check: bool) -> None:
        self.request, self.store, self.now, self.check = request, store, now, check
        self.root_files = store.read("root")
        self.chain = stored_chain(self.root_files, request.path)
        self.result = Result()
        self.signer: Signer | None = None
        self.obstacle: str | None = None
        self.asked_for_key = False
        self.keys: Iterator[PrivateKey] = iter(())
        self.bundles: dict[str, dict[str, bytes]] = {}

    def present(self) -> Result:
        """Plan all, then do it."""
        request = self.request
        given = self._given()
        decision = plan_root(
            request.root,
            self.chain.root_facts if self.chain else None,
            given.root_facts if given else None,
            (*request.existing, *self._own_evidence()),
            allow_new=request.allow_new_root,
            now=self.now,
            path=request.path,
        )
        before = self.chain
        self.chain = given or before
        if self.chain is None and request.root.offline:
            raise MeshError("root.offline needs root.certificate", why="the root that signs has to be known")
        decision = self._with_new_signer(decision, before)
        self._tell(decision)
        if isinstance(decision, Keep):
            self._warn_of_a_broken_key()
        elif self.chain and request.root.key and os.path.exists(request.root.key) and not request.root.offline:
            self.signer = load_signer(request, self.chain, self.root_files)
        plans = [(spec, *self._plan(spec)) for spec in request.intermediates]
        self._do_root(decision, before)
        if not self.check and self.signer is not None:
            self.keys = iter(new_keys([spec.key_type for spec, _found, plan in plans if isinstance(plan, Issue)]))
        for spec, found, plan in plans:
            self._do_intermediate(spec, found, plan)
        self.store.write_all(self.bundles)
        if not self.check:
            for name in self.bundles:
                offline.forget(self.store, name)
        self._tighten()
        return self.result

    def _given(self) -> Chain | None:
        """The outside root; once it was taken in, its files may stay away."""
        path = self.request.root.certificate
        if path is None or (self.chain is not None and not os.path.exists(path)):
            return None
        return given_chain(self.request.root, self.now, self.chain)

    def _with_new_signer(self, decision: Issue | Keep, before: Chain | None) -> Issue | Keep:
        """A CA below the known root that takes over from the one that signed so far is taken in, as a root is."""
        if isinstance(decision, Issue) or before is None or self.chain is None or self.chain.signer == before.signer:
            return decision
        subject = self.chain.signer.subject.rfc4514_string()
        return Issue((f"'{subject}' of {self.request.root.certificate} signs from now on",))

    def _why_not_sign(self) -> str | None:
        """Why nothing can be signed now, as a clause about the root key, or None; looks once."""
        if self.asked_for_key or self.signer or self.chain is None or self.request.root.offline:
            return self.obstacle
        self.asked_for_key = True
        try:
            self.obstacle = key_away(self.request, self.root_files)
            if self.obstacle is None:
                self.signer = load_signer(self.request, self.chain, self.root_files)
        except MeshError as error:
            self.obstacle = f"can't be used: {error.message}"
        return self.obstacle

    def _warn_of_a_broken_key(self) -> None:
        """Say at once that our own root key is damaged, or that the passphrase is another: not when it is needed."""
        if self.request.root.key is None and (self._why_not_sign() or "").startswith("can't be used"):
            self.result.warnings.append(f"the root key {self.obstacle}")

    def _own_evidence(self) -> list[Evidence]:
        """Bundles whose root directory is gone speak for a root, as clusters do."""
        if self.chain is not None:
            return []
        evidence = []
        for name in self.store.names():
            files = self.store.read(name) or {}
            try:
                root = read_certificates(files.get("root-cert.pem", b""), "root-cert.pem")[-1]
                known = facts_of(root).fingerprint
            except MeshError:
                # Which root it had can't be told, so only somebody who names a root may go on.
                if self.request.root.certificate is not None:
                    continue
                known = "not readable any more"
            evidence.append(Evidence(f"the bundle {self.request.path}/{name}", known))
        return evidence

    def _tell(self, decision: Issue | Keep, name: str = "root") -> None:
        if isinstance(decision, Keep):
            self.result.warnings += decision.warnings
        else:
            self.result.reasons += [f"{name}: {reason}" for reason in decision.reasons]

    def _plan(self, spec: IntermediateSpec) -> tuple[Found | None, Issue | Keep]:
        files, chain, found = self.store.read(spec.name), self.chain, None
        if files is not None:
            leaf, problems = bundle_problems(files, None, chain.root if chain else None)
            found = Found(facts_of(leaf) if leaf else None, tuple(problems))
        away = self.request.root.offline
        limit = chain.limit if chain else None

        def planned(obstacle: str | None) -> Issue | Keep:
            return plan_intermediate(spec, found, limit, obstacle=obstacle, ours=not away, now=self.now)

        plan = planned(None)
        soon = found and found.facts and self.now >= key_wanted_from(spec, found.facts)
        if (soon or isinstance(plan, Issue)) and self._why_not_sign():
            plan = planned(self.obstacle)
        if away and offline.newly_signed(spec, found):
            plan = Issue((f"{spec.certificate} was signed for it",))
        return found, plan

    def _do_root(self, decision: Issue | Keep, before: Chain | None) -> None:
        facts = before.root_facts if before else None
        if isinstance(decision, Keep):
            self.result.root = Entry("root", "kept", before=facts, facts=facts)
            self._protect_key()
            return
        files: dict[str, bytes | None]
        action = "imported" if self.chain else "issued"
        self.result.root = Entry("root", action, decision.reasons, before=facts)
        if self.check:
            self.result.root.facts = self.chain.root_facts if self.chain else None
            return
        if self.chain is None:
            key = new_key(self.request.root_key_type)
            root = self_signed(self.request.root, key, self.now)
            files = {"root-cert.pem": pem([root]), "root-key.pem": key_pem(key, self.request.passphrase)}
            self.chain, self.signer = Chain((root,)), Signer((root,), key)
        else:
            between = pem(self.chain.certificates[:-1]) or None
            files = {"root-cert.pem": pem([self.chain.root]), "signer-cert.pem": between}
        self.store.write("root", files)
        self.root_files = self.store.read("root")
        self.result.root.facts = self.chain.root_facts

    def _protect_key(self) -> None:
        """Encrypt a root key that lies open, once a passphrase is given."""
        files, passphrase = self.root_files or {}, self.request.passphrase
        where = f"{self.request.path}/root/root-key.pem"
        if not passphrase or self.obstacle or "root-key.pem" not in files:
            return
        if key_is_encrypted(files["root-key.pem"], where):
            return
        self.result.reasons.append("root: its key is encrypted with the passphrase")
        if not self.check:
            key = read_private_key(files["root-key.pem"], where, trusted=True)
            self.root_files = {**files, "root-key.pem": key_pem(key, passphrase)}
            self.store.write("root", self.root_files)

    def _do_intermediate(self, spec: IntermediateSpec, found: Found | None, plan: Issue | Keep) -> None:
        before = found.facts if found else None
        if isinstance(plan, Keep):
            self._tell(plan)
            self.result.intermediates.append(Entry(spec.name, "kept", before=before, facts=before))
            return
        if self.request.root.offline and self.chain:
            self._do_offline(spec, plan, found, self.chain)
            return
        self._tell(plan, spec.name)
        entry = Entry(spec.name, "issued", plan.reasons, before=before)
        self.result.intermediates.append(entry)
        if self.check or self.chain is None or self.signer is None:
            return
        key = next(self.keys)
        certificate = intermediate(spec, key.public_key(), self.signer, self.now)
        self.bundles[spec.name] = offline.bundle(certificate, key_pem(key), self.chain.certificates)
        entry.facts = facts_of(certificate)

    def _do_offline(self, spec: IntermediateSpec, plan: Issue | Keep, found: Found | None, chain: Chain) -> None:
        done = offline.hand_out_or_take_in(spec, plan, found, chain, self.store, self.now, self.check)
        before = found.facts if found else None
        self.result.intermediates.append(Entry(spec.name, done.action, done.reasons, before, done.facts, done.request))
        self.result.reasons += [f"{spec.name}: {reason}" for reason in done.reasons]
        self.result.warnings += done.warnings

    def _tighten(self) -> None:
        wanted = [spec.name for spec in self.request.intermediates if spec.name not in self.bundles]
        names = ["root", *wanted, *(f"requests/{name}" for name in wanted)]
        for path, mode in [found for name in names for found in self.store.loose(name)]:
            self.result.reasons.append(f"{path}: its mode is {mode:04o}, and nobody else may use it")
            if not self.check:
                self.store.tighten(path)
