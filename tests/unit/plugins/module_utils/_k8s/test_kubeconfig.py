# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import MAX_BYTES, load, parse

PEM = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").decode()
ENCRYPTED = base64.b64encode(b"-----BEGIN ENCRYPTED PRIVATE KEY-----").decode()
JUNK = base64.b64encode(b"junk").decode()
SERVER = {"server": "https://192.0.2.1:6443", "certificate-authority-data": PEM}
SECRET = "s3cr3t-token-value"


def config(cluster=None, user=None, **top):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {**SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": SECRET, **(user or {})}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        **top,
    }  # fmt: skip


def parsed(document, context=None):
    return parse(yaml.safe_dump(document), context, "the-file")


def refused(document, context=None):
    with pytest.raises(MeshError) as caught:
        parsed(document, context)
    assert "the-file" in str(caught.value)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_plain_kubeconfig_is_an_endpoint():
    endpoint = parsed(config(cluster={"tls-server-name": "api", "server": "https://192.0.2.1:6443/"}))
    assert (endpoint.server, endpoint.context, endpoint.tls_server_name) == ("https://192.0.2.1:6443", "x", "api")
    assert endpoint.token == SECRET
    assert "BEGIN CERTIFICATE" in endpoint.ca_pem


def test_an_endpoint_shows_no_secret():
    user = {"client-certificate-data": PEM, "client-key-data": PEM}
    assert SECRET not in repr(parsed(config(user=user)))
    assert "BEGIN" not in repr(parsed(config(user=user)))


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("user", "exec", {"command": "sh"}),
        ("user", "auth-provider", {"name": "gcp"}),
        ("user", "tokenFile", "/etc/token"),
        ("user", "client-certificate", "/etc/cert"),
        ("user", "client-key", "/etc/key"),
        ("user", "username", "admin"),
        ("user", "password", SECRET),
        ("user", "as", "root"),
        ("user", "as-groups", ["system:masters"]),
        ("user", "something-new", 1),
        ("cluster", "certificate-authority", "/etc/ca"),
        ("cluster", "insecure-skip-tls-verify", True),
        ("cluster", "proxy-url", "http://proxy"),
        ("cluster", "something-new", 1),
    ],
)
def test_what_a_kubeconfig_must_not_say_is_refused_by_name(part, name, value):
    assert f"'{name}' is refused" in refused(config(**{part: {name: value}}))


def test_what_only_sounds_dangerous_is_fine():
    parsed(config(cluster={"insecure-skip-tls-verify": False, "proxy-url": "", "extensions": [{"name": "x"}]}))


def test_entries_of_other_contexts_dont_matter():
    document = config()
    document["users"].append({"name": "evil", "user": {"exec": {"command": "sh"}}})
    document["contexts"].append({"name": "y", "context": {"cluster": "c", "user": "evil"}})
    assert parsed(document, "x").token == SECRET
    assert "'exec' is refused" in refused(document, "y")


def test_several_contexts_need_a_choice():
    document = config()
    document["contexts"].append({"name": "y", "context": {"cluster": "c", "user": "u"}})
    document["current-context"] = "x"
    hint = "(set edge_mesh_context (module option context) to one of: x, y)"
    assert f"several contexts and none is chosen {hint}" in refused(document)
    assert parsed(document, "y").context == "y"
    assert "no context 'z' (it has: x, y)" in refused(document, "z")


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("http://192.0.2.1", "only https"),
        ("ftp://x", "only https"),
        ("https://", "must be https://host"),
        ("https://user:pw@x", "must be https://host"),
        ("https://x?y=1", "must be https://host"),
        ("https://x#y", "must be https://host"),
        ("https://x:99999", "isn't a URL"),
        ("https://x y", "isn't a URL"),
        ("https://[::1", "isn't a URL"),
        (5, "no server"),
        (None, "no server"),
    ],
)
def test_a_server_is_an_https_url_and_nothing_else(server, why):
    assert why in refused(config(cluster={"server": server}))


def test_a_proxy_is_refused_with_the_option_that_allows_it():
    document = config(cluster={"proxy-url": "http://proxy.test:3128/"})
    assert "'proxy-url' is refused" in refused(document)
    assert "allow_proxy: true" in refused(document)
    text = yaml.safe_dump(document)
    assert parse(text, None, "the-file", allow_proxy=True).proxy_url == "http://proxy.test:3128"


@pytest.mark.parametrize(
    "url",
    ["socks5://proxy.test", "http://", "http://me:pw@proxy.test", "http://proxy.test/path", "http://p?q=1", "http://p:0",
     "http://[::1", "http://a b"],
)  # fmt: skip
def test_an_allowed_proxy_is_an_http_proxy_without_credentials(url):
    text = yaml.safe_dump(config(cluster={"proxy-url": url}))
    with pytest.raises(MeshError, match="the proxy-url") as caught:
        parse(text, None, "the-file", allow_proxy=True)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"token": None}, "neither a token nor"),
        ({"token": ["x"]}, "'token' isn't a string"),
        ({"token": "two\nlines"}, "one printable word"),
        ({"client-key-data": PEM}, "only one of"),
        ({"client-certificate-data": "%%%", "client-key-data": PEM}, "isn't base64 of PEM"),
        ({"client-certificate-data": PEM, "client-key-data": JUNK}, "isn't base64 of PEM"),
        (
            {"client-certificate-data": PEM, "client-key-data": ENCRYPTED},
            "is encrypted",
        ),
    ],
)  # fmt: skip
def test_credentials_must_be_whole_and_readable(user, why):
    assert why in refused(config(user=user))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no mapping at the top"),
        ("- a", "no mapping at the top"),
        (f"token: {SECRET}\n a: [", "isn't YAML (line 2)"),
        ("kind: Pod", "kind isn't Config"),
        ("kind: Config", "no contexts"),
        ("contexts: 5", "'contexts' isn't a list"),
        ("contexts: [5]", "an entry of 'contexts' has no name"),
        ("contexts: [{name: x, context: 5}]", "'context' of 'x' isn't a mapping"),
        ("contexts: [{name: x}, {name: x}]", "names 'x' twice"),
        ("contexts: [{name: x}]", "the context names no cluster"),
        ("contexts: [{name: x, context: {cluster: c}}]", "'clusters' has no entry 'c'"),
        ("!!python/object/apply:os.system ['true']", "isn't YAML"),
    ],
)
def test_what_isnt_a_kubeconfig_is_an_error_that_quotes_nothing(text, why):
    with pytest.raises(MeshError) as caught:
        parse(text, None, "the-file")
    assert why in str(caught.value)
    assert SECRET not in str(caught.value)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(section=st.sampled_from(["clusters", "users", "contexts"]), path=st.integers(0, 2), value=TREES)
def test_no_damage_is_anything_but_a_refusal(section, path, value):
    document = copy.deepcopy(config())
    if path == 0:
        document[section] = value
    elif path == 1:
        document[section][0] = value
    else:
        document[section][0][section[:-1]] = value
    failure = None
    try:
        parsed(document)
    except MeshError as error:
        failure = str(error)
    assert SECRET not in str(failure)


@given(st.text(max_size=200))
def test_no_text_is_anything_but_a_refusal(text):
    with pytest.raises(MeshError):
        parse(text, None, "the-file")


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_file_that_only_its_owner_reads_is_loaded(tmp_path):
    assert load(write(tmp_path / "k", yaml.safe_dump(config())), None).token == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_file_that_others_can_reach_is_refused(tmp_path, mode):
    path = write(tmp_path / "k", yaml.safe_dump(config()), mode)
    with pytest.raises(MeshError, match=rf"others can read it \(mode 0{mode:o}\) \(chmod 600 "):
        load(path, None)


def test_files_that_arent_there_or_arent_files_are_refused(tmp_path):
    with pytest.raises(MeshError, match=r"it doesn't exist \(put it there \(mode 0600\), or set edge_mesh_kubeconfig"):
        load(str(tmp_path / "none"), None)
    with pytest.raises(MeshError, match="it isn't a regular file"):
        load(str(tmp_path), None)
    with pytest.raises(MeshError, match="larger than"):
        load(write(tmp_path / "big", " " * (MAX_BYTES + 1)), None)
    (tmp_path / "bin").write_bytes(b"\xff\xfe")
    (tmp_path / "bin").chmod(0o600)
    with pytest.raises(MeshError, match="isn't UTF-8"):
        load(str(tmp_path / "bin"), None)
