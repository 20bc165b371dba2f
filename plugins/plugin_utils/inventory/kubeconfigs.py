# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kubeconfigs that people bring, judged before anything is touched (used by the action `edge.mesh.sites`).

Reads files on the controller and connects to nothing. Providers that write their sites' kubeconfigs answer for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["bad_kubeconfigs"]


def bad_kubeconfigs(model: Mapping[str, Any], hosts: Iterable[str]) -> list[Problem]:
    """The problems of the kubeconfigs of the sites of ``hosts`` and of their primaries, one per site at most.

    ``model`` is the site model; it may have problems of its own, and then lack a primary.
    """
    playing = set(hosts)
    sites = model["sites"]
    wanted = {name for name, site in sites.items() if playing & set(site["hosts"])}
    wanted |= {sites[name]["primary"] for name in wanted}
    problems = []
    for name, site in sites.items():
        if name not in wanted or site["provider"] != "existing":
            continue
        try:
            kubeconfig.load(site["kubeconfig"], site["context"])
        except MeshError as error:
            hint = "set edge_mesh_kubeconfig to a kubeconfig that this site can be reached with"
            problems.append(Problem(name, error.message if error.hint else f"{error.message} ({hint})"))
    return problems
