# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options to requests: defaults, spellings, and each bad option's own message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.durations import parse_duration
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import fingerprint, request_from


@pytest.mark.parametrize(
    ("text", "days"), [("90", 90), (90, 90), ("90d", 90), ("12h", 0.5), ("6w", 42), ("2y", 730), (" 3 days ", 3)]
)
def test_spans_are_read_as_people_write_them(text: object, days: float) -> None:
    assert parse_duration(text, "validity") == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "x", "-3d", "0", "1.5d", "3m", "99999d", "200y", "1d2h"])
def test_what_is_no_span_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(MeshError, match=r"^validity "):
        parse_duration(text, "validity")


@given(st.integers(min_value=1, max_value=36500))
def test_days_and_hours_agree(days: int) -> None:
    assert parse_duration(days, "x") == parse_duration(f"{days * 24}h", "x") == timedelta(days=days)


def request(**options: Any) -> Any:
    return request_from({"path": "/ca", "intermediates": [{"name": "centre"}], **options})


def test_where_nothing_is_said_lives_are_ten_and_two_years_and_keys_are_p256() -> None:
    made = request()
    assert made.root.validity == timedelta(days=3650)
    assert made.root.renew_before == timedelta(days=365)
    assert made.root_key_type == "ecdsa-p256"
    (spec,) = made.intermediates
    assert (spec.validity, spec.key_type) == (timedelta(days=730), "ecdsa-p256")
    assert spec.renew_before == spec.validity / 3


def test_an_entry_goes_before_the_module_and_the_module_before_the_default() -> None:
    entries = [{"name": "a", "key_type": "rsa-2048", "validity": "1y"}, {"name": "b"}]
    made = request(intermediates=entries, key_type="ecdsa-p384", validity="400d", root={"organization": "Example"})
    assert [(s.key_type, s.validity.days, s.organization) for s in made.intermediates] == [
        ("rsa-2048", 365, "Example"),
        ("ecdsa-p384", 400, "Example"),
    ]


BAD = [
    ({"intermediates": [{"name": "Hub"}]}, "'Hub' can't be an intermediate's name: it has to be a DNS-1123 label"),
    ({"intermediates": [{"name": "../x"}]}, "'../x' can't be an intermediate's name"),
    ({"intermediates": [{"name": "root"}]}, "the directory of that name has another use"),
    ({"intermediates": [{"name": "requests"}]}, "the directory of that name has another use"),
    ({"intermediates": [{"name": "a"}, {"name": "a"}]}, "names a primary twice: a"),
    ({"validity": "soon"}, "intermediates, centre: validity can't be understood: got 'soon'"),
    ({"validity": "90d", "renew_before": "90d"}, "renew_before has to be shorter than the validity"),
    ({"root": {"validity": "x"}}, "root.validity can't be understood"),
    ({"root": {"key": "/k"}}, "root.key needs root.certificate"),
    ({"root": {"certificate": "/c", "key": "/k", "offline": True}}, "exclude each other"),
    ({"root": {"common_name": "x" * 65}}, "root.common_name is too long for a certificate: 65 bytes in UTF-8, 64 is"),
    ({"root": {"organization": "é" * 33}}, "root.organization is too long for a certificate: 66 bytes"),
    ({"root": {"common_name": "two\nlines"}}, "root.common_name holds characters that can't be printed"),
    ({"intermediates": [{"name": "a", "certificate": "/c"}]}, "certificate needs root.offline"),
    ({"existing": [{"name": "a", "fingerprint": "12:34"}]}, "the fingerprint of existing, a isn't one: got '12:34'"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_a_bad_option_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(MeshError) as refused:
        request(**options)
    assert message in str(refused.value)


def test_fingerprints_compare_whatever_their_spelling() -> None:
    assert fingerprint("ab" * 32, "x") == fingerprint(":".join(["AB"] * 32), "x")


def test_secrets_are_not_in_what_a_request_shows_of_itself() -> None:
    made = request(passphrase="one secret", root={"passphrase": "another secret", "certificate": "/c"})
    assert "secret" not in repr(made)
