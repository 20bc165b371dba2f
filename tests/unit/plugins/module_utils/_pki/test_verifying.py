# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts about bundles and chains, with openssl as the second judge."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import read_certificates
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import (
    bundle_problems,
    ca_problems,
    chain_problems,
    find_chain,
    is_self_signed,
    signature_problems,
)
from tests.unit.plugins.module_utils._pki.conftest import NOW, Made, make

ROOT = make("root", path_length=1)
LEAF = make("leaf", ROOT, path_length=0, days=(-1, 700))
OLD = make("old", ROOT, days=(-20, -1))
EARLY = make("early", ROOT, days=(1, 100))
NO_CA = make("no ca", ROOT, ca=False, days=(-1, 700))
NO_EXTENSION = make("no extension", ROOT, ca=None, days=(-1, 700))
NO_SIGN = make("no sign", ROOT, sign_certificates=False, days=(-1, 700))
DEEP = make("deep", LEAF, days=(-1, 700))
WEAK = make("weak", ROOT, key=rsa.generate_private_key(65537, 1024), days=(-1, 700))
OUTLIVES = make("outlives", ROOT, days=(-1, 4000))
STRANGER = make("stranger", make("root", path_length=1), days=(-1, 700))
EMAIL_ONLY = make(
    "email",
    ROOT,
    days=(-1, 700),
    extension=(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
)
TLS = make(
    "tls",
    ROOT,
    days=(-1, 700),
    extension=(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), True),
)
UNKNOWN = make(
    "unknown",
    ROOT,
    days=(-1, 700),
    extension=(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"), True),
)

# (the CA, what stands between it and the root, a word of the verdict, whether openssl is to agree)
VERDICTS = [
    pytest.param(LEAF, [], None, id="good"),
    pytest.param(OLD, [], "ca-cert.pem expired on 2026-11-20", id="expired"),
    pytest.param(EARLY, [], "ca-cert.pem isn't valid before 2026-11-22", id="not yet valid"),
    pytest.param(NO_CA, [], "isn't a CA certificate", id="not a CA"),
    pytest.param(NO_EXTENSION, [], "isn't a CA certificate", id="no basic constraints"),
    pytest.param(NO_SIGN, [], "may not sign certificates (key usage)", id="key usage"),
    pytest.param(DEEP, [LEAF], "allows 0 intermediates below it, and 1 would be needed", id="path length"),
    pytest.param(WEAK, [], "has an RSA key of 1024 bits, and 2048 is the least", id="RSA-1024"),
    pytest.param(STRANGER, [], "no chain leads from ca-cert.pem", id="another root of the same name"),
    pytest.param(TLS, [], None, id="uses that include TLS"),
    pytest.param(EMAIL_ONLY, [], "limited to uses without TLS servers and clients", id="uses without TLS"),
    pytest.param(UNKNOWN, [], "has a critical extension that isn't known (1.2.3.4)", id="unknown critical extension"),
    pytest.param(OUTLIVES, [], "ca-cert.pem outlives its issuer 'CN=root' in root-cert.pem", id="outlives its root"),
]

# Libraries of today don't sign with SHA-1 any more: made once with openssl, its key is gone.
SHA1_ROOT = b"""\
-----BEGIN CERTIFICATE-----
MIIBijCCATKgAwIBAgIUOFl4WqLE9jWQ5iO1MNI0VTJxgG8wCQYHKoZIzj0EATAT
MREwDwYDVQQDDAhvbGQgcm9vdDAgFw0yNjExMjExMzEwMjNaGA8yMTI2MTAyODEz
MTAyM1owEzERMA8GA1UEAwwIb2xkIHJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAAQxXM1nKycF92RoLBWE8yH+uHWJ8IvpaHNV6Nky6iDjBiPX8j1e12Ye7pLq
9cRf4nwqR5YzhpCPDsfu7fRvam4co2MwYTAdBgNVHQ4EFgQUC/dCySFoCGp2d3ta
OQRNyMMmYV0wHwYDVR0jBBgwFoAUC/dCySFoCGp2d3taOQRNyMMmYV0wDwYDVR0T
AQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwCQYHKoZIzj0EAQNHADBEAiBAhZVb
P2dO2nSsiyaNZZG6N5FiNOzYbgpf5c2uTF9JagIgOioqMzxljx5oiwhxQ0cnYFSO
2oSd3gwEdUIf5rKUOUs=
-----END CERTIFICATE-----
"""


def bundle(leaf: Made, between: list[Made], root: Made = ROOT) -> dict[str, bytes]:
    above = b"".join(made.pem for made in [*between, root])
    return {
        "ca-cert.pem": leaf.pem,
        "ca-key.pem": leaf.key_pem(),
        "cert-chain.pem": leaf.pem + above,
        "root-cert.pem": root.pem,
    }


@pytest.mark.parametrize(("leaf", "between", "problem"), VERDICTS)
def test_each_unusable_bundle_has_its_own_verdict(leaf: Made, between: list[Made], problem: str | None) -> None:
    certificate, problems = bundle_problems(bundle(leaf, between), NOW)
    assert certificate == leaf.certificate
    assert (problem is None) == (problems == [])
    assert (problem or "") in "; ".join(problems)


# openssl judges a workload's certificate below the CA; a CA that outlives its root is nothing it minds.
OPENSSL_AGREES = [LEAF, OLD, EARLY, NO_CA, NO_EXTENSION, NO_SIGN, DEEP, WEAK, STRANGER, TLS, EMAIL_ONLY, UNKNOWN]


@pytest.mark.parametrize("leaf", OPENSSL_AGREES, ids=lambda made: made.certificate.subject.rfc4514_string())
def test_openssl_comes_to_the_same_verdict(leaf: Made, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed")
    files = bundle(leaf, [LEAF] if leaf is DEEP else [])
    workload = make("workload", leaf, ca=False, sign_certificates=False, days=(-0.1, 1))
    for name, content in {**files, "workload.pem": workload.pem}.items():
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-auth_level", "2", "-purpose", "sslserver"]
    command += ["-CAfile", "root-cert.pem", "-untrusted", "cert-chain.pem", "workload.pem"]
    judged = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (judged.returncode == 0) == (bundle_problems(files, NOW)[1] == []), judged.stderr


def test_without_a_clock_times_are_nobodys_problem() -> None:
    assert bundle_problems(bundle(OLD, []), None)[1] == []


@pytest.mark.parametrize("name", ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"])
def test_each_missing_or_broken_file_is_named(name: str) -> None:
    files = bundle(LEAF, [])
    assert bundle_problems({key: value for key, value in files.items() if key != name}, NOW)[1] == [
        f"{name} is missing"
    ]
    assert name in bundle_problems({**files, name: b"junk"}, NOW)[1][0]


def test_files_of_different_bundles_do_not_fit() -> None:
    mixed = {**bundle(LEAF, []), "ca-key.pem": DEEP.key_pem(), "cert-chain.pem": ROOT.pem + LEAF.pem}
    assert bundle_problems(mixed, NOW)[1] == [
        "ca-key.pem is the key of another certificate than ca-cert.pem",
        "cert-chain.pem doesn't begin with ca-cert.pem",
    ]


def test_another_root_than_the_wanted_one_is_named() -> None:
    assert bundle_problems(bundle(LEAF, []), NOW, make("root").certificate)[1] == ["root-cert.pem isn't the root"]


def test_a_sha1_signature_is_named() -> None:
    (certificate,) = read_certificates(SHA1_ROOT, "x")
    assert signature_problems(certificate) == ["is signed with SHA-1, which is not accepted any more"]
    assert "ca-cert.pem is signed with SHA-1" in "; ".join(
        bundle_problems({**bundle(LEAF, []), "ca-cert.pem": SHA1_ROOT}, NOW)[1]
    )


def test_the_signature_of_a_trusted_root_is_nobodys_business() -> None:
    (certificate,) = read_certificates(SHA1_ROOT, "x")
    assert chain_problems([certificate], None) == []


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP521R1()), ec.generate_private_key(ec.SECP256K1())])
def test_a_curve_that_istiod_does_not_know_is_named(key: object) -> None:
    assert "istiod needs ECDSA P-256, P-384 or RSA" in ca_problems(make(key=key).certificate)[0]


def test_a_chain_is_found_in_any_order_and_around_loops() -> None:
    middle = make("middle", ROOT, path_length=0)
    leaf = make("low", middle)
    cross = make("middle", make("elsewhere"), key=middle.key)
    found = find_chain(leaf.certificate, [cross.certificate, leaf.certificate, middle.certificate], [ROOT.certificate])
    assert found == [leaf.certificate, middle.certificate, ROOT.certificate]


def test_a_self_signed_certificate_is_told_by_its_signature() -> None:
    assert is_self_signed(ROOT.certificate)
    assert not is_self_signed(make("root", ROOT).certificate)
    assert not is_self_signed(LEAF.certificate)


def test_a_cas_last_second_is_exclusive() -> None:
    end = LEAF.certificate.not_valid_after_utc
    assert bundle_problems(bundle(LEAF, []), end - timedelta(seconds=1))[1] == []
    assert bundle_problems(bundle(LEAF, []), end)[1] != []


def test_an_ed25519_key_is_named() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    leaf = make("ed", ROOT, key=key, days=(-1, 700))
    assert "has a key of the kind ed25519" in ca_problems(leaf.certificate)[0]
