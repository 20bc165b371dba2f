#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a mesh's CA is: a directory, PEM text, or the secret that istiod reads."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mesh_ca_info
short_description: Facts about the certificate authority of a mesh
version_added: 0.1.0
author: edge.mesh contributors (@edge-mesh)
description:
  - Reports fingerprints, names, validity and whether the chain holds, for a directory that M(edge.mesh.mesh_ca) keeps,
    for PEM text, or for the secret C(cacerts) of a primary.
  - A directory or secret that doesn't exist, or whose content is broken, is reported and isn't an error.
  - Private keys are only compared with their certificates. They are never returned.
requirements:
  - cryptography >= 42
  - PyYAML and urllib3 >= 2.2, for O(secret)
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
options:
  path:
    description: The CA's directory, C(<state>/ca). Exactly one of O(path), O(content) and O(secret) is given.
    type: path
  content:
    description: PEM text with certificates, the lowest one first. Text without a certificate is an error.
    type: str
  secret:
    description: A secret with istiod's four files.
    type: dict
    suboptions:
      kubeconfig:
        description: Path of the primary's kubeconfig on the controller.
        type: path
        required: true
      context:
        description: Context in that kubeconfig; the only one where nothing is said.
        type: str
      namespace:
        description: Namespace of the secret.
        type: str
        default: istio-system
      name:
        description: Name of the secret.
        type: str
        default: cacerts
  timeout:
    description: Seconds that the API may take, for O(secret).
    type: int
    default: 30
seealso:
  - module: edge.mesh.mesh_ca
"""

EXAMPLES = r"""
- name: The CA that a primary uses
  edge.mesh.mesh_ca_info:
    secret:
      kubeconfig: "{{ edge_mesh_state_dir }}/kubeconfig/centre.yaml"
  register: cacerts

- name: What the state directory holds
  edge.mesh.mesh_ca_info:
    path: "{{ edge_mesh_state_dir }}/ca"

- name: A file of unknown origin
  edge.mesh.mesh_ca_info:
    content: "{{ lookup('ansible.builtin.file', 'company-root.pem') }}"
"""

RETURN = r"""
source:
  description: What was looked at.
  returned: success
  type: str
  sample: secret istio-system/cacerts
present:
  description: Whether there is a CA at all.
  returned: success
  type: bool
  sample: true
chain:
  description: C(ok), C(failed) if there is any problem, C(unknown) if there is no CA.
  returned: success
  type: str
  sample: ok
problems:
  description: Why istiod or proxies couldn't use it, one line each.
  returned: success
  type: list
  elements: str
  sample: ["centre: ca-cert.pem expired on 2026-11-01"]
root:
  description: The root that the chain leads to, with the keys shown; null if there is none.
  returned: success
  type: dict
  sample:
    subject: CN=edge.mesh root CA
    issuer: CN=edge.mesh root CA
    serial: 4BCF1D0E7A52B8A96E0E3C5A4D1B66F0D84E2C11
    fingerprint: "5D:10:8E:0B:33:2D:58:AC:63:97:2B:F7:1E:55:C0:0A:9D:24:5F:0F:0C:8A:C6:3E:CE:8F:7E:9F:36:71:0B:14"
    not_before: "2026-11-21T12:40:00Z"
    not_after: "2036-11-18T12:45:00Z"
    remaining_days: 3649
    key_type: ecdsa-p256
    path_length: 1
    signature_hash: sha256
intermediates:
  description:
    - For a directory each primary's intermediate, for a secret its one. The keys of RV(root), and C(name), C(chain) and
      C(problems). The former are absent where the certificate can't be read.
  returned: success
  type: list
  elements: dict
  sample:
    - name: centre
      chain: ok
      problems: []
      subject: CN=centre intermediate CA
      issuer: CN=edge.mesh root CA
      serial: 1F6D3C90A1B7C2D4E5F60718293A4B5C6D7E8F90
      fingerprint: "0C:8A:C6:3E:CE:8F:7E:9F:36:71:0B:14:5D:10:8E:0B:33:2D:58:AC:63:97:2B:F7:1E:55:C0:0A:9D:24:5F:0F"
      not_before: "2026-11-21T12:40:00Z"
      not_after: "2028-11-20T12:45:00Z"
      remaining_days: 729
      key_type: ecdsa-p256
      path_length: 0
      signature_hash: sha256
certificates:
  description:
    - For O(content) every certificate in its order, for O(secret) every root that is trusted, each with the keys of
      RV(root). Empty for O(path).
  returned: success
  type: list
  elements: dict
  sample: []
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import load
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import require
from ansible_collections.edge.mesh.plugins.module_utils._pki.report import of_content, of_directory, of_secret

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path"},
    # PEM text that people paste may hold a key, and Ansible logs arguments.
    "content": {"type": "str", "no_log": True},
    "secret": {
        "type": "dict",
        "no_log": False,
        "options": {
            "kubeconfig": {"type": "path", "required": True},
            "context": {"type": "str"},
            "namespace": {"type": "str", "default": "istio-system"},
            "name": {"type": "str", "default": "cacerts"},
        },
    },
    "timeout": {"type": "int", "default": 30},
}


def handle(call: Call) -> Outcome:
    """One report, of whichever source was named."""
    require()
    now = datetime.now(UTC)
    if call.params["path"] is not None:
        report = of_directory(call.params["path"], now)
    elif call.params["content"] is not None:
        report = of_content(call.params["content"].encode(), "content", now)
    else:
        report = _secret(call.params["secret"], call.params["timeout"], now)
    return Outcome(changed=False, result=report)


def _secret(options: Mapping[str, Any], timeout: int, now: datetime) -> dict[str, Any]:
    namespace, name = options["namespace"], options["name"]
    endpoint = load(options["kubeconfig"], options["context"])
    with Client(endpoint, timeout=timeout, site=endpoint.context) as client:
        found = client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    data = None if found is None else found.get("data") or {}
    return of_secret(data, f"secret {namespace}/{name}", now)


MODULE = Module(
    ARGUMENT_SPEC,
    handle,
    {
        "mutually_exclusive": [("path", "content", "secret")],
        "required_one_of": [("path", "content", "secret")],
    },
)


def main() -> None:
    """Run as a module."""
    run(MODULE)


if __name__ == "__main__":
    main()
