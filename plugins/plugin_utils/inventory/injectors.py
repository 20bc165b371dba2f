# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sites that inject by themselves (`edge_mesh_local_injector`), judged (used by the site model).

Pure: a site's entry in, problems out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.gateway_only import is_gateway_only
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["bad_injector"]


def bad_injector(site: Mapping[str, Any]) -> list[Problem]:
    """Why the site can't have an injector of its own."""
    if not site["local_injector"]:
        return []
    wrong = []
    if site["role"] == "primary":
        wrong.append("edge_mesh_local_injector is for edges; a primary's own istiod injects there")
    if is_gateway_only(site):
        wrong.append("edge_mesh_local_injector brings sidecars, and a site with edge_mesh_mode: gateway_only has none")
    return [Problem(site["name"], message) for message in wrong]
