# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: claims are read without trust, spans are read without doubt, digests give nothing away."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import tokens


def jwt(body):
    """A token with this body and no real signature."""
    return "e30." + base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=") + ".sig"


def test_a_bound_tokens_claims_are_read():
    token = jwt(
        {
            "sub": "system:serviceaccount:istio-system:reader",
            "iat": 100,
            "exp": 700,
            "kubernetes.io": {"namespace": "istio-system", "secret": {"name": "anchor", "uid": "u"}},
        }
    )
    assert tokens.read_claims(token) == tokens.Claims("system:serviceaccount:istio-system:reader", 100, 700, "anchor")


def test_a_static_tokens_claims_are_read():
    token = jwt({"sub": "s", "kubernetes.io/serviceaccount/secret.name": "anchor"})
    assert tokens.read_claims(token) == tokens.Claims("s", None, None, "anchor")


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.!!!.c", "a." + "e3" + ".c", jwt([1])])
def test_what_is_no_token_has_no_claims(token):
    assert tokens.read_claims(token) is None


ODD = st.none() | st.booleans() | st.floats() | st.text()


@given(st.dictionaries(st.sampled_from(["sub", "iat", "exp", "kubernetes.io"]), ODD))
def test_claims_of_any_type_are_read_without_raising(body):
    claims = tokens.read_claims(jwt(body))
    assert claims is not None
    assert tokens.rfc3339(claims.expires) is None or claims.expires is not None


@given(st.text())
def test_a_digest_is_short_stable_and_not_the_secret(secret):
    made = tokens.digest(secret)
    assert made == tokens.digest(secret)
    assert len(made) == len("sha256:") + 12


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("600", 600), (600, 600), ("90d", 7776000), ("36h", 129600), ("15m", 900), (" 6 w ", 3628800), ("30s", 30)],
)
def test_spans_are_read(text, seconds):
    assert tokens.seconds_of(text, "token_ttl") == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5h", "0", "99999d", "1y", None, "10 days"])
def test_other_spans_are_refused_by_the_options_name(text):
    with pytest.raises(MeshError, match="token_ttl"):
        tokens.seconds_of(text, "token_ttl")


@pytest.mark.parametrize(("seconds", "text"), [(2592000, "30 d"), (7200, "2 h"), (600, "10 min"), (100, "100 s")])
def test_spans_are_told_in_a_fitting_unit(seconds, text):
    assert tokens.span(seconds) == text


def test_moments_are_told_in_utc():
    assert tokens.rfc3339(0) == "1970-01-01T00:00:00Z"
    assert tokens.rfc3339(None) is None
