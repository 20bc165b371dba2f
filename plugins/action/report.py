# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action `edge.mesh.report`: writes reports into the state directory and shows them as a table.

Where the callback `edge.mesh.report` or `edge.mesh.fleet` is in use, the table is left to it: it comes last then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import UNWRITTEN, write_text
from ansible_collections.edge.mesh.plugins.plugin_utils.report import (
    junit,
    progress,
    records,
    resume,
    shown,
    slices,
    status,
    steps,
    table,
)

ARGUMENTS = {
    "mesh": {"type": "str", "required": True},
    "state_dir": {"type": "path", "required": True},
    "name": {
        "type": "str",
        "choices": ["verify", "status", "run", "retire", "maintain", "measure"],
        "default": "verify",
    },
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
    "sites": {
        "type": "list",
        "elements": "dict",
        "options": {
            "site": {"type": "str", "required": True},
            "role": {"type": "str", "choices": ["primary", "edge"], "required": True},
            "at": {"type": "str", "default": ""},
            "gateway_only": {"type": "bool", "default": False},
            "begun": {"type": "bool", "default": True},
            "failed": {"type": "dict", "default": {}},
            "dropped": {"type": "bool", "default": False},
            "known": {"type": "bool", "default": True},
            "results": {"type": "list", "elements": "dict", "default": []},
        },
    },
    "progress": {
        "type": "dict",
        "options": {"at": {"type": "str", "default": ""}, "hosts": {"type": "list", "elements": "str", "default": []}},
    },
    "sample_apps": {"type": "bool", "default": False},
    "slice": {"type": "str", "default": ""},
    "slices": {"type": "list", "elements": "str"},
    "expected": {"type": "list", "elements": "str", "default": []},
    "wan_links": {"type": "bool", "default": False},
    "peers": {"type": "bool", "default": False},
    "fleet": {"type": "list", "elements": "dict"},
    "figures": {"type": "list", "elements": "dict"},
    "machine": {"type": "str", "default": ""},
    "proxies": {"type": "list", "elements": "dict", "default": []},
    "remote_secrets": {"type": "list", "elements": "dict", "default": []},
    "authorities": {"type": "dict", "default": {}},
    "finished": {"type": "bool", "default": True},
}
_NARROWEST, _WIDEST, _WIDTH_OF_A_LOG = 80, 140, 110

display = Display()


class ActionModule(ActionBase):
    """Writes on the controller only, in check mode too, so the action works without any connection."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write and show the report; never changed. Raises AnsibleActionFail for records that aren't the contract's."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(
            ARGUMENTS, required_one_of=[["records", "results", "sites", "progress", "slices", "figures"]]
        )
        if params["progress"] is not None:
            params |= _progress(task_vars or {}, params["progress"])
        try:
            if params["figures"] is not None:
                done = _measured(params)
            elif params["fleet"] is not None:
                done = _found(params)
            elif params["records"] is not None:
                done = _verified(params)
            else:
                done = _ran(params, self._task.check_mode)
        except MeshError as error:
            raise AnsibleActionFail(error.message)
        except OSError as error:
            raise AnsibleActionFail(f"the report {error.filename} can't be written: {error.strerror} ({UNWRITTEN})")
        result.update(changed=False, **done)
        return result


def _progress(variables: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a run in progress has, from the variables of its hosts."""
    model, groups = variables["__edge_mesh"], variables["groups"]
    hosts = [*groups.get("run_primary", []), *groups.get("run_edge", [])]
    known = {host: variables["hostvars"].raw_get(host) for host in hosts}
    return {
        "sites": progress.sites_of(model, known, asked["at"], asked["hosts"], variables["ansible_play_hosts"]),
        "sample_apps": model["mesh"]["sample_apps"],
        "wan_links": model["wan"],
        "peers": len(model["primaries"]) > 1,
        "finished": not asked["at"],
    }


def _verified(params: Mapping[str, Any]) -> dict[str, Any]:
    """The report of check records: JSON, JUnit and the table."""
    checked = records.validated(params["records"])
    document = records.verify_document(params["mesh"], checked)
    named = [(each["site"], each["id"], each["peer"] or "") for each in records.bad(checked)]
    bad = [" ".join(names).rstrip() for names in named]
    summary = records.summary(params["mesh"], checked)
    return _told(params, document, summary, bad, xml=junit.document(params["mesh"], checked))


def _measured(params: Mapping[str, Any]) -> dict[str, Any]:
    """The report of what a mesh costs: JSON and the table."""
    now = datetime.now(UTC).replace(microsecond=0)
    document = records.figures_document(params["mesh"], params["figures"], params["machine"], status.written(now))
    return _told(params, document, f"{params['mesh']}: {len(params['figures'])} figures", [])


def _found(params: Mapping[str, Any]) -> dict[str, Any]:
    """The report of the fleet as it is: JSON and the table."""
    now = datetime.now(UTC).replace(microsecond=0)
    checked = records.validated(params["records"] or [])
    rows = status.rows(
        params["fleet"], checked, params["proxies"], params["remote_secrets"], params["authorities"], now
    )
    document = records.status_document(params["mesh"], rows, checked, status.written(now))
    ill = [row["site"] for row in rows if row["status"] not in records.WELL]
    return _told(params, document, records.fleet_summary(params["mesh"], rows), ill)


def _ran(params: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """The report of a run, or of several workers' runs: JSON, and the table once it has finished."""
    mesh, state = params["mesh"], params["state_dir"]
    if params["slices"] is not None:
        parts = slices.read(Path(state, "reports"), params["slices"], mesh)
        document = slices.merged(mesh, parts, resume.left_before(state, mesh), params["expected"])
    elif params["sites"] is not None:
        wanted = {name: params[name] for name in ("sample_apps", "wan_links", "peers")}
        rows = steps.rows(params["sites"], **wanted)
        left = steps.left(rows, resume.left_before(state, mesh), check=check)
        document = records.run_document(mesh, rows, check=check, finished=params["finished"], left=left)
    else:
        document = records.run_document(mesh, params["results"])
    undone = [row["site"] for row in document["results"] if row["result"] in records.UNDONE]
    summary = records.run_summary(mesh, document["results"])
    return _told(params, document, summary, undone, shows=params["finished"])


def _told(
    params: Mapping[str, Any], document: Mapping[str, Any], summary: str, unhealthy: list[str], *,
    xml: str | None = None, shows: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Write the report, show it if it ``shows``, and say so; raises OSError.

    One that can't be written is shown all the same, by whatever callback is in use: those read the file.
    """
    try:
        paths = _write(params, {"json": _json(document), **({"xml": xml} if xml is not None else {})})
    except OSError:
        _display(document)  # the run ends here, so this is its last table
        raise
    if shows and not _left_to_a_callback():
        _display(document)
    return {
        "healthy": document["healthy"],
        "summary": summary,
        "unhealthy": unhealthy,
        "paths": paths,
        "finished": shows,
    }


def _write(params: Mapping[str, Any], texts: Mapping[str, str]) -> list[str]:
    """Write ``<name>.<suffix>`` for each text; the paths. Raises OSError."""
    name = slices.file_name(params["name"], params["slice"])
    paths = {Path(params["state_dir"], "reports", f"{name}.{suffix}"): text for suffix, text in texts.items()}
    for path, text in paths.items():
        write_text(path, text)
    return [str(path) for path in paths]


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _left_to_a_callback() -> bool:
    return shown.CALLBACK in constants.CALLBACKS_ENABLED or bool(shown.FLEET == constants.DEFAULT_STDOUT_CALLBACK)


def _display(document: Mapping[str, Any]) -> None:
    for line in table.whole(document, _width()):
        display.display(line.text, color=line.colour)


def _width() -> int:
    """The terminal's width as a worker process knows it: 79 stands for a terminal of 80 and for none."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else display.columns
    return min(max(width, _NARROWEST), _WIDEST) if width >= _NARROWEST else _WIDTH_OF_A_LOG
