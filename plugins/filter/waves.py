# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.waves`: sites cut into batches that are rolled out one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.waves import as_dicts, cut

DOCUMENTATION = r"""
name: waves
short_description: Sites cut into batches that are rolled out one after the other
version_added: 0.1.0
description:
  - Takes sites and gives the waves in which a run joins them, each with the number of sites of it that may fail before
    the next wave isn't begun.
author: edge.mesh contributors (@edge-mesh)
positional: waves, max_failed
options:
  _input:
    description: The sites, each with its C(name) and its C(priority); lower priorities come first.
    type: list
    elements: dict
    required: true
  waves:
    description: Sizes as numbers or as percentages of all sites, rounded up. The last one repeats.
    type: list
    elements: raw
    required: true
  max_failed:
    description: Failures allowed in each wave as numbers or as percentages of it, rounded down. The last one repeats.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Show a canary and the rest
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'north', 'priority': 100}, {'name': 'south', 'priority': 1}] | edge.mesh.waves([1, '100%'], [0]) }}
"""

RETURN = r"""
_value:
  description: The waves, each with its C(number) from 1, its C(sites) by name, and how many failures are C(allowed).
  type: list
  elements: dict
  sample:
    - {number: 1, sites: [south], allowed: 0}
    - {number: 2, sites: [north], allowed: 0}
"""


def waves(sites: Iterable[Mapping[str, Any]], waves: Sequence[Any], max_failed: Sequence[Any]) -> list[dict[str, Any]]:
    """The waves of these sites; raises ValueError for an entry that is neither a number nor a percentage."""
    return as_dicts(cut([(site["name"], int(site["priority"])) for site in sites], waves, max_failed))


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"waves": waves}
