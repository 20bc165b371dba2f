# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nearly every task of a playbook loads, loaded once (used by the action `sites`, with which playbooks begin).

Ansible forks a worker for each task and imports the action's plugin before it does. Filters, tests and connections it
loads in the worker, again for every task: some 20 to 40 ms of CPU each time, a fifth of a run with nothing to do.
"""

from __future__ import annotations

import inspect

from ansible.plugins.loader import connection_loader, filter_loader, lookup_loader, shell_loader, test_loader

__all__ = ["load"]


def load() -> None:
    """Load them into this process."""
    for loader, name in (
        (filter_loader, "ansible.builtin.default"),  # all of ansible.builtin come with the first
        (test_loader, "ansible.builtin.defined"),
        (filter_loader, "edge.mesh.waves"),
    ):
        loader.get(name)
    for loader, name in (
        (connection_loader, "ansible.builtin.local"),
        (shell_loader, "ansible.builtin.sh"),
        (lookup_loader, "ansible.builtin.template"),
    ):
        loader.get(name, class_only=True)
    inspect.stack()  # a skipped loop looks at its callers, and that at the source of every module, unless it is known
