# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.local_injector`: the module of that name, without a process of its own on the controller."""

from __future__ import annotations

from ansible_collections.edge.mesh.plugins.modules.local_injector import MODULE as _MODULE
from ansible_collections.edge.mesh.plugins.plugin_utils.in_worker import InWorker


class ActionModule(InWorker):
    """Runs it in the task's worker."""

    MODULE = _MODULE
