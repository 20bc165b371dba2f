# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a run has come at each site, and what is left for a later one (used by the action `edge.mesh.report`).

Pure: what the playbook knows of each site in, rows of ``run.json`` out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.report import changes

__all__ = ["STEPS", "left", "rows"]

Json = Mapping[str, Any]

_GATEWAYS = "gateways"
_PEERS, _SAMPLES, _GATEWAY_ONLY, _WAN = "other primaries", "sample apps", "gateway only", "WAN links"
_COMMON = ("preflight", "cluster")
STEPS = {
    "primary": (*_COMMON, "trust", "control plane", _GATEWAYS, _PEERS, _SAMPLES, "routes", _WAN),
    "edge": (*_COMMON, "enrolment", _GATEWAYS, _PEERS, _SAMPLES, _GATEWAY_ONLY, _WAN),
}
_RUNNING, _WAITING, _DONE, _SKIPPED = "running", "not started", "done", "skipped"
_UNKNOWN = "there is no cluster yet, so what it gets is not known"


def rows(
    sites: Iterable[Json], *, sample_apps: bool, wan_links: bool = False, peers: bool = False
) -> list[dict[str, Any]]:
    """A row ``{site, step, result, reason, steps, changes}`` a site.

    Of a site is given: ``site``, ``role``, ``gateway_only`` (whether it has no sidecars), ``at`` (the step that begins
    now; empty when the run is at its end), ``begun`` (false while its wave waits), ``failed`` (``{stage, result,
    reason}`` or empty), ``known`` (false in check mode where there is no cluster yet) and ``results`` (see
    :func:`changes.of`). ``dropped`` says that Ansible goes on without the site for no reason that was recorded.
    """
    wanted = {_PEERS: peers, _SAMPLES: sample_apps, _WAN: wan_links}
    left_out = {step for step, is_wanted in wanted.items() if not is_wanted}
    return [_row(site, _steps(site, left_out)) for site in sites]


def _steps(site: Json, left_out: set[str]) -> list[str]:
    without = left_out if site.get("gateway_only") else {*left_out, _GATEWAY_ONLY}
    return [step for step in STEPS[site["role"]] if step not in without]


def left(rows_now: Iterable[Json], before: Iterable[str], *, check: bool) -> list[str]:
    """The sites that still need a run: those of earlier runs that this one left alone, and those it hasn't finished.

    A run in check mode finishes nothing.
    """
    found = dict.fromkeys(before)
    for row in [] if check else rows_now:
        if row["result"] == _DONE:
            found.pop(row["site"], None)
        else:
            found[row["site"]] = None
    return list(found)


def _row(site: Json, steps: Sequence[str]) -> dict[str, Any]:
    failed = _failed(site)
    at = str(failed.get("stage") or site["at"])
    done = _before(steps, at, _finished(site))
    taken = [
        {"step": step, "result": _DONE if step in done else _WAITING, "reason": ""} for step in steps if step != at
    ]
    row = {"site": site["site"], "step": at or "all", "result": _DONE, "reason": ""}
    if failed:
        row |= {"result": failed["result"], "reason": failed["reason"]}
    elif not site["known"]:
        row |= {"step": "cluster", "result": _SKIPPED, "reason": _UNKNOWN}
        taken = [each | ({"result": _SKIPPED} if each["step"] not in _COMMON else {}) for each in taken]
    elif at:
        row |= {"result": _RUNNING if site["begun"] else _WAITING}
    if at in steps:
        taken.insert(steps.index(at), {"step": at, "result": row["result"], "reason": row["reason"]})
    return {**row, "steps": taken, "changes": changes.of(site.get("results") or [])}


def _failed(site: Json) -> Json:
    """What is known of a failure: what was recorded, or else why Ansible has dropped the site."""
    if site.get("failed") or not site.get("dropped"):
        return site.get("failed") or {}
    return {"stage": "the run", "result": "failed", "reason": "a task failed where nothing is rescued, see above"}


def _finished(site: Json) -> bool:
    return not site["at"] and not _failed(site)


def _before(steps: Sequence[str], at: str, finished: bool) -> Collection[str]:
    """The steps that lie behind a site; one that waits for its wave has its cluster."""
    if finished:
        return steps
    return steps[: steps.index(at)] if at in steps else [step for step in steps if step in _COMMON]
