# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what is issued and why, for any certificate at any time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import (
    CertFacts,
    Evidence,
    Found,
    IntermediateSpec,
    Issue,
    Keep,
    RootSpec,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki.plan import plan_intermediate, plan_root, validity_window

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def facts(days: tuple[float, float], **changes: object) -> CertFacts:
    values = CertFacts(
        subject="CN=centre intermediate CA",
        issuer="CN=root",
        serial="0A",
        fingerprint="AA:01",
        not_before=NOW + days[0] * DAY,
        not_after=NOW + days[1] * DAY,
        key_type="ecdsa-p256",
        is_ca=True,
        path_length=0,
        signature_hash="sha256",
        common_name="centre intermediate CA",
        organization="",
    )
    return replace(values, **changes)


def wanted(validity: float = 730, renew: float = 243, **changes: object) -> IntermediateSpec:
    spec = IntermediateSpec("centre", "centre intermediate CA", "", "ecdsa-p256", validity * DAY, renew * DAY)
    return replace(spec, **changes)


def root_wanted(**changes: object) -> RootSpec:
    return replace(RootSpec(None, None, None, 3650 * DAY, 365 * DAY), **changes)


ROOT = facts((-100, 3550), fingerprint="AA:00", common_name="root", path_length=1)

REASONS = [
    pytest.param(None, wanted(), "there is no intermediate yet", id="nothing there"),
    pytest.param(Found(None, ("x is empty",)), wanted(), "x is empty", id="not readable"),
    pytest.param(Found(facts((-1, 700)), ("another key",)), wanted(), "another key", id="files that don't fit"),
    pytest.param(Found(facts((-1, 700))), wanted(key_type="rsa-2048"), "its key is ecdsa-p256", id="another key type"),
    pytest.param(Found(facts((-1, 700))), wanted(organization="Example"), "O=Example is wanted", id="another name"),
    pytest.param(Found(facts((-490, 240))), wanted(), "its renewal was due on", id="inside the window"),
    pytest.param(Found(facts((-731, -1))), wanted(), "it expired on 2026-11-20", id="expired"),
    pytest.param(Found(facts((1, 700))), wanted(), "isn't valid before 2026-11-22", id="the clock was wrong"),
]


@pytest.mark.parametrize(("found", "spec", "reason"), REASONS)
def test_an_intermediate_is_issued_for_a_reason(found: Found | None, spec: IntermediateSpec, reason: str) -> None:
    plan = plan_intermediate(spec, found, ROOT, obstacle=None, ours=True, now=NOW)
    assert isinstance(plan, Issue)
    assert reason in "; ".join(plan.reasons)


def test_an_intermediate_outside_its_window_is_kept_without_a_word() -> None:
    assert plan_intermediate(wanted(), Found(facts((-480, 250))), ROOT, obstacle=None, ours=True, now=NOW) == Keep()


def test_another_validity_alone_issues_nothing() -> None:
    found = Found(facts((-1, 700)))
    assert plan_intermediate(wanted(365, 100), found, ROOT, obstacle=None, ours=True, now=NOW) == Keep()


def test_names_that_somebody_else_chose_are_kept() -> None:
    found = Found(facts((-1, 700), common_name="Their name"))
    assert plan_intermediate(wanted(), found, ROOT, obstacle=None, ours=False, now=NOW) == Keep()


@pytest.mark.parametrize("days_left", [272, 243, 100, 0.1])
def test_a_missing_root_key_is_warned_about_ahead_and_on_the_day(days_left: float) -> None:
    found = Found(facts((-400, days_left)))
    plan = plan_intermediate(wanted(), found, ROOT, obstacle="isn't at hand", ours=True, now=NOW)
    assert isinstance(plan, Keep)
    assert "needs the root key, which isn't at hand" in plan.warnings[0]


def test_a_missing_root_key_is_no_matter_long_before() -> None:
    assert (
        plan_intermediate(wanted(), Found(facts((-1, 300))), ROOT, obstacle="isn't at hand", ours=True, now=NOW)
        == Keep()
    )


@pytest.mark.parametrize("found", [None, Found(facts((-731, -1))), Found(facts((-1, 700)), ("broken",))])
def test_a_missing_root_key_is_an_error_where_nothing_usable_is_left(found: Found | None) -> None:
    with pytest.raises(MeshError, match=r"the root key isn't at hand.*root\.key"):
        plan_intermediate(wanted(), found, ROOT, obstacle="isn't at hand", ours=True, now=NOW)


def test_an_intermediate_that_ends_with_its_root_is_kept_and_warned_about() -> None:
    root = facts((-3550, 100))
    plan = plan_intermediate(wanted(), Found(facts((-1, 100))), root, obstacle=None, ours=True, now=NOW)
    assert isinstance(plan, Keep)
    assert "can't live longer than its root" in plan.warnings[0]


def test_a_new_root_means_new_intermediates() -> None:
    plan = plan_intermediate(wanted(), Found(facts((-1, 700))), None, obstacle=None, ours=True, now=NOW)
    assert plan == Issue(("its root is new",))


spans = st.integers(min_value=1, max_value=20 * 365 * 24).map(lambda hours: timedelta(hours=hours))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


@st.composite
def specs(draw: st.DrawFn) -> IntermediateSpec:
    validity = draw(spans.filter(lambda span: span > timedelta(hours=1)))
    window = draw(st.integers(min_value=1, max_value=int(validity.total_seconds()) - 1))
    return wanted(validity=validity / DAY, renew=timedelta(seconds=window) / DAY)


@given(spec=specs(), now=moments, root_life=spans)
def test_what_was_issued_is_kept_at_once(spec: IntermediateSpec, now: datetime, root_life: timedelta) -> None:
    root = facts((0, 0), not_before=now - DAY, not_after=now.replace(microsecond=0) + root_life)
    start, end = validity_window(now, spec.validity, root)
    issued = Found(facts((0, 0), not_before=start, not_after=end))
    assert isinstance(plan_intermediate(spec, issued, root, obstacle=None, ours=True, now=now), Keep)


@given(spec=specs(), now=moments, later=spans, root_life=spans)
def test_time_alone_issues_at_most_once_per_moment_and_never_before_the_window(
    spec: IntermediateSpec, now: datetime, later: timedelta, root_life: timedelta
) -> None:
    root = facts((0, 0), not_before=now - DAY, not_after=now.replace(microsecond=0) + root_life)
    start, end = validity_window(now, spec.validity, root)
    then = now + later
    if then >= root.not_after:
        return
    issued = Found(facts((0, 0), not_before=start, not_after=end))
    plan = plan_intermediate(spec, issued, root, obstacle=None, ours=True, now=then)
    assert isinstance(plan, Keep) or then >= end - spec.renew_before
    if isinstance(plan, Issue):
        start, end = validity_window(then, spec.validity, root)
        again = Found(facts((0, 0), not_before=start, not_after=end))
        assert isinstance(plan_intermediate(spec, again, root, obstacle=None, ours=True, now=then), Keep)


@given(now=moments, validity=spans, root_life=spans, age=spans)
def test_nothing_outlives_its_issuer(now: datetime, validity: timedelta, root_life: timedelta, age: timedelta) -> None:
    root = facts((0, 0), not_before=now - age, not_after=now + root_life)
    start, end = validity_window(now, validity, root)
    assert root.not_before <= start <= now
    assert end <= root.not_after
    assert end - now <= validity


@given(spec=specs(), now=moments, age=spans, left=spans, signer=st.booleans())
def test_a_certificate_that_is_not_issued_is_valid_now(
    spec: IntermediateSpec, now: datetime, age: timedelta, left: timedelta, signer: bool
) -> None:
    root = facts((0, 0), not_before=now - 2 * age, not_after=now + 2 * left)
    found = Found(facts((0, 0), not_before=now - age, not_after=now + left - timedelta(days=365)))
    try:
        plan = plan_intermediate(spec, found, root, obstacle=None if signer else "is away", ours=True, now=now)
    except MeshError:
        assert not signer
        return
    assert isinstance(plan, Issue) or found.facts.not_before <= now < found.facts.not_after


def test_the_first_root_is_made_where_nobody_has_one() -> None:
    plan = plan_root(root_wanted(), None, None, [], allow_new=False, now=NOW, path="/ca")
    assert plan == Issue(("there is no root yet",))


def test_a_root_is_never_made_over_one_in_use() -> None:
    evidence = [Evidence("centre", "BB:00")]
    with pytest.raises(MeshError, match=r"centre already trusts a root.*restore .* or import") as refused:
        plan_root(root_wanted(), None, None, evidence, allow_new=False, now=NOW, path="/ca")
    assert "/ca holds no root" in str(refused.value)


def test_a_known_root_that_a_primary_does_not_use_is_refused() -> None:
    with pytest.raises(MeshError, match=r"BB:00.*holds the root AA:00"):
        plan_root(root_wanted(), ROOT, None, [Evidence("centre", "BB:00")], allow_new=False, now=NOW, path="/ca")


def test_only_the_explicit_option_makes_a_root_over_one_in_use() -> None:
    plan = plan_root(root_wanted(), None, None, [Evidence("centre", "BB:00")], allow_new=True, now=NOW, path="/ca")
    assert plan == Issue(("there is no root yet",))


def test_importing_the_root_in_use_is_no_new_root() -> None:
    spec = root_wanted(certificate="/r.pem")
    plan = plan_root(spec, None, ROOT, [Evidence("centre", "AA:00")], allow_new=False, now=NOW, path="/ca")
    assert plan == Issue(("the root of /r.pem is taken in",))


def test_another_outside_root_over_a_known_one_is_refused() -> None:
    other = facts((-1, 3000), fingerprint="CC:00")
    with pytest.raises(MeshError, match=r"/r\.pem is CC:00.*rotation"):
        plan_root(root_wanted(certificate="/r.pem"), ROOT, other, [], allow_new=True, now=NOW, path="/ca")


@pytest.mark.parametrize(
    ("days", "message"), [((-10, -1), "has expired: on 2026-11-20"), ((2, 10), "isn't valid yet: it starts on")]
)
def test_a_root_that_is_not_valid_is_an_error(days: tuple[int, int], message: str) -> None:
    with pytest.raises(MeshError, match=message):
        plan_root(root_wanted(), facts(days), None, [], allow_new=False, now=NOW, path="/ca")


def test_a_root_near_its_end_is_warned_about_and_kept() -> None:
    plan = plan_root(root_wanted(), facts((-3285, 364)), None, [], allow_new=False, now=NOW, path="/ca")
    assert isinstance(plan, Keep)
    assert "plan the rotation" in plan.warnings[0]


def test_other_wishes_for_a_known_root_are_warnings() -> None:
    spec = root_wanted(common_name="Other", key_type="rsa-4096")
    plan = plan_root(spec, ROOT, None, [], allow_new=False, now=NOW, path="/ca")
    assert isinstance(plan, Keep)
    assert [warning.split("'")[0] for warning in plan.warnings] == [
        "the root keeps its key_type ",
        "the root keeps its common_name ",
    ]
