# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sealed archive: bytes in ansible-vault's format and back (used by ``service``).

ansible-core's own library does the work, so ``ansible-vault decrypt`` opens an archive without this collection. Pure.

The format has a code over the whole (HMAC), which a wrong passphrase and a changed byte break in the same way. An end
that is cut off can be told apart without it: the ciphertext is padded to blocks of 16 bytes and the text ends with a
line end, and no other cut fulfils both.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["Secrets", "seal", "unseal"]

Secrets = Sequence[tuple[str, VaultSecret]]

_HEADER = re.compile(rb"\$ANSIBLE_VAULT;1\.[12];AES256(?:;[^\r\n]*)?\r?\n")
_HEXADECIMAL = re.compile(rb"[0-9a-f\r\n]*")
_BLOCK = 32  # hexadecimal digits of an AES block


def seal(plain: bytes, secret: VaultSecret) -> bytes:
    """The text, ASCII with lines of 80 digits; it is some four times as long."""
    return bytes(VaultLib([("default", secret)]).encrypt(plain, secret))


def unseal(text: bytes, secrets: Secrets, name: str) -> bytes:
    """The bytes that were sealed; ``name`` is the file's, for the error: MeshError if none of the secrets opens it."""
    if not text:
        raise MeshError(f"{name} is empty")
    header = _HEADER.match(text)
    if header is None:
        raise MeshError(f"{name} is no archive", why="it isn't in ansible-vault's format (AES256)")
    digits = text[header.end() :]
    if not _HEXADECIMAL.fullmatch(digits):
        raise MeshError(f"{name} is damaged", why="it holds other letters than ansible-vault writes")
    if not _is_whole(digits):
        raise MeshError(f"{name} is cut off", why="its end is missing", hint="take another copy of it")
    try:
        return bytes(VaultLib(list(secrets)).decrypt(text))
    except AnsibleError:
        why = "the passphrase is another one than it was made with, or the file was changed since"
        raise MeshError(f"{name} can't be opened", why=why) from None


def _is_whole(digits: bytes) -> bool:
    """Whether the end of the text is there."""
    if not digits.endswith(b"\n"):
        return False
    try:
        _salt, _code, ciphertext = binascii.unhexlify(b"".join(digits.split())).split(b"\n", 2)
    except ValueError:
        return False
    return len(ciphertext) > 0 and len(ciphertext) % _BLOCK == 0
