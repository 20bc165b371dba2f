# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every file: its header, its size, its suppressions, and the names that don't belong there."""

from __future__ import annotations

import ast
import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, below, files, text

MOST_LINES = 400
MOST_SUPPRESSIONS = 5
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
PYTHON = [path for path in files() if path.suffix == ".py"]


def without_header() -> list[str]:
    """The globs of REUSE.toml: files that can't carry a header."""
    annotations = tomllib.loads((ROOT / "REUSE.toml").read_text(encoding="utf-8"))["annotations"]
    return [glob for entry in annotations for glob in entry["path"]]


def test_every_file_names_its_licence() -> None:
    globs = without_header()
    bare = [
        str(path)
        for path in files()
        if path.name != "LICENSE"
        and text(path).strip()
        and "SPDX-License-Identifier: GPL-3.0-or-later" not in "\n".join(text(path).splitlines()[:8])
        and not any(fnmatch.fnmatch(str(path), glob.replace("**/", "*")) for glob in globs)
    ]
    assert not bare, f"no SPDX header, and not in REUSE.toml: {', '.join(bare)}"


def code_lines(path: Path) -> int:
    """Lines of a Python file, without the documentation of a module."""
    source = text(path)
    lines = len(source.splitlines())
    if path.is_relative_to("plugins/modules"):
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and any(
                getattr(name, "id", None) in DOCUMENTATION for name in node.targets
            ):
                lines -= (node.end_lineno or node.lineno) - node.lineno + 1
    return lines


@pytest.mark.parametrize("path", PYTHON, ids=str)
def test_a_file_fits_in_one_head(path: Path) -> None:
    assert code_lines(path) <= MOST_LINES


def test_suppressions_in_plugins_are_few_and_have_reasons() -> None:
    found = [
        (path, number, line)
        for path in below("plugins", suffix=".py")
        for number, line in enumerate(text(path).splitlines(), 1)
        if re.search(r"#\s*(noqa|type:\s*ignore|pylint:)", line)
    ]
    shown = "\n".join(f"{path}:{number}: {line.strip()}" for path, number, line in found)
    assert len(found) <= MOST_SUPPRESSIONS, f"{len(found)} suppressions:\n{shown}"
    reason = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+|type:\s*ignore\[[a-z, -]+\]|pylint: disable=\S+)\s*[-#(]+\s*\w+ \w+")
    bare = [f"{path}:{number}" for path, number, line in found if not reason.search(line)]
    assert not bare, f"no reason given: {', '.join(bare)}"


def test_the_code_knows_no_site_of_the_lab() -> None:
    # `hub` is Istio's own word for a registry too: as a key, an attribute or after a point it isn't a site.
    name = re.compile(r"\b(?:paris|oslo|site_hub)\b|(?<![.\w])hub\b(?![\"']?\s*[:=])", re.IGNORECASE)
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in below("plugins", "roles", "playbooks")
        if path.suffix != ".sum"
        for number, line in enumerate(text(path).splitlines(), 1)
        if name.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_file_ignores_a_sanity_test() -> None:
    assert not [str(path) for path in below("tests/sanity") if path.name.startswith("ignore")]


@pytest.mark.parametrize("path", [path for path in files() if path.suffix == ".md"], ids=str)
def test_relative_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text(path))
    missing = [target for target in targets if not (ROOT / path.parent / target).exists()]
    assert not missing


def test_what_the_guides_tell_people_to_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(Path("Makefile")), re.MULTILINE))
    told = {
        word for path in ("README.md", "CONTRIBUTING.md") for word in re.findall(r"make ([a-z-]+)`", text(Path(path)))
    }
    assert told <= targets


def test_the_guides_have_no_gaps_left() -> None:
    gaps = [
        f"{path}:{number}"
        for path in files()
        if path.suffix == ".md"
        for number, line in enumerate(text(path).splitlines(), 1)
        if "@@" in line
    ]
    assert not gaps
