#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root and intermediates of a mesh, in a directory on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mesh_ca
short_description: The certificate authority of a mesh
version_added: 0.1.0
author: edge.mesh contributors (@edge-mesh)
description:
  - Keeps a root and one intermediate CA per primary in a directory on the controller, with the file names that istiod
    expects in its secret C(cacerts).
  - Issues only what is missing, damaged or inside its renewal window, and says why. Nothing changes because time passed
    outside the window.
  - A bundle is replaced as a whole. Whoever is interrupted leaves the old one in place, and two runs at once wait for
    each other.
  - A root is made once. This module never puts a new root in the place of a known one.
requirements:
  - cryptography >= 42
extends_documentation_fragment:
  - edge.mesh.attributes
attributes:
  diff_mode:
    details: One line per certificate with its subject, end and fingerprint; keys are never shown.
options:
  path:
    description:
      - The CA's directory, C(<state>/ca). It and what is missing above it is made with mode 0700.
    type: path
    required: true
  root:
    description: The root certificate.
    type: dict
    suboptions:
      common_name:
        description: Common name of a root that is made here; C(edge.mesh root CA) where nothing is said.
        type: str
      organization:
        description: Organization in the names of the root and of the intermediates.
        type: str
      key_type:
        description: Key of a root that is made here; O(key_type) where nothing is said.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
      validity:
        description: Life of a root that is made here, as in O(validity).
        type: str
        default: 3650d
      renew_before:
        description:
          - How long before its end the root is warned about, as in O(validity); a tenth of its life where nothing is
            said. A root is never renewed by itself.
        type: str
      certificate:
        description:
          - PEM file with the certificate of an outside root, or of an outside CA and all above it up to its root, in
            any order. It is copied into the directory, the key isn't.
          - Needed at the first run. Later it may be absent.
        type: path
      key:
        description:
          - PEM file with the private key that belongs to O(root.certificate). It is read where it lies, each time
            something is to be signed, and may be absent while nothing is.
        type: path
      passphrase:
        description: Passphrase of O(root.key).
        type: str
      offline:
        description:
          - Somebody else signs. For every intermediate that is due, a signing request is written to
            C(requests/<name>/ca-csr.pem) below O(path), and the answer is taken in with O(intermediates[].certificate).
          - Needs O(root.certificate).
        type: bool
        default: false
  intermediates:
    description:
      - The primaries that need an intermediate. Others in the directory are left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The primary's name, a DNS-1123 label, and so its directory. C(root) and C(requests) are taken.
        type: str
        required: true
      common_name:
        description: Common name; C(<name> intermediate CA) where nothing is said.
        type: str
      organization:
        description: Organization; the root's option where nothing is said.
        type: str
      key_type:
        description: Key of this intermediate; O(key_type) where nothing is said.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
      validity:
        description: Life of this intermediate; O(validity) where nothing is said.
        type: str
      renew_before:
        description: Renewal window of this intermediate; O(renew_before) where nothing is said.
        type: str
      certificate:
        description:
          - PEM file with a certificate that was signed from the request, and with those between it and the root.
            For O(root.offline) only. It may be absent until the answer is there.
        type: path
  key_type:
    description: Key of what is issued, where nothing else is said. Another type means a new intermediate.
    type: str
    choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
    default: ecdsa-p256
  validity:
    description:
      - Life of an intermediate. A number is days, or C(12h), C(90d), C(6w), C(2y). It never outlives its root.
      - Another value doesn't touch what has been issued.
    type: str
    default: 730d
  renew_before:
    description:
      - How long before its end an intermediate is issued anew, as in O(validity), and shorter than that; a third of the
        life where nothing is said.
    type: str
  passphrase:
    description:
      - Encrypts the root key in the directory. A key that lies there unencrypted is encrypted as soon as a passphrase
        is given. Needed whenever something is to be signed with an encrypted key.
    type: str
  allow_new_root:
    description:
      - Make a root although O(existing), or bundles in the directory, speak of another one. Everything that trusts the
        other one is cut off.
    type: bool
    default: false
  existing:
    description:
      - Roots that are in use already, as primaries' C(cacerts) show them. If the directory's root (or
        O(root.certificate)) is another one, or there is none, the call is refused, with how to restore or import.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Where that root is in use, for the message.
        type: str
        required: true
      fingerprint:
        description: SHA-256 of that root certificate in hexadecimal, colons or not.
        type: str
        required: true
  state:
    description:
      - V(absent) takes away the bundles of O(intermediates), or, if none is named, all bundles and the root.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Ansible itself writes a task's arguments, and so O(passphrase) and O(root.passphrase), to a temporary file that only
    its user can read, unless pipelining is on (C(ansible_pipelining=true), or C(pipelining) in C(ansible.cfg)).
seealso:
  - module: edge.mesh.mesh_ca_info
"""

EXAMPLES = r"""
- name: A root, and an intermediate for the primary centre
  edge.mesh.mesh_ca:
    path: "{{ edge_mesh_state_dir }}/ca"
    root:
      organization: Example
    intermediates:
      - name: centre
    passphrase: "{{ vaulted_root_passphrase }}"

- name: RSA intermediates below a root of the company's
  edge.mesh.mesh_ca:
    path: "{{ edge_mesh_state_dir }}/ca"
    root:
      certificate: /srv/pki/company-root.pem
      key: /media/key/company-root.key
      passphrase: "{{ vaulted_company_passphrase }}"
    key_type: rsa-3072
    validity: 1y
    intermediates:
      - name: centre
      - name: harbour

- name: Somebody else signs; the first run writes the request, a later one takes the certificate in
  edge.mesh.mesh_ca:
    path: "{{ edge_mesh_state_dir }}/ca"
    root:
      certificate: /srv/pki/company-root.pem
      offline: true
    intermediates:
      - name: centre
        certificate: /srv/pki/centre.pem
"""

RETURN = r"""
reasons:
  description: Why something changed or would change, one line each; empty if nothing did.
  returned: success
  type: list
  elements: str
  sample: ["centre: it expires on 2028-11-20, and its renewal was due on 2028-03-23"]
root:
  description: The root certificate; null if there is none.
  returned: success
  type: dict
  sample:
    name: root
    action: kept
    reasons: []
    path: /srv/mesh/.state/ca/root
    request: null
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
  contains:
    name:
      description: Always C(root).
      returned: always
      type: str
    action:
      description: C(kept), C(issued), C(imported) or C(removed).
      returned: always
      type: str
    reasons:
      description: Why.
      returned: always
      type: list
      elements: str
    path:
      description: The directory that holds it.
      returned: always
      type: str
    request:
      description: Always null for the root.
      returned: always
      type: str
    subject:
      description: Subject, as RFC 4514 writes it. This and what follows is absent while there is no certificate.
      returned: when there is a certificate
      type: str
    issuer:
      description: Issuer.
      returned: when there is a certificate
      type: str
    serial:
      description: Serial number in hexadecimal.
      returned: when there is a certificate
      type: str
    fingerprint:
      description: SHA-256 of the certificate.
      returned: when there is a certificate
      type: str
    not_before:
      description: First moment of validity, UTC.
      returned: when there is a certificate
      type: str
    not_after:
      description: Last moment of validity, UTC.
      returned: when there is a certificate
      type: str
    remaining_days:
      description: Whole days until then.
      returned: when there is a certificate
      type: int
    key_type:
      description: Kind of its key.
      returned: when there is a certificate
      type: str
    path_length:
      description: How many CAs may stand below it; null means any number.
      returned: when there is a certificate
      type: int
    signature_hash:
      description: Hash of its signature.
      returned: when there is a certificate
      type: str
intermediates:
  description:
    - The intermediates that were named (or, when all is removed, all), each with the same keys as RV(root). The action
      may also be C(requested), and C(request) is then the signing request's path. The certificate keys are absent where
      there is no usable certificate.
  returned: success
  type: list
  elements: dict
  sample:
    - name: centre
      action: issued
      reasons: [there is no intermediate yet]
      path: /srv/mesh/.state/ca/centre
      request: null
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
remaining:
  description: Names of the primaries that have a bundle in the directory afterwards.
  returned: success
  type: list
  elements: str
  sample: [centre]
"""

from datetime import UTC, datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._pki._crypto import require
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import ensure_absent, ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import KEY_TYPES
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from

_KEY_TYPE: dict[str, Any] = {"type": "str", "choices": list(KEY_TYPES)}

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "root": {
        "type": "dict",
        "options": {
            "common_name": {"type": "str"},
            "organization": {"type": "str"},
            "key_type": {**_KEY_TYPE, "no_log": False},
            "validity": {"type": "str", "default": "3650d"},
            "renew_before": {"type": "str"},
            "certificate": {"type": "path"},
            "key": {"type": "path", "no_log": False},
            "passphrase": {"type": "str", "no_log": True},
            "offline": {"type": "bool", "default": False},
        },
    },
    "intermediates": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "common_name": {"type": "str"},
            "organization": {"type": "str"},
            "key_type": {**_KEY_TYPE, "no_log": False},
            "validity": {"type": "str"},
            "renew_before": {"type": "str"},
            "certificate": {"type": "path"},
        },
    },
    "key_type": {**_KEY_TYPE, "default": "ecdsa-p256", "no_log": False},
    "validity": {"type": "str", "default": "730d"},
    "renew_before": {"type": "str"},
    "passphrase": {"type": "str", "no_log": True},
    "allow_new_root": {"type": "bool", "default": False},
    "existing": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "fingerprint": {"type": "str", "required": True}},
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def handle(call: Call) -> Outcome:
    """Parameters to a request, to what was done."""
    require()
    now = datetime.now(UTC)
    request = request_from(call.params)
    if call.params["state"] == "absent":
        result = ensure_absent(request, check=call.check_mode)
    else:
        result = ensure_present(request, now=now, check=call.check_mode)
    return Outcome(
        changed=result.changed,
        result={
            "reasons": result.reasons,
            "root": result.root.as_dict(now, request.path) if result.root else None,
            "intermediates": [entry.as_dict(now, request.path) for entry in result.intermediates],
            "remaining": result.remaining,
        },
        diff={"before": result.text(after=False), "after": result.text(after=True)},
        warnings=tuple(result.warnings),
    )


MODULE = Module(ARGUMENT_SPEC, handle)


def main() -> None:
    """Run as a module."""
    run(MODULE)


if __name__ == "__main__":
    main()
