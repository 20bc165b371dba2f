# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh of two: a primary and one edge, which has sidecars first and gateways only afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.lab import VENV, Lab, write_inventory

MESH, PRIMARY, EDGE = "brine", "pier", "isle"
SITES = (PRIMARY, EDGE)
EAST_WEST = "spiffe://cluster.local/ns/istio-system/sa/istio-eastwestgateway"
EGRESS = "spiffe://cluster.local/ns/istio-system/sa/istio-egressgateway"
HELLO, HELLO_MESH = "http://helloworld.sample:5000", "http://helloworld-mesh.sample:5000"


def node(site: str) -> str:
    """The container that is a site's node."""
    return f"{MESH}-{site}-control-plane"


@dataclass(frozen=True)
class Called:
    """What one call brought: the body and the status, 0 if there was none."""

    status: int
    body: str

    @property
    def site(self) -> str:
        """The site that answered; empty if none did."""
        return self.body.partition("site=")[2].partition(" ")[0]

    @property
    def peer(self) -> str:
        """What the callee was told of both sides of mutual TLS; empty if nothing."""
        return str(json.loads(self.body)["x-forwarded-client-cert"] or "")


@dataclass(frozen=True)
class Pair(Lab):
    """The two sites, and calls between them."""

    def describe(self, mode: str, **more: Any) -> None:
        """Write the inventory with the edge in ``mode`` and further variables of its own."""
        common = {"edge_mesh_provider": "kind", "edge_mesh_sample_apps": True}
        write_inventory(self.inventory, MESH, {PRIMARY: {}, EDGE: {"edge_mesh_mode": mode, **more}}, (PRIMARY,), common)

    def call(self, site: str, url: str, *options: str, namespace: str = "sample", seconds: int = 5) -> Called:
        """One call from the pod of `sleep`."""
        command = ["curl", "-sS", "--max-time", str(seconds), "-w", "\n%{http_code}", *options, url]
        where = ("exec", "-n", namespace, "deploy/sleep", "-c", "sleep", "--")
        done = subprocess.run(
            [str(VENV / "bin/kubectl"), "--kubeconfig", str(self.kubeconfig(site)), *where, *command],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        body, _newline, status = done.stdout.rpartition("\n")
        return Called(int(status) if status.isdigit() else 0, body or done.stderr)

    def answers(self, site: str, url: str, calls: int = 12) -> list[Called]:
        """Calls one after the other."""
        return [self.call(site, url) for _index in range(calls)]

    def apply(self, site: str, *objects: Mapping[str, Any]) -> None:
        """Apply objects as their owner does: with kubectl."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl(site, "apply", "-f", "-", stdin=json.dumps(items))

    def image(self, site: str, app: str) -> str:
        """The image of a sample app."""
        return self.kubectl(
            site, "get", "-n", "sample", "deploy", app, "-o", "jsonpath={.spec.template.spec.containers[0].image}"
        )

    def records(self, check: str, site: str = "", peer: str = "") -> list[dict[str, Any]]:
        """Records of the last verify."""
        return [
            each for each in self.verified()["checks"]
            if each["id"] == check and site in ("", each["site"]) and peer in ("", each["peer"])
        ]  # fmt: skip
