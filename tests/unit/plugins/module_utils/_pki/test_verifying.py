# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts about bundles and chains, with openssl as the second judge."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import (
    bundle_problems,
    ca_problems,
    chain_problems,
    find_chain,
    is_self_signed,
    signature_problems,
)
from tests.bundles import Case, bundle, certificate_cases, table
from tests.certificates import Made, sha1_signed
from tests.unit.plugins.module_utils._pki.conftest import NOW, make

ROOT = make("root", path_length=1)
LEAF = make("leaf", ROOT, path_length=0, days=(-1, 700))
DEEP = make("deep", LEAF, days=(-1, 700))
OLD = make("old", ROOT, days=(-20, -1))


@pytest.mark.parametrize("case", table(NOW), ids=lambda case: case.name)
def test_each_unusable_bundle_has_its_own_verdict(case: Case) -> None:
    certificate, problems = bundle_problems(case.files, NOW)
    assert (problems == []) == (case.problem is None), problems
    assert (case.problem or "") in "; ".join(problems)
    assert certificate is not None or problems
    assert all(re.search(r"(ca-cert|ca-key|cert-chain|root-cert)\.pem", problem) for problem in problems)


def test_no_two_cases_are_told_the_same() -> None:
    told = [case.problem for case in table(NOW) if case.problem]
    assert {problem for problem in told if told.count(problem) > 1} == {
        "ca-cert.pem isn't a CA certificate",  # without the extension, and with it saying so
        "no chain leads from ca-cert.pem",  # to another root, and for want of a link
        "limited to uses without TLS servers and clients",  # without both, and without one
    }


# What openssl doesn't mind: curves and keys that are Istio's limits, and a CA that outlives its root.
OPENSSL_LOADS = {"p521", "ed25519", "outlives"}


@pytest.mark.parametrize("case", certificate_cases(NOW), ids=lambda case: case.name)
def test_openssl_comes_to_the_same_verdict_about_a_workload_below(case: Case, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed")
    certificate = x509.load_pem_x509_certificate(case.files["ca-cert.pem"])
    key = serialization.load_pem_private_key(case.files["ca-key.pem"], None)
    workload = make("workload", Made(certificate, key), ca=False, sign_certificates=False, days=(-0.1, 1))
    for name, content in {**case.files, "workload.pem": workload.pem}.items():
        (tmp_path / name).write_bytes(content)
    agreed = True
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-auth_level", "2", "-purpose", purpose]
        command += ["-CAfile", "root-cert.pem", "-untrusted", "cert-chain.pem", "workload.pem"]
        judged = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        agreed = agreed and judged.returncode == 0
    assert agreed == (case.problem is None or case.name in OPENSSL_LOADS), judged.stderr


def test_without_a_clock_times_are_nobodys_problem() -> None:
    assert bundle_problems(bundle(OLD, ROOT), None)[1] == []


@pytest.mark.parametrize("name", ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"])
def test_each_missing_or_broken_file_is_named(name: str) -> None:
    files = bundle(LEAF, ROOT)
    assert bundle_problems({key: value for key, value in files.items() if key != name}, NOW)[1] == [
        f"{name} is missing"
    ]
    assert name in bundle_problems({**files, name: b"junk"}, NOW)[1][0]


def test_files_of_different_bundles_do_not_fit() -> None:
    mixed = {**bundle(LEAF, ROOT), "ca-key.pem": DEEP.key_pem(), "cert-chain.pem": ROOT.pem + LEAF.pem}
    assert bundle_problems(mixed, NOW)[1] == [
        "ca-key.pem is the key of another certificate than ca-cert.pem",
        "cert-chain.pem doesn't begin with ca-cert.pem",
    ]


def test_another_root_than_the_wanted_one_is_named() -> None:
    assert bundle_problems(bundle(LEAF, ROOT), NOW, make("root").certificate)[1] == ["root-cert.pem isn't the root"]


def test_the_signature_of_a_trusted_root_is_nobodys_business() -> None:
    root = make("old root", key=rsa.generate_private_key(65537, 2048))
    weak = sha1_signed(root, root)
    assert signature_problems(weak.certificate) == ["is signed with SHA-1, which is not accepted any more"]
    assert chain_problems([weak.certificate], NOW) == []


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
    assert bundle_problems(bundle(LEAF, ROOT), end - timedelta(seconds=1))[1] == []
    assert bundle_problems(bundle(LEAF, ROOT), end)[1] != []
