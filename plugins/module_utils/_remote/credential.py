# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give primaries their credential for a site, renew it, take it away (used by the module `remote_secret`).

Each primary has a token of its own, so that one of them can be renewed or removed without the others. The order never
leaves a primary without a working credential: new token, proven at the site's API; the remote secret patched in place;
every replica of istiod seen with it; only then is the old token revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret as secrets
from ansible_collections.edge.mesh.plugins.module_utils._istio import tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import Issue, Keep, Live, Wanted
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Api, Time
from ansible_collections.edge.mesh.plugins.module_utils._remote.endpoints import Counts, losses
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import Istiod, Look, cure, wait_for
from ansible_collections.edge.mesh.plugins.module_utils._remote.site import Issued, SiteSide, Survey

__all__ = ["Primary", "PrimaryReport", "Report", "Settings", "present"]

_RESTORED = 15.0  # seconds to see that istiod is back with what it had; it needs one or two

Action = Literal["kept", "repaired", "created", "renewed"]


@dataclass(frozen=True)
class Primary:
    """One primary; ``name`` tells its tokens at the site from those of other primaries and must stay the same."""

    name: str
    api: Api
    istiod: Istiod


@dataclass(frozen=True)
class Settings:
    """How to go about it: ``seconds`` bounds each wait for istiod; ``check_address`` judges the API's address.

    ``recreate`` replaces a good credential too: istiod then builds its view of the site anew beside the old one, reads
    the namespace's annotations, and switches over (seen in its `secretcontroller.go` and in the lab). Deleting and
    creating the remote secret would do the same, but it cuts the traffic and can hang istiod's worker.
    """

    seconds: float
    wait: bool = True
    recreate: bool = False
    check_mode: bool = False
    check_address: Callable[[], str | None] = lambda: None


@dataclass
class PrimaryReport:
    """What was done for one primary; ``before`` and ``after`` describe its credential without secrets."""

    name: str
    action: Action = "kept"
    reasons: list[str] = field(default_factory=list)
    istiod: str = "not asked"
    endpoints: int | None = None
    expires: float | None = None
    digest: str | None = None
    revoked: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return self.action != "kept" or bool(self.revoked)


@dataclass
class Report:
    """What was done in all; ``reader`` are the reader's objects that were (or would be) made or changed."""

    reader: list[str] = field(default_factory=list)
    primaries: list[PrimaryReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.reader) or any(each.changed for each in self.primaries)

    @property
    def reasons(self) -> list[str]:
        return self.reader + [f"{each.name}: {reason}" for each in self.primaries for reason in each.reasons]

    def first_to_expire(self) -> PrimaryReport | None:
        """The primary whose token ends first; tokens that never end come last."""
        held = [each for each in self.primaries if each.digest]
        return min(held, key=lambda each: each.expires or float("inf"), default=None)


def present(wanted: Wanted, settings: Settings, site: SiteSide, primaries: list[Primary], time: Time) -> Report:
    """Make sure that every primary has a good credential for the site.

    All primaries are served even if one fails; then MeshError says which failed and why.
    """
    path = secrets.path_of(wanted.cluster)
    with ThreadPoolExecutor(len(primaries)) as pool:  # both sides are read at the same time
        reads = [pool.submit(primary.api.get, path) for primary in primaries]
        survey = site.survey()
    report = Report(reader=survey.reasons())
    if wanted.access.ca_pem is None:
        wanted = replace(wanted, access=replace(wanted.access, ca_pem=site.root_ca()))
    if not settings.check_mode:
        site.ensure(survey)
    elif survey.live[0] is None and not site.has_namespace():
        report.warnings.append(f"the namespace {site.reader.namespace} doesn't exist yet at the site")
    failures = []
    for primary, read in zip(primaries, reads, strict=True):
        try:
            one = _One(wanted, settings, site, survey, primary, time, report.warnings)
            report.primaries.append(one.serve(read.result()))
        except MeshError as error:
            failures.append(error.at(primary.name))
    if len(failures) == 1 and len(primaries) == 1:
        raise failures[0]
    if failures:
        raise MeshError(
            f"{len(failures)} of {len(primaries)} primaries couldn't be served", why="; ".join(map(str, failures))
        )
    return report


class _Restart(MeshError):
    """A replica of istiod that only a restart helps, whatever the remote secret holds: so the new one stays."""


@dataclass
class _One:
    """The work for one primary."""

    wanted: Wanted
    settings: Settings
    site: SiteSide
    survey: Survey
    primary: Primary
    time: Time
    warnings: list[str]

    def __post_init__(self) -> None:
        self.path = secrets.path_of(self.wanted.cluster)
        self.secret = f"{SYSTEM_NAMESPACE}/{secrets.name_of(self.wanted.cluster)}"
        self.address_warning: str | None = None

    def serve(self, found: Mapping[str, Any] | None) -> PrimaryReport:
        """Do what has to be done; ``found`` is the primary's remote secret."""
        live = secrets.read(found, self.wanted.cluster) if found else None
        if live and live.others:
            others = ", ".join(live.others)
            self.warnings.append(f"{self.primary.name}: Secret {self.secret} also holds {others}, which is left alone")
        plan = self._plan(live)
        report = PrimaryReport(self.primary.name, before=_describe(live))
        if isinstance(plan, Issue):
            report.action = "created" if live is None else "renewed"
            report.reasons += plan.reasons
            self._issue(live, report)
        elif live is not None:  # without a secret the plan is Issue
            self._keep(live, plan, report)
        return report

    def _plan(self, live: Live | None) -> Keep | Issue:
        plan = secrets.plan(self.wanted, live, now=self.time.now())
        if isinstance(plan, Issue) or live is None or live.judged.access is None:
            return plan
        probe = self.site.probe(live.judged.access.token or "")
        if probe.missing and not self.survey.reasons():
            self.warnings.append(f"the site's reader lacks rights that istiod needs: {', '.join(probe.missing[:8])}")
        plan = secrets.plan(self.wanted, live, now=self.time.now(), accepted=probe.accepted)
        if isinstance(plan, Keep) and self.settings.recreate:
            return Issue(("istiod shall read the site's annotations again, which it does with a new credential",))
        return plan

    # -- keep ----------------------------------------------------------------------------------------------------------

    def _keep(self, live: Live, plan: Keep, report: PrimaryReport) -> None:
        token = live.judged.access.token if live.judged.access else None
        report.expires = live.claims.expires if live.claims else None
        report.digest = tokens.digest(token) if token else None
        report.after = dict(report.before)
        if plan.repairs:
            report.action = "repaired"
            report.reasons += plan.repairs
        obsolete = self._obsolete(live.claims.secret if live.claims else None)
        if not self.settings.check_mode and report.action != "kept":
            before = self._look()
            self._write(live.text or "")
            self._await(report, before.events())
        elif not self.settings.check_mode and self.settings.wait:
            self._await(report, {})
        self._revoke(obsolete, report)

    # -- issue ---------------------------------------------------------------------------------------------------------

    def _issue(self, live: Live | None, report: PrimaryReport) -> None:
        self.address_warning = self.settings.check_address()
        if self.address_warning and self.address_warning not in self.warnings:
            self.warnings.append(self.address_warning)
        report.after = _describe_new(self.wanted)
        if self.settings.check_mode:
            return
        wanted = self.wanted
        before = self._look(endpoints=live is not None)
        issued = self.site.issue(wanted.cluster, self.primary.name, ttl=wanted.ttl, static=wanted.static)
        try:
            self._write(build(wanted.cluster, replace(wanted.access, token=issued.token)))
        except ApiError as error:
            if error.status:  # without an answer it may have been written: then the next run cleans up
                self.site.revoke([issued.anchor])
            raise
        try:
            self._await(report, before.events())
            self._compare(report, before.endpoints())
        except MeshError as error:
            raise self._undo(live, issued, error) from error
        self._record(issued, report)
        self._revoke(self._obsolete(issued.anchor), report)

    def _record(self, issued: Issued, report: PrimaryReport) -> None:
        report.expires = issued.expires
        report.digest = tokens.digest(issued.token)
        report.after.update(token=report.digest, expires_at=tokens.rfc3339(issued.expires))
        if issued.expires is not None and issued.expires < self.time.now() + self.wanted.ttl - 120:
            span = tokens.span(issued.expires - self.time.now())
            self.warnings.append(f"the site's API gave the token {span} instead of {tokens.span(self.wanted.ttl)}")

    def _undo(self, live: Live | None, issued: Issued, error: MeshError) -> MeshError:
        """Put back what was there, if that was any good; a first remote secret is removed again."""
        if isinstance(error, _Restart):
            done = "the new remote secret stays, because nothing is wrong with it"
        elif live is None:
            self.primary.api.delete(self.path)
            self.site.revoke([issued.anchor])
            done = "the remote secret was removed again"
        elif self._still_good(live):
            done = self._put_back(live.text or "")
            self.site.revoke([issued.anchor])
        else:
            done = "the new remote secret was left there, because the former one was no better"
        why = "; ".join(each for each in (error.why, self.address_warning, done) if each)
        return MeshError(error.what, site=error.site, why=why, hint=error.hint)

    def _put_back(self, text: str) -> str:
        """Write the former kubeconfig again and see that istiod takes it; what was done and seen, in words."""
        before = self.primary.istiod.look(events=True).events()
        self._write(text)
        waited = wait_for(
            self.primary.istiod, self.wanted.cluster, self.secret, self.time, seconds=_RESTORED, before=before
        )
        if waited.state == "synced":
            return "the former remote secret was put back and istiod is synced with it"
        cured = f" ({cure(waited.pod)})" if waited.state == "hung" else ""
        return f"the former remote secret was put back, but istiod isn't synced with it: {waited.why}{cured}"

    def _still_good(self, live: Live) -> bool:
        access = live.judged.access
        if live.judged.refused or access is None or not access.token:
            return False
        return self.site.probe(access.token).accepted

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _look(self, *, endpoints: bool = False) -> Look:
        """The replicas before a write, with their counts: empty if nobody is going to wait."""
        if not self.settings.wait:
            return Look(())
        return self.primary.istiod.look(events=True, endpoints_of=self.wanted.cluster if endpoints else None)

    def _write(self, text: str) -> None:
        self.primary.api.apply(self.path, secrets.body(self.wanted.cluster, text), force=True)

    def _await(self, report: PrimaryReport, before: dict[str, int | None]) -> None:
        if not self.settings.wait:
            return
        cluster, seconds = self.wanted.cluster, self.settings.seconds
        waited = wait_for(self.primary.istiod, cluster, self.secret, self.time, seconds=seconds, before=before)
        if waited.state == "hung":
            raise _Restart(
                f"istiod didn't take in the cluster {cluster}", why=waited.why, hint=f"{cure(waited.pod)}, run again"
            )
        if waited.state == "failed":
            raise MeshError(f"istiod didn't sync the cluster {cluster} within {seconds:.0f} s", why=waited.why)
        report.istiod = waited.state
        if waited.state == "not installed" and report.changed:
            report.reasons.append("istiod isn't installed yet, so nobody was waited for")

    def _compare(self, report: PrimaryReport, before: dict[str, Counts | None]) -> None:
        """See that no replica has lost the site's endpoints over the change."""
        if not self.settings.wait or report.istiod != "synced":
            return
        istiod, cluster = self.primary.istiod, self.wanted.cluster
        lost, report.endpoints = losses(
            before, lambda: istiod.look(endpoints_of=cluster).endpoints(), self.site.has_endpoints, self.time
        )
        if lost:
            raise _Restart(
                "istiod lost endpoints of the site when its credential changed",
                why=f"{lost.pod} has none of {lost.service} any more, one of {lost.count} services (istio#61043)",
                hint=f"{cure(lost.pod)}, run again",
            )

    def _obsolete(self, current: str | None) -> list[str]:
        """Secrets at the site that hold this primary's former tokens."""
        return [name for name in self.survey.anchors_of(self.wanted.cluster, self.primary.name) if name != current]

    def _revoke(self, anchors: list[str], report: PrimaryReport) -> None:
        """Revoke former tokens, unless istiod may still use one: then the next run does it."""
        if not anchors or (report.action != "kept" and not self.settings.wait):
            return
        report.revoked = anchors
        report.reasons.append(f"{len(anchors)} former token{'s' if len(anchors) > 1 else ''} revoked")
        if not self.settings.check_mode:
            self.site.revoke(anchors)


def _describe(live: Live | None) -> dict[str, Any]:
    """A credential in words that give nothing away."""
    if live is None:
        return {}
    access = live.judged.access or Access(server="")
    return {
        "server": access.server or None,
        "ca": tokens.digest(access.ca_pem) if access.ca_pem else None,
        "reader": live.claims.subject if live.claims else None,
        "token": tokens.digest(access.token) if access.token else None,
        "expires_at": tokens.rfc3339(live.claims.expires) if live.claims else None,
    }


def _describe_new(wanted: Wanted) -> dict[str, Any]:
    return {
        "server": wanted.access.server,
        "ca": tokens.digest(wanted.access.ca_pem) if wanted.access.ca_pem else None,
        "reader": wanted.subject,
        "token": "(a new one)",
        "expires_at": "(as the site's API grants)",
    }
