# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying over what hands did: an item of a list that got another key, but kept its unique name."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k8s import execute
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.discovery import Resource
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import ref_of
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import Cause
from ansible_collections.edge.mesh.plugins.module_utils._k8s.observe import Target
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import Apply, Rules

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s", "namespace": "n"},
    "spec": {"ports": [{"name": "tls", "port": 15443}], "type": "ClusterIP"},
}
LIVE = {**SERVICE, "metadata": {**SERVICE["metadata"], "uid": "u"}, "spec": {"ports": [{"name": "tls", "port": 15444}]}}
DUPLICATE = Cause("FieldValueDuplicate", 'Duplicate value: "tls"', "spec.ports[1].name")


class Api:
    """Refuses to apply while the live ports aren't those that are applied."""

    def __init__(self, *causes):
        self.causes, self.live, self.sent = causes, copy.deepcopy(LIVE), []

    def apply(self, path, body, *, force=False, dry_run=False):
        self.sent.append(("apply", force, dry_run))
        if self.live["spec"]["ports"] != body["spec"]["ports"]:
            raise ApiError("refused", status=422, reason="Invalid", causes=tuple(self.causes))
        return {**self.live, "spec": body["spec"]}

    def patch(self, path, body, **query):
        self.sent.append(("patch", body, query))
        answer = {**self.live, "spec": {**self.live["spec"], **body["spec"]}}
        if "dryRun" not in query:
            self.live = answer
        return answer


def apply(api, *, mend=True, dry_run=False):
    resource = Resource("v1", "Service", "services", True)
    step = Apply(SERVICE, ("a port changed",), mend=mend)
    target = Target(ref_of(SERVICE), resource, SERVICE)
    return execute.apply(api, target, step, LIVE, Rules("set"), subresource="", dry_run=dry_run)


def test_the_whole_list_is_put_back_and_then_applied():
    api = Api(DUPLICATE)
    assert apply(api).action == "configured"
    assert api.sent == [
        ("apply", False, False),
        ("patch", {"spec": {"ports": SERVICE["spec"]["ports"]}}, {"fieldManager": "edge.mesh-mend"}),
        ("apply", True, False),
    ]


def test_a_dry_run_ends_with_the_list():
    api = Api(DUPLICATE)
    assert apply(api, dry_run=True).action == "configured"
    assert [sent[0] for sent in api.sent] == ["apply", "patch"]
    assert api.sent[1][2]["dryRun"] == "All"
    assert api.live == LIVE


@pytest.mark.parametrize(
    ("causes", "mend"),
    [
        pytest.param([], True, id="no reason given"),
        pytest.param([Cause("FieldValueInvalid", "Invalid value", "spec.ports[0].port")], True, id="another reason"),
        pytest.param([DUPLICATE, Cause("x", "Invalid value", "spec.type")], True, id="another reason too"),
        pytest.param([Cause("x", 'Duplicate value: "x"', "spec.elsewhere[0].name")], True, id="a list that isn't ours"),
        pytest.param([DUPLICATE], False, id="an object that is being adopted"),
    ],
)
def test_any_other_refusal_is_told(causes, mend):
    api = Api(*causes)
    with pytest.raises(ApiError, match="Service n/s can't be "):
        apply(api, mend=mend)
    assert [sent[0] for sent in api.sent] == ["apply"]
