# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one family of errors that the collection's own code raises (used by every layer).

An error is one line for a person: what failed, at which site, why, and what to do next.
It is raised low, travels up untouched, and is reported once by ``_module.run`` or an action plugin.
"""

from __future__ import annotations

__all__ = ["MeshError"]


class MeshError(Exception):
    """What failed, at which site, why, and what to do next; never holds a secret.

    ``what`` is a short clause without a full stop ("the kubeconfig can't be used"), ``why`` the cause as far as it
    is known, ``hint`` an instruction ("run site.yml again for this site"). ``unanswered`` says that an API gave no
    answer at all: the site may be cut off, and nothing of it is known to be wrong.
    """

    unanswered = False

    def __init__(self, what: str, *, site: str | None = None, why: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.site = site
        self.why = why
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole error in one line."""
        line = f"{self.site}: {self.what}" if self.site else self.what
        if self.why:
            line += f": {self.why}"
        if self.hint:
            line += f" ({self.hint})"
        return " ".join(line.split())

    def at(self, site: str) -> MeshError:
        """The same error, said of a site, unless it names one already."""
        if self.site is None:
            self.site = site
            self.args = (self.message,)
        return self

    def __str__(self) -> str:
        return self.message
