# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubeconfigs of remote secrets: what we build istiod takes, and what istiod refuses we name."""

from __future__ import annotations

import base64

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build, judge, same_ca

CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
OTHER_CA = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"


def config(user=None, cluster=None, **top):
    """A kubeconfig for paris with a token, changed as told."""
    return yaml.safe_dump(
        {
            "clusters": [{"name": "paris", "cluster": cluster or {"server": "https://192.0.2.1:6443"}}],
            "users": [{"name": "paris", "user": {"token": "t"} if user is None else user}],
            "contexts": [{"name": "paris", "context": {"cluster": "paris", "user": "paris"}}],
            "current-context": "paris",
            **top,
        }
    )


@given(
    cluster=st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True),
    host=st.from_regex(r"[a-z0-9.]{1,20}", fullmatch=True),
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    name=st.none() | st.from_regex(r"[a-z.]{1,20}", fullmatch=True),
    proxy=st.none() | st.just("socks5://proxy.example:1080"),
    ca=st.none() | st.just(CA),
)
def test_what_is_built_is_read_back_as_it_was(cluster, host, token, name, proxy, ca):
    access = Access(f"https://{host}", ca, token, name, proxy)
    judged = judge(build(cluster, access))
    assert (judged.access, judged.kind, judged.refused, judged.risks) == (access, "token", None, ())


def test_the_same_access_gives_the_same_bytes():
    access = Access("https://a", CA, "t")
    assert build("paris", access) == build("paris", access)


def test_no_secret_is_in_the_representation():
    assert "s3cret" not in repr(Access("https://a", CA, "s3cret"))
    assert "s3cret" not in repr(judge(build("paris", Access("https://a", CA, "s3cret"))))


@pytest.mark.parametrize(
    ("text", "kind", "refused"),
    [
        (config({"exec": {"command": "sh"}}), "exec", "exec is not allowed"),
        (config({"auth-provider": {"name": "gcp"}}), "auth provider", "auth provider gcp is not allowed"),
        (config({"auth-provider": {"name": "oidc"}}), "oidc", None),
        (config({"tokenFile": "/t"}), "files", "tokenFile points at a file, which is not allowed"),
        (config({"client-key": "/k"}), "files", "client-key points at a file, which is not allowed"),
        (config({"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}), "client certificate", None),
        (
            config({"client-certificate-data": "Y2VydA=="}),
            "client certificate",
            "only one of client-certificate-data and client-key-data is set",
        ),
        (config({"username": "u", "password": "p"}), "password", None),
        (config({}), "none", None),
        (config({"token": "t", "username": "u"}), "token", "both a token and a user name are set"),
        (
            config(users=[{"name": "paris", "user": {"token": "t"}}, {"name": "x", "user": {"exec": {"command": 1}}}]),
            "token",
            "exec is not allowed",
        ),
        (
            config(cluster={"server": "https://a", "certificate-authority": "/ca"}),
            "token",
            "certificate-authority points at a file that istiod doesn't have",
        ),
        (
            config(cluster={"server": "https://a", "proxy-url": "ftp://x"}),
            "token",
            "proxy-url isn't an http, https or socks5 URL",
        ),
        (config(**{"current-context": "oslo"}), "malformed", "its current-context is missing or unknown"),
        (config(users=[]), "malformed", "its context names a cluster or user that it doesn't hold"),
        (config(cluster={"server": ""}), "malformed", "its cluster has no server"),
        (config(clusters="x"), "malformed", "its clusters aren't a list"),
        (config(users=["x"]), "malformed", "an entry of its users is malformed"),
        (
            config(cluster={"server": "https://a", "certificate-authority-data": "%"}),
            "malformed",
            "its certificate-authority-data isn't base64 of PEM text",
        ),
        ("[]", "malformed", "it isn't a kubeconfig"),
        ("{", "malformed", "it isn't YAML"),
        ("", "malformed", "it isn't a kubeconfig"),
    ],
)
def test_istiods_verdict_is_foreseen(text, kind, refused):
    judged = judge(text)
    assert (judged.kind, judged.refused) == (kind, refused)


def test_weak_tls_is_accepted_but_told():
    weak = config(cluster={"server": "http://a", "insecure-skip-tls-verify": True})
    assert judge(weak).refused is None
    assert judge(weak).risks == ("the server's certificate isn't verified", "the server is reached without TLS")


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_judging_never_raises(text):
    assert judge(text).kind


@given(
    st.dictionaries(
        st.sampled_from(["clusters", "users", "contexts", "current-context"]),
        st.recursive(st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)),
    )
)
def test_judging_any_shape_never_raises(top):
    assert judge(yaml.safe_dump(top)).kind == "malformed"


def test_certificates_are_compared_not_their_spelling():
    assert same_ca(CA + OTHER_CA, "# a comment\n" + OTHER_CA.replace("\n", "\r\n") + CA)
    assert same_ca(None, "")
    assert not same_ca(CA, CA + OTHER_CA)
    assert not same_ca(CA, None)


def test_the_ca_is_inline():
    built = yaml.safe_load(build("paris", Access("https://a", CA, "t")))
    assert base64.b64decode(built["clusters"][0]["cluster"]["certificate-authority-data"]).decode() == CA
