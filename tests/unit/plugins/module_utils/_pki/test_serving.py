# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate of a webhook's own server: its one client takes it, and nothing else can be done with it."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ansible_collections.edge.mesh.plugins.module_utils._pki import serving
from ansible_collections.edge.mesh.plugins.module_utils._pki.serving import Serving

NAME = "injector.injector.svc"
NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
WINDOW = timedelta(days=120)


def issued(name: str = NAME, before: Serving | None = None, now: datetime = NOW) -> Serving:
    return serving.issue(name, before, now=now, validity=YEAR)


def due(found: Serving | None, after: timedelta = timedelta(0), name: str = NAME) -> str:
    return serving.due(found, name, now=NOW + after, renew_before=WINDOW)


def handshake(server: Serving, trusted: bytes, name: str, directory: Path) -> None:
    """A TLS client that trusts ``trusted`` calls a server on loopback by ``name``; raises what it refuses."""
    bundle = directory / "server.pem"
    bundle.write_bytes(server.certificate + server.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def answer() -> None:
        with suppress(OSError):  # the client has refused
            context.wrap_socket(listener.accept()[0], server_side=True).close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    client = ssl.create_default_context(cadata=trusted.decode())
    try:
        with socket.create_connection(listener.getsockname(), timeout=5) as connection:
            client.wrap_socket(connection, server_hostname=name).close()
    finally:
        thread.join(5)
        listener.close()


def test_a_client_that_is_told_to_trust_it_takes_it_for_its_name_only(tmp_path: Path) -> None:
    one = issued()
    handshake(one, one.trusted, NAME, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(one, one.trusted, "istiod.istio-system.svc", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(one, issued().trusted, NAME, tmp_path)


def test_it_may_serve_and_neither_sign_nor_be_a_client() -> None:
    certificate = x509.load_pem_x509_certificate(issued().certificate)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.issuer == certificate.subject


def test_a_new_one_is_trusted_beside_the_old_one_while_that_is_valid(tmp_path: Path) -> None:
    old = issued()
    new = issued(before=old, now=NOW + timedelta(days=300))
    assert new.trusted == new.certificate + old.certificate
    handshake(old, new.trusted, NAME, tmp_path)
    # the one before the last is forgotten, and so is one that has ended or can't be read
    assert issued(before=new).trusted.count(b"BEGIN") == 2
    assert issued(before=old, now=NOW + 2 * YEAR).trusted.count(b"BEGIN") == 1
    assert issued(before=Serving(b"x", b"x", b"x")).trusted.count(b"BEGIN") == 1


def test_it_is_kept_until_its_window_and_then_due() -> None:
    one = issued()
    assert due(one) == ""
    assert due(one, YEAR - WINDOW - timedelta(minutes=10)) == ""
    assert due(one, YEAR - WINDOW + timedelta(minutes=10)).startswith("the certificate that is there ends 20")
    assert one.ends() == NOW + YEAR


def test_what_cant_serve_is_due() -> None:
    one, other = issued(), issued()
    assert due(None) == "there is no certificate"
    assert due(one, name="other.svc") == "the certificate that is there isn't for other.svc"
    for broken in (
        Serving(b"", one.key, one.trusted), Serving(one.certificate, b"x", one.trusted),
        Serving(one.certificate, one.key, b"x"),
    ):  # fmt: skip
        assert "can't be read" in due(broken)
    assert "another certificate's" in due(Serving(one.certificate, other.key, one.trusted))
    assert "isn't among those" in due(Serving(one.certificate, one.key, other.trusted))


def test_its_key_shows_nowhere() -> None:
    assert "PRIVATE" not in repr(issued())
