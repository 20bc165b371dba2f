# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetching from publishers: their checksum decides once, the record ever after (against a loopback server)."""

from __future__ import annotations

import io
import json
import socket
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.fetch import (
    Fetcher,
    FetchError,
    parse_checksum,
    reachable,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.lockfile import LockFile
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import UPSTREAM, UpstreamPins
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.upstream import (
    Release,
    Upstream,
    probes,
    releases,
    with_version,
)

A, B = "a" * 64, "b" * 64
KUBECTL = "/release/v1/kubectl"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (A, A),
        (f"{A.upper()}\n", A),
        (f"{A}  tool\n", A),
        (f"{A} *tool\n", A),
        (f"{A}  ./dist/tool\n", A),
        (f"{B}  other\n{A}  tool\n", A),
        (f"{B}  tool.sig\n", None),
        (f"{A}\n{B}\n", None),
        ("<html>Not found</html>", None),
        ("", None),
        (A[:63], None),
    ],
)
def test_checksum_files_are_read_in_the_forms_that_publishers_use(text: str, expected: str | None) -> None:
    assert parse_checksum(text, "tool") == expected


@pytest.fixture
def lock_path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "artifacts.lock"


def upstream(cache: Cache, lock_path: Path, docker: Any) -> Upstream:
    return Upstream(cache, LockFile(lock_path), docker, lambda event: None, Fetcher(backoff=0))


def release(publisher: Any, path: str = KUBECTL, member: str = "") -> Release:
    return Release("kubectl", publisher.url + path, f"{publisher.url}{path}.sha256", member)


def archive(member: str, body: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def test_a_file_comes_with_the_publishers_checksum_and_is_recorded(
    publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    digest = publisher.publish(KUBECTL, b"program")
    source = upstream(cache, lock_path, docker)
    one = release(publisher)
    assert source.path(one) is None
    assert source.fetch([one], []) == ["kubectl"]
    path = source.path(one)
    assert path is not None
    assert path.read_bytes() == b"program"
    assert path.stat().st_mode & 0o777 == 0o755
    recorded = json.loads(lock_path.read_text())["files"][one.url]
    assert recorded == {"sha256": digest, "checksum_from": one.checksum_url}


def test_what_is_at_hand_needs_no_network(publisher: Any, cache: Cache, lock_path: Path, docker: Any) -> None:
    publisher.publish(KUBECTL, b"program")
    one = release(publisher)
    upstream(cache, lock_path, docker).fetch([one], [])
    publisher.asked.clear()
    assert upstream(cache, lock_path, docker).missing([one], []) == ([], [])
    assert publisher.asked == []


def test_a_file_in_another_meshs_cache_is_checked_against_the_publisher_once(
    publisher: Any, cache: Cache, lock_path: Path, tmp_path: Path, docker: Any
) -> None:
    publisher.publish(KUBECTL, b"program")
    one = release(publisher)
    upstream(cache, lock_path, docker).fetch([one], [])
    publisher.asked.clear()
    other = upstream(cache, tmp_path / "other" / "artifacts.lock", docker)
    assert other.path(one) is None
    assert other.fetch([one], []) == []
    assert publisher.asked == [f"{KUBECTL}.sha256"]
    assert other.path(one) is not None


def test_a_file_that_is_not_what_the_publisher_says_is_refused(
    publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    publisher.publish(KUBECTL, b"program")
    publisher.content[KUBECTL] = b"something else"
    with pytest.raises(MeshError, match="isn't what its publisher says"):
        upstream(cache, lock_path, docker).fetch([release(publisher)], [])
    assert not lock_path.exists()
    assert not list((cache.root / "upstream").iterdir())


def test_a_release_that_changes_after_it_was_recorded_is_refused(
    publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    publisher.publish(KUBECTL, b"program")
    upstream(cache, lock_path, docker).fetch([release(publisher)], [])
    before = lock_path.read_text()
    publisher.publish(KUBECTL, b"another program with a checksum that fits")
    cache.remove()
    with pytest.raises(MeshError, match="changed since it was first fetched"):
        upstream(cache, lock_path, docker).fetch([release(publisher)], [])
    assert lock_path.read_text() == before


def test_a_damaged_file_in_the_cache_is_fetched_again(
    publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    publisher.publish(KUBECTL, b"program")
    one = release(publisher)
    source = upstream(cache, lock_path, docker)
    source.fetch([one], [])
    path = source.path(one)
    assert path is not None
    path.write_bytes(b"pro")
    assert source.missing([one], []) == ([one], [])
    source.fetch([one], [])
    assert path.read_bytes() == b"program"


@pytest.mark.parametrize("problem", ["no checksum file", "an empty checksum file", "a checksum of another file"])
def test_nothing_is_taken_without_a_checksum(
    problem: str, publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    publisher.publish(KUBECTL, b"program", listing=f"{A}  another\n" if "another" in problem else "")
    if problem.startswith("no"):
        del publisher.content[f"{KUBECTL}.sha256"]
    with pytest.raises(MeshError, match=r"404|has no checksum"):
        upstream(cache, lock_path, docker).fetch([release(publisher)], [])
    assert KUBECTL not in publisher.asked
    assert not lock_path.exists()


def test_a_download_that_ends_too_early_is_noticed(publisher: Any, cache: Cache, lock_path: Path, docker: Any) -> None:
    publisher.publish(KUBECTL, b"program" * 1000)
    publisher.cut.add(KUBECTL)
    with pytest.raises(MeshError, match="can't be fetched"):
        upstream(cache, lock_path, docker).fetch([release(publisher)], [])
    assert not list((cache.root / "upstream").iterdir())


def test_a_missing_release_names_the_address_and_the_answer(
    publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    publisher.publish(KUBECTL, b"program")
    del publisher.content[KUBECTL]
    with pytest.raises(
        FetchError, match=rf"{publisher.url}{KUBECTL} can't be fetched: the server answered 404"
    ) as caught:
        upstream(cache, lock_path, docker).fetch([release(publisher)], [])
    assert caught.value.status == 404


def test_a_server_that_cannot_be_reached_is_named_without_objects_in_the_text(tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        Fetcher(backoff=0).file("http://127.0.0.1:9/tool", tmp_path / "tool")
    assert "http://127.0.0.1:9/tool can't be fetched" in str(caught.value)
    assert "object at 0x" not in str(caught.value)


def test_redirects_are_followed(publisher: Any, tmp_path: Path) -> None:
    publisher.content["/there"] = b"program"
    publisher.redirects["/here"] = "/there"
    Fetcher(backoff=0).file(f"{publisher.url}/here", tmp_path / "tool")
    assert (tmp_path / "tool").read_bytes() == b"program"


def test_a_stopped_run_stops_a_download(publisher: Any, tmp_path: Path) -> None:
    publisher.content["/tool"] = b"program"
    stop = threading.Event()
    stop.set()
    with pytest.raises(FetchError, match="stopped"):
        Fetcher(backoff=0).file(f"{publisher.url}/tool", tmp_path / "tool", stop)


def test_one_program_is_taken_out_of_an_archive(publisher: Any, cache: Cache, lock_path: Path, docker: Any) -> None:
    publisher.publish("/istioctl.tar.gz", archive("bin/istioctl", b"program"), listing="{digest} {name}\n")
    one = release(publisher, "/istioctl.tar.gz", member="istioctl")
    source = upstream(cache, lock_path, docker)
    source.fetch([one], [])
    path = source.path(one)
    assert path is not None
    assert (path.name, path.read_bytes()) == ("istioctl", b"program")


@pytest.mark.parametrize(
    ("body", "message"), [(archive("other", b""), "holds no istioctl"), (b"no archive", "can't be unpacked")]
)
def test_an_archive_without_the_program_is_refused(
    body: bytes, message: str, publisher: Any, cache: Cache, lock_path: Path, docker: Any
) -> None:
    publisher.publish("/istioctl.tar.gz", body)
    with pytest.raises(MeshError, match=message):
        upstream(cache, lock_path, docker).fetch([release(publisher, "/istioctl.tar.gz", "istioctl")], [])


def test_images_are_pulled_by_name_once_and_by_digest_ever_after(cache: Cache, lock_path: Path, docker: Any) -> None:
    image = "docker.io/istio/pilot:1.31.1"
    docker.registry[image] = f"sha256:{A}"
    source = upstream(cache, lock_path, docker)
    assert source.missing([], [image]) == ([], [image])
    source.fetch([], [image])
    assert json.loads(lock_path.read_text())["images"] == {image: f"sha256:{A}"}
    assert source.missing([], [image]) == ([], [])
    docker.digests.clear()
    docker.registry[image] = f"sha256:{B}"
    again = upstream(cache, lock_path, docker)
    again.fetch([], [image])
    assert docker.calls[-2:] == [f"pull docker.io/istio/pilot@sha256:{A}", f"tag {image}"]


def test_an_image_here_that_is_not_the_recorded_one_is_refused(cache: Cache, lock_path: Path, docker: Any) -> None:
    image = "docker.io/istio/pilot:1.31.1"
    docker.registry[image] = f"sha256:{A}"
    source = upstream(cache, lock_path, docker)
    source.fetch([], [image])
    docker.digests[image] = f"sha256:{B}"
    with pytest.raises(MeshError, match="isn't the recorded one"):
        source.missing([], [image])


def test_addresses_are_made_of_the_pins() -> None:
    pins = UpstreamPins(
        istio="1.2.3", kubernetes="v1.9.0", kind="v0.1.0", kubernetes_url="http://k", kind_url="http://d"
    )
    found = {one.name: one for one in releases(pins, "arm64")}
    assert found["kubectl"].url == "http://k/v1.9.0/bin/linux/arm64/kubectl"
    assert found["kind"].checksum_url == "http://d/v0.1.0/kind-linux-arm64.sha256sum"
    assert found["istioctl"].url.endswith("/1.2.3/istioctl-1.2.3-linux-arm64.tar.gz")
    assert with_version(pins, "").istio == "1.2.3"
    assert with_version(pins, "2.0.0").pilot == "docker.io/istio/pilot:2.0.0"


def test_every_server_is_probed_once() -> None:
    assert len(probes(UPSTREAM)) == len(set(probes(UPSTREAM))) >= 3


def test_a_probe_takes_any_answer_of_the_server_itself(publisher: Any) -> None:
    publisher.status["/down"] = 503
    publisher.status["/blocked"] = 403
    publisher.status["/registry"] = 401
    urls = {path: f"{publisher.url}{path}" for path in ("/down", "/blocked", "/registry", "/missing")}
    unreachable = "http://127.0.0.1:9/"
    answers = reachable([*urls.values(), unreachable], 5)
    assert {url for url, answered in answers.items() if answered} == {urls["/registry"], urls["/missing"]}


def test_a_probe_waits_for_nobody_longer_than_it_may(publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    try:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert reachable([url], 0.1) == {url: False}
    finally:
        silent.close()


def test_a_lock_file_that_cannot_be_read_is_never_overwritten(lock_path: Path) -> None:
    lock_path.parent.mkdir()
    for text in ("{", "[]", '{"schema": 99}'):
        lock_path.write_text(text)
        with pytest.raises(MeshError, match=r"artifacts\.lock can't be read"):
            LockFile(lock_path)
        assert lock_path.read_text() == text


def test_a_dry_lock_file_only_says_that_it_would_change(lock_path: Path) -> None:
    lock = LockFile(lock_path, dry=True)
    assert not lock.changed
    lock.choose("build", "1.32")
    assert lock.changed
    assert not lock_path.exists()


def test_recording_the_same_again_changes_nothing(lock_path: Path) -> None:
    LockFile(lock_path).choose("build", "1.32", "go1")
    lock = LockFile(lock_path)
    lock.choose("build", "1.32", "go1")
    assert not lock.changed
    assert (lock.source, lock.istio_version, lock.toolchain) == ("build", "1.32", "go1")
