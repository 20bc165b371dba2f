# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports: whatever is there is told, nothing private, and never an error."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.authority import Result
from ansible_collections.edge.mesh.plugins.module_utils._pki.report import of_content, of_directory, of_secret
from tests.unit.plugins.module_utils._pki.conftest import NOW, make


def encoded(ca: Path, name: str) -> dict[str, str]:
    return {file.name: base64.b64encode(file.read_bytes()).decode() for file in (ca / name).iterdir()}


def test_what_does_not_exist_is_told(ca: Path) -> None:
    for report in (of_directory(str(ca), NOW), of_secret(None, "secret x", NOW)):
        assert (report["present"], report["chain"], report["root"]) == (False, "unknown", None)


def test_a_directory_is_told_with_every_primary(ensure: Callable[..., Result], ca: Path) -> None:
    made = ensure("centre", "second")
    report = of_directory(str(ca), NOW)
    assert (report["present"], report["chain"], report["problems"]) == (True, "ok", [])
    assert report["root"]["fingerprint"] == made.root.facts.fingerprint
    assert [(entry["name"], entry["chain"], entry["remaining_days"]) for entry in report["intermediates"]] == [
        ("centre", "ok", 730),
        ("second", "ok", 730),
    ]


def test_a_secret_is_told_as_its_directory(ensure: Callable[..., Result], ca: Path) -> None:
    ensure("centre")
    report = of_secret(encoded(ca, "centre"), "secret x", NOW)
    directory = of_directory(str(ca), NOW)
    assert report["chain"] == "ok"
    assert report["root"] == directory["root"]
    assert report["intermediates"][0]["fingerprint"] == directory["intermediates"][0]["fingerprint"]


def test_nothing_private_is_in_a_report(ensure: Callable[..., Result], ca: Path) -> None:
    ensure("centre")
    (ca / "centre" / "ca-cert.pem").write_bytes((ca / "centre" / "ca-key.pem").read_bytes())
    told = json.dumps([of_directory(str(ca), NOW), of_secret(encoded(ca, "centre"), "x", NOW)])
    key = (ca / "centre" / "ca-key.pem").read_text().splitlines()[1]
    assert key not in told


@pytest.mark.parametrize("name", ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"])
@pytest.mark.parametrize("value", [None, "", "!!!", base64.b64encode(b"junk").decode()])
def test_a_broken_secret_is_told_and_never_an_error(
    ensure: Callable[..., Result], ca: Path, name: str, value: str | None
) -> None:
    ensure("centre")
    data = encoded(ca, "centre")
    data.pop(name) if value is None else data.update({name: value})
    report = of_secret(data, "secret x", NOW)
    assert (report["present"], report["chain"]) == (True, "failed")
    assert any(name in problem for problem in report["problems"])


def test_the_root_of_several_is_the_one_the_chain_leads_to(ensure: Callable[..., Result], ca: Path) -> None:
    made = ensure("centre")
    data = encoded(ca, "centre")
    both = make("an older root").pem + base64.b64decode(data["root-cert.pem"])
    report = of_secret({**data, "root-cert.pem": base64.b64encode(both).decode()}, "x", NOW)
    assert report["chain"] == "ok"
    assert report["root"]["fingerprint"] == made.root.facts.fingerprint
    assert len(report["certificates"]) == 2


def test_expired_certificates_are_problems_of_theirs(ensure: Callable[..., Result], ca: Path) -> None:
    made = ensure("centre")
    report = of_directory(str(ca), made.intermediates[0].facts.not_after)
    assert report["problems"] == ["centre: ca-cert.pem expired on 2028-11-20"]
    assert report["intermediates"][0]["remaining_days"] == 0


def test_pem_text_is_told_in_its_order() -> None:
    root = make("root", path_length=1)
    leaf = make("leaf", root, path_length=0, days=(-1, 100))
    report = of_content(leaf.pem + root.pem, "content", NOW)
    assert [entry["subject"] for entry in report["certificates"]] == ["CN=leaf", "CN=root"]
    assert (report["chain"], report["root"]["subject"]) == ("ok", "CN=root")
    lonely = of_content(leaf.pem, "content", NOW)
    assert (lonely["chain"], lonely["root"]) == ("failed", None)


def test_text_without_a_certificate_is_an_error() -> None:
    with pytest.raises(MeshError, match="content isn't PEM"):
        of_content(b"hello", "content", NOW)
