# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to istiod: addresses, connections, certificates."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._xds import reach
from tests.unit.plugins.module_utils._xds.fakes import SERVER_NAME, Authority, Istiod, serve

ROOT = Authority()
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("172.18.0.2:15012", ("172.18.0.2", 15012)),
        ("172.18.0.2", ("172.18.0.2", 15012)),
        ("istiod.example.org:443", ("istiod.example.org", 443)),
        ("[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("[2001:db8::1]", ("2001:db8::1", 15012)),
        ("2001:db8::1", ("2001:db8::1", 15012)),
    ],
)
def test_addresses_are_read_with_and_without_a_port(text: str, address: tuple[str, int]) -> None:
    assert reach.split_address(text) == address


@pytest.mark.parametrize("text", ["", ":15012", "host:", "host:port", "host:0", "host:70000"])
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(MeshError, match="isn't an address"):
        reach.split_address(text)


def test_a_refused_connection_says_which_address_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    finding, address = reach.connect("127.0.0.1", port, 2)
    assert (finding.verdict, address) == ("failed", None)
    assert "refused" in str(finding.evidence["error"])


def test_a_name_that_doesnt_resolve_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    finding, address = reach.connect("nowhere.invalid", 15012, 2)
    assert (finding.verdict, address) == ("failed", None)
    assert "can't be resolved" in finding.evidence["error"]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serve(Istiod(ROOT)) as text:
        yield reach.split_address(text)


def test_a_good_certificate_is_told_with_its_life(address: tuple[str, int]) -> None:
    assert reach.connect(*address, 5)[1] == address
    finding = reach.handshake(address, SERVER_NAME, ROOT.pem, 5, NOW)
    assert finding.verdict == "ok"
    assert finding.evidence["days_left"] == pytest.approx(30, abs=0.2)
    assert finding.evidence["names"] == [SERVER_NAME]


def test_one_of_several_roots_is_enough(address: tuple[str, int]) -> None:
    roots = Authority("other").pem + ROOT.pem
    assert reach.handshake(address, SERVER_NAME, roots, 5, NOW).verdict == "ok"


def test_another_root_fails_and_the_shown_issuer_is_told(address: tuple[str, int]) -> None:
    finding = reach.handshake(address, SERVER_NAME, Authority("old").pem, 5, NOW)
    assert finding.verdict == "failed"
    assert finding.evidence["issuer"] == "O=root"
    assert "another root" in finding.hint


def test_another_name_fails_and_the_names_are_told(address: tuple[str, int]) -> None:
    finding = reach.handshake(address, "istiod-v2.istio-system.svc", ROOT.pem, 5, NOW)
    assert finding.verdict == "failed"
    assert finding.evidence["names"] == [SERVER_NAME]
    assert "revision" in finding.hint


def test_a_certificate_that_ends_soon_is_a_warning(address: tuple[str, int]) -> None:
    assert reach.handshake(address, SERVER_NAME, ROOT.pem, 5, NOW + timedelta(days=29.5)).verdict == "warning"


def test_a_root_that_ends_soon_is_a_warning(address: tuple[str, int]) -> None:
    young = Authority("root")
    with serve(Istiod(young)) as text:
        later = NOW + timedelta(days=3630)
        finding = reach.handshake(reach.split_address(text), SERVER_NAME, young.pem, 5, later)
    assert finding.verdict == "warning"


def test_unreadable_roots_fail(address: tuple[str, int]) -> None:
    finding = reach.handshake(address, SERVER_NAME, "not a certificate", 5, NOW)
    assert finding.verdict == "failed"
    assert "can't be read" in str(finding.evidence["error"])


def test_a_server_without_tls_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        finding = reach.handshake(listener.getsockname()[:2], SERVER_NAME, ROOT.pem, 0.2, NOW)
    assert finding.verdict == "failed"
    assert "no TLS answer" in str(finding.evidence["error"])
