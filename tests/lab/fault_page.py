# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The troubleshooting page, made of the table of faults and the list of checks: ``python -m tests.lab.fault_page``.

`tests/unit/tests/test_fault_table.py` fails if the page isn't what this makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.edge.mesh.plugins.module_utils._checks import CHECKS
from tests.lab.fault_table import FAULTS, Fault

PAGE = Path(__file__).resolve().parents[2] / "docs/docsite/rst/troubleshooting.rst"

_HEAD = """\
..
  Copyright (c) 2026 edge.mesh contributors
  GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. Made by python -m tests.lab.fault_page from the table of faults (tests/lab/fault_table.py): change that.

.. _ansible_collections.edge.mesh.docsite.troubleshooting:

Troubleshooting by check
========================

.. contents::
   :local:
   :depth: 1

``edge.mesh.verify`` names each check by an id. Below stands, for each id, what turns it. Every line was made for real
on a mesh of three clusters, and exactly the checks that are named for a fault turned; the tests of this collection do
that again and again.

``failed`` is a fault that was seen. ``unknown`` is what couldn't be asked, mostly because something else is wrong: mend
that first. ``warning`` may be right where you are. A record's ``evidence`` says what was seen, its ``hint`` what to do.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, *_overview()]
    for check, title in CHECKS.items():
        parts += ["", check, "-" * len(check), "", f"True if all is well: {title}.", ""]
        parts += list(_causes(check)) or ["No fault of the table turns this one."]
    return "\n".join(parts).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield from ("What is broken, and what turns", "------------------------------", "")
    for fault in FAULTS:
        yield f"* **{fault.broken}**"
        yield f"  At the site: {_verdicts(fault.turns) or 'nothing'}."
        if fault.elsewhere:
            yield f"  At the other sites: {_verdicts(fault.elsewhere)}."
        if fault.may:
            perhaps = _verdicts(dict.fromkeys(sorted(fault.may), "failed"))
            yield f"  Perhaps: {perhaps}, once open connections have ended."
        yield f"  {fault.mend}"


def _verdicts(turned: object) -> str:
    assert isinstance(turned, dict)
    groups: dict[str, list[str]] = {}
    for check, verdict in turned.items():
        groups.setdefault(verdict, []).append(f"``{check}``")
    return "; ".join(f"{', '.join(checks)} {verdict}" for verdict, checks in groups.items())


def _causes(check: str) -> Iterator[str]:
    for fault in FAULTS:
        for where, verdict in _places(check, fault):
            yield f"* ``{verdict}`` {where}: {fault.broken} {fault.mend}"


def _places(check: str, fault: Fault) -> Iterator[tuple[str, str]]:
    here, there = fault.turns.get(check), fault.elsewhere.get(check)
    if here and here == there:
        yield "at every site", here
    else:
        if here:
            yield "at the site", here
        if there:
            yield "at the other sites", there
    if check in fault.may:
        yield "at the site, perhaps", "failed"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
