# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens, rights and remote secrets on a real API server: what lives, what dies, and what istioctl made is told."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._istio import tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint, load
from ansible_collections.edge.mesh.plugins.module_utils._remote import serve
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time
from ansible_collections.edge.mesh.plugins.module_utils._remote.site import SiteSide
from ansible_collections.edge.mesh.plugins.modules import remote_secret
from tests.integration.control_plane import ControlPlane, programs
from tests.integration.site import Answer, Site

DAY = 86400.0
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SECRETS = "/api/v1/namespaces/istio-system/secrets"


class Both:
    """A site with a namespace for its reader, and the primary's side on the same API server."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.reader = Reader(site.name, f"reader-{site.name}")
        kubeconfig = str(site.plane.kubeconfig)
        self.options: dict[str, Any] = {
            "cluster": site.name,
            "site": {"kubeconfig": kubeconfig},
            "primaries": [{"name": "centre", "kubeconfig": kubeconfig}],
            "reader": {"namespace": site.name, "service_account": self.reader.service_account, "level": "full"},
            "api_server": "https://192.0.2.20:6443",
            "proxy_url": "http://proxy.test:3128",  # the API's address is loopback, which no primary could reach
        }

    def run(self, **options: Any) -> Answer:
        """The answer of a run that doesn't fail."""
        answer = self.site.run("remote_secret", **{**self.options, **options})
        assert not answer.get("failed"), answer
        return answer

    def at(self, seconds: float, **options: Any) -> Answer:
        """What a run returns whose clock is ahead; the API's isn't."""
        ahead = Time(now=lambda: time.time() + seconds)
        given = {name: spec.get("default") for name, spec in remote_secret.ARGUMENTS.items()}
        given |= {**self.options, **options}
        given["site"] = {"context": None, **given["site"]}
        given["primaries"] = [{"context": None, **each} for each in given["primaries"]]
        served = serve.serve(serve.Request.of(given, check_mode=False), serve.World(time=ahead))
        return {"changed": served.changed, **served.result}

    def token(self) -> str:
        """The token in the primary's remote secret."""
        secret = self.site.get(f"{SECRETS}/istio-remote-secret-{self.site.name}")
        assert secret is not None
        config = yaml.safe_load(base64.b64decode(secret["data"][self.site.name]))
        return str(config["users"][0]["user"]["token"])

    def holder(self, token: str) -> Client:
        """The API as the holder of a token."""
        own = load(str(self.site.plane.kubeconfig), None)
        return Client(Endpoint(own.server, own.context, own.ca_pem, token=token))

    def status(self, token: str) -> int:
        """What the API answers to the holder, whose right to list Pods everywhere only the reader's role gives."""
        with self.holder(token) as api:
            try:
                api.list("/api/v1/pods")
            except Exception as error:
                return int(getattr(error, "status", 0))
        return 200

    def anchors(self) -> list[str]:
        """The Secrets with which tokens live."""
        listed = self.site.get(f"{self.site.path}/secrets?labelSelector=edge.mesh/set=site-reader") or {}
        return [item["metadata"]["name"] for item in listed["items"]]


def prepared(site: Site) -> Both:
    """Both sides, with the namespaces that others make."""
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}
    site.apply(site.path, site.namespace, "setup")
    site.apply("/api/v1/namespaces/istio-system", system, "setup")
    return Both(site)


@pytest.fixture
def both(site: Site) -> Both:
    """Both sides."""
    return prepared(site)


def test_tokens_die_with_their_secrets_and_that_is_proven(both: Both) -> None:
    """Both kinds side by side: the API server goes on taking a token that it has seen for some ten seconds."""
    other = prepared(Site(both.site.plane, f"{both.site.name}-static"))

    def life(one: Both, kind: str) -> None:
        made = one.run(token_type=kind)
        token = one.token()
        assert one.status(token) == 200
        assert (made["expires_at"] is None) == (kind == "static")
        gone = one.run(state="absent")
        assert gone["revoked"] == [tokens.digest(token)] == [made["token_digest"]]
        assert gone["remaining"] == []
        assert one.status(token) == 401
        assert one.anchors() == []

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(life, both, "bound"), pool.submit(life, other, "static")]:
            done.result()


def test_a_token_is_renewed_inside_its_window_and_the_former_one_dies(both: Both) -> None:
    first = both.run()
    former = both.token()
    assert both.at(59 * DAY)["changed"] is False
    renewed = both.at(61 * DAY)
    assert renewed["primaries"][0]["action"] == "renewed"
    assert "the token expires in 29 d, inside the renewal window of 30 d" in renewed["primaries"][0]["reasons"]
    assert "1 former token revoked" in renewed["primaries"][0]["reasons"]
    assert renewed["expires_at"] >= first["expires_at"]
    assert both.status(both.token()) == 200
    assert both.token() != former
    assert len(both.anchors()) == 1
    assert both.at(59 * DAY)["changed"] is False


def test_the_window_can_be_given(both: Both) -> None:
    both.run(token_ttl="10d", renew_before="1d")
    assert both.at(8.9 * DAY, token_ttl="10d", renew_before="1d")["changed"] is False
    renewed = both.at(9.1 * DAY, token_ttl="10d", renew_before="1d")
    assert renewed["primaries"][0]["action"] == "renewed"


@pytest.fixture
def side(both: Both) -> Iterator[SiteSide]:
    """The code's view of the site, with a credential there."""
    both.run()
    with Client(load(str(both.site.plane.kubeconfig), None)) as api:
        yield SiteSide(api, both.holder, both.reader, Time())


def test_missing_rights_are_named_by_access_reviews(both: Both, side: SiteSide) -> None:
    token = both.token()
    assert side.probe(token).missing == ()
    role = f"{RBAC}/clusterroles/{both.reader.cluster_role}"
    live = both.site.get(role)
    assert live is not None
    rules = [rule for rule in live["rules"] if "tokenreviews" not in rule["resources"]]
    both.site.patch(role, {"rules": [{**rule, "verbs": [v for v in rule["verbs"] if v != "watch"]} for rule in rules]})
    both.site.until(lambda: side.probe(token).missing)
    missing = side.probe(token).missing
    assert "watch pods" in missing
    assert "create tokenreviews.authentication.k8s.io" in missing
    assert not [right for right in missing if right.startswith(("list ", "get "))]


def test_rights_in_the_readers_namespace_dont_pass_for_rights_everywhere(both: Both, side: SiteSide) -> None:
    token = both.token()
    binding = both.site.get(f"{RBAC}/clusterrolebindings/{both.reader.cluster_role}")
    assert binding is not None
    both.site.call("DELETE", f"{RBAC}/clusterrolebindings/{both.reader.cluster_role}")
    local = {"metadata": {"name": "local"}, "roleRef": binding["roleRef"], "subjects": binding["subjects"]}
    both.site.call("POST", f"{RBAC}/namespaces/{both.site.name}/rolebindings", local)
    both.site.until(lambda: "list pods" in side.probe(token).missing)
    assert "list configmaps in " + both.site.name not in side.probe(token).missing


def test_a_denied_secret_of_the_primary_leaves_no_token_at_the_site(both: Both, control_plane: ControlPlane) -> None:
    path = both.site.plane.write_kubeconfig(
        both.site.plane.directory / f"{both.site.name}.yaml", next(iter(control_plane.users))
    )
    options = {**both.options, "primaries": [{"name": "centre", "kubeconfig": str(path)}]}
    answer = both.site.run("remote_secret", **options)
    assert answer["failed"]
    assert "centre: " in answer["msg"]
    assert both.anchors() == []


# -- what others made --------------------------------------------------------------------------------------------------


def istioctl(both: Both, name: str, *arguments: str) -> Answer:
    """A remote secret as istioctl makes it, put on the primary by kubectl."""
    kubeconfig = ["--kubeconfig", str(both.site.plane.kubeconfig)]
    words = ["create-remote-secret", "--name", name, "--istioNamespace", both.site.name, *kubeconfig, *arguments]
    command = [str(programs("istioctl")["istioctl"]), *words]
    for _turn in range(3):  # it doesn't wait until the Secret that it has just made is filled
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if made.returncode == 0:
            break
    assert made.returncode == 0, made.stderr
    secret: Answer = next(each for each in yaml.safe_load_all(made.stdout) if each)
    secret["metadata"]["namespace"] = "istio-system"
    apply = [str(programs("kubectl")["kubectl"]), *kubeconfig, "apply", "-f", "-"]
    subprocess.run(apply, input=json.dumps(secret), capture_output=True, text=True, check=True)
    return secret


def told(both: Both, cluster: str) -> Answer:
    """What `remote_secret_info` says of a cluster."""
    answer = both.site.run(
        "remote_secret_info", primary={"kubeconfig": str(both.site.plane.kubeconfig)}, cluster=cluster
    )
    (entry,) = answer["remote_secrets"]
    return dict(entry)


def test_a_secret_of_istioctl_is_told_stays_when_ours_is_to_go_and_can_be_taken_over(both: Both) -> None:
    server = "https://192.0.2.77:6443"
    secret = istioctl(both, both.site.name, "--server", server)
    text = secret["stringData"][both.site.name]
    token = yaml.safe_load(text)["users"][0]["user"]["token"]
    entry = told(both, both.site.name)
    assert entry == {
        "name": f"istio-remote-secret-{both.site.name}", "namespace": "istio-system", "cluster": both.site.name,
        "server": server, "credential": "token", "token_digest": tokens.digest(token), "expires_at": None,
        "issued_at": None,
        "reader": f"system:serviceaccount:{both.site.name}:istio-reader-service-account", "accepted": True,
        "refused": None, "risks": ["the token never expires"], "ours": False, "owner": "kubectl-client-side-apply",
    }  # fmt: skip
    foreign = both.run(state="absent")
    assert foreign["primaries"][0]["action"] == "foreign"
    assert foreign["remaining"] == [f"Secret istio-system/istio-remote-secret-{both.site.name} on centre"]
    assert told(both, both.site.name) == entry
    taken = both.run()
    assert taken["primaries"][0]["action"] == "renewed"
    assert taken["primaries"][0]["reasons"][0] == "the remote secret was made by others and is taken over"
    after = told(both, both.site.name)
    assert (after["ours"], after["owner"], after["risks"]) == (True, "edge.mesh", [])
    assert after["server"] == "https://192.0.2.20:6443"
    both.run(state="absent", wait=False)


def test_a_secret_of_istioctl_with_a_plugin_is_told_as_refused(both: Both) -> None:
    name = f"plugged-{both.site.name}"
    istioctl(both, name, "--server", "https://192.0.2.77:6443", "--auth-type", "plugin", "--auth-plugin-name", "gcp")
    entry = told(both, name)
    assert (entry["credential"], entry["accepted"]) == ("auth provider", False)
    assert entry["refused"] == "auth provider gcp is not allowed"
    both.site.call("DELETE", f"{SECRETS}/istio-remote-secret-{name}")
