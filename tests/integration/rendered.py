# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a remote site gets of Istio: what istioctl renders, asked for as the role ``site_enrollment`` does."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.integration.control_plane import programs

__all__ = ["namespace", "remote_site"]


def remote_site(site: str = "shop", *, reader: bool = False) -> str:
    """YAML of all objects of a remote site but the namespace; ``reader`` adds the chart's own reader of the site."""
    network = f"net-{site}"
    values = {
        "defaultRevision": "",
        "global": {
            "meshID": "mesh1",
            "network": network,
            "multiCluster": {"clusterName": site},
            "remotePilotAddress": "192.0.2.1",
            "enableReaderRBAC": reader,
        },
        "istiodRemote": {"injectionPath": f"/inject/cluster/{site}/net/{network}"},
    }
    operator: dict[str, Any] = {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "spec": {"profile": "remote", "values": values},
    }
    istioctl = programs("istioctl")["istioctl"]
    done = subprocess.run(
        [istioctl, "manifest", "generate", "--filename", "-"], input=json.dumps(operator), text=True,
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


def namespace(site: str = "shop", primary: str = "centre") -> dict[str, Any]:
    """The system namespace of that site."""
    metadata = {
        "name": "istio-system",
        "labels": {"topology.istio.io/network": f"net-{site}"},
        "annotations": {"topology.istio.io/controlPlaneClusters": primary},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
