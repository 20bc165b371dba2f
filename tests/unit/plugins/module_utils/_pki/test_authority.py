# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA's life: made, kept, renewed, imported, refused, removed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result, ensure_absent, ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import BUNDLE_FILES
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from tests.unit.plugins.module_utils._pki.conftest import NOW, make

Ensure = Callable[..., Result]
YEAR = timedelta(days=365)


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def files_of(ca: Path, name: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (ca / name).iterdir()}


def certificate(ca: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((ca / name).read_bytes())


def test_the_first_run_makes_a_root_and_a_bundle_for_each_primary(ensure: Ensure, ca: Path) -> None:
    result = ensure("centre", "second")
    assert result.reasons == [
        "root: there is no root yet",
        "centre: there is no intermediate yet",
        "second: there is no intermediate yet",
    ]
    assert result.remaining == ["centre", "second"]
    assert sorted(files_of(ca, "root")) == ["root-cert.pem", "root-key.pem"]
    for name in ("centre", "second"):
        files = files_of(ca, name)
        assert sorted(files) == sorted(BUNDLE_FILES)
        assert bundle_problems(files, NOW, certificate(ca, "root/root-cert.pem"))[1] == []
        assert files["cert-chain.pem"] == files["ca-cert.pem"] + files["root-cert.pem"]


def test_the_second_run_changes_nothing(ensure: Ensure, ca: Path) -> None:
    ensure("centre")
    before = tree(ca)
    result = ensure("centre", now=NOW + timedelta(days=400))
    assert not result.changed
    assert [result.root.action, result.intermediates[0].action] == ["kept", "kept"]
    assert result.text(after=False) == result.text(after=True)
    assert tree(ca) == before


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072"])
def test_every_key_type_passes_openssl_strictly(ensure: Ensure, ca: Path, key_type: str) -> None:
    ensure("centre", key_type=key_type)
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed")
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW.timestamp())), "-auth_level", "2"]
    command += ["-CAfile", "root/root-cert.pem", "centre/ca-cert.pem"]
    judged = subprocess.run(command, cwd=ca, capture_output=True, text=True, check=False)
    assert judged.stdout == "centre/ca-cert.pem: OK\n", judged.stderr


def test_certificates_carry_what_a_ca_needs(ensure: Ensure, ca: Path) -> None:
    ensure("centre", root={"common_name": "Example root", "organization": "Example"})
    root, leaf = certificate(ca, "root/root-cert.pem"), certificate(ca, "centre/ca-cert.pem")
    assert root.subject.rfc4514_string() == "CN=Example root,O=Example"
    assert leaf.subject.rfc4514_string() == "CN=centre intermediate CA,O=Example"
    assert leaf.issuer == root.subject
    for made, path_length in ((root, 1), (leaf, 0)):
        constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert (constraints.value.ca, constraints.value.path_length) == (True, path_length)
        usage = made.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, False)
        assert made.not_valid_before_utc == NOW - timedelta(minutes=5)
        assert made.serial_number.bit_length() > 100
    subject_key = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    for made in (root, leaf):
        authority_key = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert authority_key.key_identifier == subject_key
    assert root.not_valid_after_utc == NOW + 10 * YEAR
    assert leaf.not_valid_after_utc == NOW + 2 * YEAR


def test_keys_in_bundles_are_open_pkcs8_as_istiod_wants_them(ensure: Ensure, ca: Path) -> None:
    ensure("centre", passphrase="root secret")
    assert (ca / "centre" / "ca-key.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert (ca / "root" / "root-key.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")


def test_check_mode_says_the_same_and_writes_nothing(ensure: Ensure, ca: Path) -> None:
    foreseen = ensure("centre", check=True)
    assert not ca.parent.exists()
    assert foreseen.reasons == ensure("centre").reasons
    before = tree(ca)
    foreseen = ensure("centre", key_type="rsa-2048", check=True)
    assert tree(ca) == before
    assert foreseen.reasons == ensure("centre", key_type="rsa-2048").reasons != []


def test_inside_the_window_it_is_renewed_below_the_same_root(ensure: Ensure, ca: Path) -> None:
    ensure("centre", "second")
    old = tree(ca)
    result = ensure("centre", now=NOW + timedelta(days=500))
    assert result.reasons == ["centre: it expires on 2028-11-20, and its renewal was due on 2028-03-22"]
    new = tree(ca)
    assert {name for name in new if new[name] != old[name]} == {
        "centre/ca-cert.pem",
        "centre/ca-key.pem",
        "centre/cert-chain.pem",
    }
    assert not ensure("centre", now=NOW + timedelta(days=500)).changed


def test_the_last_intermediates_end_with_their_root(ensure: Ensure, ca: Path) -> None:
    ensure("centre")
    then = NOW + timedelta(days=3300)
    first = ensure("centre", now=then)
    assert first.intermediates[0].facts.not_after == first.root.facts.not_after
    again = ensure("centre", now=then + timedelta(days=200))
    assert not again.changed
    assert any("longer than its root" in warning for warning in again.warnings)
    assert any("plan the rotation" in warning for warning in again.warnings)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_a_damaged_or_missing_file_is_healed_with_its_reason(ensure: Ensure, ca: Path, name: str) -> None:
    ensure("centre")
    (ca / "centre" / name).write_bytes(b"junk")
    assert f"centre: {name} isn't PEM" in ensure("centre").reasons[0]
    (ca / "centre" / name).unlink()
    assert ensure("centre").reasons == [f"centre: {name} is missing"]
    assert not ensure("centre").changed


def test_loose_modes_are_a_reason(ensure: Ensure, ca: Path) -> None:
    ensure("centre")
    (ca / "root" / "root-key.pem").chmod(0o640)
    result = ensure("centre")
    assert result.reasons == [f"{ca}/root/root-key.pem: its mode is 0640, and nobody else may use it"]
    assert not ensure("centre").changed


def test_a_lost_root_directory_never_leads_to_a_new_root(ensure: Ensure, ca: Path) -> None:
    ensure("centre")
    shutil.rmtree(ca / "root")
    before = tree(ca)
    with pytest.raises(MeshError, match=rf"the bundle {ca}/centre already trusts a root.*restore the state directory"):
        ensure("second")
    assert tree(ca) == before
    made = ensure("centre", allow_new_root=True)
    assert made.reasons[0] == "root: there is no root yet"
    assert made.reasons[1].startswith("centre: ")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("root-cert.pem", b"junk", "isn't PEM"),
        ("root-cert.pem", None, "is missing"),
        ("root-key.pem", b"junk", "isn't PEM"),
    ],
)
def test_a_damaged_root_is_an_error_and_never_replaced(
    ensure: Ensure, ca: Path, name: str, content: bytes | None, message: str
) -> None:
    ensure("centre")
    path = ca / "root" / name
    path.unlink() if content is None else path.write_bytes(content)
    before = tree(ca)
    with pytest.raises(MeshError, match=f"{name} {message}"):
        ensure("centre", "second", allow_new_root=True)
    assert tree(ca) == before


def test_a_root_in_use_elsewhere_is_refused_and_nothing_is_written(ensure: Ensure, ca: Path) -> None:
    with pytest.raises(MeshError, match="centre already trusts a root that the state directory doesn't know"):
        ensure("centre", existing=[{"name": "centre", "fingerprint": "ab" * 32}])
    assert not (ca / "root").exists()


def test_a_root_in_use_that_is_ours_is_no_matter(ensure: Ensure) -> None:
    known = ensure("centre").root.facts.fingerprint
    evidence = [{"name": "centre", "fingerprint": known.lower().replace(":", "")}]
    assert not ensure("centre", existing=evidence).changed


def test_the_root_key_is_encrypted_once_a_passphrase_is_given(ensure: Ensure, ca: Path) -> None:
    ensure("centre")
    result = ensure("centre", passphrase="secret words")
    assert result.reasons == ["root: its key is encrypted with the passphrase"]
    assert not ensure("centre", passphrase="secret words").changed
    serialization.load_pem_private_key((ca / "root" / "root-key.pem").read_bytes(), b"secret words")


def test_without_the_passphrase_what_is_valid_is_kept_and_the_rest_refused(ensure: Ensure) -> None:
    ensure("centre", passphrase="secret words")
    assert not ensure("centre").changed
    late = ensure("centre", now=NOW + timedelta(days=600))
    assert not late.changed
    assert "needs the root key" in late.warnings[0]
    with pytest.raises(MeshError, match="second has to be issued, and the root key isn't at hand"):
        ensure("second")


def test_a_wrong_passphrase_is_an_error_in_check_mode_too(ensure: Ensure, ca: Path) -> None:
    ensure("centre", passphrase="secret words")
    before = tree(ca)
    for check in (True, False):
        with pytest.raises(MeshError, match=r"root-key\.pem can't be decrypted") as refused:
            ensure("second", passphrase="other words", check=check)
        assert "other" not in str(refused.value)
    assert tree(ca) == before


def test_an_outside_root_is_taken_in_without_its_key(ensure: Ensure, ca: Path, put: Callable[..., str]) -> None:
    outside = make(path_length=1)
    options = {"certificate": put("r.pem", outside.pem), "key": put("r.key", outside.key_pem("k")), "passphrase": "k"}
    result = ensure("centre", root=options)
    assert result.root.action == "imported"
    assert files_of(ca, "root") == {"root-cert.pem": outside.pem}
    assert bundle_problems(files_of(ca, "centre"), NOW, outside.certificate)[1] == []
    for path in (options["key"], options["certificate"]):  # and then both may stay away
        os.unlink(path)
        assert not ensure("centre", root=options).changed
    late = ensure("centre", root=options, now=NOW + timedelta(days=470))
    assert "needs the root key, which isn't at hand" in late.warnings[0]


def test_a_ca_below_the_outside_root_signs_with_its_whole_chain(
    ensure: Ensure, ca: Path, put: Callable[..., str]
) -> None:
    root = make("company root")
    signer = make("company mesh CA", root, path_length=1, days=(-1, 300))
    options = {"certificate": put("c.pem", root.pem, signer.pem), "key": put("c.key", signer.key_pem())}
    result = ensure("centre", root=options)
    files = files_of(ca, "centre")
    assert files["root-cert.pem"] == root.pem
    assert files["cert-chain.pem"] == files["ca-cert.pem"] + signer.pem + root.pem
    assert result.intermediates[0].facts.not_after == signer.certificate.not_valid_after_utc
    assert not ensure("centre", root=options).changed
    assert not ensure("centre").changed


ROOTS = [
    pytest.param(make(ca=False), "isn't a CA certificate", id="not a CA"),
    pytest.param(make(path_length=0), "allows 0 intermediates below it, and 1 would be needed", id="path length"),
    pytest.param(make(days=(-10, -1)), "expired on 2026-11-20", id="expired"),
    pytest.param(make(days=(1, 10)), "isn't valid before 2026-11-22", id="not yet valid"),
    pytest.param(make(sign_certificates=False), "may not sign certificates", id="key usage"),
    pytest.param(make("x", make()), "holds no root: no certificate in it is self-signed", id="no root"),
]


@pytest.mark.parametrize(("outside", "message"), ROOTS)
def test_an_unfit_outside_root_is_refused_by_its_file(
    ensure: Ensure, ca: Path, put: Callable[..., str], outside: object, message: str
) -> None:
    options = {"certificate": put("given.pem", outside.pem), "key": put("given.key", outside.key_pem())}
    with pytest.raises(MeshError) as refused:
        ensure("centre", root=options)
    assert "given.pem" in str(refused.value)
    assert message in str(refused.value)
    assert not (ca / "root").exists()


def test_the_key_of_another_certificate_is_refused(ensure: Ensure, ca: Path, put: Callable[..., str]) -> None:
    options = {"certificate": put("r.pem", make().pem), "key": put("r.key", make().key_pem())}
    with pytest.raises(MeshError, match=r"r\.key is the key of another certificate than .*r\.pem"):
        ensure("centre", root=options)
    assert not (ca / "root").exists()


def test_another_outside_root_later_is_a_rotation_and_refused(ensure: Ensure, put: Callable[..., str]) -> None:
    ensure("centre")
    outside = make()
    options = {"certificate": put("r.pem", outside.pem), "key": put("r.key", outside.key_pem())}
    with pytest.raises(MeshError, match="changing the root of a mesh is a rotation"):
        ensure("centre", root=options)


def test_what_is_absent_is_gone_and_the_rest_stays(ensure: Ensure, ca: Path) -> None:
    ensure("centre", "second")
    one = request_from({"path": str(ca), "intermediates": [{"name": "centre"}]})
    assert ensure_absent(one, check=True).remaining == ["second"]
    assert (ca / "centre").exists()
    assert ensure_absent(one, check=False).remaining == ["second"]
    assert not ensure_absent(one, check=False).changed
    assert sorted(os.listdir(ca)) == [".lock", "root", "second"]
    everything = request_from({"path": str(ca)})
    assert ensure_absent(everything, check=False).changed
    assert not ca.exists()
    assert not ensure_absent(everything, check=False).changed
    assert not ca.exists()


def run_one(path: str, name: str, when: datetime) -> None:
    ensure_present(request_from({"path": path, "intermediates": [{"name": name}]}), now=when, check=False)


def test_primaries_at_once_share_one_root(ca: Path) -> None:
    processes = multiprocessing.get_context("fork")
    runs = [processes.Process(target=run_one, args=(str(ca), f"primary-{number}", NOW)) for number in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0] * 4
    root = certificate(ca, "root/root-cert.pem")
    for number in range(4):
        assert bundle_problems(files_of(ca, f"primary-{number}"), NOW, root)[1] == []
