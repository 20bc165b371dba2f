# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A live istiod with the CA of `mesh_ca`: it signs workloads, takes renewals over, and gives up on bad bundles."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import load
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from ansible_collections.edge.mesh.plugins.module_utils._xds import tokens, transport
from tests.bundles import table
from tests.integration.control_plane import ControlPlane
from tests.integration.istiod import CLUSTER, Istiod
from tests.integration.running import run_module

NAMESPACE = "istio-system"
IDENTITY = f"spiffe://cluster.local/ns/{NAMESPACE}/sa/default"
TOOK_OVER = "Istiod has detected the newly added intermediate CA"


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Any:
    """The control plane's API, with istiod's namespace."""
    with Client(load(str(control_plane.kubeconfig), None), timeout=30) as client:
        if client.get(f"/api/v1/namespaces/{NAMESPACE}") is None:
            client.create(
                "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
            )
        yield client


@pytest.fixture
def authority(tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """`mesh_ca` for one primary; returns the bundle's files."""

    def ensure(*, now: datetime | None = None, **options: Any) -> dict[str, bytes]:
        request = request_from({"path": str(tmp_path / "ca"), "intermediates": [{"name": CLUSTER}], **options})
        ensure_present(request, now=now or datetime.now(UTC), check=False)
        return {file.name: file.read_bytes() for file in (tmp_path / "ca" / CLUSTER).iterdir()}

    return ensure


def sign(istiod: Istiod, api: Client, roots: bytes) -> tuple[str, ...]:
    """What istiod signs for a workload: its certificate and those above it, checked up to the root."""
    token = tokens.request(api, NAMESPACE, "default")
    key, csr = workload.make_csr(IDENTITY)
    with transport.Connection(istiod.address, server_name="istiod.istio-system.svc", root_pem=roots.decode()) as line:
        chain = line.sign(csr, token=token.text, cluster=CLUSTER, lifetime=3600, timeout=30)
    facts = workload.inspect(chain[0])[0]
    assert facts.uris == (IDENTITY,)
    assert facts.public_key == workload.public_bytes(key)
    workload.verify_chain(chain, roots.decode(), datetime.now(UTC))
    return chain


@pytest.mark.parametrize(("root_type", "key_type"), [("ecdsa-p256", "ecdsa-p256"), ("rsa-2048", "rsa-2048")])
def test_a_workload_is_signed_before_and_after_a_renewal(
    control_plane: ControlPlane,
    api: Client,
    authority: Callable[..., dict[str, bytes]],
    tmp_path: Path,
    root_type: str,
    key_type: str,
) -> None:
    options = {"root": {"key_type": root_type}, "key_type": key_type}
    # Made almost two years ago, so that its renewal is due now.
    first = authority(now=datetime.now(UTC) - timedelta(days=600), **options)
    with Istiod(control_plane, tmp_path / "istiod", first) as istiod:
        istiod.await_port()
        chain = sign(istiod, api, first["root-cert.pem"])
        assert workload.inspect(chain[1])[0] == workload.inspect(first["ca-cert.pem"].decode())[0]

        renewed = authority(**options)
        assert renewed["ca-cert.pem"] != first["ca-cert.pem"]
        assert renewed["root-cert.pem"] == first["root-cert.pem"]
        istiod.put(renewed)
        istiod.await_log(TOOK_OVER)
        chain = sign(istiod, api, first["root-cert.pem"])
        assert workload.inspect(chain[1])[0] == workload.inspect(renewed["ca-cert.pem"].decode())[0]

        bad = {**renewed, "ca-key.pem": first["ca-key.pem"]}
        assert bundle_problems(bad, datetime.now(UTC))[1] == [
            "ca-key.pem is the key of another certificate than ca-cert.pem"
        ]
        istiod.put(bad)
        istiod.await_log("Failed to update new Plug-in CA certs")
        chain = sign(istiod, api, first["root-cert.pem"])
        assert workload.inspect(chain[1])[0] == workload.inspect(renewed["ca-cert.pem"].decode())[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("expired", "certificate has expired or is not yet valid"),
        ("other-key", "the cert does not match the key"),
        ("byte-order-mark", "invalid PEM encoded certificate"),
        ("parameters-first", "unsupported PEM block type for a private key: EC PARAMETERS"),
    ],
)
def test_istiod_does_not_start_with_what_we_refuse(
    control_plane: ControlPlane, api: Client, tmp_path: Path, name: str, said: str
) -> None:
    now = datetime.now(UTC)
    (case,) = (case for case in table(now) if case.name == name)
    assert bundle_problems(case.files, now)[1] != []
    with Istiod(control_plane, tmp_path / "istiod", case.files) as istiod:
        log = istiod.ended()
    assert "failed to create an istiod CA" in log
    assert said in log


def test_the_secret_that_istiod_reads_is_told_as_the_directory_and_nothing_private_with_it(
    control_plane: ControlPlane, api: Client, authority: Callable[..., dict[str, bytes]], tmp_path: Path
) -> None:
    bundle = authority()
    where = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    secret = {"kubeconfig": str(control_plane.kubeconfig), "namespace": NAMESPACE, "name": "cacerts"}
    absent = run_module("mesh_ca_info", {"secret": secret})
    assert (absent["present"], absent["chain"]) == (False, "unknown")
    data = {name: base64.b64encode(content).decode() for name, content in bundle.items()}
    api.create(where, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cacerts"}, "data": data})
    try:
        told = run_module("mesh_ca_info", {"secret": secret})
    finally:
        api.delete(f"{where}/cacerts")
    directory = run_module("mesh_ca_info", {"path": str(tmp_path / "ca")})
    assert (told["changed"], told["chain"], told["problems"]) == (False, "ok", [])
    assert told["root"] == directory["root"]
    assert told["intermediates"][0]["fingerprint"] == directory["intermediates"][0]["fingerprint"]
    for line in bundle["ca-key.pem"].decode().splitlines()[1:-1]:
        assert line not in json.dumps(told)
