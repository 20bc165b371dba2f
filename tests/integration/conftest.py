# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One control plane for all tests of this folder; each test has a namespace and names of its own in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.integration.control_plane import ControlPlane
from tests.integration.site import Site

READER_TOKEN = "token-of-somebody-without-rights"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Started once, stopped at the end."""
    directory = tmp_path_factory.mktemp("control-plane")
    with ControlPlane(directory, users={READER_TOKEN: "somebody"}, audit=True) as started:
        yield started


@pytest.fixture
def site(control_plane: ControlPlane) -> Site:
    """The control plane as a site with a name that nobody else uses."""
    return Site(control_plane, f"t-{uuid.uuid4().hex[:8]}")
