# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares of answers against those that a route gives, and pages of bookinfo (used by `_verify.routes`).

Pure. A proxy draws the target of each request at random, so of 100 requests a share of 50 % is off by 15 or more in one
of some 400 samples. That must not make a mesh sick: what is off is asked again, and all answers are judged together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Finding

__all__ = ["Page", "bookinfo", "off", "split", "users"]

Shares = Mapping[str, float]  # name -> percent

_ROW = re.compile(
    r'<tr data-app="([^"]*)" data-version="([^"]*)" data-site="([^"]*)" data-pod="([^"]*)" data-request="([^"]*)">'
)
_PARTS = ("productpage", "details", "reviews")
_STARS = ("v2", "v3")  # versions of reviews that ask ratings
_OK = 200


@dataclass(frozen=True)
class Page:
    """One answer of ``/productpage``: status 0 means that there was none, and ``body`` says why."""

    status: int
    body: str

    @property
    def rows(self) -> dict[str, tuple[str, str, str, str]]:
        """App -> (version, site, pod, request id) of each that took part."""
        return {found[0]: (found[1], found[2], found[3], found[4]) for found in _ROW.findall(self.body)}

    @property
    def version(self) -> str:
        """The version of reviews that took part, or nothing."""
        return self.rows.get("reviews", ("",))[0]

    @property
    def flaw(self) -> str:
        """What is missing of a complete page, or nothing."""
        if self.status != _OK:
            return f"{self.status} {_short(self.body)}" if self.status else _short(self.body) or "no answer"
        if not self.body.rstrip().endswith("</html>"):
            return "the page doesn't end"
        rows = self.rows
        wanted = [*_PARTS, *(["ratings"] if self.version in _STARS else [])]
        missing = [app for app in wanted if app not in rows]
        if missing:
            return f"no answer of {', '.join(missing)}"
        return "" if len({row[3] for row in rows.values()}) == 1 else "the request's id wasn't passed on"


def off(counts: Mapping[str, int], expected: Shares, tolerance: float) -> list[str]:
    """Who has another share of the answers than expected, in words; who isn't expected may have none."""
    total = sum(counts.values())
    found = []
    for name in sorted({*counts, *expected}):
        share = 100 * counts.get(name, 0) / total if total else 0.0
        wanted = expected.get(name, 0.0)
        # nothing and all of it are promises, not shares
        exact = wanted in (0.0, 100.0)
        if (exact and share != wanted) or abs(share - wanted) > tolerance:
            found.append(f"{name} has {share:.0f} %, not {wanted:.0f} %")
    return found


def bookinfo(rounds: Sequence[Sequence[Page]], expected: Shares, tolerance: float) -> Finding:
    """Whether all pages are complete and the versions of reviews have their shares."""
    return _judged(rounds, expected, tolerance, "look at the sites of what doesn't answer, and at traffic.reach")


def users(found: Sequence[tuple[str, Sequence[Page], Shares]], tolerance: float) -> Finding:
    """Whether the pages for each named user (name, pages, expected shares) come from the versions meant for them."""
    findings = [(name, _judged([pages], expected, tolerance, "")) for name, pages, expected in found]
    evidence: dict[str, Any] = {name: dict(finding.evidence) for name, finding in findings}
    evidence["seen"] = "; ".join(f"{name}: {finding.evidence['seen']}" for name, finding in findings)
    if all(finding.verdict == "ok" for _name, finding in findings):
        return Finding("ok", evidence)
    return Finding("failed", evidence, "look at the route's match, and whether the header is passed on")


def split(
    answered: Sequence[Sequence[str | None]], errors: Iterable[str], expected: Shares, tolerance: float
) -> Finding:
    """Whether the sites that answered (None: nobody did; a sequence a round) have their shares."""
    every = [site for sites in answered for site in sites]
    counts = Counter(site for site in every if site is not None)
    failed = [error for error in errors if error]
    evidence: dict[str, Any] = {"requests": len(every), "failed_requests": len(failed), "expected": dict(expected)}
    evidence["answered_by"] = dict(sorted(counts.items()))
    evidence["seen"] = f"{_listed(counts) or 'none'} of {len(every)}"
    wrong = off(counts, expected, tolerance)
    if failed:
        evidence["seen"] += f"; {len(failed)} failed: {Counter(failed).most_common(1)[0][0]}"
    if wrong:
        evidence["seen"] += f"; {', '.join(wrong)}"
    if failed or wrong:
        return Finding(
            "failed", evidence, "look at the route, and whether its host is ready at the sites that it names"
        )
    return Finding("ok", evidence)


def _judged(rounds: Sequence[Sequence[Page]], expected: Shares, tolerance: float, hint: str) -> Finding:
    pages = [page for each in rounds for page in each]
    flaws = Counter(page.flaw for page in pages if page.flaw)
    counts = Counter(page.version for page in pages if not page.flaw)
    evidence: dict[str, Any] = {
        "requests": len(pages),
        "complete": sum(counts.values()),
        "expected": dict(expected),
        "versions": dict(sorted(counts.items())),
        "answered_by": _places(pages),
    }
    evidence["seen"] = f"{sum(counts.values())} of {len(pages)} complete: {_listed(counts) or 'no reviews'}"
    wrong = off(counts, expected, tolerance)
    if flaws:
        evidence["seen"] += f"; {flaws.most_common(1)[0][0]}"
        return Finding("failed", evidence, hint)
    if wrong:
        evidence["seen"] += f"; {', '.join(wrong)}"
        return Finding("failed", evidence, "look at the route of reviews, and at the versions that run")
    return Finding("ok", evidence)


def _places(pages: Iterable[Page]) -> dict[str, list[str]]:
    """``<app>-<version>`` -> the sites where it answered."""
    found: dict[str, set[str]] = {}
    for page in pages:
        for app, row in page.rows.items():
            found.setdefault(f"{app}-{row[0]}", set()).add(row[1])
    return {name: sorted(found[name]) for name in sorted(found)}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in sorted(counts))


def _short(text: str) -> str:
    return " ".join(text.split())[:120]
