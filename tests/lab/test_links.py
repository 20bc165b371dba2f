# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites behind bad links, in one run: the slow ones are done, the dead ones cost one deadline, and reasons are right.

The mesh's own edges are reached over a second of latency and over 64 kbit/s. Other names stand for sites that are
broken in all the ways that a site at the end of a bad line is; they never come further than the first look.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.lab.lab import EDGES, MESH, NAMES, PRIMARY, SITES, Lab, Played, write_inventory
from tests.lab.wan import Link, Quality
from tests.unit.plugins.module_utils._k8s.conftest import Pki, make_pki
from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply

LATE, SLOW = EDGES
PAGE = b"<html><body><h1>500 Internal Server Error</h1></body></html>"


@dataclass(frozen=True)
class Broken:
    """A site by its name: what becomes of it, and words of the reason."""

    result: str
    words: tuple[str, ...]


BROKEN = {
    "mute": Broken("unreachable", ("didn't answer in time",)),
    "torn": Broken("unreachable", ("closed the connection", "reset", "broke off")),
    "closed": Broken("unreachable", ("refuses connections",)),
    "nameless": Broken("unreachable", ("can't be resolved",)),
    "impostor": Broken("failed", ("isn't for this name",)),
    "denied": Broken("failed", ("failed with 401",)),
    "barred": Broken("failed", ("failed with 403",)),
    "paged": Broken("failed", ("failed with 500", "a web page")),
}


class Ground:
    """The kubeconfigs of all these sites, and what they lead to."""

    def __init__(self, lab: Lab, directory: Path, stack: ExitStack, pki: Pki) -> None:
        self.lab = lab
        self.directory = directory
        self.stack = stack
        self.pki = pki
        self.links: dict[str, Link] = {}

    def original(self, site: str) -> tuple[dict[str, Any], str, int]:
        """A site's kubeconfig, and where its API is."""
        document: dict[str, Any] = yaml.safe_load(self.lab.kubeconfig(site).read_text())
        server = urlsplit(document["clusters"][0]["cluster"]["server"])
        assert server.hostname
        assert server.port
        return document, server.hostname, server.port

    def link(self, name: str, site: str, quality: Quality) -> str:
        """The kubeconfig of a site behind such a link."""
        document, host, port = self.original(site)
        self.links[name] = self.stack.enter_context(Link(host, port, quality))
        return self.write(name, document, f"https://127.0.0.1:{self.links[name].port}")

    def write(self, name: str, document: dict[str, Any], server: str, user: Any = None, **cluster: Any) -> str:
        changed = copy.deepcopy(document)
        changed["clusters"][0]["cluster"].update(server=server, **cluster)
        if user is not None:
            changed["users"][0]["user"] = user
        path = self.directory / f"{name}.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(changed))
        return str(path)

    def broken(self) -> dict[str, str]:
        """The kubeconfig of each broken site, by name."""
        document, host, port = self.original(LATE)
        here = f"https://{host}:{port}"
        server = Server(
            lambda handler, _raw: reply(handler, 500, PAGE, [("Content-Type", "text/html")]),
            certificate=self.certificate(),
        )
        self.stack.callback(server.close)
        barred = json.loads(self.lab.kubectl(LATE, "create", "token", "default", "-n", "default", "-o", "json"))
        return {
            "mute": self.link("mute", LATE, Quality(mute=True)),
            "torn": self.link("torn", LATE, Quality(reset_after=3000)),
            "closed": self.write("closed", document, "https://127.0.0.1:1"),
            "nameless": self.write("nameless", document, "https://nowhere.invalid:6443"),
            "impostor": self.write("impostor", document, here, **{"tls-server-name": "impostor.example"}),
            "denied": self.write("denied", document, here, {"token": "nobodys-token"}),
            "barred": self.write("barred", document, here, {"token": barred["status"]["token"]}),
            "paged": self.write(
                "paged", document, server.url, {"token": "t"}, **{"certificate-authority-data": encoded(self.pki.ca)}
            ),
        }

    def certificate(self) -> str:
        path = self.directory / "server.pem"
        path.touch(mode=0o600)
        path.write_text(self.pki.server)
        return str(path)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def ground(lab: Lab, second_run: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    assert second_run.rc == 0
    directory = tmp_path_factory.mktemp("links")
    with ExitStack() as stack:
        yield Ground(lab, directory, stack, make_pki(directory))


@pytest.fixture(scope="module")
def run(lab: Lab, ground: Ground) -> Played:
    """One run of site.yml over the mesh behind its links, with the broken sites beside it."""
    known = {
        PRIMARY: str(lab.kubeconfig(PRIMARY)),
        LATE: ground.link(LATE, LATE, Quality(delay=0.5)),
        SLOW: ground.link(SLOW, SLOW, Quality(rate=64_000)),
    }
    sites: dict[str, dict[str, Any]] = {}
    for site in SITES:
        sites[site.name] = {
            "edge_mesh_kubeconfig": known[site.name],
            "edge_mesh_gateway_addresses": [lab.address(site.name)],
            "sample_apps_helloworld_version": site.version,
        }
    for name, path in ground.broken().items():
        address = {"edge_mesh_api_server": "https://192.0.2.9:6443", "edge_mesh_gateway_addresses": ["192.0.2.9"]}
        sites[name] = {"edge_mesh_kubeconfig": path, **address}
    common = {
        "edge_mesh_provider": "existing", "edge_mesh_sample_apps": True, "edge_mesh_state_dir": str(lab.state),
    }  # fmt: skip
    write_inventory(ground.directory, MESH, sites, (PRIMARY,), common)
    return Lab(ground.directory).play("site.yml")


def rows(lab: Lab) -> dict[str, dict[str, Any]]:
    return {row["site"]: row for row in lab.report("run")["results"]}


def test_slow_sites_are_done_and_nothing_changes_at_them(lab: Lab, ground: Ground, run: Played) -> None:
    found = rows(lab)
    assert {name: found[name]["result"] for name in NAMES} == dict.fromkeys(NAMES, "done"), run.output[-6000:]
    for name in (LATE, SLOW):
        assert run.hosts[f"{name}-machine"]["changed"] == 0
        assert ground.links[name].carried > 10_000


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_site_says_what_is_wrong_with_it(lab: Lab, run: Played, name: str) -> None:
    row = rows(lab)[name]
    assert row["step"] == "preflight"
    assert row["result"] == BROKEN[name].result, row
    assert any(words in row["reason"] for words in BROKEN[name].words), row


def test_the_reasons_differ(lab: Lab, run: Played) -> None:
    found = rows(lab)
    reasons = [found[name]["reason"].split(": ", 1)[-1] for name in BROKEN]
    assert len(set(reasons)) == len(BROKEN)


def test_a_broken_site_costs_one_task(run: Played) -> None:
    assert run.rc == 2
    for name in BROKEN:
        counts = run.hosts[f"{name}-machine"]
        assert (counts["rescued"], counts["failed"], counts["changed"]) == (1, 1, 0)
