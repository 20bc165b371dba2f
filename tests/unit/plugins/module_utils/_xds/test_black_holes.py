# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites that swallow packets, over real sockets: they cost one deadline together and take no other site with them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._xds import health
from ansible_collections.edge.mesh.plugins.module_utils._xds.health import Access
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Site
from tests.unit.plugins.module_utils._xds.test_health import World

HOLES = 10


@pytest.fixture
def black_hole() -> Iterator[Callable[[], str]]:
    """Listeners on loopback that take connections and never say a word; each call gives one's address."""
    with ExitStack() as opened:

        def listen() -> str:
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield listen


def kubeconfig(path: Path, address: str) -> str:
    """A kubeconfig file for an API at ``address``."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"https://{address}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def test_ten_black_holed_sites_cost_one_deadline(
    tmp_path: Path, black_hole: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.timeout = 3.0  # enough for the sites that are well, also on a busy machine
    known = world.connect

    def connect(access: Access, site: str | None, seconds: float) -> Any:
        # what isn't one of the world's APIs is opened as the module does it
        return (
            known(access, site, seconds) if access.kubeconfig in world.apis else health._connect(access, site, seconds)
        )

    monkeypatch.setattr(world, "connect", connect)
    holes = [
        (Site(f"hole{n}", f"net-{n}", black_hole()), Access(kubeconfig(tmp_path / f"{n}.yaml", black_hole()), None))
        for n in range(HOLES)
    ]
    world.istiods["istiod-1"].networkz += [
        {"Network": f"net-{n}", "Cluster": f"hole{n}", "Addr": f"172.31.1.{n}", "Port": 15443} for n in range(HOLES)
    ]
    world.start()
    try:
        world.examine()  # what is loaded and opened once is no part of the time
        started = time.monotonic()
        result = world.examine(*holes)
        seconds = time.monotonic() - started
    finally:
        world.stop()
    dark = [check for check in result["checks"] if check["site"].startswith("hole")]
    assert {check["verdict"] for check in dark if check["id"] != "join.address"} <= {"unknown", "failed"}
    assert len(dark) == 9 * HOLES
    assert result["healthy"] is False
    assert {check["verdict"] for check in result["checks"] if check["site"] in ("hub", "edge")} == {"ok"}
    # one after the other they would cost ten deadlines; a busy machine gets some room
    assert seconds < HOLES / 2 * world.timeout
