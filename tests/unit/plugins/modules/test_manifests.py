# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.edge.mesh.plugins.doc_fragments.kubeconfig import ModuleDocFragment
from ansible_collections.edge.mesh.plugins.module_utils._k8s.ownership import RESPECTED
from ansible_collections.edge.mesh.plugins.modules import manifests
from tests.unit.plugins.module_utils._k8s.conftest import make_pki, write_kubeconfig
from tests.unit.plugins.module_utils._k8s.fake_api import TOKEN, FakeApi, Server, answering

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"a": "1"}}


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def run(api, tmp_path):
    """Run the module as Ansible does; the answer is what it prints."""
    pki = make_pki(tmp_path)
    server = Server(answering(api), certificate=pki.server_file)
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", server.url, pki.ca, f"{{token: {TOKEN}}}")

    def call(*, check=False, diff=True, **options):
        arguments = {"kubeconfig": str(kubeconfig), **options, "_ansible_check_mode": check, "_ansible_diff": diff}
        arguments["_ansible_inject_invocation"] = True
        printed = io.StringIO()
        with patch_module_args(arguments), redirect_stdout(printed), pytest.raises(SystemExit):
            manifests.main()
        return json.loads(printed.getvalue())

    yield call
    server.close()


def actions(answer):
    return [each["action"] for each in answer["objects"]]


def test_objects_are_made_once_and_told_with_a_diff(run):
    first = run(objects=[NAMESPACE, MAP], set="s")
    assert (first["changed"], actions(first)) == (True, ["created", "created"])
    assert first["objects"][1] == {
        "kind": "ConfigMap",
        "namespace": "n",
        "name": "c",
        "action": "created",
        "reasons": [],
    }
    assert [part["before_header"] for part in first["diff"]] == ["Namespace n", "ConfigMap n/c"]
    again = run(objects=[NAMESPACE, MAP], set="s")
    assert (again["changed"], actions(again), again["diff"], again["requests"]) == (False, ["unchanged"] * 2, [], 2)


def test_objects_come_as_text_as_a_file_or_as_one_mapping(run, tmp_path):
    text = yaml.safe_dump_all([NAMESPACE, MAP])
    (tmp_path / "objects.yaml").write_text(text)
    assert run(objects=text, set="s", check=True)["changed"]
    assert run(src=str(tmp_path / "objects.yaml"), set="s")["changed"]
    assert not run(objects=text, set="s")["changed"]
    assert not run(objects=NAMESPACE, set="s")["changed"]


def test_the_objects_are_not_sent_back(run):
    answer = run(objects=[NAMESPACE, {**MAP, "data": {"a": "a long text"}}], set="s", diff=False)
    assert "a long text" not in json.dumps(answer)
    assert answer["invocation"]["module_args"]["set"] == "s"


def test_secrets_from_files_never_show(run, tmp_path):
    (tmp_path / "key").write_bytes(b"hush-hush")
    entry = {"namespace": "n", "name": "s", "labels": {"x": "y"}, "files": {"ca-key.pem": str(tmp_path / "key")}}
    assert run(objects=[NAMESPACE], set="s")["changed"]
    answers = [run(secret_files=[entry], set="s", check=True), run(secret_files=[entry], set="s")]
    (tmp_path / "key").write_bytes(b"hush-hush-2")
    answers.append(run(secret_files=[entry], set="s"))
    assert [actions(answer) for answer in answers] == [["created"], ["created"], ["configured"]]
    assert answers[2]["objects"][0]["reasons"] == [".data.ca-key.pem changed"]
    assert "sha256:" in answers[2]["diff"][0]["after"]
    assert "hush" not in json.dumps(answers)
    assert "aHVzaC1" not in json.dumps(answers)
    (tmp_path / "key").unlink()
    assert "No such file" in run(secret_files=[entry], set="s")["msg"]
    assert actions(run(secret_files=[entry], set="s", state="absent")) == ["deleted"]


def test_a_whole_set_goes_away(run):
    run(objects=[NAMESPACE, MAP], set="s")
    assert sorted(actions(run(set="s", state="absent", wait=True))) == ["deleted", "deleted"]
    assert run(set="s", state="absent", wait=True)["objects"] == []


def test_pruning_tells_what_it_took(run):
    run(objects=[NAMESPACE, MAP], set="s")
    answer = run(objects=[NAMESPACE], set="s", prune=True)
    assert [(each["name"], each["action"], each["reasons"]) for each in answer["objects"]] == [
        ("n", "unchanged", []),
        ("c", "pruned", ["no longer in the set"]),
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "there is nothing to apply"),
        ({"objects": [], "set": "s"}, "there is nothing to apply"),
        ({"objects": "---\n", "set": "s", "prune": True}, "there is nothing to apply"),
        ({"state": "absent"}, "there is nothing to delete"),
        ({"state": "absent", "objects": [], "set": "s"}, "there is nothing to delete"),
        ({"objects": 5}, "objects can't be read"),
        ({"objects": [NAMESPACE], "prune": True}, "prune is True but all of the following are missing: set"),
        ({"objects": [NAMESPACE], "src": "x"}, "mutually exclusive"),
        ({"objects": [NAMESPACE], "set": "Not This"}, "can't name a set"),
        ({"objects": [NAMESPACE], "wait": "soon"}, "wait can't be read"),
        ({"objects": [NAMESPACE], "wait": {"timeout": "x"}}, "wait can't be read"),
        ({"objects": [NAMESPACE], "wait": {"for": 5}}, "wait can't be read"),
        ({"src": "/nowhere/x.yaml"}, "/nowhere/x.yaml can't be read: No such file"),
        ({"objects": [NAMESPACE], "kubeconfig": "/nowhere"}, "the kubeconfig /nowhere can't be used"),
        ({"objects": [NAMESPACE], "context": "y"}, "has no context 'y'"),
        ({"objects": [NAMESPACE], "subresource": "status", "state": "absent"}, "a subresource can't be deleted"),
        ({"objects": [{**NAMESPACE, "kind": "Nothing"}]}, "doesn't serve v1 Nothing"),
    ],
)
def test_what_cant_be_done_is_one_line(run, options, words):
    answer = run(**options)
    assert answer["failed"]
    assert words in answer["msg"]
    assert "\n" not in answer["msg"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(True, 60.0), ("yes", 60.0), (False, None), ("False", None), ({"timeout": 5}, 5.0), ({}, 60.0)],
)
def test_wait_is_a_truth_value_or_a_time(value, seconds):
    assert manifests.wait_seconds(value, 60.0) == seconds


def test_the_documentation_holds_every_option_and_every_answer(run):
    own = yaml.safe_load(manifests.DOCUMENTATION)["options"]
    shared = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    documented = {**own, **shared}
    assert set(documented) == set(manifests.ARGUMENTS)
    for name, argument in manifests.ARGUMENTS.items():
        assert documented[name].get("default") == argument.get("default")
        assert documented[name].get("required", False) == argument.get("required", False)
        assert documented[name]["type"] == argument["type"]
    assert own["respect_managers"]["default"] == list(RESPECTED)
    answer = run(objects=[NAMESPACE], set="s", diff=False)
    returned = yaml.safe_load(manifests.RETURN)
    assert set(answer) - {"changed", "invocation"} == set(returned)
    assert set(answer["objects"][0]) == set(returned["objects"]["contains"])
