# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipes' tools: commands under control, Go and wheels by their pins, Docker by its command line."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import Aborted, BuildContext, CommandFailed
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.docker import Docker, key_name
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import (
    go_component,
    go_version,
    module_file,
    required_go,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.wheel import wheel_file

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script first in the search path; it finds its own directory in ``$HERE``."""
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(directory))

    def put(name: str, script: str) -> None:
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)

    return put


@pytest.fixture
def ctx(tmp_path: Path, files: Path) -> Iterator[BuildContext]:
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    out.mkdir()
    with (tmp_path / "log").open("w+", encoding="utf-8") as log:
        yield BuildContext("tool", "a" * 64, work, out, {}, {}, files, log)


def logged(ctx: BuildContext) -> str:
    return Path(ctx.log.name).read_text()


def build(component: Component, ctx: BuildContext) -> None:
    ctx.params = component.params
    component.build(ctx)


def test_what_a_command_prints_goes_into_the_log_and_nowhere_else(
    ctx: BuildContext, capfd: pytest.CaptureFixture[str]
) -> None:
    ctx.run(["sh", "-c", "echo out; echo err >&2; echo $WORD"], env={"WORD": "given"})
    assert logged(ctx).splitlines()[1:] == ["out", "err", "given"]
    assert capfd.readouterr() == ("", "")


def test_a_commands_answer_can_be_had(ctx: BuildContext) -> None:
    assert ctx.output(["sh", "-c", "pwd; echo err >&2"], cwd=ctx.out) == f"{ctx.out}\n"
    assert list(ctx.work.iterdir()) == []


def test_a_command_can_read_a_file(ctx: BuildContext) -> None:
    (ctx.work / "in").write_text("text")
    ctx.run(["sh", "-c", "cat; echo"], input_file=ctx.work / "in")
    assert "text" in logged(ctx)


@pytest.mark.parametrize(
    ("script", "message"), [("exit 3", "sh ended with 3"), ("kill -9 $$", "sh was killed by signal 9")]
)
def test_a_failing_command_is_named(ctx: BuildContext, script: str, message: str) -> None:
    with pytest.raises(CommandFailed, match=message):
        ctx.run(["sh", "-c", script])


def test_a_missing_program_is_named(ctx: BuildContext) -> None:
    with pytest.raises(MeshError, match="no-such-program can't be started: No such file"):
        ctx.run(["no-such-program"])


def is_gone(process: Path) -> bool:
    try:
        return (process / "stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_a_stopped_build_ends_its_command_with_all_children(ctx: BuildContext, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def stop() -> None:
        fifo.read_text()  # returns when the child has written its id
        ctx.abort.set()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Aborted):
        ctx.run(["sh", "-c", f"sleep 600 & echo $! >{tmp_path}/pid; echo >{fifo}; wait"])
    thread.join()
    child = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}")
    for _attempt in range(200):  # a signal takes a moment
        if is_gone(child):
            return
        time.sleep(0.05)
    pytest.fail("the child of the command is still there")


def test_a_stopped_build_starts_no_command(ctx: BuildContext) -> None:
    ctx.abort.set()
    with pytest.raises(Aborted):
        ctx.run(["true"])


GO = r"""
echo "$PWD $GOOS $GOARCH $CGO_ENABLED $GOTOOLCHAIN [$GOFLAGS] $*" >>"$HERE/calls"
case "$1 $2" in
"mod download") ;;
"list "*) echo "$HERE/module" ;;
"version "*) echo "go version go1.26.8 linux/amd64" ;;
*) while [ "$1" != -o ]; do shift; done; echo "$3" >"$2" ;;
esac
"""


@pytest.fixture
def module(files: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of ours, and a go command that writes down how it was called."""
    program("go", GO)
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    directory = files / "go" / "tools"
    directory.mkdir(parents=True)
    (directory / "go.mod").write_text("module tools\n\ngo 1.25.3\n")
    (directory / "go.sum").write_text("")
    return directory


def calls() -> list[str]:
    return Path(os.environ["HERE"], "calls").read_text().splitlines()


def test_go_builds_by_the_pinned_sums_in_a_copy_of_the_module(ctx: BuildContext, module: Path) -> None:
    part = go_component(
        "tools", module="tools", packages={"a": "x.io/a", "b": "x.io/b"}, version="v1", stamp={"x.io/v": "v1"}
    )
    ctx.arch = "arm64"
    build(part, ctx)
    assert sorted(path.name for path in ctx.out.iterdir()) == ["a", "b"]
    assert (ctx.out / "b").read_text() == "x.io/b\n"
    assert (ctx.out / "b").stat().st_mode & 0o777 == 0o755
    where, rest = calls()[0].split(" ", 1)
    assert Path(where).is_relative_to(ctx.work)
    assert rest.startswith("linux arm64 0 local [] build -mod=readonly -trimpath")
    assert "-s -w -X x.io/v=v1" in rest
    assert sorted(path.name for path in module.iterdir()) == ["go.mod", "go.sum"]


def test_a_file_of_a_module_is_copied_out(ctx: BuildContext, module: Path) -> None:
    source = Path(os.environ["HERE"], "module", "deep")
    source.mkdir(parents=True)
    (source / "file.json").write_text("{}")
    build(module_file("f", module="tools", path="x.io", source="deep/file.json", file="out.json", version="v1"), ctx)
    assert (ctx.out / "out.json").read_text() == "{}"
    assert "mod download x.io" in calls()[0]


def test_the_go_on_the_machine_tells_its_version(module: Path, files: Path) -> None:
    assert go_version() == ("go version go1.26.8 linux/amd64", (1, 26, 8))
    assert required_go(files) == (1, 25, 3)


def test_a_go_that_does_not_work_is_an_error_with_a_way_out(program: Program) -> None:
    with pytest.raises(MeshError, match=r"no go command in the search path .*another source"):
        go_version("no-such-go")
    program("go", "exit 1")
    with pytest.raises(MeshError, match="go version failed"):
        go_version()
    program("go", "echo nonsense")
    with pytest.raises(MeshError, match="answered 'nonsense'"):
        go_version()


def wheel(member: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, b"program")
    return buffer.getvalue()


@pytest.mark.parametrize(("arch", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
def test_a_program_is_taken_out_of_a_wheel_that_pip_checked(
    ctx: BuildContext, program: Program, monkeypatch: pytest.MonkeyPatch, arch: str, machine: str
) -> None:
    Path(os.environ["HERE"], "x.whl").write_bytes(wheel("pkg/_bin/tool"))
    program(
        "python",
        'echo "$*" >>"$HERE/calls"\nwhile [ $# -gt 1 ] && [ "$1" != --dest ]; do shift; done\n'
        '[ "$1" != --dest ] || { mkdir -p "$2"; cp "$HERE/x.whl" "$2"; }',
    )
    monkeypatch.setattr("sys.executable", os.path.join(os.environ["HERE"], "python"))
    ctx.arch = arch
    part = wheel_file(
        "t", requirements="w.txt", member="pkg/_bin/tool", file="tool", version="1", source="t==1", platform="manylinux"
    )
    build(part, ctx)
    assert (ctx.out / "tool").read_bytes() == b"program"
    assert (ctx.out / "tool").stat().st_mode & 0o777 == 0o755
    assert "--require-hashes --no-deps --only-binary=:all:" in calls()[1]
    assert f"--platform manylinux_{machine}" in calls()[1]


def test_a_requirements_file_must_give_one_wheel(
    ctx: BuildContext, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("python", "exit 0")
    monkeypatch.setattr("sys.executable", os.path.join(os.environ["HERE"], "python"))
    part = wheel_file("t", requirements="w.txt", member="m", file="f", version="1", source="t==1", platform="p")
    with pytest.raises(MeshError, match="exactly one wheel: 0 came"):
        build(part, ctx)


def test_docker_tells_labels_and_digests(program: Program) -> None:
    labels = {"edge.mesh.key": "b" * 64}
    digests = ["istio/pilot@sha256:1", "mirror.example/istio/pilot@sha256:2"]
    program(
        "docker",
        f"case \"$4\" in *Labels*) echo '{json.dumps(labels)}';; *Digests*) echo '{json.dumps(digests)}';; esac",
    )
    assert Docker().label("x:1") == "b" * 64
    assert Docker().digest("docker.io/istio/pilot:1.31.1") == "sha256:1"
    assert Docker().digest("mirror.example/istio/pilot:1.31.1") == "sha256:2"
    assert Docker().digest("another/pilot:1.31.1") is None


def test_an_image_that_is_not_there_has_no_label(program: Program) -> None:
    program("docker", "echo 'Error: No such image: x:1' >&2; exit 1")
    assert Docker().label("x:1") is None
    assert Docker().digest("x:1") is None


def test_an_image_of_somebody_else_has_no_key(program: Program) -> None:
    program("docker", "echo null")
    assert Docker().label("x:1") is None


def test_a_daemon_that_does_not_answer_is_an_error(program: Program) -> None:
    program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(MeshError, match="Docker doesn't answer: Cannot connect"):
        Docker().label("x:1")
    with pytest.raises(MeshError, match="image x:1 can't be pulled: Cannot connect"):
        Docker().pull("x:1")
    with pytest.raises(MeshError, match="can't be named y:1"):
        Docker().tag("x:1", "y:1")


@pytest.mark.parametrize(("containers", "removed"), [("", True), ("echo 0123456789ab", False)])
def test_an_image_keeps_all_its_names_while_a_container_uses_it(
    program: Program, containers: str, removed: bool
) -> None:
    program(
        "docker",
        f'case "$1" in image) echo x:1; echo x:2;; ps) {containers or ":"};; rmi) echo "$*" >>"$HERE/calls";; esac',
    )
    assert Docker().remove("sha256:1") is removed
    assert Path(os.environ["HERE"], "calls").exists() is removed
    if removed:
        assert calls() == ["rmi x:1 x:2"]


def test_a_missing_docker_says_what_to_do() -> None:
    with pytest.raises(MeshError, match="docker command is missing"):
        Docker("no-such-docker").label("x:1")


def test_the_second_name_of_an_image_tells_its_key() -> None:
    assert key_name("edge-mesh.local:5000/node:v1", "abcdef0123456789") == "edge-mesh.local:5000/node:abcdef012345"
