# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules `remote_secret` and `remote_secret_info` as Ansible runs them: arguments in, JSON out."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret as secrets
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build
from ansible_collections.edge.mesh.plugins.module_utils._remote import serve
from ansible_collections.edge.mesh.plugins.modules import remote_secret, remote_secret_info

SIDES = {"cluster": "paris", "site": {"kubeconfig": "/site.yaml"}, "primaries": [{"kubeconfig": "/hub.yaml"}]}


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a module's ``main`` with parameters; what it prints, parsed."""

    def call(module, **params):
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": params})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        # Other tests load Ansible's controller, which would show warnings instead of returning them.
        monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
        with pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def asked(monkeypatch):
    """The requests that reach the work, which is done by saying so."""
    requests = []

    def done(request):
        requests.append(request)
        result = {"reasons": ["because"], "expires_at": None}
        return serve.Served(True, result, {"before": "a", "after": "b"}, ("look out",))

    monkeypatch.setattr(serve, "serve", done)
    return requests


@pytest.mark.parametrize("module", [remote_secret, remote_secret_info])
def test_arguments_and_documentation_agree(module):
    def compare(options, arguments):
        assert set(options) == set(arguments)
        for name, spec in arguments.items():
            for key in ("type", "default", "choices", "elements"):
                assert options[name].get(key) == spec.get(key), (name, key)
            assert options[name].get("required", False) == spec.get("required", False)
            compare(options[name].get("suboptions", {}), spec.get("options", {}))

    compare(yaml.safe_load(module.DOCUMENTATION)["options"], module.ARGUMENTS)


@pytest.mark.parametrize("module", [remote_secret, remote_secret_info])
def test_the_examples_use_options_that_exist(module):
    for task in yaml.safe_load(module.EXAMPLES):
        for name, given in task.items():
            if name.startswith("edge.mesh."):
                assert set(given) <= set(module.ARGUMENTS)


def test_defaults_are_the_contracts(run, asked):
    run(remote_secret, **SIDES)
    (request,) = asked
    assert (request.ttl, request.renew_before, request.static) == (90 * 86400, None, False)
    assert (request.reader.namespace, request.reader.service_account) == ("istio-system", "istio-reader-edge-mesh")
    assert (request.present, request.wait, request.check_mode, request.recreate) == (True, True, False, False)


def test_what_was_done_is_returned_with_warnings_and_diff(run, asked):
    out = run(remote_secret, **SIDES, _ansible_diff=True, _ansible_check_mode=True)
    assert (out["changed"], out["reasons"], out["diff"]) == (True, ["because"], {"before": "a", "after": "b"})
    assert "look out" in json.dumps(out["warnings"])
    assert asked[0].check_mode


def test_an_error_is_one_line(run, monkeypatch):
    def fail(_request):
        raise MeshError("it doesn't go", site="paris", why="so it is", hint="do this")

    monkeypatch.setattr(serve, "serve", fail)
    out = run(remote_secret, **SIDES)
    assert (out["failed"], out["msg"]) == (True, "paris: it doesn't go: so it is (do this)")


def test_names_and_spans_of_tokens_arent_hidden_as_secrets(run, asked):
    arguments = remote_secret.ARGUMENTS
    assert [name for name in arguments if "token" in name and arguments[name]["no_log"] is not False] == []
    run(remote_secret, **SIDES, token_ttl="36h")
    assert asked[0].ttl == 36 * 3600


@pytest.fixture
def hub(monkeypatch):
    """A primary that holds two remote secrets."""
    listed = []
    for cluster in ("paris", "oslo"):
        secret = secrets.body(cluster, build(cluster, Access("https://192.0.2.1:6443", None, "s3cret")))
        listed.append(secret)

    class Api:
        requests = 1

        def __init__(self, endpoint, *, timeout, site):
            assert (endpoint.context, timeout, site) == ("centre", 30, "centre")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def list(self, path, labelSelector):  # noqa: N803 - the API's own spelling
            assert (path, labelSelector) == ("/api/v1/namespaces/istio-system/secrets", "istio/multiCluster=true")
            return listed

    monkeypatch.setattr(remote_secret_info, "load", lambda path, context: SimpleNamespace(context="centre"))
    monkeypatch.setattr(remote_secret_info, "Client", Api)
    return SimpleNamespace(listed=listed)


def test_all_secrets_are_told_or_one_clusters(run, hub):
    out = run(remote_secret_info, primary={"kubeconfig": "/hub.yaml"})
    assert [each["cluster"] for each in out["remote_secrets"]] == ["oslo", "paris"]
    assert (out["changed"], out["requests"]) == (False, 1)
    out = run(remote_secret_info, primary={"kubeconfig": "/hub.yaml"}, cluster="paris")
    assert [each["cluster"] for each in out["remote_secrets"]] == ["paris"]
    assert "s3cret" not in json.dumps(out)
    assert base64.b64encode(b"s3cret").decode() not in json.dumps(out)


def test_what_is_told_is_what_is_documented(run, hub):
    documented = yaml.safe_load(remote_secret_info.RETURN)["remote_secrets"]["contains"]
    out = run(remote_secret_info, primary={"kubeconfig": "/hub.yaml"})
    assert set(out["remote_secrets"][0]) == set(documented)
