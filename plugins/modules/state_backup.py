#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: state_backup
short_description: Seal a mesh's state directory into one encrypted file
version_added: 0.1.0
description:
  - Reads every file of the state directory (certificate authority, kubeconfigs, C(artifacts.lock), reports) and writes
    them into one archive in the format of ansible-vault, with mode 0600, whole or not at all.
  - The plain archive exists in memory only. C(ansible-vault decrypt --output - FILE | tar -x) opens it without this
    collection.
  - An archive of the same mesh that is there is replaced if the state has changed; its time alone is no change. Any
    other file, also one that the passphrase doesn't open, is refused.
  - Links in the state directory are refused. Hidden files (locks, left-overs of killed runs) and C(replaced), where
    M(edge.mesh.state_restore) puts what it replaces, are left out.
  - Runs on the controller and connects to nothing.
author: edge.mesh contributors (@edge-mesh)
requirements:
  - cryptography
options:
  mesh:
    description: ID of the mesh.
    type: str
    required: true
  state_dir:
    description: The state directory.
    type: path
    required: true
  path:
    description: The file that the archive is to be. Its directory has to exist, outside the state directory.
    type: path
    required: true
  passphrase:
    description:
      - What the archive is encrypted with. Take a long random one, because the format derives its key with only 10,000
        rounds of PBKDF2.
      - Without it the vault password of the run is taken. Of several, C(ANSIBLE_VAULT_ENCRYPT_IDENTITY) names the one.
      - One that stands on the command line is refused.
    type: str
  kubeconfigs:
    description: Path of each site's kubeconfig by the site's name, to tell which are outside the state directory.
    type: dict
    default: {}
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Back up what the mesh can't do without
  edge.mesh.state_backup:
    mesh: mesh1
    state_dir: /var/lib/edge-mesh
    path: /srv/backup/mesh1.vault
    passphrase: "{{ vaulted_backup_passphrase }}"
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
  sample: /srv/backup/mesh1.vault
made_at:
  description: When the state in the archive was read.
  returned: success
  type: str
  sample: "2026-11-25T14:00:00Z"
root:
  description: SHA-256 fingerprint of the mesh's root certificate.
  returned: success
  type: str
  sample: "5B:0C:7E"
files:
  description: The files in the archive, by their path below the state directory.
  returned: success
  type: list
  elements: str
  sample: [artifacts.lock, ca/root/root-cert.pem, ca/root/root-key.pem, kubeconfig/shop.yaml]
outside:
  description: What the mesh needs and the archive doesn't hold, because it isn't in the state directory.
  returned: success
  type: list
  elements: str
  sample: ["the kubeconfig of shop, /home/me/.kube/shop.yaml"]
"""
