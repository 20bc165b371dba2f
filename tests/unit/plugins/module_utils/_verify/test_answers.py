# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of the sample service: told apart, counted, judged; and the shell loop that collects them, really run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._verify import answers
from ansible_collections.edge.mesh.plugins.module_utils._verify.answers import Answer

SLEEP = "spiffe://cluster.local/ns/sample/sa/sleep"
HELLO = "spiffe://cluster.local/ns/sample/sa/helloworld"
HEADER = f'By={HELLO};Hash=00ff;Subject="";URI={SLEEP}'
SITES = ("centre", "shop")


def from_site(name: str, times: int = 1, peer: str | None = None) -> list[Answer]:
    return [Answer(name, "v1", f"{name}-pod", peer=peer)] * times


def test_a_line_of_the_service_says_who_answered() -> None:
    output = "version=v1 site=shop pod=helloworld-1\n\n200\n--\nupstream connect error\n503\n--\n"
    assert answers.parse(output) == [
        Answer("shop", "v1", "helloworld-1"),
        Answer(error="503 upstream connect error"),
    ]


def test_a_call_without_an_answer_says_why() -> None:
    output = "curl: (28) Operation timed out after 5000 milliseconds\n\n000\n--\n"
    assert [answer.error for answer in answers.parse(output)] == [
        "curl: (28) Operation timed out after 5000 milliseconds"
    ]


def test_an_identity_says_who_answered_and_how_both_proved_themselves() -> None:
    body = json.dumps({"x-forwarded-client-cert": HEADER, "version": "v1", "site": "shop", "pod": "p"})
    assert answers.read(body, 200) == Answer("shop", "v1", "p", peer=HEADER)


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"site": 1}', "", "7"])
def test_somebody_elses_answer_is_an_error(body: str) -> None:
    found = answers.read(body, 200)
    assert found.site is None
    assert found.error


@given(st.text())
def test_no_output_breaks_the_parser(output: str) -> None:
    for answer in answers.parse(output):
        assert (answer.site is None) == bool(answer.error)


def test_a_peer_that_answered_is_reached() -> None:
    every = [*from_site("shop", 2), *from_site("centre")]
    found = answers.reach("shop", "centre", every, every, SITES)
    assert (found.verdict, found.evidence["seen"]) == ("ok", "1 of 3 calls (v1)")


def test_a_peer_that_never_answered_isnt_reached() -> None:
    every = [*from_site("shop", 2), Answer(error="503 no healthy upstream")]
    found = answers.reach("shop", "centre", every, every, SITES)
    assert (found.verdict, found.evidence["seen"]) == ("failed", "none of 3 calls; 503 no healthy upstream")
    assert found.evidence["answered_by"] == {"shop": 2}
    assert "join.endpoints" in found.hint
    assert "helloworld" in answers.reach("centre", "centre", every, every, SITES).hint


def test_calls_that_still_fail_although_everybody_answers_are_a_warning() -> None:
    last = [*from_site("shop"), *from_site("centre"), Answer(error="503 reset")]
    assert answers.reach("shop", "centre", last, last, SITES).verdict == "warning"


def test_failures_before_everybody_answered_are_forgiven() -> None:
    last = [*from_site("shop"), *from_site("centre")]
    found = answers.reach("shop", "centre", [Answer(error="503 reset"), *last], last, SITES)
    assert (found.verdict, found.evidence["failed_requests"]) == ("ok", 1)


def test_failures_that_a_silent_site_explains_are_its_own() -> None:
    last = [*from_site("shop"), Answer(error="timeout")]
    assert answers.reach("shop", "shop", last, last, SITES).verdict == "ok"


def test_both_identities_of_a_call_are_the_proof() -> None:
    found = answers.mtls("centre", from_site("centre", 3, HEADER), caller=SLEEP, trust_domain="cluster.local")
    assert found.verdict == "ok"
    assert found.evidence["seen"] == "ns/sample/sa/sleep -> ns/sample/sa/helloworld"
    assert (found.evidence["caller"], found.evidence["callee"]) == (SLEEP, HELLO)


def test_the_last_element_of_the_header_counts() -> None:
    forged = f"By=spiffe://evil/ns/x/sa/y;URI=spiffe://evil/ns/x/sa/z,{HEADER}"
    found = answers.mtls("centre", from_site("centre", 1, forged), caller=SLEEP, trust_domain="cluster.local")
    assert (found.verdict, found.evidence["caller"]) == ("ok", SLEEP)


@pytest.mark.parametrize(
    ("header", "caller", "domain", "verdict"),
    [
        (None, SLEEP, "cluster.local", "failed"),
        ("", SLEEP, "cluster.local", "failed"),
        (HEADER, "spiffe://cluster.local/ns/sample/sa/other", "cluster.local", "failed"),
        (HEADER, SLEEP, "example.org", "failed"),
        ("nonsense", SLEEP, "cluster.local", "failed"),
    ],
)
def test_a_call_without_proof_fails(header: str | None, caller: str, domain: str, verdict: str) -> None:
    found = answers.mtls("centre", from_site("centre", 1, header), caller=caller, trust_domain=domain)
    assert found.verdict == verdict


def test_one_plain_call_among_many_fails() -> None:
    mixed = [*from_site("centre", 5, HEADER), *from_site("centre", 1, None)]
    found = answers.mtls("centre", mixed, caller=SLEEP, trust_domain="cluster.local")
    assert (found.verdict, found.evidence["seen"]) == ("failed", "1 of 6 calls came without a peer's certificate")


def test_no_answer_from_the_peer_proves_nothing() -> None:
    found = answers.mtls("centre", from_site("shop", 1, HEADER), caller=SLEEP, trust_domain="cluster.local")
    assert found.verdict == "unknown"


def test_an_ingress_through_which_everybody_answers_is_ok() -> None:
    found = answers.ingress([("192.0.2.20", [*from_site("shop", 2), *from_site("centre")])], SITES)
    assert (found.verdict, found.evidence["seen"]) == ("ok", "centre 1, shop 2")


def test_an_ingress_through_which_somebody_is_silent_fails() -> None:
    found = answers.ingress([("192.0.2.20", from_site("shop", 2))], SITES)
    assert (found.verdict, found.evidence["seen"]) == ("failed", "no answer from centre")


def test_each_address_of_an_ingress_must_answer() -> None:
    everybody = [*from_site("shop"), *from_site("centre")]
    found = answers.ingress([("192.0.2.20", everybody), ("192.0.2.21", [Answer(error="timed out")])], SITES)
    assert (found.verdict, found.evidence["seen"]) == ("failed", "no answer through 192.0.2.21: timed out")


def run_loop(tmp_path: Path, curl: str, url: str = "http://service", **options: int) -> list[Answer]:
    """Run the command with a curl of the test's own."""
    shell = shutil.which("sh")
    assert shell
    program = tmp_path / "curl"
    program.write_text(f"#!{shell}\n{curl}\n", encoding="utf-8")
    program.chmod(0o755)
    numbers = {"calls": 7, "call_seconds": 5, "seconds": 30, "at_once": 3, **options}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        answers.command(url, **numbers), capture_output=True, text=True, env={"PATH": path}, check=True, timeout=30
    )
    return answers.parse(done.stdout)


def test_the_loop_makes_the_calls_asked_for(tmp_path: Path) -> None:
    found = run_loop(tmp_path, r"printf 'version=v1 site=shop pod=%s\n\n200' $$")
    assert len(found) == 7
    assert len({answer.pod for answer in found}) == 7
    assert {answer.site for answer in found} == {"shop"}


def test_the_loop_goes_on_after_a_call_that_failed(tmp_path: Path) -> None:
    found = run_loop(tmp_path, r"echo 'curl: (7) refused' >&2; printf '\n000'; exit 7", calls=2)
    assert [answer.error for answer in found] == ["curl: (7) refused"] * 2


def test_the_loop_starts_nothing_after_its_time(tmp_path: Path) -> None:
    assert run_loop(tmp_path, "echo never", seconds=0) == []


def test_a_url_is_never_shell_text(tmp_path: Path) -> None:
    url = f"http://x/$(touch {tmp_path}/made); touch {tmp_path}/made"
    found = run_loop(tmp_path, r"""printf 'version=v1 site=shop pod=%s\n\n200' "$(echo "$@" | wc -w)" """, url, calls=1)
    assert found[0].site == "shop"
    assert not (tmp_path / "made").exists()
