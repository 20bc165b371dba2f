# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DSCP classes by their names (used by the rest of `_wan` and by the site model).

Pure. Source: RFC 2474 (class selectors), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VA), RFC 8622 (LE).
"""

from __future__ import annotations

from typing import Any

__all__ = ["CLASSES", "value_of"]

_LARGEST = 63

CLASSES = {
    **{f"CS{number}": number * 8 for number in range(8)},
    **{f"AF{group}{drop}": group * 8 + drop * 2 for group in range(1, 5) for drop in range(1, 4)},
    "LE": 1,
    "VA": 44,
    "EF": 46,
    "DF": 0,
    "BE": 0,
}


def value_of(given: Any) -> int | None:
    """The code point (0 to 63) of a class's name or a number; None for what is neither."""
    if isinstance(given, bool) or given is None:
        return None
    text = str(given).strip().upper()
    if text in CLASSES:
        return CLASSES[text]
    number = int(text) if text.isascii() and text.isdigit() else -1
    return number if 0 <= number <= _LARGEST else None
