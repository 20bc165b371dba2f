# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.gateway_only_problems`: Services that a gateway-only site can't show, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import Shown

DOCUMENTATION = r"""
name: gateway_only_problems
short_description: What is wrong with the Services that a gateway-only site shows to the mesh
version_added: 0.1.0
description:
  - Compares what a site shows, as the action M(edge.mesh.sites) has it, with the Services that are there.
author: edge.mesh contributors (@edge-mesh)
positional: specs
options:
  _input:
    description: What the site shows.
    type: list
    elements: dict
    required: true
  specs:
    description: The Services, as C(specs) of M(edge.mesh.service_info) has them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop if a Service can't be shown
  ansible.builtin.assert:
    that: shown | edge.mesh.gateway_only_problems(services.sites.shop.specs) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each problem.
  type: list
  elements: str
  sample: ["till.shop: there is no such Service; deploy it and run again"]
"""


def gateway_only_problems(shown: Iterable[Mapping[str, Any]], specs: Mapping[str, Any]) -> list[str]:
    """The problems."""
    return gateway_only.problems([Shown(**entry) for entry in shown], specs)


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"gateway_only_problems": gateway_only_problems}
