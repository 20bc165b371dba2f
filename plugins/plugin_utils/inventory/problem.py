# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run refuses (used by everything that judges an inventory)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Problem", "near"]


@dataclass(frozen=True)
class Problem:
    """Something in the inventory that a run refuses: ``site`` is None where no single site is meant."""

    site: str | None
    message: str

    def __str__(self) -> str:
        return f"{self.site}: {self.message}" if self.site else self.message


def near(name: str, known: Sequence[str]) -> str:
    """The end of a message about a name that isn't among ``known``: what was meant, or what there is."""
    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else f"; there is {', '.join(known)}" if known else ""
