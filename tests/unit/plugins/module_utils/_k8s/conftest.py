# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority for loopback servers, and a cluster that is a fake one unless a real one is named.

EDGE_MESH_TEST_KUBECONFIG=<kubeconfig> runs the tests that take ``cluster`` against a real API server.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from tests.unit.plugins.module_utils._k8s.fake_api import TOKEN, FakeApi, Server, answering
from tests.unit.plugins.module_utils._k8s.world import World


@dataclass
class Pki:
    """PEM texts: a CA, and certificates with keys that it signed."""

    ca: str
    server: str
    client_certificate: str
    client_key: str
    directory: Path

    @property
    def server_file(self):
        path = self.directory / "server.pem"
        if not path.exists():
            path.write_text(self.server)
        return path


def make_pki(directory):
    now = datetime.datetime.now(datetime.UTC)

    def name(common):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    def pem(key):
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, *private).decode()

    def issue(common, key, *extensions, issuer=None, signer=None):
        builder = x509.CertificateBuilder(
            issuer or name(common), name(common), key.public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
            now + datetime.timedelta(days=1)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(signer or key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    ca_key, server_key, client_key = (ec.generate_private_key(ec.SECP256R1()) for _turn in range(3))
    ca = issue("test CA", ca_key, x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("api.test")])
    server = issue("server", server_key, names, issuer=name("test CA"), signer=ca_key)
    client = issue("client", client_key, issuer=name("test CA"), signer=ca_key)
    return Pki(ca, server + pem(server_key), client, pem(client_key), directory)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return make_pki(tmp_path_factory.mktemp("pki"))


def write_kubeconfig(path, server, ca, user):
    encoded = base64.b64encode(ca.encode()).decode()
    path.write_text(
        f"apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{server}', "
        f"certificate-authority-data: {encoded}}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n"
        f"users: [{{name: u, user: {user}}}]\n"
    )
    path.chmod(0o600)
    return path


@dataclass
class Cluster:
    """A cluster to test with: its kubeconfig, a client, and a name that nobody else uses there."""

    kubeconfig: str
    client: Client
    unique: str
    fake: FakeApi | None

    def hand(self, path, patch, manager="kubectl-edit", **query):
        """Change an object as a person would."""
        return self.client.patch(path, patch, fieldManager=manager, **query)


@pytest.fixture
def cluster(pki, tmp_path):
    real = os.environ.get("EDGE_MESH_TEST_KUBECONFIG")
    unique = f"t-{uuid.uuid4().hex[:8]}"
    if real:
        with Client(kubeconfig.load(real, None)) as client:
            yield Cluster(real, client, unique, None)
            client.delete(f"/api/v1/namespaces/{unique}")
        return
    api = FakeApi()
    server = Server(answering(api), certificate=pki.server_file)
    path = write_kubeconfig(tmp_path / "kubeconfig", server.url, pki.ca, f"{{token: {TOKEN}}}")
    with Client(kubeconfig.load(str(path), None)) as client:
        yield Cluster(str(path), client, unique, api)
    server.close()


@pytest.fixture
def world(cluster):
    world = World(cluster)
    yield world
    for path in (world.webhook_path, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/foos.{world.name}.test"):
        world.client.delete(path)
