# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One module run as Ansible runs it: a process of its own, its arguments as JSON on standard input."""

from __future__ import annotations

import json
import runpy
import sys

from ansible.module_utils.testing import patch_module_args

if __name__ == "__main__":
    with patch_module_args(json.load(sys.stdin)):
        runpy.run_module(f"ansible_collections.edge.mesh.plugins.modules.{sys.argv[1]}", run_name="__main__")
