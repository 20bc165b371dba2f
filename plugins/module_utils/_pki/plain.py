# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether istiod finds in a bundle's files what we find there (used by ``verifying``).

Files that people hand in may have any form, for what is made of them is written anew. A bundle that is in use is read
by istiod itself, with Go's `encoding/pem`: stricter than we are about where a block may begin, and taking the first
block of a certificate or key file whatever it is.
"""

from __future__ import annotations

import re

__all__ = ["form_problems"]

_LENIENT = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_GO = re.compile(
    rb"(?:\A|(?<=\n))-----BEGIN ([^\n]*?)-----[ \t]*\r?\n((?:(?!-----BEGIN ).)*?)"
    rb"(?<=\n)-----END \1-----[ \t]*\r?(?:\n|\Z)",
    re.DOTALL,
)
_KEY_LABELS = (b"PRIVATE KEY", b"EC PRIVATE KEY", b"RSA PRIVATE KEY")


def form_problems(data: bytes, name: str) -> list[str]:
    """Why istiod reads something else in the file ``name`` of a bundle than we do; empty for what isn't PEM at all."""
    seen = [(match[1], match[2]) for match in _GO.finditer(data)]
    labels = [label for label, _body in seen]
    if labels != [match[1] for match in _LENIENT.finditer(data)]:
        return [f"{name} has PEM blocks that don't begin at the start of a line, and istiod doesn't see them"]
    if name == "ca-key.pem":
        if labels and labels[0] not in _KEY_LABELS:
            return [f"{name} begins with {labels[0].decode()}, and istiod reads its first block as the key"]
        return []
    problems = []
    if any(label.endswith(b"PRIVATE KEY") for label in labels):
        problems.append(f"{name} holds a private key, and istiod hands that file out")
    if any(label != b"CERTIFICATE" or _headers(body) for label, body in seen):
        problems.append(f"{name} holds something else than plain certificates, and istiod doesn't read that")
    return problems


def _headers(body: bytes) -> bool:
    """Whether a block has header lines: istiod leaves such certificates out of its chain and its roots."""
    return b":" in body
