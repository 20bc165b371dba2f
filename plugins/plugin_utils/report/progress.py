# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run's variables say of each site, as `steps.rows` takes it (used by the action `edge.mesh.report`).

Read in Python and not by a template: it is asked for at every step, and a template is compiled anew by every worker.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["sites_of"]

Json = Mapping[str, Any]

# What the roles register of the modules that change something.
_REGISTERED = (
    "__site_cluster_made",
    "__mesh_trust_made",
    "__mesh_trust_published",
    "__control_plane_applied",
    "__control_plane_mesh",
    "__site_enrollment_injector",
    "__site_enrollment_injector_removed",
    "__site_enrollment_applied",
    "__site_enrollment_secret",
    "__site_enrollment_renewed",
    "__site_enrollment_peers",
    "__edge_gateway_let_in",
    "__edge_gateway_applied",
    "__sample_apps_applied",
    "__gateway_only_removed",
    "__gateway_only_applied",
    "__gateway_only_routed",
    "__traffic_routes_applied",
    "__site_exports_shown",
    "__site_exports_hidden",
    "__wan_association_node",
    "__wan_association_machines",
    "__wan_association_mesh",
)


def sites_of(
    model: Json, known: Mapping[str, Json], at: str, hosts: Collection[str], playing: Collection[str]
) -> list[dict[str, Any]]:
    """A dict for each site whose host is in ``known``, the variables of the run's hosts, untemplated.

    ``at`` is the step that begins now for ``hosts``, empty at the run's end. Ansible drops a host past every rescue;
    only the last play has all of them, so only there it tells something that a host isn't in ``playing``.
    """
    last = "sample apps" if model["mesh"]["sample_apps"] else "WAN links" if model["wan"] else ""
    found = []
    for site in model["sites"].values():
        host = site["host"]
        if host not in known:
            continue
        variables = known[host]
        begins = host in hosts
        waits = (
            site["role"] == "edge" and at in ("trust", "enrolment")
            and not begins and not variables.get("__edge_mesh_joined", False)
        )  # fmt: skip
        found.append(
            {
                "site": site["name"],
                "role": site["role"],
                "gateway_only": site["mode"] == "gateway_only",
                "at": "enrolment" if waits else at if begins or not at else last,
                "begun": begins,
                "failed": variables.get("__edge_mesh_failed", {}),
                "dropped": not at and host not in playing,
                "known": variables.get("site_cluster_facts", {}).get("known", True),
                "results": [each for name in _REGISTERED for each in _results(variables.get(name))],
            }
        )
    return found


def _results(registered: Json | None) -> list[Json]:
    """What a task registered, or each item of its loop."""
    if registered is None:
        return []
    return list(registered.get("results", [registered]))
