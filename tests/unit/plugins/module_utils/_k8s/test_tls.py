# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply


def test_connections_opened_at_once_never_touch_what_they_share(pki, monkeypatch):
    """urllib3 would set the context's protocols anew for each; OpenSSL frees the old ones while others copy them."""
    set_protocols = []
    original = ssl.SSLContext.set_alpn_protocols

    def counted(self, protocols):
        set_protocols.append((self, list(protocols)))
        original(self, protocols)

    server = Server(lambda handler, _raw: reply(handler, 200, {"kind": "X"}), certificate=pki.server_file)
    endpoint = Endpoint(server.url, "x", ca_pem=pki.ca, token="t")
    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", counted)
    with Client(endpoint, timeout=10) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _turn: client.get("/x"), range(16)))
        assert [protocols for context, protocols in set_protocols if context is client.tls] == [["http/1.1"]]
    server.close()
    assert answers == [{"kind": "X"}] * 16
