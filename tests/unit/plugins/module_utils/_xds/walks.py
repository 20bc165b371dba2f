# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A walk's surroundings in the tests: the mesh, and whoever is asked why istiod refuses a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Mesh
from tests.unit.plugins.module_utils._xds.fakes import Authority, FakeApi, remote_secret_of

ROOT = Authority()
MESH = Mesh(
    "istio-system",
    "istiod",
    "default",
    "m1",
    "cluster.local",
    "default",
    "istio-eastwestgateway",
    {"hub": "net-hub", "edge": "net-edge"},
)
Run = Callable[..., dict[str, Any]]


class Witness:
    """The primary of the tests, and the API at the address in the remote secret, which ``refusal`` answers for."""

    def __init__(self, api: FakeApi) -> None:
        self.keys: dict[str, list[str]] = {"edge": ["edge"]}
        self.access: Access | None = None
        self.refusal: dict[str, ApiError] = {}
        self.reviewed = True
        self.lines: list[str] = []
        self.error: MeshError | None = None

    def secrets(self) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return [remote_secret_of(name, *keys, access=self.access) for name, keys in self.keys.items()]

    def own(self) -> Endpoint:
        return Endpoint("https://site.example:6443", "edge", None)

    @contextmanager
    def open(self, endpoint: Endpoint, seconds: float) -> Iterator[FakeApi]:
        there = FakeApi("edge", ROOT.pem, accepts=self.reviewed)
        there.errors = {"/": self.refusal[endpoint.server]} if endpoint.server in self.refusal else {}
        yield there

    def log(self) -> list[str]:
        return self.lines


def verdicts(records: dict[str, Any]) -> dict[str, str]:
    return {check.removeprefix("join."): entry.verdict for check, entry in records.items() if entry.verdict != "ok"}
