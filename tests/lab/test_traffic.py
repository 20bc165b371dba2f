# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on the mesh: bookinfo over three clusters, a split, its failover and back, and what the link shows of it.

curl and plain HTTP judge, and share no code with the collection. Nothing that a run owns is changed.
"""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.capture import Capture, server_name
from tests.lab.lab import EDGES, NAMES, PRIMARY, VENV, Lab, Played, node, wait_until

HOME, AWAY = EDGES  # the edge that has an instance of stock, and the one that hasn't
STOCK = "http://stock.sample:5000/hello"
_PROCESS = "process"
_LONGEST = 900  # seconds that calls go on at most
_ROW = re.compile(
    r'data-app="(\w+)" data-version="(\w+)" data-site="([-\w]+)" data-pod="([-\w]+)" data-request="([-\w]*)"'
)


def page(lab: Lab, site: str, **headers: str) -> str:
    """bookinfo's page at a site's ingress."""
    address = f"http://{lab.address(site)}/productpage"
    request = urllib.request.Request(address, headers={name.replace("_", "-"): headers[name] for name in headers})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def called(lab: Lab, site: str, script: str) -> str:
    return lab.kubectl(site, "exec", "-n", "sample", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", script)


@pytest.fixture(scope="module")
def records(lab: Lab, verified: Played) -> dict[tuple[str, str], dict[str, Any]]:
    """The records of the verification that are about routes, by check and site."""
    assert verified.rc == 0, verified.output[-4000:]
    found = [record for record in lab.verified()["checks"] if record["peer"] is None]
    return {(record["id"], record["site"]): record for record in found}


@pytest.mark.parametrize("site", NAMES)
def test_every_ingress_has_whole_pages_of_all_versions(records: dict[tuple[str, str], Any], site: str) -> None:
    evidence = records["traffic.bookinfo", site]["evidence"]
    assert evidence["complete"] == evidence["requests"] >= 100
    shares = {version: 100 * count / evidence["complete"] for version, count in evidence["versions"].items()}
    assert shares.keys() == {"v1", "v2", "v3"}
    assert all(18 <= share <= 48 for share in shares.values()), shares
    assert evidence["answered_by"]["productpage-v1"] == [HOME]
    assert evidence["answered_by"]["reviews-v1"] == evidence["answered_by"]["details-v1"] == [PRIMARY]
    banzai = records["traffic.header", site]["evidence"]["banzai"]
    assert banzai["versions"] == {"v2": banzai["requests"]}


@pytest.mark.parametrize("site", NAMES)
def test_plain_text_is_refused_and_that_is_told(records: dict[tuple[str, str], Any], site: str) -> None:
    record = records["traffic.plain-text", site]
    assert (record["verdict"], record["from"]) == ("ok", "site-api")


@pytest.mark.usefixtures("verified")
@pytest.mark.parametrize("site", NAMES)
def test_the_user_and_the_trace_go_through_all_services(lab: Lab, site: str) -> None:
    text = page(lab, site, end_user="banzai")
    rows = {app: (version, where) for app, version, where, _pod, _request in _ROW.findall(text)}
    requests = {request for *_who, request in _ROW.findall(text)}  # the ingress gives one to each request from outside
    assert len(requests) == 1
    assert "" not in requests
    assert rows == {
        "productpage": ("v1", HOME), "details": ("v1", PRIMARY), "reviews": ("v2", HOME), "ratings": ("v1", PRIMARY),
    }  # fmt: skip
    assert "Signed in as banzai" in text
    assert text.rstrip().endswith("</html>")


@pytest.mark.usefixtures("verified")
def test_a_site_where_nothing_of_an_app_runs_has_its_service(lab: Lab) -> None:
    services = {item["metadata"]["name"] for item in lab.objects(AWAY, "services", "-n", "sample")}
    assert {"productpage", "details", "ratings", "reviews", "stock"} <= services
    pods = {item["metadata"]["labels"]["app"] for item in lab.objects(AWAY, "pods", "-n", "sample")}
    assert pods == {"helloworld", "sleep"}


# -- failover ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """One call: when it began (seconds since 1970), and the site that answered, or why none did."""

    at: float
    site: str


class Calls:
    """Steady calls of stock from a site; a context manager, whose answers can be read at any time."""

    def __init__(self, lab: Lab, site: str) -> None:
        self._lab, self._site = lab, site
        # bounded, and it says its process: nobody ends it when the stream to it does
        script = (
            f'echo "{_PROCESS} $$"; end=$(( $(date +%s) + {_LONGEST} ));'
            ' while [ "$(date +%s)" -lt "$end" ]; do t=$(date +%s.%N);'
            f' echo "$t $(curl -s --max-time 20 -w "%{{http_code}}" {STOCK} | tr "\\n" " ")"; sleep 0.05; done'
        )
        self._command = [
            str(VENV / "bin/kubectl"), "--kubeconfig", str(lab.kubeconfig(site)), "-n", "sample",
            "exec", "deploy/sleep", "-c", "sleep", "--", "sh", "-c", script,
        ]  # fmt: skip
        self._path = lab.state / "calls.txt"

    def __enter__(self) -> Calls:
        with self._path.open("w", encoding="utf-8") as output:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=output)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        for line in self._path.read_text(encoding="utf-8").splitlines():
            if line.startswith(_PROCESS):
                called(self._lab, self._site, f"kill {line.split()[1]} || true")

    def answers(self) -> list[Answer]:
        """The calls that have ended."""
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        ended = [line for line in lines if line.endswith("\n") and not line.startswith(_PROCESS)]
        words = [line.split(" ", 1) for line in ended]
        return [Answer(float(at), _site_of(rest)) for at, rest in words]

    def since(self, at: float) -> list[Answer]:
        """The calls that began after a time."""
        return [answer for answer in self.answers() if answer.at > at]


def _site_of(text: str) -> str:
    found = re.search(r"site=(\S+) .*\b200\s*$", text)
    return found[1] if found else f"failed: {text.strip() or 'nothing'}"


@dataclass(frozen=True)
class Outage:
    """What was seen of the loss of the local instance, and of its return."""

    before: list[Answer]
    without: list[Answer]
    back: list[Answer]
    settled: float
    returned: float


@pytest.fixture(scope="module")
def outage(lab: Lab, verified: Played) -> Outage:
    """The local instance of stock goes for a while; a node that takes no pods keeps the next one away."""
    assert verified.rc == 0
    name = node(HOME)
    try:
        with Calls(lab, HOME) as calls:
            wait_until(lambda: len(calls.answers()) >= 60, "calls before")
            lost = time.time()
            lab.kubectl(HOME, "cordon", name)
            lab.kubectl(HOME, "delete", "pod", "-n", "sample", "-l", "app=stock", "--wait=false")
            wait_until(lambda: _quiet(calls.since(lost)), "calls without a local instance")
            found = time.time()
            without = [answer for answer in calls.answers() if lost < answer.at <= found]
            lab.kubectl(HOME, "uncordon", name)
            wait_until(lambda: sum(each.site == HOME for each in calls.since(found)) > 30, "local answers again", 300)
            back = calls.since(found)
            before = [answer for answer in calls.answers() if answer.at <= lost]
    finally:
        lab.kubectl(HOME, "uncordon", name)
    settled = max([answer.at for answer in without if answer.site != PRIMARY], default=lost) - lost
    returned = next(answer.at for answer in back if answer.site == HOME) - found
    print(f"\nfailover of stock at {HOME}: settled after {settled:.2f} s, back after {returned:.2f} s")
    return Outage(before, without, back, settled, returned)


def _quiet(answers: list[Answer]) -> bool:
    """Whether the last 60 calls were all answered by the primary."""
    return len(answers) >= 60 and all(answer.site == PRIMARY for answer in answers[-60:])


def test_half_of_the_calls_stay_at_the_site(records: dict[tuple[str, str], Any], outage: Outage) -> None:
    evidence = records["traffic.split", HOME]["evidence"]
    assert evidence["answered_by"].keys() == {HOME, PRIMARY}
    assert 35 <= 100 * evidence["answered_by"][HOME] / evidence["requests"] <= 65
    assert Counter(answer.site for answer in outage.before).keys() == {HOME, PRIMARY}


def test_without_a_local_instance_all_calls_go_to_the_centre(outage: Outage) -> None:
    assert len(outage.without) >= 60
    failed = [answer for answer in outage.without if answer.site.startswith("failed")]
    assert not failed, failed[:3]


def test_the_local_instance_gets_its_half_back_and_no_call_fails(outage: Outage) -> None:
    first = next(number for number, answer in enumerate(outage.back) if answer.site == HOME)
    sites = Counter(answer.site for answer in outage.back[first:])
    assert sites.keys() == {HOME, PRIMARY}
    assert outage.returned > 0
    assert not [answer for answer in outage.back if answer.site.startswith("failed")]


# -- on the wire -------------------------------------------------------------------------------------------------------


def test_the_link_shows_tls_with_its_server_name_and_no_clear_text(lab: Lab, verified: Played) -> None:
    """Nobody here has called details, so the connection is new; the ingress' own port shows that clear text is seen."""
    assert verified.rc == 0
    secret = f"marker-{uuid.uuid4()}"
    with Capture(node(AWAY)) as capture:
        call = f"curl -s --max-time 10 -H 'x-marker: {secret}' http://details.sample:9080/details/0"
        assert "The Comedy of Errors" in called(lab, AWAY, call)
        assert "The Comedy of Errors" in page(lab, AWAY, x_marker=secret)
        # frames come in their order, so what the page brought is the last to wait for
        wait_until(lambda: any(b"Comedy" in each.content for each in capture.of_port(80)), "clear text", 30)
    inside = b"".join(each.content for each in capture.of_port(15443))
    names = {server_name(each.content) for each in capture.of_port(15443)}
    assert "outbound_.9080_._.details.sample.svc.cluster.local" in names
    assert secret.encode() not in inside
    assert b"Comedy" not in inside
    outside = b"".join(each.content for each in capture.of_port(80))
    assert secret.encode() in outside


@pytest.mark.usefixtures("verified")
def test_calls_go_in_every_direction(lab: Lab) -> None:
    """helloworld is called in every direction by the main job's tests; here services call each other for a page."""
    seen = set()
    for site in NAMES:
        rows = {app: where for app, _version, where, _pod, _request in _ROW.findall(page(lab, site, end_user="banzai"))}
        seen |= {(site, rows["productpage"]), (rows["productpage"], rows["details"])}
    centre_to_edge, edge_to_centre, edge_to_edge = (PRIMARY, HOME), (HOME, PRIMARY), (AWAY, HOME)
    assert {centre_to_edge, edge_to_centre, edge_to_edge} <= seen
