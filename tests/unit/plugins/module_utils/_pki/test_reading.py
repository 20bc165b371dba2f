# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people bring: every kind of file has its own answer, with the file's name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import (
    facts_of,
    key_is_encrypted,
    read_certificates,
    read_file,
    read_private_key,
)
from tests.unit.plugins.module_utils._pki.conftest import Made, make

ROOT = make()
OTHER = make("other")
DER = ROOT.certificate.public_bytes(serialization.Encoding.DER)

UNREADABLE_CERTIFICATES = [
    pytest.param(b"", "given.pem is empty", id="empty"),
    pytest.param(b" \r\n ", "given.pem is empty", id="blank"),
    pytest.param(b"hello", "given.pem isn't PEM: it holds no line that starts with -----BEGIN", id="text"),
    pytest.param(DER, "given.pem is DER, not PEM (convert it with openssl", id="DER"),
    pytest.param(ROOT.pem[:200], "given.pem is cut off: a PEM block begins and doesn't end", id="cut off"),
    pytest.param(ROOT.pem + OTHER.pem[:99], "given.pem is cut off", id="second one cut off"),
    pytest.param(ROOT.key_pem(), "given.pem holds no certificate: it holds: PRIVATE KEY", id="a key"),
    pytest.param(ROOT.pem.replace(b"M", b"N", 9), "certificate 1 of given.pem can't be read", id="damaged"),
    pytest.param(ROOT.pem + OTHER.pem.replace(b"M", b"N", 9), "certificate 2 of given.pem can't be read", id="second"),
    pytest.param(ROOT.pem + b"x" * 10_000_000, "given.pem is larger than 1 MiB", id="10 MB"),
]


@pytest.mark.parametrize(("data", "message"), UNREADABLE_CERTIFICATES)
def test_each_unreadable_certificate_has_its_own_error(data: bytes, message: str) -> None:
    with pytest.raises(MeshError) as refused:
        read_certificates(data, "given.pem")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ROOT.pem.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + ROOT.pem, id="byte order mark"),
        pytest.param(b"subject=CN = x\n" + ROOT.pem + b"\ntrailing text", id="text around"),
        pytest.param(ROOT.key_pem() + ROOT.pem, id="with its key"),
        pytest.param(ROOT.pem.rstrip(), id="no line end"),
    ],
)
def test_what_surrounds_a_certificate_does_not_matter(data: bytes) -> None:
    assert read_certificates(data, "given.pem") == [ROOT.certificate]


def test_all_certificates_come_in_their_order() -> None:
    assert read_certificates(OTHER.pem + ROOT.pem, "x") == [OTHER.certificate, ROOT.certificate]


def ed25519_pem() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())


UNREADABLE_KEYS = [
    pytest.param(b"", None, "given.key is empty", id="empty"),
    pytest.param(ROOT.pem, None, "given.key holds no private key: it holds: CERTIFICATE", id="a certificate"),
    pytest.param(ROOT.key_pem() * 2, None, "given.key holds 2 private keys, and one is wanted", id="several"),
    pytest.param(ROOT.key_pem("pw"), None, "given.key is encrypted, and no passphrase was given", id="no passphrase"),
    pytest.param(ROOT.key_pem("pw"), "px", "given.key can't be decrypted: the passphrase is wrong", id="wrong one"),
    pytest.param(ROOT.key_pem()[:40] + b"AAAA" + ROOT.key_pem()[44:], None, "given.key can't be read", id="damaged"),
    pytest.param(ed25519_pem(), None, "given.key is neither an ECDSA nor an RSA key", id="Ed25519"),
]


@pytest.mark.parametrize(("data", "passphrase", "message"), UNREADABLE_KEYS)
def test_each_unreadable_key_has_its_own_error(data: bytes, passphrase: str | None, message: str) -> None:
    with pytest.raises(MeshError) as refused:
        read_private_key(data, "given.key", passphrase)
    assert message in str(refused.value)
    assert "px" not in str(refused.value)


@pytest.mark.parametrize("kind", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
@pytest.mark.parametrize("passphrase", [None, "pass phrase é"])
def test_keys_are_read_in_every_usual_form(key: object, kind: object, passphrase: str | None) -> None:
    how = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    data = key.private_bytes(serialization.Encoding.PEM, kind, how)
    assert key_is_encrypted(data, "x") is bool(passphrase)
    assert read_private_key(data, "x", passphrase).public_key() == key.public_key()


def test_a_passphrase_for_an_open_key_is_ignored() -> None:
    assert read_private_key(ROOT.key_pem(), "x", "unneeded").public_key() == ROOT.key.public_key()


def test_curve_parameters_before_a_key_do_not_matter() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert read_private_key(parameters + ROOT.key_pem(), "x").public_key() == ROOT.key.public_key()


def test_files_have_their_own_errors(tmp_path: object, put: Callable[..., str]) -> None:
    with pytest.raises(MeshError, match=r"nothing\.pem doesn't exist"):
        read_file(f"{tmp_path}/nothing.pem")
    with pytest.raises(MeshError, match="is a directory, and a PEM file is wanted"):
        read_file(str(tmp_path))
    with pytest.raises(MeshError, match=r"big\.pem is larger than 1 MiB"):
        read_file(put("big.pem", b"x" * 10_000_000))


def test_facts_say_what_openssl_would_say() -> None:
    made: Made = make("facts", path_length=3)
    facts = facts_of(made.certificate)
    assert facts.subject == "CN=facts"
    assert (facts.is_ca, facts.path_length, facts.key_type, facts.signature_hash) == (True, 3, "ecdsa-p256", "sha256")
    assert int(facts.serial, 16) == made.certificate.serial_number
    assert len(facts.serial) % 2 == 0
