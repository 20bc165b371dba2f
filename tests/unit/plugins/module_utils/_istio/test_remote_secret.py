# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for a remote secret: kept while it is good, issued anew with a reason for everything that isn't."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import Issue, Keep, Wanted, plan, read

CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SUBJECT = "system:serviceaccount:istio-system:reader"
DAY = 86400.0
NOW = 1_800_000_000.0
WANTED = Wanted("paris", Access("https://192.0.2.1:6443", CA), SUBJECT, False, 90 * DAY, None)
CLAIMS = {"sub": SUBJECT, "iat": int(NOW), "exp": int(NOW + 90 * DAY), "kubernetes.io": {"secret": {"name": "anchor"}}}


def jwt(claims):
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".sig"


def secret(access=None, claims=None, text=None, ours=True):
    """A live remote secret as the API returns it."""
    token = jwt({key: value for key, value in {**CLAIMS, **(claims or {})}.items() if value is not None})
    made = remote_secret.body("paris", build("paris", replace(access or WANTED.access, token=token)))
    if text is not None:
        made["data"]["paris"] = base64.b64encode(text).decode()
    if ours:
        made["metadata"]["managedFields"] = [{"manager": "edge.mesh", "operation": "Apply", "fieldsV1": {"f:data": {}}}]
    return made


def planned(live, wanted=WANTED, now=NOW, accepted=None):
    return plan(wanted, read(live, "paris"), now=now, accepted=accepted)


def test_a_good_secret_is_kept():
    assert planned(secret()) == Keep()
    assert planned(secret(), accepted=True) == Keep()


def test_a_missing_secret_is_issued():
    assert plan(WANTED, None, now=NOW) == Issue(("there is no remote secret for this cluster",))


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (secret(access=replace(WANTED.access, server="https://old:6443")), "the server is https://old:6443, wanted"),
        (secret(access=replace(WANTED.access, ca_pem=CA.replace("A", "B"))), "the CA of the site's API differs"),
        (secret(access=replace(WANTED.access, ca_pem=None)), "the CA of the site's API differs"),
        (secret(access=replace(WANTED.access, tls_server_name="a")), "the TLS server name is a, wanted none"),
        (secret(access=replace(WANTED.access, proxy_url="http://p")), "the proxy is http://p, wanted none"),
        (secret(claims={"sub": "system:serviceaccount:x:y"}), "the token belongs to system:serviceaccount:x:y"),
        (secret(claims={"kubernetes.io": None}), "the token isn't bound to a Secret and so can't be revoked"),
        (secret(claims={"exp": None}), "the token never expires, wanted a bound one"),
        (secret(claims={"exp": int(NOW - 60 * 60 * 5)}), "the token expired 5 h ago"),
        (
            secret(claims={"exp": int(NOW + 30 * DAY), "iat": int(NOW - 60 * DAY)}),
            "the token expires in 30 d, inside the renewal window of 30 d",
        ),
        (secret(claims={"exp": int(NOW + 900 * DAY)}), "the token lives for 900 d, wanted 90 d"),
        (secret(ours=False), "the remote secret was made by others and is taken over"),
        (secret(text=b"{"), "istiod can't use the remote secret: it isn't YAML"),
        (secret(text=b"\xff"), "istiod can't use the remote secret: its data isn't text"),
        (
            secret(text=build("paris", replace(WANTED.access, token="opaque")).encode()),
            "the token isn't a service account's",
        ),
    ],
)
def test_whatever_is_wrong_is_a_reason(live, reason):
    made = planned(live)
    assert isinstance(made, Issue)
    assert any(each.startswith(reason) for each in made.reasons), made.reasons


def test_several_faults_are_all_told():
    live = secret(access=replace(WANTED.access, server="https://old", ca_pem=None), claims={"sub": "x"})
    made = planned(live)
    assert isinstance(made, Issue)
    assert len(made.reasons) == 3


def test_a_rejected_token_is_replaced_and_an_unasked_one_trusted():
    assert planned(secret(), accepted=False) == Issue(("the site's API rejects the token",))
    assert planned(secret(), accepted=None) == Keep()


def test_a_secret_without_our_key_is_issued():
    live = secret()
    live["data"] = {"oslo": live["data"]["paris"]}
    made = planned(live)
    assert made == Issue(("istiod can't use the remote secret: it has no data key 'paris'",))
    assert read(live, "paris").others == ("oslo",)


def test_a_lost_label_is_repaired_without_a_new_token():
    live = secret()
    del live["metadata"]["labels"]["istio/multiCluster"]
    live["metadata"]["annotations"] = {}
    assert planned(live) == Keep(
        ("label istio/multiCluster was missing", "annotation networking.istio.io/cluster was missing or wrong")
    )


def test_a_static_token_is_kept_for_ever_and_a_bound_one_replaced_by_it():
    static = replace(WANTED, static=True)
    assert planned(secret(claims={"exp": None}), static, now=NOW + 9000 * DAY) == Keep()
    assert planned(secret(), static) == Issue(("the token is bound, wanted static",))


def test_a_label_without_our_fields_isnt_ours():
    assert not remote_secret.is_ours(secret(ours=False))
    assert remote_secret.is_ours(secret())


TTLS = st.floats(600, 900 * DAY)


@given(ttl=TTLS, granted=st.floats(0.01, 1), share=st.none() | st.floats(0.001, 0.999))
def test_a_fresh_token_is_kept_whatever_the_server_granted(ttl, granted, share):
    """Else every run would renew: the server may shorten the life that was wished."""
    wanted = replace(WANTED, ttl=ttl, renew_before=None if share is None else ttl * share)
    live = secret(claims={"iat": NOW, "exp": NOW + max(ttl * granted, 10)})
    assert planned(live, wanted) == Keep()


@given(ttl=TTLS, share=st.none() | st.floats(0.001, 0.999), age=st.floats(0, 2))
def test_once_due_always_due_and_never_due_too_late(ttl, share, age):
    wanted = replace(WANTED, ttl=ttl, renew_before=None if share is None else ttl * share)
    live = secret(claims={"iat": NOW, "exp": NOW + ttl})
    made = planned(live, wanted, now=NOW + ttl * age)
    if isinstance(made, Issue):
        assert isinstance(planned(live, wanted, now=NOW + ttl * (age + 0.1)), Issue)
    if age >= 1:
        assert isinstance(made, Issue)
    if age < 0.33:
        assert isinstance(made, Keep)


@given(ttl=TTLS, share=st.floats(0.001, 0.6))
def test_renewal_starts_at_the_window(ttl, share):
    wanted = replace(WANTED, ttl=ttl, renew_before=ttl * share)
    live = secret(claims={"iat": NOW, "exp": NOW + ttl})
    assert isinstance(planned(live, wanted, now=NOW + ttl * (1 - share) - 1), Keep)
    assert isinstance(planned(live, wanted, now=NOW + ttl * (1 - share) + 1), Issue)


def test_the_secret_is_what_istiod_watches_for():
    made = remote_secret.body("paris", "text")
    assert made["metadata"]["name"] == "istio-remote-secret-paris"
    assert made["metadata"]["namespace"] == "istio-system"
    assert made["metadata"]["labels"]["istio/multiCluster"] == "true"
    assert made["metadata"]["annotations"] == {"networking.istio.io/cluster": "paris"}
    assert base64.b64decode(made["data"]["paris"]) == b"text"
    assert remote_secret.path_of("paris") == "/api/v1/namespaces/istio-system/secrets/istio-remote-secret-paris"
