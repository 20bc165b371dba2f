# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spans of time as people write them (used by ``request``)."""

from __future__ import annotations

import re
from datetime import timedelta

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["parse_duration"]

_SPELLING = re.compile(r"\s*(\d{1,6})\s*([a-z]*)\s*")
_HOURS = {"": 24, "d": 24, "day": 24, "days": 24, "h": 1, "hour": 1, "hours": 1, "w": 168, "weeks": 168, "y": 8760}
_LONGEST = timedelta(days=36500)


def parse_duration(text: object, option: str) -> timedelta:
    """A positive span: a bare number is days, else ``12h``, ``90d``, ``6w`` or ``2y`` (a year is 365 days).

    Raises MeshError, which names ``option``, for anything else and for more than 100 years.
    """
    match = _SPELLING.fullmatch(str(text).lower())
    if match is None or match[2] not in _HOURS:
        hint = "write days, as 90 or 90d, or 12h, 6w, 2y"
        raise MeshError(f"{option} can't be understood", why=f"got '{text}'", hint=hint)
    span = timedelta(hours=int(match[1]) * _HOURS[match[2]])
    if not timedelta(0) < span <= _LONGEST:
        raise MeshError(f"{option} is out of range", why=f"got '{text}'", hint="between one hour and 36500 days")
    return span
