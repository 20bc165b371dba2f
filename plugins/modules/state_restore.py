#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: state_restore
short_description: Put a mesh's state directory back from an encrypted archive
version_added: 0.1.0
description:
  - Opens an archive of M(edge.mesh.state_backup) in memory and writes its files into the state directory, each entry of
    it (C(ca), C(kubeconfig), C(artifacts.lock), C(reports)) as a whole. Another restore finishes an interrupted one.
  - Files that the archive doesn't have stay, and so do reports that are there.
  - Refused without a change are an archive of another mesh, one that is cut off, damaged, or sealed with another
    passphrase, one with links, with paths that lead out of the state directory or with other modes than state has, a
    state directory that holds another root, and files in it that were changed after those of the archive.
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
    description: The state directory; it is made if it doesn't exist.
    type: path
    required: true
  path:
    description: The archive.
    type: path
    required: true
  passphrase:
    description:
      - What the archive was encrypted with. Without it the vault passwords of the run are tried.
      - One that stands on the command line is refused.
    type: str
  replace:
    description:
      - Makes the state directory what the archive says even if it holds another root or newer files. What was there is
        in C(replaced) below it afterwards.
    type: bool
    default: false
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Go on on another controller
  edge.mesh.state_restore:
    mesh: mesh1
    state_dir: /var/lib/edge-mesh
    path: /srv/backup/mesh1.vault
    passphrase: "{{ vaulted_backup_passphrase }}"
"""

RETURN = r"""
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
written:
  description: The files that were put back, by their path below the state directory; in check mode those that would be.
  returned: success
  type: list
  elements: str
  sample: [ca/root/root-cert.pem, ca/root/root-key.pem]
kept:
  description: Files that stayed as they were because the archive doesn't have them, or because they are reports.
  returned: success
  type: list
  elements: str
  sample: [reports/run.json]
replaced:
  description: The directory that holds what was replaced; empty if nothing was lost.
  returned: success
  type: str
  sample: /var/lib/edge-mesh/replaced/20261125T140000Z-x1y2z3
"""
