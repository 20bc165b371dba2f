# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two API servers on loopback, a primary's and a site's, with a real istiod between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import load
from tests.bundles import bundle, make
from tests.certificates import Made
from tests.integration.control_plane import ControlPlane
from tests.integration.istiod import Istiod
from tests.reader.sites import SYSTEM, Sites

# istiod leads a site only as an external control plane; a right that is missing shows after this time-out
ENVIRONMENT = {"EXTERNAL_ISTIOD": "true", "PILOT_REMOTE_CLUSTER_TIMEOUT": "10s", "REVISION": "default"}


def authority() -> dict[str, bytes]:
    """What istiod signs with, and empty revocation lists of both CAs, so that it has one to hand out."""
    now = datetime.now(UTC)
    usage = [False] * 9
    usage[5] = usage[6] = True  # certificates and revocation lists
    given: dict[str, Any] = {"now": now, "sign_certificates": None, "extension": (x509.KeyUsage(*usage), True)}
    root = make("root", path_length=1, **given)
    below = make("ca", root, days=(-1, 700), path_length=0, **given)
    lists = b"".join(_empty_list(each, now) for each in (below, root))
    return {**bundle(below, root), "ca-crl.pem": lists}


def _empty_list(issuer: Made, now: datetime) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=30))
    made = builder.sign(issuer.key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Started once, stopped at the end."""
    directory: Path = tmp_path_factory.mktemp("reader")
    with ExitStack() as opened:
        planes = [opened.enter_context(ControlPlane(directory / name)) for name in ("primary", "site")]
        primary, site = (opened.enter_context(Client(load(str(plane.kubeconfig), None))) for plane in planes)
        primary.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
        files = authority()
        istiod = opened.enter_context(Istiod(planes[0], directory / "istiod", files, ENVIRONMENT))

        def another(environment: Mapping[str, str]) -> Istiod:
            return Istiod(planes[0], directory / "another", files, {**ENVIRONMENT, **environment})

        found = Sites(primary, site, istiod, files["root-cert.pem"].decode(), another)
        found.prepare()
        istiod.await_port()
        yield found
