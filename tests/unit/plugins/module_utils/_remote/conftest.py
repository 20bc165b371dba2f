# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two clusters in memory, with just enough of Kubernetes and istiod to hold what `_remote` says of them.

The site knows who bears a token, when it ends, what it is bound to and what its roles allow. The istiod syncs from the
primary's remote secret as far as the site takes the token in it.
"""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import Look, Replica, Seen
from ansible_collections.edge.mesh.plugins.module_utils._remote.site import SiteSide

NOW = 1_800_000_000.0
CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SITE_URL = "https://192.0.2.20:6443"
HUB_URL = "https://192.0.2.10:6443"
REMOTE_SECRET = "/api/v1/namespaces/istio-system/secrets/istio-remote-secret-paris"
SECRETS = "/api/v1/namespaces/istio-system/secrets"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
RULES_REVIEW = f"{AUTHORIZATION}/selfsubjectrulesreviews"
ACCESS_REVIEW = f"{AUTHORIZATION}/selfsubjectaccessreviews"
SERVICE = ("sample", "web.sample.svc.cluster.local")
SLICES = "/apis/discovery.k8s.io/v1/namespaces/sample/endpointslices"


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    at: float = NOW

    def sleep(self, seconds):
        assert seconds >= 0
        self.at += seconds

    @property
    def time(self):
        return Time(now=lambda: self.at, clock=lambda: self.at, sleep=self.sleep)


@dataclass
class FakeCluster:
    """One cluster's API: objects by path, and the tokens it has issued."""

    clock: Clock
    name: str = "site"
    objects: dict = field(default_factory=dict)
    writes: list = field(default_factory=list)
    longest_ttl: float = 1e9
    denied: set = field(default_factory=set)  # verbs that an authoriser beside RBAC takes away
    granted: set = field(default_factory=set)  # verbs that it grants without listing its rules
    listable: bool = True  # whether all authorisers can list their rules
    down: bool = False
    controller: bool = True  # fills the Secrets of static tokens
    cache_until: dict = field(default_factory=dict)  # token: until when its rejection isn't noticed
    count: int = 0

    def add_namespace(self, name, **metadata):
        self.objects[f"/api/v1/namespaces/{name}"] = {"kind": "Namespace", "metadata": {"name": name, **metadata}}

    def add_slice(self, *, ready=True):
        """The endpoints of the service that the fake istiod knows."""
        self.objects[f"{SLICES}/web-1"] = {
            "metadata": {"name": "web-1", "namespace": "sample", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"conditions": {"ready": ready}}],
        }

    def names(self, path):
        return sorted(each.rsplit("/", 1)[1] for each in self.objects if each.startswith(path + "/"))

    def token(self, subject, secret, uid, ttl):
        claims = {"sub": subject, "iat": int(self.clock.at), "jti": self.count}
        self.count += 1
        if ttl is None:
            claims["kubernetes.io/serviceaccount/secret.name"] = secret
        else:
            claims["exp"] = int(self.clock.at + min(ttl, self.longest_ttl))
            claims["kubernetes.io"] = {"secret": {"name": secret, "uid": uid}}
        return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".sig"

    def takes(self, token):
        """Whether the token is good now."""
        if self.clock.at < self.cache_until.get(token, 0):
            return True
        try:
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        except (ValueError, IndexError):
            return False
        bound = claims.get("kubernetes.io", {}).get("secret")
        name = bound["name"] if bound else claims.get("kubernetes.io/serviceaccount/secret.name")
        secret = self.objects.get(f"{SECRETS}/{name}")
        alive = secret is not None and (bound is None or secret["metadata"]["uid"] == bound["uid"])
        return alive and claims.get("exp", 1e12) > self.clock.at

    def rules(self, namespace):
        """What the roles that are there allow their subjects in a namespace, as a rules review tells it."""
        found = [
            rule
            for body in self.objects.values()
            if body.get("metadata", {}).get("namespace") in (None, namespace)
            for rule in body.get("rules", [])
        ]
        return [{**rule, "verbs": [verb for verb in rule["verbs"] if verb not in self.denied]} for rule in found]

    def allows(self, asked):
        """What an access review answers."""
        if asked["verb"] in self.granted:
            return True
        return any(
            asked["verb"] in rule["verbs"]
            and asked["group"] in rule["apiGroups"]
            and asked["resource"] in rule["resources"]
            and ("resourceNames" not in rule or asked.get("name") in rule["resourceNames"])
            for rule in self.rules(asked.get("namespace"))
        )


@dataclass
class FakeApi:
    """The part of a client that `_remote` uses, for the holder of ``token`` or an administrator."""

    cluster: FakeCluster
    token: str | None = None
    site: str | None = None
    requests: int = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def _request(self, verb, path):
        self.requests += 1
        if self.cluster.down:
            raise ApiError(f"{verb} {path} failed", status=0, reason="Refused", why="connection refused")
        if self.token is not None and not self.cluster.takes(self.token):
            raise ApiError(f"{verb} {path} failed with 401", status=401, reason="Unauthorized", site=self.site)
        if verb not in ("get", "list") and not path.startswith(AUTHORIZATION):
            self.cluster.writes.append((verb, path))

    def get(self, path, **query):
        self._request("get", path)
        return copy.deepcopy(self.cluster.objects.get(path))

    def list(self, path, labelSelector="", **query):  # noqa: N803 - the API's own spelling
        self._request("list", path)
        wanted = dict(pair.split("=") for pair in labelSelector.split(",") if pair)
        return [
            copy.deepcopy(body)
            for each, body in sorted(self.cluster.objects.items())
            if each.rsplit("/", 1)[0] == path and wanted.items() <= (body["metadata"].get("labels") or {}).items()
        ]

    def create(self, path, body, **query):
        self._request("create", path)
        if path == RULES_REVIEW:
            rules = self.cluster.rules(body["spec"]["namespace"])
            return {"status": {"resourceRules": rules, "incomplete": not self.cluster.listable}}
        if path == ACCESS_REVIEW:
            return {"status": {"allowed": self.cluster.allows(body["spec"]["resourceAttributes"])}}
        if path.endswith("/token"):
            return self._token_request(path, body)
        made = copy.deepcopy(dict(body))
        self.cluster.count += 1
        name = made["metadata"].setdefault("name", f"{made['metadata'].pop('generateName', '')}{self.cluster.count:05}")
        made["metadata"]["uid"] = f"uid-{self.cluster.count}"
        if made.get("type") == "kubernetes.io/service-account-token" and self.cluster.controller:
            account = made["metadata"]["annotations"]["kubernetes.io/service-account.name"]
            token = self.cluster.token(f"system:serviceaccount:istio-system:{account}", name, None, None)
            made["data"] = {"token": base64.b64encode(token.encode()).decode()}
        self.cluster.objects[f"{path}/{name}"] = made
        return copy.deepcopy(made)

    def _token_request(self, path, body):
        account = path.split("/")[-2]
        reference = body["spec"]["boundObjectRef"]
        secret = self.cluster.objects[f"{SECRETS}/{reference['name']}"]
        assert secret["metadata"]["uid"] == reference["uid"]
        assert path.rsplit("/", 1)[0] in self.cluster.objects
        ttl = min(body["spec"]["expirationSeconds"], self.cluster.longest_ttl)
        token = self.cluster.token(
            f"system:serviceaccount:istio-system:{account}", reference["name"], reference["uid"], ttl
        )
        expires = datetime.fromtimestamp(self.cluster.clock.at + ttl, UTC)
        return {"status": {"token": token, "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}}

    def apply(self, path, body, *, field_manager="edge.mesh", force=False, dry_run=False):
        self._request("apply", path)
        live = self.cluster.objects.setdefault(path, {"metadata": {"uid": f"uid-{path}"}})
        _merge(live, copy.deepcopy(dict(body)))
        entry = {"manager": field_manager, "operation": "Apply", "fieldsV1": {"f:data": {}}}
        live["metadata"]["managedFields"] = [entry]
        return copy.deepcopy(live)

    def patch(self, path, body, *, content_type="application/merge-patch+json", **query):
        self._request("patch", path)
        _merge(self.cluster.objects[path], copy.deepcopy(dict(body)))
        return copy.deepcopy(self.cluster.objects[path])

    def delete(self, path, *, body=None, **query):
        self._request("delete", path)
        return self.cluster.objects.pop(path, None) is not None

    def portforward(self, namespace, pod, port):
        raise MeshError("no port forward here")

    def logs(self, namespace, pod, container, *, tail=20, since=None):
        self._request("get", f"/api/v1/namespaces/{namespace}/pods/{pod}/log")
        return ""


def _merge(live, body):
    for key, value in body.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            _merge(live[key], value)
        elif value is None:
            live.pop(key, None)
        else:
            live[key] = value


@dataclass
class FakeIstiod:
    """An istiod that syncs the moment it is looked at; ``stuck`` replicas keep what they had."""

    hub: FakeCluster
    site: FakeCluster
    pods: tuple = ("istiod-a", "istiod-b")
    counts: bool = True  # whether it keeps the count of secret events
    stuck: set = field(default_factory=set)
    blind: str | None = None  # a state that the cluster stays in
    looks: int = 0
    hung: bool = False  # its worker takes in nothing any more
    forgets: bool = True
    known: bool = False
    loses: set = field(default_factory=set)  # replicas that lose all endpoints with the next new credential
    blinks: float = 0  # seconds for which endpoints are away after a new credential
    written: float = 0
    credentials: set = field(default_factory=set)

    def endpoints(self, pod):
        """What the replica has of the site's service."""
        secret = self.hub.objects.get(REMOTE_SECRET)
        if secret is None:
            return {}
        if secret["data"]["paris"] not in self.credentials:
            self.credentials.add(secret["data"]["paris"])
            self.written = self.site.clock.at
        lost = len(self.credentials) > 1 and pod in self.loses
        away = len(self.credentials) > 1 and self.site.clock.at - self.written < self.blinks
        return {} if lost or away else {SERVICE: 2}

    def look(self, *, events=False, endpoints_of=None):
        self.looks += 1
        writes = len([each for each in self.hub.writes if each[1] == REMOTE_SECRET])
        replicas = []
        for pod in self.pods:
            clusters = {"hub": ("synced", "")} if self.hung else self._clusters()
            managed = 1 if self.hung else len(clusters) - 1
            endpoints = self.endpoints(pod) if endpoints_of == "paris" else None
            seen = Seen(clusters, 0 if pod in self.stuck else writes, managed, endpoints=endpoints)
            bare = Seen(clusters, endpoints=endpoints)
            replicas.append(Replica(pod, True, seen if events and self.counts else bare))
        return Look(tuple(replicas))

    def _clusters(self):
        secret = self.hub.objects.get(REMOTE_SECRET)
        own = {"hub": ("synced", "")}
        if secret is None and self.known and not self.forgets:
            return {**own, "paris": ("synced", "istio-system/istio-remote-secret-paris")}
        if secret is None:
            return own
        self.known = True
        config = yaml.safe_load(base64.b64decode(secret["data"]["paris"]))
        good = self.site.takes(config["users"][0]["user"]["token"])
        state = self.blind or ("synced" if good else "timeout")
        return {**own, "paris": (state, "istio-system/istio-remote-secret-paris")}

    def reason(self, pod, cluster, seconds):
        return "error failed to list *v1.Pod" if self.blind else None


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def mesh(clock):
    """A site and a primary with their namespaces, an istiod, and the code's view of them."""
    site = FakeCluster(clock, "site")
    hub = FakeCluster(clock, "hub")
    for cluster in (site, hub):
        cluster.add_namespace("istio-system")
    istiod = FakeIstiod(hub, site)
    api = FakeApi(site, site="paris")
    side = SiteSide(api, lambda token: FakeApi(site, token, "paris"), Reader("istio-system", "reader"), clock.time)
    return SimpleNamespace(
        clock=clock, site=site, hub=hub, istiod=istiod, site_api=api, hub_api=FakeApi(hub, site="hub"), side=side,
        CA=CA, SITE_URL=SITE_URL, HUB_URL=HUB_URL, REMOTE_SECRET=REMOTE_SECRET, SECRETS=SECRETS, FakeApi=FakeApi,
        FakeIstiod=FakeIstiod, FakeCluster=FakeCluster,
    )  # fmt: skip
