# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bookinfo's program: the page, its parts, and the headers that go through all of them; four processes on loopback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[3] / "roles/artifacts/files/images/bookinfo/server.py"
APPS = {"details": "v1", "ratings": "v1", "reviews": "v3", "productpage": "v1"}
_ROW = re.compile(r'data-app="(\w+)" data-version="(\w+)" data-site="(\w+)" data-pod="([-\w]+)" data-request="(\w*)"')


class Bookinfo:
    """The services as processes, each on a port of its own."""

    def __init__(self) -> None:
        self.ports = {app: _free_port() for app in APPS}
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, app: str, version: str) -> None:
        addresses = {f"{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        environment = {
            **os.environ, **addresses, "APP": app, "VERSION": version, "SITE": "here", "POD_NAME": f"{app}-pod",
            "PORT": str(self.ports[app]),
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-IS", "-u", str(SERVER)], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert f"{app} listens on port" in process.stdout.readline()
        self.processes[app] = process

    def stop(self, app: str) -> int:
        process = self.processes.pop(app)
        process.terminate()
        process.communicate(timeout=20)
        return process.returncode

    def get(self, app: str, path: str, **headers: str) -> str:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[app]}{path}", headers=names)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.read().decode())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def bookinfo() -> Iterator[Bookinfo]:
    found = Bookinfo()
    try:
        for app, version in APPS.items():
            found.start(app, version)
        yield found
    finally:
        for app in list(found.processes):
            found.stop(app)


def test_the_page_names_everybody_who_took_part_and_ends(bookinfo: Bookinfo) -> None:
    text = bookinfo.get("productpage", "/productpage")
    assert {found[:2] for found in _ROW.findall(text)} == set(APPS.items())
    assert "reviews-pod" in text
    assert text.endswith("</html>\n")
    assert text.count("\u2605") == 9
    assert 'style="color: red"' in text


def test_the_request_its_trace_and_its_user_go_through_all_services(bookinfo: Bookinfo) -> None:
    text = bookinfo.get("productpage", "/productpage", x_request_id="abc123", end_user="<banzai>")
    assert [request for *_who, request in _ROW.findall(text)] == ["abc123"] * 4
    assert "Signed in as &lt;banzai&gt;" in text


def test_unknown_paths_are_not_found_and_health_is_told(bookinfo: Bookinfo) -> None:
    for app, path in (("details", "/reviews/0"), ("reviews", "/reviews/x"), ("productpage", "/")):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            bookinfo.get(app, path)
    assert "healthy" in bookinfo.get("ratings", "/health")


def test_what_is_missing_is_said_on_the_page_and_versions_differ_in_stars(bookinfo: Bookinfo) -> None:
    assert bookinfo.stop("ratings") == 0
    assert "The ratings are not available." in bookinfo.get("productpage", "/productpage")
    bookinfo.stop("reviews")
    bookinfo.start("reviews", "v1")
    text = bookinfo.get("productpage", "/productpage")
    assert "ratings" not in text
    assert "\u2605" not in text
    bookinfo.stop("reviews")
    text = bookinfo.get("productpage", "/productpage")
    assert "The reviews are not available." in text
    assert text.endswith("</html>\n")
