# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run's limit makes of sites with several machines (used by the action `edge.mesh.sites`).

Pure: the site model and the play's hosts in, problems out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["cut_sites"]


def cut_sites(model: Mapping[str, Any], playing: Collection[str]) -> list[Problem]:
    """The sites that a limit names by some of their machines only, and not by the first, which stands for the site.

    Nothing would be done there, and nobody would be told. A worker's slice may cut through a site: the worker that has
    its first machine works on it.
    """
    if model["mesh"]["slice"]:
        return []
    problems = []
    for name, site in model["sites"].items():
        named = [host for host in site["hosts"] if host in playing]
        if named and site["host"] not in playing:
            message = f"the run's limit names {', '.join(named)} of it, and a site is worked on as a whole"
            cure = f"use --limit {site['group']}, or leave it out with '!{site['group']}'"
            problems.append(Problem(name, f"{message}; {cure}"))
    return problems
