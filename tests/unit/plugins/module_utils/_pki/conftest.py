# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of every kind for the tests of ``_pki``: good ones, and what people bring."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result, ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from
from tests import certificates
from tests.certificates import Made

__all__ = ["NOW", "Made", "make"]

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def make(name: str = "outside root", issuer: Made | None = None, **wishes: Any) -> Made:
    """A certificate as `tests.certificates` makes it, of the day that these tests take place on."""
    return certificates.make(name, issuer, now=NOW, **wishes)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., str]:
    """Write a file beside the CA's directory; returns its path."""

    def write(name: str, *content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(b"".join(content))
        return str(path)

    return write


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ca"


@pytest.fixture
def ensure(ca: Path) -> Callable[..., Result]:
    """`mesh_ca` without Ansible: options in, result out, at a time of the test's choice."""

    def call(*names: str, now: datetime = NOW, check: bool = False, **options: Any) -> Result:
        intermediates = options.pop("intermediates", [{"name": name} for name in names])
        request = request_from({"path": str(ca), "intermediates": intermediates, **options})
        return ensure_present(request, now=now, check=check)

    return call
