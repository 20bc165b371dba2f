# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.k3s_plan`: what is to be done at a K3s site's machines, and what forbids it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._pki.durations import parse_duration
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import looked_of, site_of
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.plan import plan

DOCUMENTATION = r"""
name: k3s_plan
short_description: What is to be done at a K3s site's machines
version_added: 0.1.0
description:
  - Takes what came of looking at each machine, compares it with what is wanted, and gives the work machine by machine,
    with a reason for each step, in the order in which it has to be done.
author: edge.mesh contributors (@edge-mesh)
positional: site
options:
  _input:
    description: The results of M(edge.mesh.k3s_machine_info) in a loop over the hosts.
    type: list
    elements: dict
    required: true
  site:
    description:
      - The C(name), C(mesh), C(machines) and C(settings) of the site, C(units) with the text of a systemd unit for each
        role, and the C(release) and C(images) of M(edge.mesh.k3s_release). With C(renew_before), certificates that end
        within that time are due.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be done
  ansible.builtin.debug:
    msg: "{{ (machines.results | edge.mesh.k3s_plan(site)).machines | map(attribute='todo') }}"
"""

RETURN = r"""
_value:
  description:
    - C(findings) that forbid everything and C(warnings), each a line; the C(lost) machines with the reason; the
      C(seed), the server that the others join; the C(api) as others reach it; the servers that are C(cold), to be
      started together; and the C(machines) in order.
  type: dict
  sample: {"findings": [], "warnings": [], "lost": {}, "seed": "a", "api": "https://192.0.2.11:6443", "cold": [],
    "machines": []}
"""


def k3s_plan(results: Sequence[Mapping[str, Any]], site: Mapping[str, Any]) -> dict[str, Any]:
    """The plan; raises KeyError for a site that isn't complete."""
    wanted = dict(site)
    if site.get("renew_before"):
        end = datetime.now(UTC) + parse_duration(site["renew_before"], "renew_before")
        wanted["renew_until"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    return plan(site_of(wanted), looked_of(results, time.time()))


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"k3s_plan": k3s_plan}
