#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_manifest
short_description: Render Istio's objects with istioctl
version_added: 0.1.0
description:
  - Returns what C(istioctl manifest generate) makes of an IstioOperator; nothing is applied.
  - The same istioctl is asked for the same input once. Its answer is kept below the cache directory, and goes when it
    wasn't asked for in 14 days.
  - Runs on the controller and connects to nothing.
author: edge.mesh contributors (@edge-mesh)
options:
  istioctl:
    description: Path of istioctl.
    type: path
    required: true
  values:
    description: The IstioOperator, as YAML text.
    type: str
    required: true
  cache_dir:
    description: The cache's directory; E(EDGE_MESH_CACHE), or C(edge-mesh) in the user's cache directory unless given.
    type: path
    default: ""
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Render what a remote site gets of Istio
  edge.mesh.istio_manifest:
    istioctl: /usr/local/bin/istioctl
    values: "{{ lookup('ansible.builtin.template', 'istio.yml.j2') }}"
  register: rendered
"""

RETURN = r"""
manifest:
  description: The objects, a List in JSON, which is YAML too.
  returned: success
  type: str
  sample: '{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}}]}'
kept:
  description: Whether they were rendered by an earlier task and kept.
  returned: success
  type: bool
  sample: true
"""
