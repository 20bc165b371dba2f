# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `remote_secret` from its parameters to what it returns, with APIs in memory and kubeconfigs on disk."""

from __future__ import annotations

import base64
import json
import os
import re

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.serve import Request, World, serve
from ansible_collections.edge.mesh.plugins.modules import remote_secret

LOOPBACK = "https://127.0.0.1:40000"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"


@pytest.fixture
def lab(mesh, tmp_path):
    """The mesh with kubeconfigs, a connect that leads to it, and ``run`` for one call of the module."""

    def kubeconfig(name, server, context):
        config = {
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": base64.b64encode(mesh.CA.encode()).decode(),
                    },
                }
            ],
            "users": [{"name": "u", "user": {"token": "administrator"}}],
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        }
        path = tmp_path / f"{name}.yaml"
        path.touch(0o600)
        path.write_text(yaml.safe_dump(config))
        return str(path)

    answers = {}

    def connect(endpoint, *, timeout, site=None):
        if endpoint.server in answers:
            raise_or_return = answers[endpoint.server]
            return raise_or_return(endpoint)
        cluster = {mesh.SITE_URL: mesh.site, LOOPBACK: mesh.site, mesh.HUB_URL: mesh.hub}[endpoint.server]
        assert timeout > 0
        holder = None if endpoint.token in ("administrator", None) else endpoint.token
        return mesh.FakeApi(cluster, holder, site)

    def run(check_mode=False, **changes):
        params = {name: spec.get("default") for name, spec in remote_secret.ARGUMENTS.items()}
        params |= {
            "cluster": "paris",
            "site": {"kubeconfig": mesh.site_file, "context": None},
            "primaries": [{"kubeconfig": mesh.hub_file, "context": None, "name": None}],
            "reader": {"namespace": "istio-system", "service_account": "reader", "level": "full"},
            **changes,
        }
        world = World(connect=connect, istiod=lambda _api: mesh.istiod, time=mesh.clock.time)
        return serve(Request.of(params, check_mode=check_mode), world)

    mesh.site_file = kubeconfig("site", mesh.SITE_URL, "kind-paris")
    mesh.hub_file = kubeconfig("hub", mesh.HUB_URL, "kind-hub")
    mesh.loopback_file = kubeconfig("loopback", LOOPBACK, "kind-paris")
    mesh.answers = answers
    mesh.run = run
    return mesh


def test_first_again_check_and_absent(lab):
    told = lab.run(check_mode=True)
    done = lab.run()
    again = lab.run()
    assert (told.changed, done.changed, again.changed) == (True, True, False)
    assert told.result["reasons"] == done.result["reasons"]
    assert done.result["expires_at"] == "2027-04-15T08:00:00Z"
    assert again.result["token_digest"] == done.result["token_digest"]
    assert [each["name"] for each in done.result["primaries"]] == ["kind-hub"]
    gone = lab.run(state="absent")
    assert (gone.changed, gone.result["primaries"][0]["action"]) == (True, "deleted")
    assert not lab.run(state="absent").changed


def test_nothing_to_do_takes_few_requests(lab):
    """The reader's five objects, the tokens' Secrets, the remote secret, and what the token may do, in two answers."""
    lab.run()
    assert lab.run().result["requests"] == 9


def test_what_is_returned_is_what_is_documented(lab):
    documented = yaml.safe_load(remote_secret.RETURN)
    for served in (lab.run(), lab.run(state="absent")):
        assert set(served.result) == set(documented)
        assert set(served.result["primaries"][0]) == set(documented["primaries"]["contains"])
        json.dumps(served.result)


def test_the_diff_shows_digests_only(lab):
    served = lab.run()
    secret = lab.hub.objects[lab.REMOTE_SECRET]
    token = yaml.safe_load(base64.b64decode(secret["data"]["paris"]))["users"][0]["user"]["token"]
    assert token not in repr(served)
    assert served.result["token_digest"] in served.diff["after"]
    assert "administrator" not in repr(served)


def test_a_loopback_address_is_refused_with_one_that_would_do(lab):
    site = {"kubeconfig": lab.loopback_file, "context": None}
    with pytest.raises(MeshError, match=r"can't reach.*127\.0\.0\.1.*set api_server to the address"):
        lab.run(site=site)
    lab.site.objects[SLICES] = {
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "ports": [{"name": "https", "port": 6443}],
        "endpoints": [{"addresses": ["192.0.2.20"]}],
    }
    with pytest.raises(MeshError, match=re.escape(f"set api_server: {lab.SITE_URL}")):
        lab.run(site=site)
    assert lab.run(site=site, api_server=lab.SITE_URL).changed


def test_a_proxy_may_lead_to_any_address(lab):
    site = {"kubeconfig": lab.loopback_file, "context": None}
    assert lab.run(site=site, proxy_url="http://proxy.example:3128").changed


class Answer:
    """An API whose only request fails as told."""

    def __init__(self, status, reason):
        self.requests = 0
        self.error = ApiError("GET /version failed", status=status, reason=reason, why="so it is")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def get(self, path):
        self.requests += 1
        raise self.error


def test_an_address_with_another_certificate_is_refused_as_seen_from_the_controller(lab):
    seen = []
    lab.answers["https://api.example:6443"] = lambda endpoint: seen.append(endpoint) or Answer(0, "TLS")
    with pytest.raises(MeshError, match=r"can't be trusted \(seen from the controller\): so it is"):
        lab.run(api_server="https://api.example:6443/")
    assert (seen[0].token, seen[0].client_key_pem) == (None, None)
    assert lab.site.names(lab.SECRETS) == []


def test_an_address_that_cant_be_seen_from_the_controller_is_a_warning(lab):
    lab.answers["https://api.example:6443"] = lambda _endpoint: Answer(0, "Timeout")
    assert (
        "couldn't be checked from the controller (so it is)"
        in lab.run(api_server="https://api.example:6443").warnings[0]
    )


def test_any_answer_over_tls_is_good_enough(lab):
    lab.answers["https://api.example:6443"] = lambda _endpoint: Answer(401, "Unauthorized")
    assert lab.run(api_server="https://api.example:6443").warnings == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_ttl": "5m"}, "token_ttl is too short"),
        ({"token_ttl": "1d", "renew_before": "2d"}, "renew_before must be shorter than token_ttl"),
        ({"token_ttl": "soon"}, "token_ttl can't be understood"),
        ({"primaries": []}, "no primaries are given"),
        ({"api_server": "192.0.2.1"}, "api_server can't be used"),
        ({"api_server": "http://192.0.2.1"}, "api_server can't be used"),
        ({"proxy_url": "ftp://x"}, "proxy_url can't be used"),
    ],
)
def test_options_that_cant_be_are_refused(lab, changes, message):
    with pytest.raises(MeshError, match=message):
        lab.run(**changes)
    assert (lab.site.writes, lab.hub.writes) == ([], [])


def test_two_primaries_of_one_name_are_refused(lab):
    twin = {"kubeconfig": lab.hub_file, "context": None, "name": "hub"}
    with pytest.raises(MeshError, match="two primaries have one name"):
        lab.run(primaries=[twin, twin])


def test_absent_works_without_the_sites_kubeconfig(lab):
    lab.run()
    os.unlink(lab.site_file)
    gone = lab.run(state="absent")
    assert gone.result["remaining"] == ["the reader and its tokens at the site paris"]
    assert lab.REMOTE_SECRET not in lab.hub.objects


def test_absent_works_without_a_primarys_kubeconfig(lab):
    lab.run()
    os.unlink(lab.hub_file)
    gone = lab.run(state="absent", primaries=[{"kubeconfig": lab.hub_file, "context": None, "name": "kind-hub"}])
    assert gone.result["remaining"] == ["the remote secret of paris on kind-hub"]
    assert lab.site.names(lab.SECRETS) == []
