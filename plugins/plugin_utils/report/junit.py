# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check records as JUnit XML: one suite per site, one case per check and peer (used by the action `edge.mesh.report`).

`failed` is a failure, `unknown` an error, `skipped` is skipped; a warning passes and says what it is in its output.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report.records import Json, seen
from ansible_collections.edge.mesh.plugins.plugin_utils.report.told import plain

if TYPE_CHECKING:
    import junitparser
else:
    try:
        import junitparser
    except ImportError:  # the documentation must load without it
        junitparser = None

__all__ = ["document"]


def document(mesh: str, records: Sequence[Json]) -> str:
    """The XML text; suites in the order in which the sites appear. Raises MeshError without the library."""
    if junitparser is None:
        raise MeshError(
            "the JUnit report can't be written",
            why="the Python library junitparser can't be imported",
            hint="install it for the Python that runs Ansible on the controller",
        )
    suites: Any = junitparser.JUnitXml(mesh)  # its methods carry no annotations
    for site in dict.fromkeys(record["site"] for record in records):
        suite = junitparser.TestSuite(site)
        suite.add_testcases([_case(mesh, record) for record in records if record["site"] == site])
        suites.add_testsuite(suite)
    suites.update_statistics()
    text: str = suites.tostring().decode("utf-8")
    return text if text.endswith("\n") else text + "\n"


def _case(mesh: str, record: Json) -> junitparser.TestCase:
    name = f"{record['id']} {record['peer']}" if record["peer"] else record["id"]
    case = junitparser.TestCase(name, classname=f"{mesh}.{record['site']}", time=record["took_ms"] / 1000)
    verdict = record["verdict"]
    text = f"{seen(record)} ({plain(record['hint'])})" if record["hint"] else seen(record)
    kinds = {"failed": junitparser.Failure, "unknown": junitparser.Error, "skipped": junitparser.Skipped}
    if verdict in kinds:
        case.result = [kinds[verdict](text, verdict)]
    case.system_out = f"{record['title']}: {verdict}\n{json.dumps(record['evidence'], indent=2, sort_keys=True)}"
    return case
