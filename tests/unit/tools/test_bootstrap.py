# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tools/bootstrap.sh: which Python it takes, what it says without one, and when it does nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "bootstrap.sh"
# A Python that says which version it is, and makes a virtual environment whose pip notes what it was asked for.
PYTHON = """#!/bin/sh
case "$*" in
  *"ensurepip; sys.exit"*) exit {unfit} ;;
  *"sys.executable"*) echo "{version} $0" ;;
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  *pip*) echo "$*" >>pip.log; exit {pip} ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that holds the script and two files of pins."""
    for name in ("tools", "requirements"):
        (tmp_path / "checkout" / name).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "checkout" / "tools")
    for level in ("lab", "test", "bench"):
        (tmp_path / "checkout" / "requirements" / f"{level}.txt").write_text(f"{level}==1\n", encoding="utf-8")
    return tmp_path / "checkout"


def python(path: Path, version: str, *, unfit: int = 0, pip: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PYTHON.format(version=version, unfit=unfit, pip=pip), encoding="utf-8")
    path.chmod(0o755)
    return path


def bootstrap(checkout: Path, level: str = "lab", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a home and a PATH that hold what the test put there (and the system's tools)."""
    tools = checkout.parent / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "cat", "cp", "date", "dirname", "flock", "ln", "mkdir", "rm", "sha256sum"):
        source = shutil.which(name)
        if source and not (tools / name).exists():
            (tools / name).symlink_to(source)
    values = {"PATH": str(tools), "HOME": str(checkout.parent / "home"), **environment}
    command = [str(tools / "sh"), str(checkout / "tools" / "bootstrap.sh"), level]
    return subprocess.run(command, env=values, capture_output=True, text=True, check=False)


def pip_calls(checkout: Path) -> list[str]:
    log = checkout / "pip.log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


usual_place_taken = pytest.mark.skipif(
    any(Path(f"/usr/local/bin/python3.{minor}").exists() for minor in (12, 13, 14)) or Path("/opt/python").exists(),
    reason="this machine has a Python where the script looks by its full path",
)


@usual_place_taken
def test_pyenvs_python_is_found(checkout: Path) -> None:
    there = python(checkout.parent / "home" / ".pyenv" / "versions" / "3.12.1" / "bin" / "python3", "3.12.1")
    done = bootstrap(checkout)
    assert done.returncode == 0, done.stderr
    assert f"3.12.1 {there}" in done.stdout


@usual_place_taken
def test_a_shim_that_does_not_work_is_passed_over(checkout: Path) -> None:
    python(checkout.parent / "bin" / "python3.12", "3.12.1", unfit=127)
    there = python(checkout.parent / "home" / ".local/share/uv/python/cpython-3.13.2-linux/bin/python3", "3.13.2")
    assert str(there) in bootstrap(checkout).stdout


@usual_place_taken
def test_without_a_python_the_error_says_how_to_get_one(checkout: Path) -> None:
    python(checkout.parent / "bin" / "python3", "3.11.2", unfit=1)
    done = bootstrap(checkout)
    assert done.returncode == 1
    assert "No usable Python 3.12, 3.13 or 3.14 was found" in done.stderr
    for way in ("apt-get install", "pyenv install", "uv python install", "EDGE_MESH_PYTHON="):
        assert way in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_chosen_python_that_does_not_fit_is_named(checkout: Path) -> None:
    chosen = python(checkout.parent / "mine" / "python", "3.11.2", unfit=1)
    done = bootstrap(checkout, EDGE_MESH_PYTHON=str(chosen))
    assert done.returncode == 1
    assert f"EDGE_MESH_PYTHON={chosen}" in done.stderr


def test_the_collection_is_linked_relatively(checkout: Path) -> None:
    bootstrap(checkout, EDGE_MESH_PYTHON=str(python(checkout.parent / "p", "3.12.1")))
    link = checkout / ".venv" / "collections" / "ansible_collections" / "edge" / "mesh"
    assert not Path(os.readlink(link)).is_absolute()
    assert link.resolve() == checkout.resolve()


def test_pins_are_installed_with_their_hashes(checkout: Path) -> None:
    bootstrap(checkout, EDGE_MESH_PYTHON=str(python(checkout.parent / "p", "3.12.1")))
    (call,) = pip_calls(checkout)
    assert "--require-hashes" in call
    assert call.endswith("-r requirements/lab.txt")


def test_a_second_call_does_nothing(checkout: Path) -> None:
    chosen = str(python(checkout.parent / "p", "3.12.1"))
    bootstrap(checkout, EDGE_MESH_PYTHON=chosen)
    done = bootstrap(checkout, EDGE_MESH_PYTHON=chosen)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(pip_calls(checkout)) == 1


def test_the_tests_environment_serves_the_lab_too(checkout: Path) -> None:
    chosen = str(python(checkout.parent / "p", "3.12.1"))
    bootstrap(checkout, "test", EDGE_MESH_PYTHON=chosen)
    assert bootstrap(checkout, "lab", EDGE_MESH_PYTHON=chosen).stdout == ""
    assert len(pip_calls(checkout)) == 1


def test_changed_pins_are_installed_into_what_is_there(checkout: Path) -> None:
    chosen = str(python(checkout.parent / "p", "3.12.1"))
    bootstrap(checkout, EDGE_MESH_PYTHON=chosen)
    (checkout / ".venv" / "bin" / "kubectl").write_text("", encoding="utf-8")
    (checkout / "requirements" / "lab.txt").write_text("lab==2\n", encoding="utf-8")
    assert bootstrap(checkout, EDGE_MESH_PYTHON=chosen).returncode == 0
    assert len(pip_calls(checkout)) == 2
    assert (checkout / ".venv" / "bin" / "kubectl").exists()


def test_what_an_interrupted_call_left_is_made_anew(checkout: Path) -> None:
    failing = str(python(checkout.parent / "p", "3.12.1", pip=1))
    done = bootstrap(checkout, EDGE_MESH_PYTHON=failing)
    assert done.returncode == 1
    assert "run the same command again" in done.stderr
    (checkout / ".venv" / "left-over").write_text("", encoding="utf-8")
    done = bootstrap(checkout, EDGE_MESH_PYTHON=str(python(checkout.parent / "q", "3.12.1")))
    assert done.returncode == 0
    assert not (checkout / ".venv" / "left-over").exists()


def test_a_moved_checkout_gets_a_new_environment(checkout: Path) -> None:
    chosen = str(python(checkout.parent / "p", "3.12.1"))
    bootstrap(checkout, EDGE_MESH_PYTHON=chosen)
    moved = checkout.rename(checkout.parent / "elsewhere")
    done = bootstrap(moved, EDGE_MESH_PYTHON=chosen)
    assert "Setting up .venv" in done.stdout


def test_the_real_script_is_up_to_date_here() -> None:
    """The environment that runs this test was made by the script, if it is the checkout's."""
    root = SCRIPT.parents[1]
    if Path(sys.prefix) != root / ".venv":
        pytest.skip("run by another interpreter than .venv's")
    done = subprocess.run(["sh", SCRIPT, "test"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_tools_of_benchmarks_have_an_environment_of_their_own(checkout: Path) -> None:
    python(checkout.parent / "bin" / "python3.12", "3.12.1")
    assert bootstrap(checkout, "test").returncode == 0
    before = sorted(path.name for path in (checkout / ".venv").iterdir())
    done = bootstrap(checkout, "bench")
    assert done.returncode == 0, done.stderr
    assert "Setting up .venv-bench" in done.stdout
    assert (checkout / ".venv-bench/collections/ansible_collections/edge/mesh").is_symlink()
    assert sorted(path.name for path in (checkout / ".venv").iterdir()) == before
    assert bootstrap(checkout, "bench").stdout == bootstrap(checkout, "test").stdout == ""
