# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every remote secret of a primary is told of, whoever made it, and without its secret."""

from __future__ import annotations

import base64
import json

from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access, build
from ansible_collections.edge.mesh.plugins.module_utils._istio.listing import describe


def jwt(**claims):
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".sig"


def secret(name="istio-remote-secret-paris", manager="edge.mesh", **data):
    """A remote secret whose data are kubeconfig texts by cluster."""
    made = remote_secret.body("paris", "")
    made["metadata"]["name"] = name
    made["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    operation = "Apply" if manager == "edge.mesh" else "Update"
    entry = {"manager": manager, "operation": operation, "fieldsV1": {"f:data": {}}, "time": "2026-01-01T00:00:00Z"}
    made["metadata"]["managedFields"] = [entry]
    return made


OURS = build("paris", Access("https://192.0.2.1:6443", None, jwt(sub="system:serviceaccount:a:b", exp=1_800_000_000)))


def test_our_own_is_told_with_reader_and_end():
    (told,) = describe([secret(paris=OURS)])
    assert told["token_digest"].startswith("sha256:")
    told.pop("token_digest")
    assert told == {
        "name": "istio-remote-secret-paris",
        "namespace": "istio-system",
        "cluster": "paris",
        "server": "https://192.0.2.1:6443",
        "credential": "token",
        "reader": "system:serviceaccount:a:b",
        "issued_at": None,
        "expires_at": "2027-01-15T08:00:00Z",
        "accepted": True,
        "refused": None,
        "risks": [],
        "ours": True,
        "owner": "edge.mesh",
    }


def test_a_token_without_end_is_a_risk_and_its_maker_is_named():
    text = build("oslo", Access("https://192.0.2.2:6443", None, jwt(sub="s")))
    (told,) = describe([secret(name="x", manager="kubectl-client-side-apply", oslo=text)])
    assert (told["risks"], told["expires_at"]) == (["the token never expires"], None)
    assert (told["ours"], told["owner"]) == (False, "kubectl-client-side-apply")


def test_what_istiod_would_refuse_is_told():
    text = OURS.replace("token:", "tokenFile:")
    told = describe([secret(paris=text), secret(name="empty"), secret(name="odd", oslo="{")])
    assert [(each["name"], each["accepted"], each["refused"]) for each in told] == [
        ("empty", False, "it holds no cluster"),
        ("odd", False, "it isn't YAML"),
        ("istio-remote-secret-paris", False, "tokenFile points at a file, which is not allowed"),
    ]


def test_data_that_is_no_text_is_malformed():
    broken = secret(paris=OURS)
    broken["data"]["paris"] = "/w=="
    assert describe([broken])[0]["credential"] == "malformed"


def test_a_cluster_in_two_secrets_is_a_risk_for_both():
    told = describe([secret(paris=OURS), secret(name="second", paris=OURS)])
    assert all("several Secrets hold this cluster" in each["risks"][0] for each in told)


def test_every_cluster_of_a_secret_is_told():
    assert [each["cluster"] for each in describe([secret(b=OURS, a=OURS)])] == ["a", "b"]


def test_no_token_is_told():
    token = OURS.split("token: ")[1].strip()
    assert token not in json.dumps(describe([secret(paris=OURS)]))
