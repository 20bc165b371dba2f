# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether istiod would accept a remote secret: what `remote_secret_info` says beside what istiod does."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import judge
from tests.reader.sites import Sites, until

SERVER = "https://127.0.0.1:1"
_PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "get-token", "interactiveMode": "Never"}
_CLIENT = base64.b64encode(b"no certificate, which is found out when it is used").decode()
# what stands in the user's and in the cluster's part of the kubeconfig
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "token": ({"token": "abc"}, {}),
    "nothing": ({}, {}),
    "password": ({"username": "somebody", "password": "secret"}, {}),
    "exec": ({"exec": _PLUGIN}, {}),
    "exec beside a token": ({"token": "abc", "exec": _PLUGIN}, {}),
    "provider gcp": ({"auth-provider": {"name": "gcp"}}, {}),
    "token in a file": ({"tokenFile": "/var/run/token"}, {}),
    "key in a file": ({"client-certificate": "/a", "client-key": "/b"}, {}),
    "CA in a file": ({"token": "abc"}, {"certificate-authority": "/var/run/ca.pem"}),
    "certificate without key": ({"client-certificate-data": _CLIENT}, {}),
    "token and password": ({"token": "abc", "username": "somebody", "password": "secret"}, {}),
    "not verified": ({"token": "abc"}, {"insecure-skip-tls-verify": True}),
    "proxy": ({"token": "abc"}, {"proxy-url": "socks5://192.0.2.1:1080"}),
    "strange proxy": ({"token": "abc"}, {"proxy-url": "ftp://192.0.2.1"}),
}  # fmt: skip


def kubeconfig(user: dict[str, Any], cluster: dict[str, Any]) -> str:
    """A kubeconfig of one context."""
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }  # fmt: skip
    return yaml.safe_dump(config, sort_keys=False)


TEXTS = {name: kubeconfig(*parts) for name, parts in CASES.items()} | {
    "no YAML": "{",
    "a list": "[]",
    "empty": "",
    "no context": "apiVersion: v1\nkind: Config\n",
    "another user has a plugin": kubeconfig({"token": "abc"}, {}).replace(
        "users:\n", "users:\n- name: other\n  user: {exec: {apiVersion: v1, command: x}}\n"
    ),
}


@pytest.fixture(scope="module")
def taken(sites: Sites) -> dict[str, bool]:
    """Whether istiod takes each of them in; the last of its answers tells that it has seen them all."""
    clusters = {name: f"judged-{index}" for index, name in enumerate([*TEXTS, "the last"])}
    for name, cluster in clusters.items():
        sites.primary.apply(
            remote_secret.path_of(cluster), remote_secret.body(cluster, TEXTS.get(name, TEXTS["token"]))
        )
    assert until(lambda: clusters["the last"] in sites.states(), 20)
    states = sites.states()
    return {name: cluster in states for name, cluster in clusters.items()}


@pytest.mark.parametrize("name", TEXTS)
def test_our_verdict_is_istiods(taken: dict[str, bool], name: str) -> None:
    refused = judge(TEXTS[name]).refused
    assert taken[name] == (refused is None), refused
