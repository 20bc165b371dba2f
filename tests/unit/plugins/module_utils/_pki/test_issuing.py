# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the certificates: lives inside those above, random serials, every mix of keys; openssl judges too."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result, ensure_present
from ansible_collections.edge.mesh.plugins.module_utils._pki.issuing import Signer, intermediate, new_key, self_signed
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import KEY_TYPES, IntermediateSpec
from ansible_collections.edge.mesh.plugins.module_utils._pki.request import request_from
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from tests.unit.plugins.module_utils._pki.conftest import NOW, make

DAY = timedelta(days=1)


def spec(validity: timedelta, key_type: str = "ecdsa-p256") -> IntermediateSpec:
    return IntermediateSpec("centre", "centre intermediate CA", "", key_type, validity, validity / 3)


lives = st.floats(min_value=0.1, max_value=5000, allow_nan=False)


@settings(max_examples=60)
@given(root_days=lives, signer_days=lives, validity=lives)
def test_no_intermediate_outlives_anything_above_it(root_days: float, signer_days: float, validity: float) -> None:
    root = make("root", days=(-1, root_days))
    signer = make("signer", root, days=(-0.5, signer_days))
    above = (signer.certificate, root.certificate)
    key = new_key("ecdsa-p256")
    made = intermediate(spec(validity * DAY), key.public_key(), Signer(above, signer.key), NOW)
    for certificate in above:
        assert certificate.not_valid_before_utc <= made.not_valid_before_utc
        assert made.not_valid_after_utc <= certificate.not_valid_after_utc
    assert made.not_valid_before_utc <= NOW < made.not_valid_after_utc <= NOW + validity * DAY


@settings(max_examples=25)
@given(
    root_days=st.integers(2, 4000),
    validity=st.integers(2, 1500),
    window=st.integers(1, 1499),
    later=st.lists(st.integers(1, 700), max_size=6),
)
def test_however_time_goes_on_the_ca_is_whole_and_no_run_repeats_itself(
    root_days: int, validity: int, window: int, later: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as top:
        request = request_from(
            {
                "path": f"{top}/ca",
                "root": {"validity": root_days},
                "validity": validity,
                "renew_before": min(window, validity - 1),
                "intermediates": [{"name": "centre"}],
            }
        )
        now = NOW
        first = ensure_present(request, now=now, check=False)
        for days in later:
            now += timedelta(days=days)
            if first.root is None or first.root.facts is None or now >= first.root.facts.not_after:
                return
            foreseen = ensure_present(request, now=now, check=True)
            done = ensure_present(request, now=now, check=False)
            assert foreseen.reasons == done.reasons
            assert all(reason.startswith("centre: ") for reason in done.reasons)
            files = {file.name: file.read_bytes() for file in Path(top, "ca", "centre").iterdir()}
            assert bundle_problems(files, now)[1] == []
            assert not ensure_present(request, now=now, check=False).changed


def test_each_of_a_serials_low_64_bits_is_random() -> None:
    root = make("root")
    signer, key = Signer((root.certificate,), root.key), new_key("ecdsa-p256")
    serials = [intermediate(spec(DAY), key.public_key(), signer, NOW).serial_number for _number in range(80)]
    for bit in range(64):
        assert {serial >> bit & 1 for serial in serials} == {0, 1}
    assert all(0 < serial < 1 << 159 for serial in serials)


@pytest.mark.parametrize("root_type", ["ecdsa-p256", "ecdsa-p384", "rsa-4096"])
def test_every_mix_of_keys_passes_openssl_strictly(ensure: Callable[..., Result], ca: Path, root_type: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl isn't installed")
    entries = [{"name": key_type, "key_type": key_type} for key_type in KEY_TYPES if key_type != "rsa-3072"]
    made = ensure(intermediates=entries, root={"key_type": root_type})
    assert [entry.facts.key_type for entry in made.intermediates] == [entry["name"] for entry in entries]
    for entry in entries:
        leaf = f"{entry['name']}/ca-cert.pem"
        command = [openssl, "verify", "-x509_strict", "-attime", str(int(NOW.timestamp())), "-auth_level", "2"]
        command += ["-CAfile", "root/root-cert.pem", leaf]
        judged = subprocess.run(command, cwd=ca, capture_output=True, text=True, check=False)
        assert judged.stdout == f"{leaf}: OK\n", judged.stderr


def test_openssl_reads_in_the_extensions_what_was_meant(ensure: Callable[..., Result], ca: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl isn't installed")
    ensure("centre", root={"organization": "Example"})
    wanted = "basicConstraints,keyUsage,subjectKeyIdentifier,authorityKeyIdentifier"
    told = {
        name: subprocess.run(
            [openssl, "x509", "-in", str(ca / name), "-noout", "-subject", "-issuer", "-ext", wanted],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("root/root-cert.pem", "centre/ca-cert.pem")
    }
    root, leaf = told.values()
    for text, path_length in ((root, 1), (leaf, 0)):
        assert f"X509v3 Basic Constraints: critical\n    CA:TRUE, pathlen:{path_length}\n" in text
        assert "X509v3 Key Usage: critical\n    Certificate Sign, CRL Sign\n" in text
        assert "issuer=O = Example, CN = edge.mesh root CA" in text
    subject_key = root.split("Subject Key Identifier: \n")[1].split("\n")[0].strip()
    assert subject_key in leaf.split("Authority Key Identifier: \n")[1].split("\n")[0]


def test_a_root_names_its_own_key_as_its_issuers(ensure: Callable[..., Result], ca: Path) -> None:
    root = ensure("centre").root
    assert root is not None
    certificate = x509.load_pem_x509_certificate((ca / "root" / "root-cert.pem").read_bytes())
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == own


def test_two_roots_never_share_a_serial_or_a_key() -> None:
    root = request_from({"path": "/ca"}).root
    made = [self_signed(root, new_key("ecdsa-p256"), NOW) for _number in range(2)]
    assert made[0].serial_number != made[1].serial_number
    assert made[0].public_key() != made[1].public_key()
