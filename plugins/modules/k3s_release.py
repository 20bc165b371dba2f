#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_release
short_description: Have a release of K3s on the controller, checked against its published checksums
version_added: 0.1.0
description:
  - Fetches K3s's program, and with O(airgap=true) the archive of its images, for each architecture.
  - Checks them against the file C(sha256sum-<architecture>.txt) of the release. What it says at first is recorded in
    C(artifacts.lock) of the state directory; another content under the same name is refused later.
  - Runs on the controller and connects to no host of the inventory, so machines need no way to the internet.
author: edge.mesh contributors (@edge-mesh)
options:
  version:
    description: K3s's version, as its releases are called.
    type: str
    required: true
  architectures:
    description: V(amd64), V(arm64) or V(arm), as K3s calls them.
    type: list
    elements: str
    default: [amd64]
  url:
    description: Where releases are published, or a mirror with the same paths below it.
    type: str
    default: https://github.com/k3s-io/k3s/releases/download
  directory:
    description: A directory with the files of the release, its checksum files among them. Nothing is fetched then.
    type: path
  airgap:
    description: Whether the archive of K3s's own images is wanted too.
    type: bool
    default: false
  images:
    description: Further archives of images on the controller; they keep their names.
    type: list
    elements: path
    default: []
  archives:
    description: Further archives of images on the controller, by the names that they get.
    type: dict
    default: {}
  state_dir:
    description: State directory of the mesh. It holds C(artifacts.lock).
    type: path
    required: true
  cache_dir:
    description: The cache. Without it C($EDGE_MESH_CACHE), or C(edge-mesh) in the user's cache directory.
    type: path
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Have K3s for two kinds of machines
  edge.mesh.k3s_release:
    version: v1.31.12+k3s1
    architectures: [amd64, arm64]
    state_dir: "{{ inventory_dir }}/.state"
  register: k3s
"""

RETURN = r"""
release:
  description: The program of each architecture. In check mode without what isn't here yet.
  returned: success
  type: dict
  sample: {"amd64": {"path": "/home/me/.cache/edge-mesh/upstream/1f2e/k3s", "sha256": "1f2e"}}
images:
  description: The archives of images, each with the name that it gets at machines.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "images.tar", "path": "/media/images.tar", "sha256": "5d1c"}]
made:
  description: What was fetched.
  returned: success
  type: list
  elements: str
  sample: ["k3s v1.31.12+k3s1 amd64"]
todo:
  description: What isn't here; empty outside check mode.
  returned: success
  type: list
  elements: str
  sample: []
"""
