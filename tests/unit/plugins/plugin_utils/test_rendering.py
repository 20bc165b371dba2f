# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istioctl renders, kept by content."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils import rendering

A, B, C = (f'{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "{name}"}}}}' for name in "abc")


def listed(*texts: str) -> str:
    """What is made of objects, each a line that is YAML and JSON."""
    found = {"apiVersion": "v1", "kind": "List", "items": [json.loads(text) for text in texts]}
    return json.dumps(found, separators=(",", ":"))


@pytest.fixture
def istioctl(tmp_path: Path) -> Path:
    """A program that answers with what it is given, and counts how often it was asked."""
    path = tmp_path / "istioctl"
    asked = tmp_path / "asked"
    path.write_text(f'#!/bin/sh\necho "$*" >> {asked}\ncat\n')
    path.chmod(0o755)
    return path


def times_asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


def test_the_same_input_is_rendered_once(tmp_path: Path, istioctl: Path) -> None:
    kept = tmp_path / "kept"
    assert rendering.render(istioctl, A, kept) == (listed(A), False)
    assert rendering.render(istioctl, A, kept) == (listed(A), True)
    assert rendering.render(istioctl, B, kept) == (listed(B), False)
    assert times_asked(tmp_path) == ["manifest generate --filename -"] * 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}


def test_another_istioctl_is_asked_anew(tmp_path: Path, istioctl: Path) -> None:
    rendering.render(istioctl, A, tmp_path / "kept")
    istioctl.write_text(f"#!/bin/sh\necho '{B}'\n")
    assert rendering.render(istioctl, A, tmp_path / "kept") == (listed(B), False)


def test_a_link_to_the_same_program_is_the_same(tmp_path: Path, istioctl: Path) -> None:
    (tmp_path / "link").symlink_to(istioctl)
    assert rendering.key(tmp_path / "link", "x") == rendering.key(istioctl, "x")


def test_an_empty_or_broken_file_is_made_anew(tmp_path: Path, istioctl: Path) -> None:
    kept = tmp_path / "kept"
    rendering.render(istioctl, A, kept)
    (path,) = kept.iterdir()
    for broken in (b"", b"\xff\xfe"):
        path.write_bytes(broken)
        assert rendering.render(istioctl, A, kept) == (listed(A), False)


def test_what_nobody_asked_for_goes_and_what_is_used_stays(tmp_path: Path, istioctl: Path) -> None:
    kept = tmp_path / "kept"
    for values in (A, B):
        rendering.render(istioctl, values, kept)
    for path in kept.iterdir():
        os.utime(path, (0, 0))
    assert rendering.render(istioctl, B, kept)[1]
    rendering.render(istioctl, C, kept)
    assert sorted(path.read_text() for path in kept.iterdir()) == [listed(B), listed(C)]


def test_a_directory_that_cannot_be_written_costs_time_only(tmp_path: Path, istioctl: Path) -> None:
    (tmp_path / "kept").write_text("a file where the directory should be")
    assert rendering.render(istioctl, A, tmp_path / "kept") == (listed(A), False)


def test_istioctl_that_fails_gives_its_last_line(tmp_path: Path, istioctl: Path) -> None:
    istioctl.write_text("#!/bin/sh\necho first >&2\necho 'Error: unknown field' >&2\nexit 1\n")
    with pytest.raises(MeshError, match="Error: unknown field"):
        rendering.render(istioctl, "x", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_an_istioctl_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="istioctl can't be run"):
        rendering.render(tmp_path / "none", "x", tmp_path / "kept")
