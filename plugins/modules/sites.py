#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: sites
short_description: Read the sites of a mesh from the inventory and check them
version_added: 0.1.0
description:
  - Reads the groups C(mesh_primary), C(mesh_edge) and C(site_<name>) with the C(edge_mesh_*) variables of their hosts.
  - Fails with every problem of the inventory, a line each, before anything is touched.
  - Runs on the controller and connects to nothing.
author: edge.mesh contributors (@edge-mesh)
options:
  kubeconfigs:
    description:
      - Also judge the kubeconfigs of the play's sites with provider C(existing), and of their primaries. They are read,
        nothing in them is used.
    type: bool
    default: false
  resume:
    description:
      - With C(edge_mesh_only=failed), choose only the sites that the runs before have left, as C(reports/run.json)
        names them. Fails if that can't be known.
    type: bool
    default: false
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Read the inventory
  edge.mesh.sites:
  register: inventory
  run_once: true
"""

RETURN = r"""
mesh:
  description: The values of the whole mesh.
  returned: success
  type: dict
  sample: {"id": "mesh1", "mtls": "strict"}
sites:
  description: Every site by name.
  returned: success
  type: dict
  sample: {"centre": {"role": "primary"}, "shop-1": {"role": "edge", "primary": "centre"}}
primaries:
  description: Names of the sites that run istiod.
  returned: success
  type: list
  elements: str
  sample: [centre]
edges:
  description: Names of the others.
  returned: success
  type: list
  elements: str
  sample: [shop-1]
chosen:
  description: Names of the sites to work on.
  returned: success
  type: list
  elements: str
  sample: [shop-1]
turns:
  description:
    - The sites to work on whose host the play has, each with the C(groups) of hosts whose plays have work there.
  returned: success
  type: list
  elements: dict
  sample: [{site: shop-1, host: shop1, groups: [run_edge]}]
traffic:
  description: What runs on the mesh, and what its traffic must look like.
  returned: success
  type: dict
  sample: {"services": [], "foreign": []}
exports:
  description: Whether any site says what it shows to others.
  returned: success
  type: bool
  sample: false
wan:
  description: Whether any site has WAN links.
  returned: success
  type: bool
  sample: false
"""
