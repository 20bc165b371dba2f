# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata: the action group, the requirements and their pins, the test suites."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

from tests.architecture.tree import below, files, imports, text
from tests.runner import choose, load

# Packages whose import has another name.
IMPORT_OF = {
    "grpcio": {"grpc"},
    "protobuf": {"google"},
    "pyyaml": {"yaml"},
    "websocket-client": {"websocket"},
    "xds-protos": {"envoy", "udpa", "validate", "xds"},
}


def names(path: str) -> set[str]:
    """The packages that a requirements file names, in small letters."""
    lines = [line for line in text(Path(path)).splitlines() if re.match(r"[A-Za-z]", line)]
    return {re.split(r"[=<>~;\[ ]", line, maxsplit=1)[0].lower() for line in lines}


def pins(path: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==\S+)", text(Path(path)), re.MULTILINE))


def test_the_action_group_holds_every_module() -> None:
    group = yaml.safe_load(text(Path("meta/runtime.yml")))["action_groups"]["mesh"]
    modules = {path.stem for path in below("plugins/modules") if path.suffix in (".py", ".yml") and path.stem[0] != "_"}
    assert sorted(modules) == group


def test_the_requirements_are_what_plugins_import() -> None:
    imported = {each.top for path in below("plugins", suffix=".py") for each in imports(path)}
    foreign = imported - set(sys.stdlib_module_names) - {"ansible", "ansible_collections"}
    required = {name: IMPORT_OF.get(name, {name}) for name in names("requirements/collection.txt")}
    assert foreign <= set().union(*required.values())
    assert not [name for name, provides in required.items() if not provides & foreign], "required, but never imported"


def test_every_pin_has_a_hash_and_names_no_host() -> None:
    for path in ("requirements/lab.txt", "requirements/test.txt", "requirements/bench.txt"):
        for block in re.split(r"\n(?=[a-z])", text(Path(path)).strip()):
            assert "==" in block, f"{path}: {block} isn't pinned"
            assert "--hash=sha256:" in block, f"{path}: {block} has no hash"
        assert "://" not in text(Path(path))


def test_the_pins_of_the_tests_hold_those_of_the_lab() -> None:
    assert pins("requirements/lab.txt") <= pins("requirements/test.txt")
    assert pins("requirements/lab.txt") <= pins("requirements/bench.txt")


def test_every_requirement_is_pinned_and_has_its_reason() -> None:
    wanted = names("requirements/collection.txt") | names("requirements/lab.in") | names("requirements/test.in")
    pinned = {pin.split("==")[0] for pin in pins("requirements/test.txt")}
    assert wanted <= pinned
    compared = names("requirements/bench.in")
    assert compared <= {pin.split("==")[0] for pin in pins("requirements/bench.txt")}
    wanted |= compared
    reasons = text(Path("CONTRIBUTING.md")).lower()
    assert not [name for name in wanted if f"`{name}`" not in reasons], "no reason in CONTRIBUTING.md"


def test_what_ci_runs_fits_its_budget() -> None:
    budget, suites = load(text(Path("tests/suites.yml")))
    _chosen, left_out = choose(suites, budget, mode="ci")
    assert not [suite.name for suite, reason in left_out if suite.ci]
    assert (budget.warm, budget.cold) == (40, 65)


def test_every_directory_of_tests_belongs_to_a_suite() -> None:
    suites = text(Path("tests/suites.yml"))
    directories = {path.parts[1] for path in files() if path.parts[0] == "tests" and len(path.parts) > 2}
    assert not [name for name in directories if f"tests/{name}" not in suites and f"tests.{name}" not in suites]
