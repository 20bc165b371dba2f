# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of K3s: by HTTP or from a directory, always against the published sums, and never another one later."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.fetch import Fetcher
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.release import Request, Result, ensure

VERSION = "v1.36.3+k3s1"


def publish(directory: Path, **files: str) -> None:
    """Lay out a release as K3s publishes it: its files, and one list of their sums."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("_", "-").replace("-tar", ".tar")).write_text(text)
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(directory.glob("k3s*"))
    ]
    for arch in ("amd64", "arm64"):
        (directory / f"sha256sum-{arch}.txt").write_text("".join(sums))


class Quiet(SimpleHTTPRequestHandler):
    """A file server that says nothing on the terminal and remembers what it was asked."""

    asked: list[str] = []  # noqa: RUF012 (one server at a time)

    def log_message(self, *_arguments: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a server on loopback that serves the directory `published`."""
    (tmp_path / "published").mkdir()
    Quiet.asked = []
    handler = functools.partial(Quiet, directory=str(tmp_path / "published"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def get(tmp_path: Path, check: bool = False, **wanted: object) -> Result:
    fields = {
        "version": VERSION,
        "architectures": ["amd64"],
        "url": "http://127.0.0.1:1",
        "state_dir": tmp_path / "state",
    }
    request = Request(**{**fields, **wanted})  # type: ignore[arg-type]
    return ensure(request, Cache(tmp_path / "cache"), Fetcher(backoff=0), lambda _event: None, check=check)


def recorded(tmp_path: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads((tmp_path / "state/artifacts.lock").read_text())["files"])


def test_a_release_comes_once_and_is_recorded(tmp_path: Path, site: str) -> None:
    publish(tmp_path / "published" / VERSION, k3s="program", k3s_arm64="other program")
    first = get(tmp_path, url=site, architectures=["amd64", "arm64"])
    assert first.changed
    assert Path(first.release["arm64"]["path"]).read_text() == "other program"
    assert first.release["amd64"]["sha256"] == hashlib.sha256(b"program").hexdigest()
    assert sorted(recorded(tmp_path)) == [f"{site}/v1.36.3%2Bk3s1/k3s", f"{site}/v1.36.3%2Bk3s1/k3s-arm64"]
    Quiet.asked = []
    again = get(tmp_path, url=site, architectures=["amd64", "arm64"])
    assert (again.changed, again.release, Quiet.asked) == (False, first.release, [])


def test_check_mode_fetches_nothing_and_names_it(tmp_path: Path, site: str) -> None:
    publish(tmp_path / "published" / VERSION, k3s="program")
    found = get(tmp_path, url=site, check=True)
    assert found.todo == ["k3s v1.36.3+k3s1 amd64"]
    assert (found.changed, found.release, Quiet.asked) == (True, {}, [])


def test_what_is_not_as_published_is_refused(tmp_path: Path, site: str) -> None:
    publish(tmp_path / "published" / VERSION, k3s="program")
    (tmp_path / "published" / VERSION / "k3s").write_text("a program of somebody else")
    with pytest.raises(MeshError, match="what its publisher says"):
        get(tmp_path, url=site)


@pytest.mark.parametrize("directory", [True, False])
def test_a_release_that_changed_is_refused_wherever_it_comes_from(tmp_path: Path, site: str, directory: bool) -> None:
    published = tmp_path / "published" / VERSION
    publish(published, k3s="program")
    get(tmp_path, url=site)
    publish(published, k3s="another program")
    with pytest.raises(MeshError, match=r"before|changed since"):
        get(tmp_path, url=site, **({"directory": published} if directory else {"state_dir": other(tmp_path)}))


def other(tmp_path: Path) -> Path:
    """A state directory with the same record, whose cache was lost."""
    (tmp_path / "cache").rename(tmp_path / "lost")
    return tmp_path / "state"


def test_a_directory_needs_no_network(tmp_path: Path) -> None:
    publish(tmp_path / "stick", k3s="program", k3s_airgap_images_amd64_tar="images")
    found = get(tmp_path, directory=tmp_path / "stick", airgap=True)
    assert found.release["amd64"]["path"] == str(tmp_path / "stick/k3s")
    assert [(each["name"], each["architecture"]) for each in found.images] == [("k3s-airgap-images-amd64.tar", "amd64")]
    assert not get(tmp_path, directory=tmp_path / "stick", airgap=True).changed


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda stick: (stick / "k3s").write_text("x"), "isn't what K3s published"),
    (lambda stick: (stick / "k3s").unlink(), "isn't in"),
    (lambda stick: (stick / "sha256sum-amd64.txt").unlink(), "isn't in"),
    (lambda stick: (stick / "sha256sum-amd64.txt").write_text("nothing\n"), "has no checksum"),
])  # fmt: skip
def test_a_directory_that_is_not_whole_is_refused(tmp_path: Path, spoil: object, said: str) -> None:
    publish(tmp_path / "stick", k3s="program")
    spoil(tmp_path / "stick")  # type: ignore[operator]
    with pytest.raises(MeshError, match=said):
        get(tmp_path, directory=tmp_path / "stick")


def test_further_archives_keep_their_names_and_must_be_there(tmp_path: Path) -> None:
    publish(tmp_path / "stick", k3s="program")
    archive = tmp_path / "extra.tar"
    archive.write_text("images")
    found = get(tmp_path, directory=tmp_path / "stick", archives=[("extra.tar", archive)])
    assert found.images == [
        {"name": "extra.tar", "path": str(archive), "sha256": hashlib.sha256(b"images").hexdigest()}
    ]
    with pytest.raises(MeshError, match=r"two archives of images are called extra\.tar"):
        get(tmp_path, directory=tmp_path / "stick", archives=[("extra.tar", archive), ("extra.tar", archive)])
    with pytest.raises(MeshError, match="can't be read"):
        get(tmp_path, directory=tmp_path / "stick", archives=[("gone.tar", tmp_path / "gone.tar")])


def test_an_architecture_without_a_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="no release for s390x"):
        get(tmp_path, architectures=["s390x"])
