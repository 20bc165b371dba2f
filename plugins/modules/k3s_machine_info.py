#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_machine_info
short_description: Read what a machine is like and what of K3s is on it
version_added: 0.1.0
description:
  - Reads in one go everything that a site's preflight and its plan ask of a machine; changes nothing.
  - Runs on the machine itself, as root, and needs nothing there but Python 3.9.
  - Of secret files only digests are read.
author: edge.mesh contributors (@edge-mesh)
options:
  controller_time:
    description: The controller's clock in seconds since 1970. The machine's offset is measured against it.
    type: float
    required: true
  ports:
    description: TCP ports to look for listeners on.
    type: list
    elements: int
    default: [2379, 2380, 6443, 10250]
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
"""

EXAMPLES = r"""
- name: Read this machine
  edge.mesh.k3s_machine_info:
    controller_time: "{{ now().timestamp() }}"
  register: machine
"""

RETURN = r"""
machine:
  description: What the machine is like.
  returned: success
  type: dict
  contains:
    architecture: {description: The kernel's word for it., type: str, sample: x86_64}
    hostname: {description: The machine's own name., type: str, sample: shop-1}
    address: {description: Its address on the default route; empty without one., type: str, sample: 192.0.2.11}
    memory_mib: {description: Memory., type: int, sample: 2048}
    disk_free_mib:
      description: What is free where K3s keeps its data and its program.
      type: dict
      sample: {"/var/lib/rancher/k3s": 20480, "/usr/local/bin/k3s": 20480}
    clock_offset:
      description: Seconds that its clock is ahead of O(controller_time); the way of the call is among them.
      type: float
      sample: 0.4
    asked_at: {description: The controller's clock as it was given., type: float, sample: 1764100000.0}
    cgroup_version: {description: Version of the cgroups., type: int, sample: 2}
    cgroup_controllers: {description: Those that are there., type: list, elements: str, sample: [cpu, memory, pids]}
    modules_missing: {description: Kernel modules that can't be had., type: list, elements: str, sample: []}
    swap: {description: Whether swap is on., type: bool, sample: false}
    selinux: {description: Its state., type: str, sample: "off"}
    apparmor_without_parser: {description: Whether AppArmor is on and its parser missing., type: bool, sample: false}
    firewall: {description: Firewalls that are active., type: list, elements: str, sample: []}
    systemd: {description: Whether systemd runs the machine., type: bool, sample: true}
    ports_taken:
      description: Ports that somebody listens on, and who.
      type: dict
      sample: {"6443": nginx}
    k3s:
      description: What of K3s is here.
      type: dict
      sample: {"version": "v1.31.12+k3s1", "role": "server", "binary": "/usr/local/bin/k3s"}
"""

from ansible_collections.edge.mesh.plugins.module_utils._k3s.machine import Machine
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run

ARGUMENTS = {
    "controller_time": {"type": "float", "required": True},
    "ports": {"type": "list", "elements": "int", "default": [2379, 2380, 6443, 10250]},
}


def handle(call: Call) -> Outcome:
    """Read the machine."""
    params = call.params
    machine = Machine(call.run_command)
    return Outcome(False, {"machine": machine.facts(params["controller_time"], params["ports"])})


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
