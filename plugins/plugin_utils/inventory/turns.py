# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which plays of a run have work at a site (used by the action `edge.mesh.sites`).

A play without hosts costs nothing, and one with a host costs a worker for each of its tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

__all__ = ["of_sites", "wan_note"]


def of_sites(model: Mapping[str, Any], playing: Collection[str]) -> list[dict[str, Any]]:
    """``{site, host, groups}`` of each chosen site whose host plays; ``groups`` are those that plays name."""
    found = []
    for name in model["chosen"]:
        site = model["sites"][name]
        if site["host"] in playing:
            found.append({"site": name, "host": site["host"], "groups": _groups(model, site)})
    return found


def wan_note(state_dir: str, site: str) -> Path:
    """The file whose being there says that a run gave the site WAN links, which the inventory may name no more."""
    return Path(state_dir, f"wan-links-{site}")


def _groups(model: Mapping[str, Any], site: Mapping[str, Any]) -> list[str]:
    primary = site["role"] == "primary"
    wanted = {
        f"run_{site['role']}": True,
        "run_exports": model["exports"],
        "run_peers": len(model["primaries"]) > 1,
        "run_apps": model["mesh"]["sample_apps"] or site["mode"] == "gateway_only" or primary,
        "run_wan": site["wan_links"] or wan_note(model["mesh"]["state_dir"], site["name"]).exists(),
        "run_judged": primary or site["provider"] != "kind" or site["mode"] == "gateway_only" or _seen_from_all(model),
    }
    return [group for group, has_work in wanted.items() if has_work]


def _seen_from_all(model: Mapping[str, Any]) -> bool:
    """Whether something of the inventory is judged that concerns all sites."""
    return bool(model["traffic"]["foreign"] or model["exports"] or model["wan"])
