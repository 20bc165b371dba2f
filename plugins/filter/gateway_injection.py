# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.gateway_injection`: a manifest whose injection webhook serves a site's gateways only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import objects_in

DOCUMENTATION = r"""
name: gateway_injection
short_description: A manifest whose injection webhook serves gateways only
version_added: 0.1.0
description:
  - Takes Istio's objects for a site as a text of YAML or JSON and gives them as a list, with injection webhooks that
    select the gateways' own pods in Istio's namespace and nothing else.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description: The manifest, one or more YAML documents.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: See what the webhook of a gateway-only site selects
  ansible.builtin.debug:
    msg: >-
      {{ rendered.manifest | edge.mesh.gateway_injection | selectattr('kind', 'eq', 'MutatingWebhookConfiguration') }}
"""

RETURN = r"""
_value:
  description: The objects.
  type: list
  elements: dict
  sample:
    - apiVersion: v1
      kind: ServiceAccount
      metadata: {name: istio-reader-service-account, namespace: istio-system}
"""


def gateway_injection(manifest: str) -> list[dict[str, Any]]:
    """The objects of the manifest."""
    return gateway_only.narrowed(objects_in(manifest, "the manifest"))


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"gateway_injection": gateway_injection}
