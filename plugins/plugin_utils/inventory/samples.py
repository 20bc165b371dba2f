# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the parts of the sample applications run (used by the site model).

Pure. A part is ``<app>-<version>``; a site lists those that run there in ``edge_mesh_sample_parts``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.shares import Instance

__all__ = ["NAMESPACE", "PARTS", "PROBES", "bad_parts", "instances", "services"]

NAMESPACE = "sample"
PROBES = "edge-mesh-verify"  # where `verify` brings helloworld if there are no sample apps
PARTS = (
    "productpage-v1", "details-v1", "ratings-v1", "reviews-v1", "reviews-v2", "reviews-v3", "stock-v1", "stock-v2",
)  # fmt: skip
# What a part calls: without it somewhere in the mesh, it can't do its work.
_CALLS = {
    "productpage-v1": ("details", "reviews"), "reviews-v2": ("ratings",), "reviews-v3": ("ratings",),
}  # fmt: skip


def bad_parts(sites: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Parts that there are none of, that a site lists twice, and that call what runs nowhere."""
    problems = []
    apps = {_app(part) for site in sites.values() for part in _listed(site)}
    for name, site in sites.items():
        for part in dict.fromkeys(_listed(site)):
            if part not in PARTS:
                near = difflib.get_close_matches(part, PARTS, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(PARTS)}"
                problems.append(Problem(name, f"edge_mesh_sample_parts holds {part!r}{hint}"))
                continue
            if _listed(site).count(part) > 1:
                problems.append(Problem(name, f"edge_mesh_sample_parts lists {part} twice"))
            missing = [app for app in _CALLS.get(part, ()) if app not in apps]
            if missing:
                message = f"edge_mesh_sample_parts lists {part}, which calls {' and '.join(missing)}; no site runs that"
                problems.append(Problem(name, message))
    return problems


def services(sites: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The apps of which a part runs anywhere: every site gets their Services, so that their names resolve."""
    found = {_app(part) for site in sites.values() for part in _listed(site)}
    return list(dict.fromkeys(_app(part) for part in PARTS if _app(part) in found))


def instances(sites: Mapping[str, Mapping[str, Any]], app: str) -> list[Instance]:
    """The instances of an app, by site and version."""
    return [
        Instance(name, part.rpartition("-")[2])
        for name, site in sites.items()
        for part in dict.fromkeys(_listed(site))
        if _app(part) == app
    ]


def _listed(site: Mapping[str, Any]) -> list[str]:
    parts = site.get("sample_parts")
    return [str(part) for part in parts] if isinstance(parts, list) else []


def _app(part: str) -> str:
    return part.rpartition("-")[0]
