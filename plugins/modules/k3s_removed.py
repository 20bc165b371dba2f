#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_removed
short_description: K3s is off a machine, with all that it left there
version_added: 0.1.0
description:
  - Stops K3s and the pods that outlive it, and removes units, mounts, interfaces, rules, programs and data.
  - Removes only a K3s that carries the mark of the given mesh and site. One that was taken over stays as it is, and
    one without a mark, or with another's, is refused.
  - Runs on the machine itself, as root, and needs nothing there but Python 3.9.
author: edge.mesh contributors (@edge-mesh)
options:
  mesh:
    description: Mesh ID.
    type: str
    required: true
  site:
    description: Name of the site.
    type: str
    required: true
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Take K3s off this machine
  edge.mesh.k3s_removed:
    mesh: mesh1
    site: shop
"""

RETURN = r"""
removed:
  description: What was removed, a line each; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: ["unit k3s", "directory /var/lib/rancher/k3s"]
kept:
  description: Whether a K3s that was taken over stays.
  returned: success
  type: bool
  sample: false
"""

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k3s.machine import Machine
from ansible_collections.edge.mesh.plugins.module_utils._k3s.removal import Removal
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run

ARGUMENTS = {"mesh": {"type": "str", "required": True}, "site": {"type": "str", "required": True}}


def handle(call: Call) -> Outcome:
    """Remove it; raises MeshError if it isn't ours, or if something of it stays."""
    removal = Removal(Machine(call.run_command))
    if not removal.allowed(call.params["mesh"], call.params["site"]):
        return Outcome(False, {"removed": [], "kept": bool(removal.machine.owner())})
    found = removal.found()
    if found and not call.check_mode:
        removal.remove()
        if left := removal.found():
            raise MeshError(
                "K3s isn't gone", site=call.params["site"], why=f"{', '.join(left)} is left", hint="run it again"
            )
    return Outcome(bool(found), {"removed": found, "kept": False})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
