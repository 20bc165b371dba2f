#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: remote_secret_info
short_description: Tell which sites a primary can read, with what credential and until when
version_added: 0.1.0
description:
  - Lists the remote secrets of a primary, those of other tools too, and says of each whether istiod would accept it.
  - Changes nothing, and returns digests instead of secrets.
author: edge.mesh contributors (@edge-mesh)
options:
  primary:
    description: The primary's API, as the controller reaches it.
    type: dict
    required: true
    suboptions:
      kubeconfig:
        description: Kubeconfig on the controller.
        type: path
        required: true
      context:
        description: Context in it; the only one unless given.
        type: str
  cluster:
    description: Tell of this cluster only; all unless given.
    type: str
  timeout:
    description: Seconds for each API request.
    type: int
    default: 30
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
seealso:
  - module: edge.mesh.remote_secret
"""

EXAMPLES = r"""
- name: Look at the credentials of the centre
  edge.mesh.remote_secret_info:
    primary:
      kubeconfig: state/kubeconfig/centre.yaml
  register: credentials

- name: Warn about tokens that never expire
  ansible.builtin.debug:
    msg: "{{ item.cluster }}: {{ item.risks | join(', ') }}"
  loop: "{{ credentials.remote_secrets | selectattr('risks') }}"
"""

RETURN = r"""
remote_secrets:
  description: One entry for each cluster of each remote secret, sorted by cluster and name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the Secret., type: str, sample: istio-remote-secret-shop}
    namespace: {description: Namespace of the Secret., type: str, sample: istio-system}
    cluster: {description: Name of the cluster; empty if the Secret holds none., type: str, sample: shop}
    server: {description: URL of the cluster's API., type: str, sample: "https://192.0.2.20:6443"}
    credential:
      description:
        - What proves the primary's identity, one of V(token), V(client certificate), V(password), V(oidc),
          V(auth provider), V(exec), V(files), V(none), V(malformed).
      type: str
      sample: token
    reader:
      description: The service account that the token belongs to; null if it isn't a service account's token.
      type: str
      sample: "system:serviceaccount:istio-system:istio-reader-edge-mesh"
    token_digest: {description: Digest of the token., type: str, sample: "sha256:8d969eef6eca"}
    issued_at:
      description: When the token was given; null if it doesn't say so.
      type: str
      sample: "2025-11-21T12:00:00Z"
    expires_at:
      description: End of the token; null if it has none or it can't be known.
      type: str
      sample: "2026-02-19T12:00:00Z"
    accepted: {description: Whether istiod would accept the kubeconfig., type: bool, sample: true}
    refused: {description: Why it wouldn't., type: str, sample: exec is not allowed}
    risks:
      description: What istiod accepts but shouldn't have to.
      type: list
      elements: str
      sample: [the token never expires]
    ours: {description: Whether M(edge.mesh.remote_secret) made it., type: bool, sample: true}
    owner: {description: The field manager that wrote its data last., type: str, sample: edge.mesh}
requests:
  description: HTTP requests sent.
  returned: success
  type: int
  sample: 1
"""

from ansible_collections.edge.mesh.plugins.module_utils._istio.listing import describe
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import MULTICLUSTER_LABEL
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import load
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run

ARGUMENTS = {
    "primary": {
        "type": "dict",
        "required": True,
        "options": {"kubeconfig": {"type": "path", "required": True}, "context": {"type": "str"}},
    },
    "cluster": {"type": "str"},
    "timeout": {"type": "int", "default": 30},
}
_SECRETS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets"


def handle(call: Call) -> Outcome:
    """List the remote secrets; raises MeshError if the primary can't be asked."""
    endpoint = load(call.params["primary"]["kubeconfig"], call.params["primary"]["context"] or None)
    with Client(endpoint, timeout=call.params["timeout"], site=endpoint.context) as api:
        found = describe(api.list(_SECRETS, labelSelector=f"{MULTICLUSTER_LABEL}=true"))
        requests = api.requests
    wanted = call.params["cluster"]
    if wanted:
        found = [entry for entry in found if entry["cluster"] == wanted]
    return Outcome(False, {"remote_secrets": found, "requests": requests})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
