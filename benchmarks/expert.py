# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How somebody who has done it often joins a site to a mesh: helm, istioctl and kubectl (used by `benchmarks.join`).

Every file is ready, and nothing is checked beyond what has to be waited for. One expert writes a script of one command
after the other; the other one has what doesn't depend on one another run at the same time. helm is built from its
pinned Go module; the charts are those of Istio's own, at the lab's version.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import ENVIRONMENT
from benchmarks import go_tools
from benchmarks.playbook import ROOT
from benchmarks.xds_health import Lab, said

__all__ = ["Expert", "missing"]

HELM = go_tools.CACHE / "helm"
_SYSTEM = "istio-system"
_ISTIO = ROOT / "roles/artifacts/files/go/istio"
_WEBHOOK = "mutatingwebhookconfiguration/istio-sidecar-injector"
_CHARTS = {"istio-base": "base", "istiod": "istio-control/istio-discovery"}
_GATEWAYS = {"istio-eastwestgateway": "eastwestgateway", "istio-ingressgateway": "ingressgateway"}
_PATIENCE = 120.0

Json = dict[str, Any]


def missing() -> str | None:
    """Why there is no helm, or nothing."""
    return go_tools.missing("helm", "helm.sh/helm/v3/cmd/helm")


def charts() -> Path:
    """Where Istio's own charts are, in its Go module at the version that the lab's programs are built from."""
    done = subprocess.run(
        ["go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", "istio.io/istio"], cwd=_ISTIO, capture_output=True,
        env={**os.environ, **ENVIRONMENT}, text=True, check=True,
    )  # fmt: skip
    return Path(done.stdout.strip()) / "manifests/charts"


class Expert:
    """One site that is joined, and taken out again; ``directory`` holds the files, ``site`` has a running cluster.

    ``side_by_side`` tells the expert whose commands run at the same time where they can.
    """

    def __init__(self, lab: Lab, site: str, directory: Path, *, side_by_side: bool) -> None:
        self._lab = lab
        self._workers = 3 if side_by_side else 1
        self._site = site
        self._directory = directory

    def prepare(self) -> None:
        """Write the values, and learn the addresses; the mesh must let the site reach its istiod already."""
        self._charts = charts()
        self._address = self._lab.address(self._site)
        gateway = json.loads(self._at_primary("get", "-n", _SYSTEM, "service", "istiod-gateway", "-o", "json"))
        self._sources = {"spec": {"loadBalancerSourceRanges": gateway["spec"]["loadBalancerSourceRanges"]}}
        network = f"net-{self._site}"
        self._write("istio-base.yaml", {"profile": "remote"})
        self._write(
            "istiod.yaml",
            {
                "profile": "remote",
                "global": {
                    "meshID": "mesh1", "network": network, "multiCluster": {"clusterName": self._site},
                    "remotePilotAddress": self._lab.istiod,
                },
                "istiodRemote": {"injectionPath": f"/inject/cluster/{self._site}/net/{network}"},
            },
        )  # fmt: skip
        for release, istio in _GATEWAYS.items():
            values: Json = {
                "labels": {"app": release, "istio": istio}, "autoscaling": {"enabled": False},
                "imagePullPolicy": "IfNotPresent",
                # the chart's own has a period of 15 s, which would be waited for
                "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}, "periodSeconds": 1},
            }  # fmt: skip
            if istio == "eastwestgateway":
                values |= {
                    "networkGateway": network,
                    "networkGatewayPorts": {"tls": {"port": 15443, "targetPort": 15443}},
                }
            self._write(f"{release}.yaml", values)

    def join(self) -> None:
        """Join, or see that nothing has to be done."""
        metadata = {
            "name": _SYSTEM,
            "labels": {"topology.istio.io/network": f"net-{self._site}"},
            # without it no istiod of another cluster cares for the site
            "annotations": {"topology.istio.io/controlPlaneClusters": self._lab.primary},
        }
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self._together(
            lambda: self._helm("istio-base", self._charts / _CHARTS["istio-base"]),
            lambda: self._helm("istiod", self._charts / _CHARTS["istiod"]),
            self._register,
        )
        # without its CA bundle nothing is injected, and a gateway's image is none
        self._await(lambda: bool(self._here("get", _WEBHOOK, "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}")))
        self._together(*(lambda release=release: self._gateway(release) for release in _GATEWAYS))

    def undo(self) -> None:
        """Take away what :meth:`join` has made; what istiod wrote goes with the namespace."""
        self._at_primary("delete", "-n", _SYSTEM, "secret", f"istio-remote-secret-{self._site}", "--ignore-not-found")
        for release in (*_GATEWAYS, *reversed(_CHARTS)):
            said([str(HELM), "uninstall", release, *self._where(), "--ignore-not-found", "--wait"])
        listed = self._here("get", "crd", "-o", "name").split()
        ours = [name for name in listed if name.endswith(".istio.io")]
        self._here("delete", "--ignore-not-found", f"namespace/{_SYSTEM}", *ours)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        """Let the site reach istiod, and give istiod a credential for the site; the account is made by a chart."""
        self._at_primary(
            "patch", "-n", _SYSTEM, "service", "istiod-gateway", "--type=merge", "-p", json.dumps(self._sources)
        )
        self._await(lambda: bool(self._here("get", "-n", _SYSTEM, "serviceaccount", "istio-reader-service-account",
                                            "--ignore-not-found", "-o", "name")))  # fmt: skip
        secret = said(
            [str(ROOT / ".venv/bin/istioctl"), "create-remote-secret", "--kubeconfig", self._lab.kubeconfig(self._site),
             "--name", self._site, "--server", f"https://{self._address}:6443"]
        )  # fmt: skip
        self._at_primary("apply", "-f", "-", stdin=secret)

    def _gateway(self, release: str) -> None:
        self._helm(release, self._charts / "gateway")
        published = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": self._address}]}}})
        self._here("patch", "-n", _SYSTEM, "service", release, "--subresource=status", "--type=merge", "-p", published)
        self._here("rollout", "status", "-n", _SYSTEM, f"deployment/{release}", "--timeout=120s")

    def _helm(self, release: str, chart: Path) -> None:
        values = self._directory / f"{release}.yaml"
        said([str(HELM), "upgrade", "--install", release, str(chart), *self._where(), "--values", str(values)])

    # -- tools ---------------------------------------------------------------------------------------------------------

    def _where(self) -> tuple[str, ...]:
        return "--namespace", _SYSTEM, "--kubeconfig", self._lab.kubeconfig(self._site)

    def _write(self, name: str, values: Json) -> None:
        (self._directory / name).write_text(yaml.safe_dump(values), encoding="utf-8")

    def _apply(self, item: Json) -> None:
        self._here("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump(item))

    def _here(self, *words: str, stdin: str | None = None) -> str:
        return self._lab.kubectl(self._site, *words, stdin=stdin)

    def _at_primary(self, *words: str, stdin: str | None = None) -> str:
        return self._lab.kubectl(self._lab.primary, *words, stdin=stdin)

    def _together(self, *steps: Callable[[], None]) -> None:
        with ThreadPoolExecutor(self._workers) as pool:
            for done in [pool.submit(step) for step in steps]:
                done.result()

    @staticmethod
    def _await(check: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not check():
            if time.monotonic() > end:
                raise RuntimeError("istiod hasn't done its part at the site")
            time.sleep(0.2)
