# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workload certificates: what is asked for, and what is accepted in return."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import _crypto, workload
from tests.unit.plugins.module_utils._xds.fakes import IDENTITY, Authority

NOW = datetime.now(UTC)
ROOT = Authority()
KEY = ec.generate_private_key(ec.SECP256R1())
LEAF = ROOT.workload(IDENTITY, KEY.public_key())


def test_a_request_holds_the_identity_and_a_p256_key() -> None:
    key, pem = workload.make_csr(IDENTITY)
    request = x509.load_pem_x509_csr(pem.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [IDENTITY]
    assert request.is_signature_valid
    assert key.curve.name == "secp256r1"
    assert key.public_key() == request.public_key()


def test_every_request_has_a_key_of_its_own() -> None:
    assert workload.make_csr(IDENTITY)[0].public_key() != workload.make_csr(IDENTITY)[0].public_key()


def test_a_certificate_tells_its_identity_its_key_and_its_life() -> None:
    (facts,) = workload.inspect(LEAF)
    assert facts.uris == (IDENTITY,)
    assert facts.dns_names == ()
    assert facts.issuer == "O=root"
    assert facts.public_key == workload.public_bytes(KEY)
    assert abs(facts.not_after - NOW - timedelta(hours=24)) < timedelta(minutes=1)


def test_all_certificates_of_a_text_are_told_in_order() -> None:
    assert [facts.subject for facts in workload.inspect(LEAF + ROOT.pem)] == ["", "O=root"]


@pytest.mark.parametrize("pem", ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_an_error(pem: str) -> None:
    with pytest.raises(MeshError, match="can't be read"):
        workload.inspect(pem)


def test_what_is_no_der_is_an_error() -> None:
    with pytest.raises(MeshError, match="can't be read"):
        workload.inspect_der(b"\x00")


def chain(depth: int) -> tuple[list[str], Authority]:
    """A leaf below ``depth`` intermediates, in one list from the leaf up, and the root."""
    root = Authority("top")
    issuers = [root]
    for number in range(depth):
        issuers.append(Authority(f"intermediate {number}", issuer=issuers[-1]))
    leaf = issuers[-1].workload(IDENTITY, KEY.public_key())
    return [leaf, *(issuer.pem for issuer in reversed(issuers[1:]))], root


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_chain_is_followed_to_the_root(depth: int) -> None:
    pems, root = chain(depth)
    expected = workload.inspect(root.pem)[0].fingerprint
    assert workload.verify_chain(pems, root.pem, NOW) == expected
    assert workload.verify_chain(["".join([*pems, root.pem])], Authority("other").pem + root.pem, NOW) == expected


def test_the_order_above_the_leaf_doesnt_matter() -> None:
    pems, root = chain(2)
    assert workload.verify_chain([pems[0], pems[2], pems[1]], root.pem, NOW)


def test_a_missing_link_is_told() -> None:
    pems, root = chain(2)
    with pytest.raises(MeshError, match="doesn't end in a trusted root"):
        workload.verify_chain([pems[0], pems[2]], root.pem, NOW)


def test_a_root_of_the_same_name_and_another_key_is_refused() -> None:
    with pytest.raises(MeshError, match="doesn't end in a trusted root"):
        workload.verify_chain([LEAF], Authority("root").pem, NOW)


def test_a_root_that_comes_with_the_chain_isnt_trusted_for_it() -> None:
    with pytest.raises(MeshError, match="doesn't end in a trusted root"):
        workload.verify_chain([LEAF, ROOT.pem], Authority("other").pem, NOW)


def test_a_leaf_that_signed_another_is_no_ca() -> None:
    impostor = Authority("leaf", issuer=ROOT, ca=False)
    leaf = impostor.workload(IDENTITY, KEY.public_key())
    with pytest.raises(MeshError, match="doesn't end in a trusted root"):
        workload.verify_chain([leaf, impostor.pem], ROOT.pem, NOW)


@pytest.mark.parametrize(("moment", "why"), [(timedelta(days=2), "has expired"), (-timedelta(days=999), "yet")])
def test_a_certificate_outside_its_life_is_refused(moment: timedelta, why: str) -> None:
    with pytest.raises(MeshError, match=why):
        workload.verify_chain([LEAF], ROOT.pem, NOW + moment)


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(MeshError, match="it is empty"):
        workload.verify_chain([], ROOT.pem, NOW)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_crypto, "MISSING", "No module named 'cryptography'")
    with pytest.raises(MeshError, match="install"):
        workload.make_csr(IDENTITY)
