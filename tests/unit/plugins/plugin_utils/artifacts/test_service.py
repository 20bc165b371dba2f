# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service: which source a run takes, what it changes, and what the other roles learn."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD, UpstreamPins
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.service import Request, Service, architecture

TOOLS = ("kubectl", "istioctl", "kind")
FACTS = {
    "source",
    "istio_version",
    "kubernetes_version",
    "kind_version",
    "binaries",
    "node_image",
    "hub",
    "tag",
    "images",
    "helloworld_script",
    "bookinfo_script",
    "kubernetes_image_repository",
    "istio_env",
    "istio_values",
    "missing",
    "image_archives",
}


@dataclass
class Bench:
    """A service with small components, and a request for everything."""

    service: Service
    request: Request
    workshop: SimpleNamespace
    docker: Any
    reached: dict[str, bool] = field(default_factory=dict)
    probed: list[Sequence[str]] = field(default_factory=list)

    @property
    def lock(self) -> dict[str, Any]:
        return json.loads((self.request.state_dir / "artifacts.lock").read_text())


@pytest.fixture
def bench(workshop: SimpleNamespace, cache: Cache, docker: Any, files: Path, tmp_path: Path) -> Bench:
    def components() -> Mapping[str, Any]:
        parts = [workshop.component(name) for name in (*TOOLS, "kubelet")]
        parts.append(workshop.image("node-image", "kubelet", saved=True))
        return {part.name: part for part in parts}

    service = Service(
        cache=cache,
        files=files,
        report=workshop.events.append,
        docker=docker,
        components=components,
        go=lambda: ("go version go1.26.6", (1, 26, 6)),
    )
    made = Bench(service, Request(tmp_path / "state", "build", bin_dir=tmp_path / "bin"), workshop, docker)

    def probe(urls: Sequence[str], seconds: float) -> Mapping[str, bool]:
        made.probed.append(urls)
        assert seconds <= 3
        return {url: made.reached.get(url, True) for url in urls}

    service.probe = probe
    return made


@pytest.fixture
def published(bench: Bench, publisher: Any) -> Bench:
    """Releases on a loopback server, images in the registry."""
    pins = UpstreamPins(kubernetes_url=publisher.url, kind_url=publisher.url, istio_url=publisher.url)
    arch = architecture()
    publisher.publish(f"/{pins.kubernetes}/bin/linux/{arch}/kubectl", b"kubectl")
    publisher.publish(f"/{pins.kind}/kind-linux-{arch}", b"kind", suffix=".sha256sum")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("istioctl")
        tar.addfile(info, io.BytesIO())
    publisher.publish(f"/{pins.istio}/istioctl-{pins.istio}-linux-{arch}.tar.gz", buffer.getvalue())
    bench.service.upstream_pins = pins
    for image in (pins.node, pins.pilot, pins.proxyv2, pins.helloworld, pins.sleep):
        bench.docker.registry[image] = "sha256:" + "a" * 64
    bench.request = replace(bench.request, source="upstream")
    return bench


def test_the_first_run_builds_links_and_records_and_the_second_does_nothing(bench: Bench) -> None:
    first = bench.service.ensure(bench.request)
    assert first.changed
    assert first.facts["missing"] == []
    for name in TOOLS:
        link = bench.request.bin_dir / name  # type: ignore[operator]
        assert str(link.resolve()) == first.facts["binaries"][name]
    assert bench.lock["source"] == "build"
    second = bench.service.ensure(bench.request)
    assert not second.changed
    assert second.facts == first.facts


def test_check_mode_changes_nothing_and_says_what_would_come(bench: Bench, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    result = bench.service.ensure(bench.request, check=True)
    assert result.changed
    assert {*TOOLS, "kubelet", "node-image"} <= set(result.todo)
    assert sorted(tmp_path.rglob("*")) == before
    assert result.facts["missing"] == [*TOOLS, "node-image"]
    made = bench.service.ensure(bench.request)
    assert made.facts["binaries"] == result.facts["binaries"]
    assert not bench.service.ensure(bench.request, check=True).changed


def test_both_sources_tell_the_same_kinds_of_facts(published: Bench) -> None:
    upstream = published.service.ensure(published.request)
    build = published.service.ensure(replace(published.request, source="build"))
    assert set(upstream.facts) == set(build.facts) == FACTS
    assert build.facts["istio_env"] == {
        "PILOT_ENABLE_ALPN_FILTER": "false",
        "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    }
    assert (upstream.facts["istio_env"], upstream.facts["istio_values"]) == ({}, {})
    assert set(upstream.facts["images"]) == set(build.facts["images"])
    assert build.warnings == [
        "the artifact source changes from upstream to build",
        f"the Istio version changes from {upstream.facts['istio_version']} to {BUILD.istio}",
    ]


def test_upstream_comes_once(published: Bench) -> None:
    first = published.service.ensure(published.request)
    assert first.changed
    assert all(Path(path).is_file() for path in first.facts["binaries"].values())
    second = published.service.ensure(published.request)
    assert not second.changed
    assert second.made == []


def test_without_clusters_of_its_own_a_mesh_needs_no_image(bench: Bench) -> None:
    result = bench.service.ensure(replace(bench.request, host_only=True))
    assert set(bench.workshop.built) == set(TOOLS)
    assert result.facts["missing"] == []


def test_auto_takes_upstream_if_every_publisher_answers(published: Bench) -> None:
    result = published.service.ensure(replace(published.request, source="auto"))
    assert result.facts["source"] == "upstream"


def test_auto_builds_if_one_publisher_does_not_answer_and_stays_with_that(bench: Bench) -> None:
    bench.reached = {"https://dl.k8s.io/release": False}
    request = replace(bench.request, source="auto")
    assert bench.service.ensure(request).facts["source"] == "build"
    bench.reached = {}
    assert bench.service.ensure(request).facts["source"] == "build"
    assert len(bench.probed) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "bundle"}, "artifact source bundle isn't there yet"),
        ({"istio_version": "1.31.1"}, "source build can't make Istio 1.31.1: it makes 1.32-dev"),
    ],
)
def test_what_a_source_cannot_do_is_refused(bench: Bench, changes: dict[str, str], message: str) -> None:
    with pytest.raises(MeshError, match=message):
        bench.service.ensure(replace(bench.request, **changes))  # type: ignore[arg-type]
    assert bench.workshop.built == []


def no_go() -> tuple[str, tuple[int, ...]]:
    raise MeshError("source build needs Go")


@pytest.mark.parametrize(("go", "message"), [(no_go, "needs Go"), (lambda: ("go1.1", (1, 1)), "Go is too old")])
def test_a_missing_or_old_go_is_an_error_only_when_something_is_built(
    bench: Bench, files: Path, go: Callable[[], tuple[str, tuple[int, ...]]], message: str
) -> None:
    (files / "go" / "x").mkdir(parents=True)
    (files / "go" / "x" / "go.mod").write_text("module x\n\ngo 1.26.6\n")
    bench.service.go = go
    with pytest.raises(MeshError, match=message):
        bench.service.ensure(bench.request)
    assert bench.service.ensure(bench.request, check=True).changed


def test_without_go_the_recorded_one_tells_what_is_at_hand(bench: Bench) -> None:
    bench.service.ensure(bench.request)
    bench.service.go = no_go
    assert not bench.service.ensure(bench.request).changed
    assert bench.service.look(replace(bench.request, source="auto")).facts["missing"] == []


def test_looking_needs_an_earlier_choice_and_reports_what_is_missing(bench: Bench, cache: Cache) -> None:
    request = replace(bench.request, source="auto")
    with pytest.raises(MeshError, match="no artifact source was chosen yet"):
        bench.service.look(request)
    bench.service.ensure(bench.request)
    assert bench.service.look(request).facts["missing"] == []
    cache.remove()
    bench.docker.images.clear()
    result = bench.service.look(request)
    assert result.facts["missing"] == [*TOOLS, "node-image"]
    assert not result.changed
    assert bench.probed == []


def test_looking_keeps_the_recorded_version(published: Bench) -> None:
    (published.request.state_dir).mkdir()
    (published.request.state_dir / "artifacts.lock").write_text(
        json.dumps({"schema": 1, "source": "upstream", "istio_version": "1.29.0"})
    )
    facts = published.service.look(replace(published.request, source="auto")).facts
    assert (facts["istio_version"], facts["tag"]) == ("1.29.0", "1.29.0")


def test_removing_takes_cache_images_and_links_and_spares_what_is_used(bench: Bench, cache: Cache) -> None:
    made = bench.service.ensure(bench.request)
    assert bench.service.remove(bench.request, check=True).changed
    assert cache.root.exists()
    bench.docker.used = set(bench.docker.images.values())
    result = bench.service.remove(bench.request)
    assert result.changed
    assert not cache.root.exists()
    assert not any((bench.request.bin_dir / name).is_symlink() for name in made.facts["binaries"])  # type: ignore[operator]
    assert "a container uses it" in result.warnings[0]
    bench.docker.used = set()
    bench.service.remove(bench.request)
    assert not bench.service.remove(bench.request).changed


def test_a_file_in_the_way_of_a_link_is_never_replaced(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text("mine")
    with pytest.raises(MeshError, match="can't become a link to kubectl"):
        bench.service.ensure(bench.request)
    assert (tmp_path / "bin" / "kubectl").read_text() == "mine"


def test_a_link_that_leads_elsewhere_is_put_right(bench: Bench, tmp_path: Path) -> None:
    bench.service.ensure(bench.request)
    link = tmp_path / "bin" / "kind"
    link.unlink()
    link.symlink_to("/nowhere")
    assert bench.service.ensure(bench.request).made == [str(link)]
    assert link.exists()


def test_the_choice_is_told_without_getting_anything(bench: Bench, cache: Cache) -> None:
    result = bench.service.choice(bench.request)
    assert result.facts == {"source": "build", "istio_version": BUILD.istio}
    assert not result.changed
    assert not cache.root.exists()
    assert not bench.request.state_dir.exists()


def test_unloading_takes_the_images_and_keeps_the_cache(bench: Bench, cache: Cache) -> None:
    bench.service.ensure(bench.request)
    assert bench.service.unload(check=True).todo
    assert bench.docker.images
    assert bench.service.unload().changed
    assert not bench.docker.images
    assert cache.root.exists()
    assert not bench.service.unload().changed
