# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A workshop of small components: recipes that write a line, a Docker in memory, a cache in a temporary directory."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.cache import Cache
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.engine import Engine
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.progress import Event


class MemoryDocker:
    """Images by name, each with its key label and its registry digest."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.registry: dict[str, str] = {}  # what a pull brings
        self.used: set[str] = set()
        self.calls: list[str] = []

    def label(self, image: str) -> str | None:
        return self.images.get(image)

    def tag(self, image: str, name: str) -> None:
        self.calls.append(f"tag {name}")
        if image in self.images:
            self.images[name] = self.images[image]
        if "@" in image:
            self.digests[name] = image.partition("@")[2]

    def save(self, image: str, names: Sequence[str], path: Path) -> None:
        path.write_text(json.dumps(dict.fromkeys(names, self.images[image])))

    def load(self, path: Path) -> None:
        self.calls.append("load")
        self.images.update(json.loads(path.read_text()))

    def ours(self) -> list[str]:
        return sorted(set(self.images.values()))

    def remove(self, image: str) -> bool:
        if image in self.used:
            return False
        self.images = {name: key for name, key in self.images.items() if key != image}
        return True

    def digest(self, image: str) -> str | None:
        return self.digests.get(image)

    def pull(self, image: str) -> None:
        self.calls.append(f"pull {image}")
        if "@" not in image:
            self.digests[image] = self.registry[image]


@pytest.fixture
def docker() -> MemoryDocker:
    return MemoryDocker()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A role's files directory."""
    made = tmp_path / "files"
    made.mkdir()
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", sleep=lambda seconds: None)


@pytest.fixture
def workshop(cache: Cache, docker: MemoryDocker, files: Path) -> SimpleNamespace:
    """``component()``, ``image()``, ``engine()``; ``built`` lists what was built in order, ``events`` what was said."""
    built: list[str] = []
    events: list[Event] = []

    def component(
        name: str, *needs: str, do: Callable[[BuildContext], None] | None = None, **more: object
    ) -> Component:
        def build(ctx: BuildContext) -> None:
            if do:
                do(ctx)
            (ctx.out / name).write_text("".join((ctx.inputs[need] / need).read_text() for need in needs) + name)
            built.append(name)

        return Component(name, "go", build, needs=needs, outputs=(name,), **more)  # type: ignore[arg-type]

    def image(name: str, *needs: str, **more: object) -> Component:
        def build(ctx: BuildContext) -> None:
            docker.images[ctx.image] = ctx.labels["edge.mesh.key"]
            built.append(name)

        tag = f"edge-mesh.local/{name}:1"
        return Component(name, "image", build, needs=needs, image=tag, **more)  # type: ignore[arg-type]

    def engine(*components: Component, jobs: int = 2) -> Engine:
        return Engine(
            components={one.name: one for one in components},
            cache=cache,
            images=docker,
            files=files,
            arch="amd64",
            toolchain={"go": "go version go1.26.6"},
            report=events.append,
            jobs=jobs,
        )

    return SimpleNamespace(component=component, image=image, engine=engine, built=built, events=events)


class Publisher:
    """A release server on loopback: ``content`` maps paths to bodies, ``cut`` bodies end before they should."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.redirects: dict[str, str] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                if self.path in publisher.redirects:
                    self.send_response(302)
                    self.send_header("Location", publisher.redirects[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = publisher.content.get(self.path)
                self.send_response(publisher.status.get(self.path, 404 if body is None else 200))
                body = body or b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body[: len(body) // 2] if self.path in publisher.cut else body)

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def log_message(self, *_args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def publish(self, path: str, body: bytes, listing: str = "{digest}\n", suffix: str = ".sha256") -> str:
        """Put a file and its checksum file on the server; the file's digest."""
        digest = hashlib.sha256(body).hexdigest()
        self.content[path] = body
        self.content[path + suffix] = listing.format(digest=digest, name=path.rpartition("/")[2]).encode()
        return digest

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Publisher()
    yield server
    server.close()
