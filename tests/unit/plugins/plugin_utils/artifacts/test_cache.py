# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache: whole entries or none, one builder at a time, nothing left of killed ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache, cache_root
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import Aborted

KEY = "a" * 64
DAY = 24 * 3600.0

# Another run: takes the lock, stages a half-built file, says so, and waits to be killed.
OTHER_RUN = """
import sys
from pathlib import Path
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
cache = Cache(Path(sys.argv[1]))
with cache.lock("tool"), cache.staging("tool") as stage:
    (stage.out / "tool").write_text("half")
    print("holding", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def other_run(cache: Cache) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_RUN, str(cache.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "holding\n"
            yield process
        finally:
            process.kill()


def publish(cache: Cache, key: str = KEY, text: str = "whole") -> Path:
    with cache.lock("tool"), cache.staging("tool") as stage:
        (stage.out / "tool").write_text(text)
        return cache.publish(stage, "tool", key, about={"seconds": 1})


def test_an_entry_is_there_only_once_published(cache: Cache) -> None:
    with cache.lock("tool"), cache.staging("tool") as stage:
        (stage.out / "tool").write_text("whole")
        assert not cache.has("tool", KEY)
        cache.publish(stage, "tool", KEY, about={"seconds": 1})
        assert cache.has("tool", KEY)
    record = json.loads((cache.entry("tool", KEY) / "entry.json").read_text())
    assert record["files"]["tool"][0] == 5
    assert record["seconds"] == 1


def test_a_failed_build_leaves_nothing(cache: Cache) -> None:
    def build() -> None:
        with cache.lock("tool"), cache.staging("tool") as stage:
            (stage.out / "tool").write_text("half")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        build()
    assert list((cache.root / "components" / "tool").iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "removed", "unreadable record"])
def test_a_damaged_entry_counts_as_missing_and_is_replaced(cache: Cache, damage: str) -> None:
    entry = publish(cache)
    if damage == "cut":
        (entry / "tool").write_text("wh")
    elif damage == "removed":
        (entry / "tool").unlink()
    else:
        (entry / "entry.json").write_text("{")
    assert not cache.has("tool", KEY)
    publish(cache)
    assert cache.has("tool", KEY)


def test_a_killed_run_leaves_no_entry_and_its_remains_are_swept(cache: Cache) -> None:
    with other_run(cache) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    remains = list((cache.root / "components" / "tool").iterdir())
    assert [path.name.startswith(".building-") for path in remains] == [True]
    assert not cache.has("tool", KEY)
    publish(cache)
    assert [path.name for path in (cache.root / "components" / "tool").iterdir()] == [KEY]


def test_a_second_run_waits_for_the_first_and_says_for_whom(cache: Cache) -> None:
    said: list[str] = []
    with other_run(cache) as process:
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                process.kill()
                process.wait()

        patient = Cache(cache.root, sleep=nap)
        with patient.lock("tool", waiting=said.append):
            assert said == [f"process {process.pid}"]
        assert len(naps) >= 3


def test_waiting_ends_when_the_run_is_stopped(cache: Cache) -> None:
    def check() -> None:
        raise Aborted("stopped")

    with other_run(cache), pytest.raises(Aborted), cache.lock("tool", check=check):
        pass


def test_components_are_locked_apart(cache: Cache) -> None:
    with other_run(cache), cache.lock("another"):
        assert cache.locked() == ["another", "tool"]
    assert cache.locked() == []


def test_the_cache_is_not_removed_under_a_running_build(cache: Cache) -> None:
    with other_run(cache), pytest.raises(MeshError, match="another run is building tool"):
        cache.remove()


def test_removing_leaves_what_others_keep_there(cache: Cache) -> None:
    publish(cache)
    (cache.root / "notes").write_text("mine")
    assert cache.remove()
    assert [path.name for path in cache.root.iterdir()] == ["notes"]
    assert not cache.remove()


def test_read_only_directories_can_be_removed(cache: Cache) -> None:
    entry = publish(cache)
    (entry / "closed").mkdir()
    (entry / "closed" / "file").write_text("")
    (entry / "closed").chmod(0o500)
    cache.remove()
    assert not cache.root.exists()


def test_entries_unused_for_long_go_when_a_new_one_comes(tmp_path: Path) -> None:
    clock = [1_800_000_000.0]
    cache = Cache(tmp_path, now=lambda: clock[0])
    publish(cache, "1" * 64)
    publish(cache, "2" * 64)
    clock[0] += 10 * DAY
    cache.used("tool", "2" * 64)
    clock[0] += 10 * DAY
    publish(cache, "3" * 64)
    assert sorted(path.name[0] for path in (tmp_path / "components" / "tool").iterdir()) == ["2", "3"]


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({"EDGE_MESH_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/given", "/given"),
        ({"EDGE_MESH_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "", "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "", "/x/edge-mesh"),
        ({"XDG_CACHE_HOME": "relative"}, "", str(Path("~/.cache/edge-mesh").expanduser())),
        ({}, "", str(Path("~/.cache/edge-mesh").expanduser())),
    ],
)
def test_where_the_cache_is(environ: dict[str, str], given: str, expected: str) -> None:
    assert cache_root(environ, given) == Path(expected)
