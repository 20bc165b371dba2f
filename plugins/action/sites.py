# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.sites`: reads and checks the inventory, and returns the site model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils import warm
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import turns
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.kubeconfigs import bad_kubeconfigs
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.limits import cut_sites
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.model import Inventory, read
from ansible_collections.edge.mesh.plugins.plugin_utils.report import resume

_NOTHING = (
    "the runs before left no site undone that this one may work on, so it does nothing; leave edge_mesh_only out "
    "to work on all sites"
)

warm.load()  # here, for this file is imported before the first worker is forked

ARGUMENTS = {"kubeconfigs": {"type": "bool", "default": False}, "resume": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    """Nothing leaves the controller's own process, so the action works without any connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the model; raises AnsibleActionFail with every problem of the inventory, a line each."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENTS)
        variables = task_vars or {}
        directory = variables.get("inventory_dir")
        inventory = Inventory(
            groups={name: list(hosts) for name, hosts in variables["groups"].items()},
            hostvars=variables["hostvars"],
            directory=None if directory is None else str(directory),
        )
        playing = variables.get("ansible_play_hosts_all", [])
        model, problems = read(inventory)
        if params["kubeconfigs"]:
            problems += bad_kubeconfigs(model, playing)
        if problems:
            listed = "\n".join(f"  - {problem}" for problem in problems)
            raise AnsibleActionFail(f"the inventory can't be used; nothing was touched:\n{listed}")
        if cut := cut_sites(model, playing):
            raise AnsibleActionFail(f"nothing was touched: {'; '.join(map(str, cut))}")
        model["chosen"] = _chosen(model, playing, resumes=params["resume"])
        model["turns"] = turns.of_sites(model, playing)
        if not model["chosen"]:
            Display().display(_NOTHING)
        result.update(model, changed=False)
        return result


def _chosen(model: dict[str, Any], playing: Collection[str], *, resumes: bool) -> list[str]:
    """The names of the sites to work on; raises AnsibleActionFail if only those left are wanted and aren't known.

    What was left outside the run's limit isn't chosen, so that a run which does nothing can say so.
    """
    mesh = model["mesh"]
    if mesh["only"] is None or not resumes:
        return list(model["sites"])
    try:
        left = resume.left(mesh["state_dir"], mesh["id"])
    except MeshError as error:
        raise AnsibleActionFail(error.message)
    return [name for name, site in model["sites"].items() if name in left and site["host"] in playing]
