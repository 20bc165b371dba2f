#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Fetch or build every binary and image that a mesh needs
version_added: 0.1.0
description:
  - Source V(upstream) fetches releases against their publishers' checksum files and pulls images from their registries.
    What came is recorded in C(artifacts.lock); another content under the same name is refused later.
  - Source V(build) makes everything from pinned Go modules, a wheel pinned by hash and Debian packages under apt's
    signatures, in a cache outside the checkout. A key over all inputs decides what has to be made anew.
  - Tells on the terminal which component of how many is being made and for how long. A failure names the build log.
  - Runs on the controller and connects to no host of the inventory.
author: edge.mesh contributors (@edge-mesh)
options:
  state:
    description:
      - V(present) gets what is missing.
      - V(facts) only tells what there is, for the source that an earlier run chose.
      - V(choice) only tells which source and Istio version V(present) would use.
      - V(unloaded) removes the images that were built, and that no container uses, from Docker. The cache stays.
      - V(absent) removes the cache, the images that were built and that no container uses, and the links.
    type: str
    choices: [present, facts, choice, unloaded, absent]
    default: present
  source:
    description:
      - Where artifacts come from.
      - V(auto) keeps what C(artifacts.lock) names. The first time it takes V(upstream) if every publisher answers
        within three seconds, and V(build) if not.
      - V(bundle) isn't there yet.
    type: str
    choices: [auto, upstream, build, bundle]
    default: auto
  istio_version:
    description: Istio version; empty for the pin of the source. V(build) can only make its own.
    type: str
    default: ""
  state_dir:
    description: State directory of the mesh. It holds C(artifacts.lock).
    type: path
    required: true
  bin_dir:
    description: Directory that gets symbolic links to kubectl, istioctl and kind. Without it there are no links.
    type: path
  components:
    description: V(host-only) leaves out the images, for a mesh whose clusters are all there already.
    type: str
    choices: [all, host-only]
    default: all
  archives:
    description: Whether the mesh's images are wanted as files too, for K3s machines; V(build) only.
    type: bool
    default: false
  cache_dir:
    description: The cache. Without it C($EDGE_MESH_CACHE), or C(edge-mesh) in the user's cache directory.
    type: path
  jobs:
    description: Components made at a time; 0 for what the machine's cores suggest.
    type: int
    default: 0
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Get what the mesh needs
  edge.mesh.artifacts:
    state_dir: "{{ inventory_dir }}/.state"
  delegate_to: localhost
  run_once: true
  register: artifacts

- name: Build everything here, and put the programs where the shell finds them
  edge.mesh.artifacts:
    source: build
    state_dir: "{{ inventory_dir }}/.state"
    bin_dir: /usr/local/bin
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
facts:
  description: What the roles of a mesh have to know; empty for O(state=absent).
  returned: success
  type: dict
  contains:
    source:
      description: V(upstream) or V(build).
      type: str
      sample: build
    istio_version:
      description: Istio's version, as istiod says it.
      type: str
      sample: 1.32-dev.eed52ebb66ad
    kubernetes_version:
      description: Version of kubectl and of clusters that are made.
      type: str
      sample: v1.36.3
    kind_version:
      description: Version of kind.
      type: str
      sample: v0.33.0
    binaries:
      description: Paths of kubectl, istioctl and kind; in check mode those of programs to come.
      type: dict
      sample: {"kind": "/home/me/.cache/edge-mesh/components/kind/00269ac17d46/kind"}
    node_image:
      description: Image of a node of a kind cluster.
      type: str
      sample: edge-mesh.local/node:v1.36.3-istio-1.32-dev.eed52ebb66ad-samples-2
    hub:
      description: Where Istio's images are.
      type: str
      sample: edge-mesh.local/istio
    tag:
      description: Tag of Istio's images.
      type: str
      sample: 1.32-dev.eed52ebb66ad
    images:
      description: Names of the images pilot, proxyv2, helloworld, bookinfo and sleep.
      type: dict
      sample: {"sleep": "edge-mesh.local/sample/sleep:2"}
    helloworld_script:
      description: Script that the image helloworld has to be given to run; empty if it is inside.
      type: str
      sample: ""
    bookinfo_script:
      description: The same for the image bookinfo.
      type: str
      sample: ""
    kubernetes_image_repository:
      description: Where kubeadm finds the control plane's images.
      type: str
      sample: edge-mesh.local/kubernetes
    image_archives:
      description: With O(archives=true) and source V(build), archives of images by the names that machines give them.
      type: dict
      sample: {}
    istio_env:
      description: Environment that istiod needs with these artifacts.
      type: dict
      sample: {"PILOT_ENABLE_ALPN_FILTER": "false"}
    istio_values:
      description: Helm values that Istio needs with these artifacts.
      type: dict
      sample: {"telemetry": {"enabled": false}}
    missing:
      description: What isn't at hand, by name; empty after O(state=present) outside check mode.
      type: list
      elements: str
      sample: []
made:
  description: What was built, fetched, linked or removed.
  returned: success
  type: list
  elements: str
  sample: [kubectl, node-image]
todo:
  description: What isn't at hand with all that it is made of; in check mode also links to make.
  returned: success
  type: list
  elements: str
  sample: []
build_log:
  description: The build log of the component that failed.
  returned: when a component can't be built
  type: str
  sample: /home/me/.cache/edge-mesh/logs/istioctl-90c69919ee62.log
"""
