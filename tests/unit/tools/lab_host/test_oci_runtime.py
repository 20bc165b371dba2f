# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OCI runtime in front of runc: what it changes, what it leaves alone, and that it becomes runc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.lab_host import oci_runtime

SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")


def process(*capabilities: str, **more: Any) -> dict[str, Any]:
    return {"args": ["sh"], "capabilities": {name: list(capabilities) for name in SETS}, **more}


def test_the_capability_leaves_every_set_and_the_others_stay_in_order() -> None:
    document = {"ociVersion": "1.0.2", "process": process("CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME")}

    assert oci_runtime.edit_bundle(document, 0)

    assert document == {"ociVersion": "1.0.2", "process": process("CAP_SYS_PTRACE", "CAP_SYS_TIME")}


@pytest.mark.parametrize(
    "document",
    [
        {"process": process("CAP_CHOWN")},
        {"process": {"args": ["sh"]}},
        {"process": {"args": ["sh"], "capabilities": None}},
        {"process": {"args": ["sh"], "capabilities": {"bounding": None, "ambient": []}}},
        {"ociVersion": "1.0.2"},
    ],
)
def test_a_bundle_that_asks_for_nothing_missing_is_left_alone(document: dict[str, Any]) -> None:
    before = json.dumps(document)

    assert not oci_runtime.edit_bundle(document, 0)
    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("wanted", "own", "asked"),
    [(-999, 0, 0), (-500, -500, -500), (-500, -400, -400), (0, 0, 0), (500, 0, 500), (0, 1, 1)],
)
def test_a_score_below_the_hosts_own_is_never_asked_for(wanted: int, own: int, asked: int) -> None:
    document = process(oomScoreAdj=wanted)

    assert oci_runtime.edit_process(document, own) is (wanted != asked)
    assert document["oomScoreAdj"] == asked


def test_a_score_that_nobody_asked_for_is_not_invented() -> None:
    document = process()
    oci_runtime.edit_process(document, 1)
    assert "oomScoreAdj" not in document


@pytest.mark.parametrize(
    ("line", "command", "rest"),
    [
        (["--root", "/r", "--log", "/l", "--log-format", "json", "create", "--bundle", "/b", "id"], "create", 3),
        (["--systemd-cgroup", "exec", "--process", "/p", "id"], "exec", 3),
        (["--root=/exec", "--debug", "state", "create"], "state", 1),
        (["--version"], "", 0),
        ([], "", 0),
        # A value that looks like a subcommand.
        (["--root", "create", "delete", "id"], "delete", 1),
    ],
)
def test_the_subcommand_is_found_behind_runcs_own_options(line: list[str], command: str, rest: int) -> None:
    assert oci_runtime.subcommand(line) == (command, line[len(line) - rest :])


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--bundle", "/b", "id"], "/b"),
        (["-b", "/b", "id"], "/b"),
        (["--bundle=/b", "id"], "/b"),
        (["--pid-file", "/p", "id"], None),
        (["--bundle"], None),
    ],
)
def test_an_option_is_read_in_both_spellings(words: list[str], value: str | None) -> None:
    assert oci_runtime.option(words, "--bundle", "-b") == value


@pytest.fixture
def run_as_runtime(tmp_path: Path) -> Any:
    """Run the module as the program that it is installed as, with a runc that writes its arguments down."""
    runc = tmp_path / "runc"
    runc.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/said\nexit 7\n')
    runc.chmod(0o755)
    source = Path(oci_runtime.__file__).read_text()
    program = tmp_path / "runtime.py"
    program.write_text(source.replace('"/usr/sbin/runc", ', f'"{runc}", "/usr/sbin/runc", '))

    def run(*words: str) -> tuple[int, list[str]]:
        done = subprocess.run([sys.executable, "-IS", str(program), *words], cwd=tmp_path, check=False)
        return done.returncode, (tmp_path / "said").read_text().splitlines()

    return run


def test_it_becomes_runc_with_the_bundle_changed_and_its_mode_kept(tmp_path: Path, run_as_runtime: Any) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": process("CAP_SYS_RESOURCE", "CAP_CHOWN")}))
    config.chmod(0o600)

    assert run_as_runtime("--log", "/l", "create", "--bundle", str(tmp_path), "x") == (
        7,
        ["--log", "/l", "create", "--bundle", str(tmp_path), "x"],
    )

    assert json.loads(config.read_text()) == {"process": process("CAP_CHOWN")}
    assert config.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "runc", "runtime.py", "said"]


def test_without_a_bundle_option_the_bundle_is_the_working_directory(tmp_path: Path, run_as_runtime: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"process": process("CAP_SYS_RESOURCE")}))
    run_as_runtime("run", "x")
    assert json.loads((tmp_path / "config.json").read_text()) == {"process": process()}


def test_the_process_file_of_an_exec_is_changed_too(tmp_path: Path, run_as_runtime: Any) -> None:
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process("CAP_SYS_RESOURCE", "CAP_KILL")))
    run_as_runtime("exec", "--process", str(file), "x")
    assert json.loads(file.read_text()) == process("CAP_KILL")


def test_a_file_that_it_cannot_read_is_left_for_runc_to_complain_about(tmp_path: Path, run_as_runtime: Any) -> None:
    (tmp_path / "config.json").write_text("{")
    assert run_as_runtime("create", "x")[0] == 7
    assert (tmp_path / "config.json").read_text() == "{"
