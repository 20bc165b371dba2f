# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.held_back`: why a site's wave must not begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import waves

DOCUMENTATION = r"""
name: held_back
short_description: Why a site's wave must not begin
version_added: 0.1.0
description:
  - Takes the waves of a run and gives the reason why a site's own wave must not begin, or an empty string. It must not
    if more sites failed in an earlier wave than were allowed there.
author: edge.mesh contributors (@edge-mesh)
positional: site, failed
options:
  _input:
    description: Waves as the filter P(edge.mesh.waves#filter) gives them.
    type: list
    elements: dict
    required: true
  site:
    description: Name of the site.
    type: str
    required: true
  failed:
    description: Names of the sites that failed so far.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say why north has to wait
  ansible.builtin.debug:
    msg: >-
      {{ [{'number': 1, 'sites': ['south'], 'allowed': 0}, {'number': 2, 'sites': ['north'], 'allowed': 0}]
         | edge.mesh.held_back('north', ['south']) }}
"""

RETURN = r"""
_value:
  description: The reason, or an empty string.
  type: str
  sample: south failed in wave 1, where none may
"""


def held_back(given: Iterable[Mapping[str, Any]], site: str, failed: Sequence[str]) -> str:
    """The reason, or an empty string; a site that is in no wave isn't held back."""
    found = waves.from_dicts(given)
    number = next((wave.number for wave in found if site in wave.sites), 0)
    return waves.held_back(number, found, failed)


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"held_back": held_back}
