# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of a mesh, as reports hold them (used by the rest of `_measure`); pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "percentiles"]

PERCENT = (50, 95, 99)


@dataclass(frozen=True)
class Figure:
    """One line: ``numbers`` are of ``unit`` by name; without any, ``about`` says why nothing was measured."""

    site: str
    peer: str
    what: str
    numbers: Mapping[str, float]
    unit: str
    about: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The figure as JSON."""
        return asdict(self)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """``{p50, p95, p99}`` by the nearest rank; empty of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {f"p{percent}": round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 2) for percent in PERCENT}
