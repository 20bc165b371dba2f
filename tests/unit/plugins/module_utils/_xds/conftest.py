# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A walk at a site of the tests, against a real gRPC server with TLS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Mesh, Site
from ansible_collections.edge.mesh.plugins.module_utils._xds.synthetic import Walk
from tests.unit.plugins.module_utils._xds.fakes import FakeApi, Istiod, serve
from tests.unit.plugins.module_utils._xds.walks import MESH, ROOT, Run, Witness


@pytest.fixture
def istiod() -> Istiod:
    return Istiod(ROOT)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi("edge", ROOT.pem, "net-edge")


@pytest.fixture
def witness(api: FakeApi) -> Witness:
    return Witness(api)


@pytest.fixture
def walk(istiod: Istiod, api: FakeApi, witness: Witness) -> Iterator[Run]:
    with serve(istiod) as address:

        def run(
            site_api: FakeApi | MeshError = api,
            *,
            cluster: str = "edge",
            given: str | None = address,
            mesh: Mesh = MESH,
            seconds: float = 10,
        ) -> dict[str, Any]:
            def connect(_deadline: object) -> FakeApi:
                if isinstance(site_api, MeshError):
                    raise site_api
                return site_api

            done = Walk(
                Site(cluster, "net-edge", given),
                mesh,
                connect=connect,
                forward=None,
                witness=witness,
                seconds=seconds,
            )
            done.run()
            return {entry.id: entry for entry in done.records()}

        run.address = address  # type: ignore[attr-defined]
        yield run
