# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real calls in every direction: from a pod at each site, and from the controller through each ingress.

Used by `mesh_traffic`. All sites at once, each bounded by the same deadline. Endpoints of a new site need a moment to
spread, so a site whose calls didn't reach everybody calls again while there is time.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urljoin, urlsplit, urlunsplit

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._verify import answers, parallel, pods
from ansible_collections.edge.mesh.plugins.module_utils._verify.answers import Answer
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api, Finding, unknown

__all__ = ["Caller", "Order", "World", "call_ingress", "run"]

_ROUNDS = 10
_PAUSE = 1.0
_AT_ONCE = 5
_CALL_SECONDS = 5
_GIVE_UP_AFTER = 3  # calls in a row without any answer end a round: an address that is dead needs no more


@dataclass(frozen=True)
class Caller:
    """A site to call from, and the addresses of its ingress gateway as the controller reaches them.

    ``expect`` are the sites that must answer it, where these aren't the order's. At a site without sidecars
    (``gateway_only``) pods call hosts of the mesh by an alias, and its gateways answer and call for them.
    """

    name: str
    kubeconfig: str
    context: str | None = None
    ingress_addresses: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    gateway_only: bool = False

    def called(self, url: str) -> str:
        """``url`` as a pod of the site calls it."""
        if not self.gateway_only:
            return url
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=gateway_only.called_as(parts.netloc)))


@dataclass(frozen=True)
class Order:
    """What to call: ``url`` from the pod that ``label`` selects in ``namespace``, and ``ingress_path`` from outside.

    An empty ``ingress_path`` leaves the calls from outside out. ``expect`` are the sites that must answer, ``requests``
    the calls of a round, ``seconds`` the time for everything.
    """

    namespace: str
    label: str
    container: str
    url: str
    ingress_path: str
    ingress_port: int
    requests: int
    expect: tuple[str, ...]
    trust_domain: str
    seconds: float


@dataclass(frozen=True)
class World:
    """Everything outside: (kubeconfig, context, site) -> a connected API, a call to an ingress, and the clock."""

    connect: Callable[[str, str | None, str], AbstractContextManager[Api]]
    call: Callable[[str, int, str, float], Answer]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class _Pod:
    """The pod that calls, and the SPIFFE URI that it must show."""

    name: str
    identity: str


def run(callers: Sequence[Caller], order: Order, world: World) -> list[Record]:
    """The records of every direction, in the order of ``callers``."""
    jobs: dict[str, Callable[[], list[Record]]] = {}
    by_job: dict[str, tuple[Caller, bool]] = {}
    orders = {caller.name: replace(order, expect=caller.expect or order.expect) for caller in callers}
    # whoever calls a Service of such a site talks to its gateway
    behind = frozenset(caller.name for caller in callers if caller.gateway_only)
    kinds: dict[str, Callable[[Caller, Order, World], list[Record]]] = {"pod": partial(_from_pod, behind=behind)}
    if order.ingress_path:
        kinds["ingress"] = _from_outside
    for kind, work in kinds.items():
        for caller in callers:
            jobs[f"{kind} {caller.name}"] = partial(work, caller, orders[caller.name], world)
            by_job[f"{kind} {caller.name}"] = (caller, kind == "pod")

    def late(job: str) -> list[Record]:
        caller, from_pod = by_job[job]
        error = MeshError("the calls didn't end", site=caller.name, why=f"{order.seconds:g} s weren't enough")
        return (
            _pairs_unknown(caller, orders[caller.name], error, 0) if from_pod else [_ingress(caller, unknown(error), 0)]
        )

    found = parallel.each(jobs, order.seconds, late)
    return [item for items in found.values() for item in items]


def _from_pod(caller: Caller, order: Order, world: World, *, behind: frozenset[str]) -> list[Record]:
    took = timed(world.clock)
    end = world.clock() + order.seconds
    try:
        with world.connect(caller.kubeconfig, caller.context, caller.name) as api:
            pod = _client_pod(api, caller, order, world, end)
            url = caller.called(order.url)

            def batch() -> list[Answer]:
                return _execute(api, pod, url, order, end - world.clock())

            every, last = _rounds(batch, order.expect, world, end)
            reached = took()
            peers = [name for name in order.expect if name != caller.name]
            told = _told(api, pod, url, peers, order, world, end)
            spent = took()
    except MeshError as error:
        return _pairs_unknown(caller, order, error, took())
    records = []
    for peer in order.expect:
        finding = answers.reach(caller.name, peer, every, last, order.expect)
        records.append(_pair("traffic.reach", caller, peer, finding, reached))
    for peer in peers:
        finding = (
            unknown(told)
            if isinstance(told, MeshError)
            else answers.mtls(
                peer,
                told,
                caller=pod.identity,
                trust_domain=order.trust_domain,
                wanted=gateway_only.in_identity(order.trust_domain) if peer in behind else "",
            )
        )
        records.append(_pair("traffic.mtls", caller, peer, finding, spent - reached))
    return records


def _told(
    api: Api, pod: _Pod, url: str, peers: Sequence[str], order: Order, world: World, end: float
) -> list[Answer] | MeshError:
    """Answers that name their caller, or why there are none; what was reached before stays told."""
    try:
        return _rounds(
            lambda: _execute(api, pod, urljoin(url, "identity"), order, end - world.clock()), peers, world, end
        )[0]
    except MeshError as error:
        return error


def _client_pod(api: Api, caller: Caller, order: Order, world: World, end: float) -> _Pod:
    """The pod that can call; raises MeshError if there is none."""
    pod = pods.first_ready(
        api, order.namespace, order.label, lambda: end - world.clock(), world.sleep, what="nothing can call from here"
    )
    account = pod["spec"].get("serviceAccountName") or "default"
    own = f"spiffe://{order.trust_domain}/ns/{order.namespace}/sa/{account}"
    identity = gateway_only.out_identity(order.trust_domain) if caller.gateway_only else own
    return _Pod(pod["metadata"]["name"], identity)


def _execute(api: Api, pod: _Pod, url: str, order: Order, left: float) -> list[Answer]:
    """One round of calls from the pod; raises MeshError if they can't be made."""
    seconds = max(1, int(left) - _CALL_SECONDS)
    words = answers.command(url, calls=order.requests, call_seconds=_CALL_SECONDS, seconds=seconds, at_once=_AT_ONCE)
    done = api.exec(order.namespace, pod.name, order.container, words, timeout=seconds + _CALL_SECONDS + 1)
    found = answers.parse(done.stdout)
    if not found:
        why = " ".join(done.stderr.split())[:200] or f"exit code {done.rc} and no output"
        raise MeshError(f"the calls from pod {pod.name} couldn't be made", why=why, hint="does it have sh and curl?")
    return found


def _from_outside(caller: Caller, order: Order, world: World) -> list[Record]:
    took = timed(world.clock)
    end = world.clock() + order.seconds
    if not caller.ingress_addresses:
        seen = "no address of the ingress gateway is known"
        return [_ingress(caller, Finding("unknown", {"seen": seen}, "see gateway.address"), took())]
    found: list[tuple[str, list[Answer]]] = []
    for address in caller.ingress_addresses:

        def batch(address: str = address) -> list[Answer]:
            return _knock(address, order, world, end)

        found.append((address, _rounds(batch, order.expect, world, end)[0]))
    return [_ingress(caller, answers.ingress(found, order.expect), took())]


def _knock(address: str, order: Order, world: World, end: float) -> list[Answer]:
    """One round of calls to an ingress, each on a connection of its own, so that balancing shows."""
    found: list[Answer] = []
    for _index in range(order.requests):
        left = end - world.clock()
        if left <= 0 or (len(found) >= _GIVE_UP_AFTER and all(each.site is None for each in found)):
            break
        found.append(world.call(address, order.ingress_port, order.ingress_path, min(left, _CALL_SECONDS)))
    return found


def _rounds(
    batch: Callable[[], list[Answer]], wanted: Iterable[str], world: World, end: float
) -> tuple[list[Answer], list[Answer]]:
    """Call until everybody in ``wanted`` has answered, rounds or time are up: all answers, and the last round's."""
    every: list[Answer] = []
    missing = set(wanted)
    last: list[Answer] = []
    for _index in range(_ROUNDS):
        last = batch()
        every += last
        missing -= set(answers.counts(last))
        if not missing or end - world.clock() <= _CALL_SECONDS:
            break
        world.sleep(_PAUSE)
    return every, last


def call_ingress(address: str, port: int, path: str, seconds: float) -> Answer:
    """One GET on a new connection; whatever goes wrong is part of the answer."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return answers.read(response.read(4096).decode("utf-8", "replace"), response.status)
    except (OSError, http.client.HTTPException) as error:
        return Answer(error=getattr(error, "strerror", None) or str(error) or type(error).__name__)
    finally:
        connection.close()


def _pairs_unknown(caller: Caller, order: Order, error: MeshError, took_ms: int) -> list[Record]:
    finding = unknown(error)
    reach = [_pair("traffic.reach", caller, peer, finding, took_ms) for peer in order.expect]
    others = [peer for peer in order.expect if peer != caller.name]
    return reach + [_pair("traffic.mtls", caller, peer, finding, took_ms) for peer in others]


def _pair(check: str, caller: Caller, peer: str, finding: Finding, took_ms: int) -> Record:
    return record(
        check, caller.name, finding.verdict, origin="pod", evidence=finding.evidence, hint=finding.hint, peer=peer,
        took_ms=took_ms,
    )  # fmt: skip


def _ingress(caller: Caller, finding: Finding, took_ms: int) -> Record:
    return record(
        "traffic.ingress", caller.name, finding.verdict, origin="controller", evidence=finding.evidence,
        hint=finding.hint, took_ms=took_ms,
    )  # fmt: skip
