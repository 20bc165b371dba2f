# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.local_injection`: a site's manifest without its injection webhook, and that webhook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import objects_in

DOCUMENTATION = r"""
name: local_injection
short_description: A site's manifest, and its injection webhook apart
version_added: 0.1.0
description:
  - Takes Istio's objects for a site as a text of YAML or JSON and gives C(objects), which are all but the injection
    webhook, and C(webhook), which M(edge.mesh.local_injector) leads to an injector at the site.
author: edge.mesh contributors (@edge-mesh)
options:
  _input:
    description: The manifest, one or more YAML documents.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: See what the webhook of a site selects
  ansible.builtin.debug:
    msg: "{{ (rendered.manifest | edge.mesh.local_injection).webhook.webhooks | map(attribute='objectSelector') }}"
"""

RETURN = r"""
_value:
  description: The objects and the webhook.
  type: dict
  sample:
    objects:
      - apiVersion: v1
        kind: ServiceAccount
        metadata: {name: istio-reader-service-account, namespace: istio-system}
    webhook:
      apiVersion: admissionregistration.k8s.io/v1
      kind: MutatingWebhookConfiguration
      metadata: {name: istio-sidecar-injector}
"""

_WEBHOOK = "MutatingWebhookConfiguration"


def local_injection(manifest: str) -> dict[str, Any]:
    """The objects and the webhook of the manifest."""
    found = objects_in(manifest, "the manifest")
    (webhook,) = [each for each in found if each.get("kind") == _WEBHOOK]
    return {"objects": [each for each in found if each is not webhook], "webhook": webhook}


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"local_injection": local_injection}
