# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls from a pod: the shell loop that makes them, and what their answers say (used by `_verify.traffic`).

Pure. The sample service answers ``version=<v> site=<site> pod=<pod>`` on its first path, and on ``/identity`` a JSON
object of the same values with the header ``x-forwarded-client-cert``, in which the callee's sidecar names both sides:
``By=<callee's SPIFFE URI>;Hash=...;Subject="";URI=<caller's SPIFFE URI>`` (Envoy's XFCC format).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Finding

__all__ = ["Answer", "burst", "command", "counts", "ingress", "mtls", "parse", "reach", "read"]

_LINE = re.compile(r"version=(\S+) site=(\S+) pod=(\S+)")
_SEPARATOR = "\n--\n"

# $1 URL, $2 calls, $3 seconds a call, $4 seconds in all, $5 calls at once. One printf a call keeps answers apart.
_LOOP = r"""
end=$(( $(date +%s) + $4 )); n=0
while [ "$n" -lt "$2" ] && [ "$(date +%s)" -lt "$end" ]; do
  i=0
  while [ "$i" -lt "$5" ] && [ "$n" -lt "$2" ]; do
    i=$((i + 1)); n=$((n + 1))
    ( out=$(curl -sS --max-time "$3" -w '\n%{http_code}' "$1" 2>&1); printf '%.2000s\n--\n' "$out" ) &
  done
  wait
done
""".strip()


@dataclass(frozen=True)
class Answer:
    """What one call brought: who answered, or why nobody did.

    ``peer`` is the header that names both sides (None: absent, or not asked for).
    """

    site: str | None = None
    version: str = ""
    pod: str = ""
    error: str = ""
    peer: str | None = None


def command(url: str, *, calls: int, call_seconds: int, seconds: int, at_once: int) -> list[str]:
    """The command of a loop of at most ``calls`` calls that starts none after ``seconds``."""
    return ["sh", "-c", _LOOP, "sh", url, str(calls), str(call_seconds), str(seconds), str(at_once)]


def burst(url: str, *, calls: int, call_seconds: int) -> list[str]:
    """The command of ``calls`` calls one after the other, in one process, whose output is a loop's.

    It ends at the first call that nothing answers, and its exit code isn't 0 then.
    """
    return [
        "curl", "-sS", "--fail-early", "--max-time", str(call_seconds),
        "-w", "\\n%{http_code}" + _SEPARATOR.replace("\n", "\\n"),
        f"{url}?call=[1-{calls}]",
    ]  # fmt: skip


def parse(output: str) -> list[Answer]:
    """The answers in the output of such a loop."""
    answers = []
    for block in output.split(_SEPARATOR):
        if block.strip():
            body, _newline, code = block.strip().rpartition("\n")
            answers.append(read(body, int(code)) if code.isascii() and code.isdigit() else Answer(error=_short(block)))
    return answers


def read(body: str, status: int) -> Answer:
    """One answer of the sample service; status 0 means that there was none and ``body`` says why."""
    if status != 200:
        return Answer(error=f"{status} {_short(body)}".strip() if status else _short(body) or "no answer")
    line = _LINE.search(body)
    if line:
        return Answer(site=line[2], version=line[1], pod=line[3])
    try:
        values = json.loads(body)
        peer = values.get("x-forwarded-client-cert")
        return Answer(str(values["site"]), str(values["version"]), str(values["pod"]), peer=peer)
    except (ValueError, AttributeError, KeyError):
        return Answer(error=f"not the sample service: {_short(body)}")


def reach(site: str, peer: str, answers: Sequence[Answer], last: Sequence[Answer], expected: Iterable[str]) -> Finding:
    """Whether ``peer`` answered calls from ``site``; ``last`` are the answers of the last round alone."""
    own = [answer for answer in answers if answer.site == peer]
    failures = [answer.error for answer in answers if answer.site is None]
    evidence: dict[str, Any] = {
        "answers": len(own),
        "requests": len(answers),
        "failed_requests": len(failures),
        "versions": sorted({answer.version for answer in own}),
        "pods": sorted({answer.pod for answer in own}),
    }
    if not own:
        others = counts(answers)
        evidence["seen"] = f"none of {len(answers)} calls" + (f"; {_common(failures)}" if failures else "")
        evidence["answered_by"] = others
        far = peer != site
        hint = "look at join.endpoints and at the east-west gateways" if far else "is helloworld running at this site?"
        return Finding("failed", evidence, hint)
    evidence["seen"] = f"{len(own)} of {len(answers)} calls ({', '.join(evidence['versions'])})"
    still = [answer.error for answer in last if answer.site is None]
    if still and all(counts(answers).get(name) for name in expected):
        evidence["seen"] += f"; {len(still)} failed at last: {_common(still)}"
        return Finding("warning", evidence, "every site answers, but some calls fail: look at the endpoints' health")
    return Finding("ok", evidence)


def mtls(peer: str, answers: Iterable[Answer], *, caller: str, trust_domain: str, wanted: str = "") -> Finding:
    """Whether a call that ``peer`` answered was mutual TLS between two identities of the mesh.

    ``caller`` is the SPIFFE URI that the calling pod must have shown, ``wanted`` the one at which mutual TLS must end
    (empty: any of the trust domain).
    """
    own = [answer for answer in answers if answer.site == peer]
    if not own:
        return Finding("unknown", {"seen": "no answer that tells its caller"}, "see traffic.reach")
    bare = [answer.pod for answer in own if not answer.peer]
    callee, shown = _identities(next((answer.peer for answer in own if answer.peer), "") or "")
    evidence: dict[str, Any] = {"answers": len(own), "caller": shown, "callee": callee, "expected_caller": caller}
    if bare:
        evidence["seen"] = f"{len(bare)} of {len(own)} calls came without a peer's certificate"
        return Finding("failed", evidence, "the callee's sidecar took plain text, or the callee has no sidecar")
    right = callee == wanted if wanted else callee.startswith(f"spiffe://{trust_domain}/")
    if shown != caller or not right:
        evidence["seen"] = f"{shown or 'nobody'} called {callee or 'nobody'}"
        return Finding(
            "failed", evidence, f"expected {caller} and {wanted or f'a callee of trust domain {trust_domain}'}"
        )
    evidence["seen"] = f"{_brief(shown)} -> {_brief(callee)}"
    return Finding("ok", evidence)


def ingress(by_address: Sequence[tuple[str, Sequence[Answer]]], expected: Iterable[str]) -> Finding:
    """Whether calls from outside reached every site in ``expected`` through each address of an ingress gateway."""
    every = [answer for _address, answers in by_address for answer in answers]
    found = counts(every)
    silent = [name for name in expected if name not in found]
    failures = [answer.error for answer in every if answer.site is None]
    dumb = [address for address, answers in by_address if not counts(answers)]
    evidence: dict[str, Any] = {
        "addresses": [address for address, _answers in by_address],
        "requests": len(every),
        "failed_requests": len(failures),
        "answered_by": found,
    }
    if dumb or silent:
        seen = f"no answer through {', '.join(dumb)}" if dumb else f"no answer from {', '.join(silent)}"
        evidence["seen"] = seen + (f": {_common(failures)}" if failures else "")
        return Finding("failed", evidence, "look at the ingress gateway, its route and gateway.address")
    evidence["seen"] = ", ".join(f"{name} {number}" for name, number in found.items())
    return Finding("ok", evidence)


def counts(answers: Iterable[Answer]) -> dict[str, int]:
    """Answering site -> number of answers, by name."""
    return dict(sorted(Counter(answer.site for answer in answers if answer.site is not None).items()))


def _identities(header: str) -> tuple[str, str]:
    """Callee and caller in the header's last element, the one that the callee's own sidecar wrote."""
    callee = re.findall(r"By=([^;,]+)", header)
    caller = re.findall(r"URI=([^;,]+)", header)
    return (callee[-1] if callee else "", caller[-1] if caller else "")


def _brief(uri: str) -> str:
    """``spiffe://td/ns/x/sa/y`` as ``ns/x/sa/y``."""
    return uri.partition("://")[2].partition("/")[2] or uri


def _common(errors: Sequence[str]) -> str:
    return Counter(errors).most_common(1)[0][0]


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
