# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup `edge.mesh.istio_manifest`: Istio's objects as istioctl renders them.

A lookup and not a task: half a megabyte that a task registers goes through the controller's main process twice.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: istio_manifest
short_description: Istio's objects as istioctl renders them
version_added: 0.1.0
description:
  - Gives what C(istioctl manifest generate) makes of an IstioOperator; nothing is applied.
  - The same istioctl is asked for the same input once. Its answer is kept below the cache directory, and goes when it
    wasn't asked for in 14 days.
author: edge.mesh contributors (@edge-mesh)
options:
  _terms:
    description: IstioOperators, each as YAML text.
    type: list
    elements: str
    required: true
  istioctl:
    description: Path of istioctl.
    type: path
    required: true
  cache_dir:
    description: The cache's directory; E(EDGE_MESH_CACHE), or C(edge-mesh) in the user's cache directory unless given.
    type: path
"""

EXAMPLES = r"""
- name: Apply what a remote site gets of Istio
  edge.mesh.manifests:
    kubeconfig: /srv/mesh/.state/kubeconfig/shop-1.yaml
    set: site-enrollment
    objects: "{{ lookup('edge.mesh.istio_manifest', values, istioctl='/usr/local/bin/istioctl') }}"
  vars:
    values: "{{ lookup('ansible.builtin.template', 'istio.yml.j2') }}"
"""

RETURN = r"""
_raw:
  description: The objects of each, a List in JSON, which is YAML too.
  type: list
  elements: str
  sample: ['{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}}]}']
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils import rendering
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import cache_root


class LookupModule(LookupBase):  # type: ignore[misc]  # the base has no types
    """Asks istioctl on the controller."""

    def run(self, terms: Sequence[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """The manifests; raises AnsibleLookupError with one line where istioctl can't render one."""
        self.set_options(var_options=variables, direct=kwargs)
        directory = cache_root(os.environ, self.get_option("cache_dir") or "") / "rendered"
        istioctl = Path(self.get_option("istioctl"))
        try:
            return [rendering.render(istioctl, str(term), directory)[0] for term in terms]
        except MeshError as error:
            raise AnsibleLookupError(error.message) from None  # a cause is told, too, and it is in the message
