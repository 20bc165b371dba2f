# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.report`: writes reports into the state directory and shows them as a table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import write_text
from ansible_collections.edge.mesh.plugins.plugin_utils.report import junit, records, table

ARGUMENTS = {
    "mesh": {"type": "str", "required": True},
    "state_dir": {"type": "path", "required": True},
    "name": {"type": "str", "choices": ["verify", "status", "run"], "default": "verify"},
    "records": {"type": "list", "elements": "dict"},
    "results": {
        "type": "list",
        "elements": "dict",
        "options": {
            "site": {"type": "str", "required": True},
            "step": {"type": "str", "required": True},
            "result": {"type": "str", "required": True},
            "reason": {"type": "str", "default": ""},
        },
    },
}
_WIDTHS = (80, 140)  # narrowest and widest table; 110 where the output is no terminal
_WIDTH_OF_A_LOG = 110

display = Display()


class ActionModule(ActionBase):
    """Writes on the controller only, in check mode too, so the action works without any connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write and show the report; never changed. Raises AnsibleActionFail for records that aren't the contract's."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENTS, required_one_of=[["records", "results"]])
        try:
            done = _verify(params) if params["records"] is not None else _run(params)
        except MeshError as error:
            raise AnsibleActionFail(error.message)
        except OSError as error:
            raise AnsibleActionFail(f"the report can't be written: {error.strerror}: {error.filename}")
        result.update(changed=False, **done)
        return result


def _verify(params: Mapping[str, Any]) -> dict[str, Any]:
    """The report of check records: JSON, JUnit and the table."""
    checked = records.validated(params["records"])
    document = records.verify_document(params["mesh"], checked)
    told = records.summary(params["mesh"], checked)
    files = {
        f"{params['name']}.json": _json(document),
        f"{params['name']}.xml": junit.document(params["mesh"], checked),
    }
    paths = _write(params, files)
    worst = "green" if document["healthy"] else "red"
    _show([*table.checks(checked, _width()), table.Line(""), table.Line(told, worst)])
    unhealthy = [
        f"{each['site']} {each['id']}" + (f" {each['peer']}" if each["peer"] else "") for each in records.bad(checked)
    ]
    return {"healthy": document["healthy"], "summary": told, "unhealthy": unhealthy, "paths": paths}


def _run(params: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a run: JSON and the table."""
    rows = params["results"]
    failed = [row["site"] for row in rows if row["result"] == "failed"]
    document = {"schema": records.SCHEMA, "mesh": params["mesh"], "healthy": not failed, "results": rows}
    paths = _write(params, {f"{params['name']}.json": _json(document)})
    told = f"{params['mesh']}: {len(rows)} sites: {len(rows) - len(failed)} done" + (
        f", {len(failed)} failed" if failed else ""
    )
    _show([*table.results(rows, _width()), table.Line(""), table.Line(told, "red" if failed else "green")])
    return {"healthy": not failed, "summary": told, "unhealthy": failed, "paths": paths}


def _write(params: Mapping[str, Any], files: Mapping[str, str]) -> list[str]:
    directory = Path(params["state_dir"]) / "reports"
    for name, text in files.items():
        write_text(directory / name, text)
    return [str(directory / name) for name in files]


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _show(lines: list[table.Line]) -> None:
    for line in [table.Line(""), *lines]:
        display.display(line.text, color=line.colour)


def _width() -> int:
    return min(max(shutil.get_terminal_size((_WIDTH_OF_A_LOG, 24)).columns, _WIDTHS[0]), _WIDTHS[1])
