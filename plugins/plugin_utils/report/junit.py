# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check records as JUnit XML: one suite per site, one case per check (used by the action `edge.mesh.report`).

`failed` is a failure, `unknown` an error, `skipped` is skipped; a warning passes and says what it is in its output.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.report.records import VERDICTS, Json, seen
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
        of_site = [record for record in records if record["site"] == site]
        for check in dict.fromkeys(record["id"] for record in of_site):
            suite.add_testcase(_case(mesh, [record for record in of_site if record["id"] == check]))
        suites.add_testsuite(suite)
    suites.update_statistics()
    text: str = suites.tostring().decode("utf-8")
    return text if text.endswith("\n") else text + "\n"


def _case(mesh: str, records: Sequence[Json]) -> junitparser.TestCase:
    """One case for a site's records of one id: its verdict is the worst of its peers', its text names those."""
    worst = min(records, key=lambda record: VERDICTS.index(record["verdict"]))
    verdict = worst["verdict"]
    seconds = max(record["took_ms"] for record in records) / 1000
    case = junitparser.TestCase(worst["id"], classname=f"{mesh}.{worst['site']}", time=seconds)
    kinds = {"failed": junitparser.Failure, "unknown": junitparser.Error, "skipped": junitparser.Skipped}
    if verdict in kinds:
        bad = [record for record in records if record["verdict"] == verdict]
        case.result = [kinds[verdict]("; ".join(_told(record) for record in bad), verdict)]
    case.system_out = "\n".join(
        f"{_titled(record)}: {record['verdict']}\n{json.dumps(record['evidence'], indent=2, sort_keys=True)}"
        for record in records
    )
    return case


def _titled(record: Json) -> str:
    return f"{record['title']} ({record['peer']})" if record["peer"] else str(record["title"])


def _told(record: Json) -> str:
    text = f"{seen(record)} ({plain(record['hint'])})" if record["hint"] else seen(record)
    return f"{record['peer']}: {text}" if record["peer"] else text
