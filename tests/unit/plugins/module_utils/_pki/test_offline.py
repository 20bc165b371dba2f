# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody else signs: the request goes out, the certificate comes in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from tests.unit.plugins.module_utils._pki.conftest import NOW, Made, make

Ensure = Callable[..., Result]


class PublicOnly:
    """A key that only shows its public half, for signing somebody's request."""

    def __init__(self, public: object) -> None:
        self.public = public

    def public_key(self) -> object:
        return self.public


def sign(request_path: str, issuer: Made, **options: object) -> Made:
    """What an outside CA makes of a request."""
    request = x509.load_pem_x509_csr(Path(request_path).read_bytes())
    assert request.is_signature_valid
    options = {"path_length": 0, "days": (-1, 700), **options}
    return make("Their name for it", issuer, key=PublicOnly(request.public_key()), **options)


@pytest.fixture
def root() -> Made:
    return make("company root")


@pytest.fixture
def options(root: Made, put: Callable[..., str]) -> dict[str, object]:
    return {"certificate": put("company.pem", root.pem), "offline": True}


def entry(path: str | None = None) -> list[dict[str, str]]:
    return [{"name": "centre", **({"certificate": path} if path else {})}]


def test_a_request_goes_out_once_and_the_answer_comes_in(
    ensure: Ensure, ca: Path, root: Made, options: dict[str, object], put: Callable[..., str]
) -> None:
    asked = ensure(intermediates=entry(), root=options).intermediates[0]
    assert (asked.action, asked.facts) == ("requested", None)
    again = ensure(intermediates=entry(), root=options)
    assert not again.changed
    assert asked.request in again.warnings[0]

    signed = sign(asked.request, root)
    answer = put("centre.pem", signed.pem)
    taken = ensure(intermediates=entry(answer), root=options)
    assert taken.intermediates[0].action == "imported"
    files = {file.name: file.read_bytes() for file in (ca / "centre").iterdir()}
    assert bundle_problems(files, NOW, root.certificate) == (signed.certificate, [])
    assert not (ca / "requests" / "centre").exists()
    assert not ensure(intermediates=entry(answer), root=options).changed


def test_check_mode_hands_nothing_out(ensure: Ensure, ca: Path, options: dict[str, object]) -> None:
    foreseen = ensure(intermediates=entry(), root=options, check=True)
    assert foreseen.reasons == [
        "root: the root of " + str(options["certificate"]) + " is taken in",
        "centre: there is no intermediate yet",
    ]
    assert not ca.exists()


def test_the_request_asks_for_a_ca_that_has_none_below(ensure: Ensure, options: dict[str, object]) -> None:
    asked = ensure(intermediates=entry(), root=options).intermediates[0]
    request = x509.load_pem_x509_csr(Path(asked.request).read_bytes())
    constraints = request.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert request.subject.rfc4514_string() == "CN=centre intermediate CA"


def test_a_chain_in_any_order_is_taken_in(
    ensure: Ensure, ca: Path, root: Made, options: dict[str, object], put: Callable[..., str]
) -> None:
    asked = ensure(intermediates=entry(), root=options).intermediates[0]
    middle = make("company mesh CA", root, path_length=1)
    signed = sign(asked.request, middle)
    ensure(intermediates=entry(put("c.pem", root.pem, middle.pem, signed.pem)), root=options)
    chain = (ca / "centre" / "cert-chain.pem").read_bytes()
    assert chain == signed.pem + middle.pem + root.pem


def test_a_renewal_keeps_the_bundle_until_the_answer_is_there(
    ensure: Ensure, ca: Path, root: Made, options: dict[str, object], put: Callable[..., str]
) -> None:
    asked = ensure(intermediates=entry(), root=options).intermediates[0]
    answer = put("centre.pem", sign(asked.request, root).pem)
    ensure(intermediates=entry(answer), root=options)
    before = (ca / "centre" / "ca-cert.pem").read_bytes()
    late = NOW + timedelta(days=650)
    due = ensure(intermediates=entry(answer), root=options, now=late)
    assert due.intermediates[0].action == "requested"
    assert due.intermediates[0].facts is not None
    assert (ca / "centre" / "ca-cert.pem").read_bytes() == before
    renewed = sign(due.intermediates[0].request, root, days=(640, 1300))
    put("centre.pem", renewed.pem)
    assert ensure(intermediates=entry(answer), root=options, now=late).intermediates[0].action == "imported"
    assert not ensure(intermediates=entry(answer), root=options, now=late).changed


def bad_answers() -> list[object]:
    return [
        pytest.param(
            lambda request, root: make("x", root).pem, "holds no certificate for centre's key", id="other key"
        ),
        pytest.param(
            lambda request, root: sign(request, make("company root")).pem, "no chain leads to the root", id="other root"
        ),
        pytest.param(lambda request, root: sign(request, root, ca=False).pem, "isn't a CA certificate", id="not a CA"),
        pytest.param(lambda request, root: sign(request, root, days=(-9, -1)).pem, "expired on", id="expired"),
        pytest.param(lambda request, root: sign(request, root, days=(-1, 9000)).pem, "outlives", id="outlives"),
        pytest.param(lambda request, root: b"junk", "centre.pem isn't PEM", id="junk"),
    ]


@pytest.mark.parametrize(("answer", "message"), bad_answers())
def test_an_unfit_answer_is_refused_by_its_file(
    ensure: Ensure,
    ca: Path,
    root: Made,
    options: dict[str, object],
    put: Callable[..., str],
    answer: Callable[[str, Made], bytes],
    message: str,
) -> None:
    asked = ensure(intermediates=entry(), root=options).intermediates[0]
    path = put("centre.pem", answer(asked.request, root))
    with pytest.raises(MeshError) as refused:
        ensure(intermediates=entry(path), root=options)
    assert "centre.pem" in str(refused.value)
    assert message in str(refused.value)
    assert not (ca / "centre").exists()


def test_an_answer_without_a_request_is_refused(
    ensure: Ensure, root: Made, options: dict[str, object], put: Callable[..., str]
) -> None:
    with pytest.raises(MeshError, match="no request waits for a certificate"):
        ensure(intermediates=entry(put("centre.pem", make("x", root).pem)), root=options)


def test_offline_needs_to_know_the_root(ensure: Ensure) -> None:
    with pytest.raises(MeshError, match=r"root\.offline needs root\.certificate"):
        ensure(intermediates=entry(), root={"offline": True})
