# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root key that is away, locked, damaged or another one: told ahead, and never a surprise on the day."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from tests.certificates import sha1_signed
from tests.unit.plugins.module_utils._pki.conftest import NOW, make

Ensure = Callable[..., Result]
Put = Callable[..., str]

# 730 days of life, renewed in the last third of it.
QUIET, AHEAD, DUE, OVER = (NOW + timedelta(days=days) for days in (440, 460, 500, 731))


@pytest.fixture
def outside(put: Put) -> dict[str, str]:
    made = make("company root", path_length=1)
    return {"certificate": put("r.pem", made.pem), "key": put("r.key", made.key_pem("k")), "passphrase": "k"}


def away(options: dict[str, str]) -> None:
    os.unlink(options["key"])


def locked(options: dict[str, str]) -> None:
    del options["passphrase"]


def wrong_passphrase(options: dict[str, str]) -> None:
    options["passphrase"] = "x"


def another(options: dict[str, str]) -> None:
    Path(options["key"]).write_bytes(make().key_pem())


def damaged(options: dict[str, str]) -> None:
    Path(options["key"]).write_bytes(b"junk")


STATES = [
    pytest.param(away, "which isn't at hand", id="away"),
    pytest.param(locked, r"isn't at hand: .*r\.key is encrypted, and no passphrase was given", id="locked"),
    pytest.param(wrong_passphrase, r"can't be used: .*r\.key can't be decrypted", id="wrong passphrase"),
    pytest.param(another, r"can't be used: .*r\.key is the key of another certificate than .*r\.pem", id="another"),
    pytest.param(damaged, r"can't be used: .*r\.key isn't PEM", id="damaged"),
]


@pytest.mark.parametrize(("change", "message"), STATES)
def test_what_is_wrong_with_the_key_is_told_before_and_when_it_is_wanted(
    ensure: Ensure, outside: dict[str, str], change: Callable[[dict[str, str]], None], message: str
) -> None:
    ensure("centre", root=outside)
    change(outside)
    assert ensure("centre", root=outside, now=QUIET).warnings == []
    for when in (AHEAD, DUE):
        result = ensure("centre", root=outside, now=when)
        assert not result.changed
        (warning,) = result.warnings
        assert re.search(message, warning), warning
    with pytest.raises(MeshError, match=f"has to be issued, and the root key .*{message.removeprefix('which ')}"):
        ensure("centre", root=outside, now=OVER)


def test_the_key_that_comes_back_renews(ensure: Ensure, outside: dict[str, str], tmp_path: Path) -> None:
    ensure("centre", root=outside)
    shutil.move(outside["key"], tmp_path / "safe")
    assert not ensure("centre", root=outside, now=DUE).changed
    shutil.move(tmp_path / "safe", outside["key"])
    assert ensure("centre", root=outside, now=DUE).intermediates[0].action == "issued"


def test_a_short_life_is_not_warned_about_from_its_first_day(ensure: Ensure, outside: dict[str, str]) -> None:
    ensure("centre", root=outside, validity="12h", renew_before="3h")
    away(outside)
    warned = [
        bool(
            ensure("centre", root=outside, validity="12h", renew_before="3h", now=NOW + timedelta(hours=hours)).warnings
        )
        for hours in range(12)
    ]
    assert warned == [hours >= 6 for hours in range(12)]


def test_a_broken_key_of_our_own_is_told_at_once_and_stops_nothing(ensure: Ensure, ca: Path) -> None:
    ensure("centre", passphrase="secret words")
    (warning,) = ensure("centre", passphrase="other words").warnings
    assert "root-key.pem can't be decrypted" in warning
    assert "other words" not in warning
    (ca / "root" / "root-key.pem").write_bytes(make().key_pem())
    (warning,) = ensure("centre", passphrase="secret words").warnings
    assert "root/root-key.pem is the key of another certificate than" in warning


def test_an_encrypted_key_of_our_own_may_stay_locked_until_it_is_wanted(ensure: Ensure) -> None:
    ensure("centre", passphrase="secret words")
    assert ensure("centre", now=QUIET).warnings == []
    (warning,) = ensure("centre", now=AHEAD).warnings
    assert "root-key.pem is encrypted, and no passphrase was given" in warning
    assert ensure("centre", now=DUE, passphrase="secret words").changed


@pytest.mark.parametrize(
    ("key", "passphrase", "message"),
    [
        (make("other").key_pem(), None, r"r\.key is the key of another certificate than .*r\.pem"),
        (make("other").key_pem("k"), None, r"r\.key is encrypted, and no passphrase was given"),
        (make("other").key_pem("k"), "x", r"r\.key can't be decrypted"),
        (make("other").pem, None, r"r\.key holds no private key: it holds: CERTIFICATE"),
        (make("other").key_pem() * 3, None, r"r\.key holds 3 private keys, and one is wanted"),
        (b"", None, r"r\.key is empty"),
        (b"x" * 10_000_000, None, r"r\.key is larger than 1 MiB"),
    ],
)
def test_a_key_that_is_handed_in_has_to_fit_at_once(
    ensure: Ensure, ca: Path, put: Put, key: bytes, passphrase: str | None, message: str
) -> None:
    options = {"certificate": put("r.pem", make().pem), "key": put("r.key", key), "passphrase": passphrase}
    with pytest.raises(MeshError, match=message):
        ensure("centre", root=options)
    assert not (ca / "root").exists()


def test_a_new_ca_below_the_same_root_signs_from_then_on(ensure: Ensure, ca: Path, put: Put) -> None:
    root = make("company root")
    first = make("mesh CA 1", root, path_length=1, days=(-1, 900))
    options = {"certificate": put("c.pem", first.pem, root.pem), "key": put("c.key", first.key_pem())}
    ensure("centre", root=options)
    second = make("mesh CA 2", root, path_length=1, days=(-1, 2000))
    options = {"certificate": put("c.pem", second.pem, root.pem), "key": put("c.key", second.key_pem())}
    result = ensure("centre", root=options)
    assert result.reasons == [f"root: 'CN=mesh CA 2' of {options['certificate']} signs from now on"]
    assert not ensure("centre", root=options).changed
    os.unlink(options["certificate"])
    renewed = ensure("centre", "second", root=options, now=DUE)
    assert [entry.action for entry in renewed.intermediates] == ["issued", "issued"]
    for name in ("centre", "second"):
        files = {file.name: file.read_bytes() for file in (ca / name).iterdir()}
        assert second.pem in files["cert-chain.pem"]
        assert bundle_problems(files, DUE, root.certificate)[1] == []


def test_the_root_itself_may_take_over_from_a_ca_below_it(ensure: Ensure, ca: Path, put: Put) -> None:
    root = make("company root")
    below = make("mesh CA", root, path_length=1)
    ensure("centre", root={"certificate": put("c.pem", below.pem, root.pem), "key": put("c.key", below.key_pem())})
    options = {"certificate": put("c.pem", root.pem), "key": put("c.key", root.key_pem())}
    assert ensure("centre", root=options).root.action == "imported"
    assert sorted(file.name for file in (ca / "root").iterdir()) == ["root-cert.pem"]
    assert not ensure("centre", root=options).changed


def test_an_empty_root_directory_is_a_loss_and_not_a_beginning(ensure: Ensure, ca: Path) -> None:
    (ca / "root").mkdir(parents=True)
    with pytest.raises(
        MeshError, match=r"root-cert\.pem is missing: .*root holds nothing \(restore the state directory"
    ):
        ensure("centre", allow_new_root=True)


def test_a_bundle_whose_root_cannot_be_told_speaks_against_a_new_root(ensure: Ensure, ca: Path, put: Put) -> None:
    ensure("centre")
    shutil.rmtree(ca / "root")
    (ca / "centre" / "root-cert.pem").write_bytes(b"junk")
    with pytest.raises(MeshError, match="already trusts a root that the state directory doesn't know"):
        ensure("centre")
    outside = make()
    options = {"certificate": put("r.pem", outside.pem), "key": put("r.key", outside.key_pem())}
    assert ensure("centre", root=options).root.action == "imported"


@pytest.mark.parametrize("named", [True, False])
def test_a_lost_state_directory_is_restored_from_the_roots_two_files(
    ensure: Ensure, ca: Path, tmp_path: Path, named: bool
) -> None:
    known = ensure("centre", passphrase="secret words").root
    assert known is not None
    assert known.facts is not None
    (ca / "root").rename(tmp_path / "backup")
    shutil.rmtree(ca)
    evidence = [{"name": "centre", "fingerprint": known.facts.fingerprint}]
    with pytest.raises(MeshError, match="restore the state directory from a backup, or import that root"):
        ensure("centre", existing=evidence)
    options: dict[str, object] = {"existing": evidence, "passphrase": "secret words"}
    if named:
        files = {"certificate": f"{tmp_path}/backup/root-cert.pem", "key": f"{tmp_path}/backup/root-key.pem"}
        options["root"] = {**files, "passphrase": "secret words"}
    else:
        ca.mkdir(exist_ok=True)
        (tmp_path / "backup").rename(ca / "root")
    restored = ensure("centre", **options)
    assert restored.root is not None
    assert restored.root.facts == known.facts
    assert restored.intermediates[0].action == "issued"
    assert not ensure("centre", **options).changed


def outside_files() -> list[object]:
    """Files that people name as ``root.certificate``, and what they are told."""
    old = make("old root", key=rsa.generate_private_key(65537, 2048))
    weak = make("weak root", key=rsa.generate_private_key(65537, 1024))
    root = make("company root")
    signer = make("mesh CA", root, path_length=0)
    return [
        pytest.param(b"", "r.pem is empty", id="empty"),
        pytest.param(b"hello", "r.pem isn't PEM", id="not PEM"),
        pytest.param(b"x" * 10_000_000, "r.pem is larger than 1 MiB", id="10 MB"),
        pytest.param(root.pem[:300], "r.pem is cut off", id="cut off"),
        pytest.param(root.certificate.public_bytes(serialization.Encoding.DER), "r.pem is DER, not PEM", id="DER"),
        pytest.param(root.key_pem(), "r.pem holds no certificate: it holds: PRIVATE KEY", id="a key"),
        pytest.param(sha1_signed(old, old).pem, "r.pem: 'CN=old root' is signed with SHA-1", id="SHA-1"),
        pytest.param(weak.pem, "r.pem: the certificate has an RSA key of 1024 bits, and 2048", id="RSA-1024"),
        pytest.param(signer.pem, "r.pem holds no root: no certificate in it is self-signed", id="no root"),
        pytest.param(signer.pem + root.pem, "r.pem: 'CN=mesh CA' allows 0 intermediates below it", id="path length"),
    ]


@pytest.mark.parametrize(("content", "message"), outside_files())
def test_each_unfit_file_has_its_own_error_before_anything_is_written(
    ensure: Ensure, ca: Path, put: Put, content: bytes, message: str
) -> None:
    with pytest.raises(MeshError) as refused:
        ensure("centre", root={"certificate": put("r.pem", content)})
    assert message in str(refused.value)
    assert not (ca / "root").exists()


@pytest.mark.parametrize("change", ["wrong order", "CRLF", "byte order mark", "text around", "with its key"])
def test_the_form_of_what_is_handed_in_does_not_matter(ensure: Ensure, ca: Path, put: Put, change: str) -> None:
    root = make("company root")
    signer = make("mesh CA", root, path_length=1, days=(-1, 2000))
    right = signer.pem + root.pem
    content = {
        "wrong order": root.pem + signer.pem,
        "CRLF": right.replace(b"\n", b"\r\n"),
        "byte order mark": b"\xef\xbb\xbf" + right,
        "text around": b"subject: mesh CA\n" + signer.pem + b"\nits root\n\n" + root.pem + b"end",
        "with its key": signer.key_pem() + right,
    }[change]
    ensure("centre", root={"certificate": put("r.pem", content), "key": put("r.key", signer.key_pem())})
    files = {file.name: file.read_bytes() for file in (ca / "centre").iterdir()}
    assert files["cert-chain.pem"] == files["ca-cert.pem"] + right
    assert bundle_problems(files, NOW, root.certificate)[1] == []
