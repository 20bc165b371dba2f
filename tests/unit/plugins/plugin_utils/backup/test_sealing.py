# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-vault's format: round trips, ends that are cut off, and other passphrases."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.sealing import seal, unseal

SECRET = VaultSecret(b"correct horse battery staple")
RIGHT, WRONG = [("default", SECRET)], [("default", VaultSecret(b"tr0ub4dor&3"))]
SEALED = seal(b"the plain archive" * 20, SECRET)


@settings(max_examples=25)
@given(st.binary(max_size=400))
def test_what_is_sealed_is_opened_again_and_by_ansibles_own_library(plain: bytes) -> None:
    sealed = seal(plain, SECRET)
    assert unseal(sealed, RIGHT, "x.vault") == plain
    assert unseal(sealed.replace(b"\n", b"\r\n"), RIGHT, "x.vault") == plain
    assert VaultLib(RIGHT).decrypt(sealed) == plain


def test_no_two_archives_are_the_same_text() -> None:
    assert seal(b"x", SECRET) != seal(b"x", SECRET)


@settings(max_examples=40)
@given(st.data(), st.binary(max_size=300))
def test_every_cut_is_told_without_the_passphrase(data: st.DataObject, plain: bytes) -> None:
    sealed = seal(plain, SECRET)
    header = sealed.index(b"\n") + 1
    cut = data.draw(st.integers(header, len(sealed) - 1))
    with pytest.raises(MeshError) as caught:
        unseal(sealed[:cut], WRONG, "x.vault")
    assert caught.value.message == "x.vault is cut off: its end is missing (take another copy of it)"


def test_cuts_at_the_end_of_each_line_are_told() -> None:
    lines = SEALED.splitlines(keepends=True)
    for number in range(1, len(lines)):
        with pytest.raises(MeshError, match=r"x\.vault is cut off"):
            unseal(b"".join(lines[:number]), RIGHT, "x.vault")


CANT = "x.vault can't be opened: the passphrase is another one than it was made with, or the file was changed since"


def test_another_passphrase_is_refused() -> None:
    with pytest.raises(MeshError) as caught:
        unseal(SEALED, WRONG, "x.vault")
    assert caught.value.message == CANT


@settings(max_examples=25)
@given(st.integers(0, len(SEALED) - 1))
def test_a_digit_that_was_changed_is_refused(place: int) -> None:
    digit = SEALED[place : place + 1]
    if place <= SEALED.index(b"\n") or digit == b"\n":
        return
    changed = SEALED[:place] + (b"0" if digit != b"0" else b"1") + SEALED[place + 1 :]
    with pytest.raises(MeshError, match=r"x\.vault (can't be opened|is cut off)"):
        unseal(changed, RIGHT, "x.vault")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "x.vault is empty"),
        (b"PK\x03\x04", "x.vault is no archive: it isn't in ansible-vault's format (AES256)"),
        (SEALED[:20], "x.vault is no archive: it isn't in ansible-vault's format (AES256)"),
        (SEALED + b"and more\n", "x.vault is damaged: it holds other letters than ansible-vault writes"),
    ],
)
def test_what_is_no_archive_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(MeshError) as caught:
        unseal(text, RIGHT, "x.vault")
    assert caught.value.message == why


def test_all_vault_passwords_of_a_run_are_tried() -> None:
    assert unseal(SEALED, [*WRONG, *RIGHT], "x.vault") == b"the plain archive" * 20
