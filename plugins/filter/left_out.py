# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.left_out`: which sites must not begin, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import waves

DOCUMENTATION = r"""
name: left_out
short_description: Which sites must not begin, and why
version_added: 0.1.0
description:
  - Takes sites whose turn has come and gives those that must wait all the same, each with what is recorded of it.
  - An edge site waits if its primary failed. Nothing is wrong with it, so it doesn't count as a failure of its wave.
  - A site waits if more sites failed in an earlier wave than were allowed there.
author: edge.mesh contributors (@edge-mesh)
positional: faults, cut
options:
  _input:
    description: The sites, each with its C(name), C(role) and C(primary).
    type: list
    elements: dict
    required: true
  faults:
    description: What is recorded of the sites that go no further, by name, each with C(stage) and C(result).
    type: dict
    required: true
  cut:
    description: Waves as the filter P(edge.mesh.waves#filter) gives them. Without any, no wave is held back.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Say who waits for a primary
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'north', 'role': 'edge', 'primary': 'centre'}]
         | edge.mesh.left_out({'centre': {'stage': 'trust', 'result': 'failed'}}) }}
"""

RETURN = r"""
_value:
  description: What to record, by the site's name, each with C(stage), C(result) and C(reason).
  type: dict
  sample:
    north:
      stage: its primary
      result: not started
      reason: >-
        its primary centre failed at the stage trust; mend that one and run again, with -e edge_mesh_only=failed for the
        rest alone
"""


def left_out(
    sites: Iterable[Mapping[str, Any]],
    faults: Mapping[str, Mapping[str, Any]],
    cut: Iterable[Mapping[str, Any]] = (),
) -> dict[str, dict[str, str]]:
    """Site -> ``{stage, result, reason}`` of those that must wait; who has a fault itself isn't among them."""
    return waves.left_out(sites, faults, waves.from_dicts(cut))


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"left_out": left_out}
