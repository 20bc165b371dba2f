# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real requests that show what routes and mutual TLS do, at all sites at once (used by `route_checks`).

Pages come through each site's ingress, split calls from the client pod of each site, and plain text from each site's
API server, which is no part of the mesh: it may read a port that is left out of mutual TLS, and no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, Source, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._verify import answers, parallel, pods, proportions
from ansible_collections.edge.mesh.plugins.module_utils._verify.fetching import Asked
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api, Finding, unknown
from ansible_collections.edge.mesh.plugins.module_utils._verify.proportions import Page, Shares
from ansible_collections.edge.mesh.plugins.module_utils._verify.traffic import Caller

__all__ = ["Order", "Pages", "Split", "User", "World", "run"]

T = TypeVar("T")

_CALL_SECONDS = 5
_GIVE_UP_AFTER = 3  # calls without an answer end a round: the verdict is settled, and each of the rest may cost as much
_MORE = 2  # rounds that follow where a share is off
_NO_CONNECTION = (500, 502, 503)  # what an API server says of a pod that it doesn't get through to
_PLAIN = 15021  # the proxy's own health port, which Istio leaves out of mutual TLS


@dataclass(frozen=True)
class User:
    """Requests with a header, and the shares of the versions that answer them."""

    header: str
    value: str
    shares: Shares


@dataclass(frozen=True)
class Pages:
    """bookinfo's page at the ingress, and the shares of the versions of reviews."""

    path: str
    port: int
    shares: Shares
    users: Sequence[User]


@dataclass(frozen=True)
class Split:
    """A URL whose answers name their site, and for each calling site the shares of the answering ones."""

    host: str
    url: str
    shares: Mapping[str, Shares]


@dataclass(frozen=True)
class Order:
    """What to prove: ``tolerance`` is in percentage points, ``seconds`` the time for everything.

    ``strict_port`` is the port of helloworld that must refuse plain text; 0 where it may take it.
    """

    namespace: str
    label: str
    container: str
    requests: int
    tolerance: float
    seconds: float
    pages: Pages | None = None
    splits: Sequence[Split] = ()
    strict_port: int = 0


@dataclass(frozen=True)
class World:
    """Everything outside: (kubeconfig, context, site) -> a connected API, pages of an address, and the clock."""

    connect: Callable[[str, str | None, str], AbstractContextManager[Api]]
    fetch: Callable[[Asked], list[Page]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


_Found = list[tuple[str, Finding]]  # check -> what was found


def run(callers: Sequence[Caller], order: Order, world: World) -> list[Record]:
    """The records of every site, in the order of ``callers``."""
    jobs: dict[str, Callable[[], _Found]] = {}
    about: dict[str, tuple[Caller, Source, Sequence[str]]] = {}
    for caller in callers:
        if order.pages:
            checks = ["traffic.bookinfo", *(["traffic.header"] if order.pages.users else [])]
            about[f"pages {caller.name}"] = (caller, "controller", checks)
            jobs[f"pages {caller.name}"] = partial(_pages, caller, order.pages, order, world)
        for split in (each for each in order.splits if caller.name in each.shares):
            about[f"{split.host} {caller.name}"] = (caller, "pod", ["traffic.split"])
            jobs[f"{split.host} {caller.name}"] = partial(_split, caller, split, order, world)
        if order.strict_port and not caller.gateway_only:
            about[f"plain {caller.name}"] = (caller, "site-api", ["traffic.plain-text"])
            jobs[f"plain {caller.name}"] = partial(_plain_text, caller, order, world)
    took: dict[str, int] = {}

    def measured(name: str) -> _Found:
        watch = timed(world.clock)
        try:
            return jobs[name]()
        except MeshError as error:
            return [(check, unknown(error)) for check in about[name][2]]
        finally:
            took[name] = watch()

    def late(name: str) -> _Found:
        error = MeshError(
            "the requests didn't end", site=about[name][0].name, why=f"{order.seconds:g} s weren't enough"
        )
        return [(check, unknown(error)) for check in about[name][2]]

    found = parallel.each({name: partial(measured, name) for name in jobs}, order.seconds, late)
    return [
        record(
            check, about[name][0].name, finding.verdict, origin=about[name][1], evidence=finding.evidence,
            hint=finding.hint, took_ms=took.get(name, 0),
        )
        for name, findings in found.items()
        for check, finding in findings
    ]  # fmt: skip


def _pages(caller: Caller, pages: Pages, order: Order, world: World) -> _Found:
    if not caller.ingress_addresses:
        raise MeshError("no address of the ingress gateway is known", site=caller.name, hint="see gateway.address")
    end = world.clock() + order.seconds

    def ask(headers: Mapping[str, str], count: int) -> list[Page]:
        asked = Asked(caller.ingress_addresses[0], pages.port, pages.path, count, end - world.clock(), headers)
        return world.fetch(asked)

    def judge(rounds: Sequence[Sequence[Page]]) -> Finding:
        return proportions.bookinfo(rounds, pages.shares, order.tolerance)

    finding = _until_fair(lambda: ask({}, order.requests), judge, lambda page: not page.flaw, order.requests)
    if not pages.users:
        return [("traffic.bookinfo", finding)]
    named = [(user.value, ask({user.header: user.value}, order.requests), user.shares) for user in pages.users]
    return [("traffic.bookinfo", finding), ("traffic.header", proportions.users(named, order.tolerance))]


def _until_fair(
    batch: Callable[[], list[T]], judge: Callable[[list[list[T]]], Finding], is_well: Callable[[T], bool], wanted: int
) -> Finding:
    """What is found of a batch; where only the shares are off, of it and some more."""
    rounds = [batch()]
    finding = judge(rounds)
    whole = len(rounds[0]) == wanted and all(is_well(each) for each in rounds[0])
    if finding.verdict != "ok" and whole:
        rounds += [batch() for _index in range(_MORE)]
        finding = judge(rounds)
    return finding


def _split(caller: Caller, split: Split, order: Order, world: World) -> _Found:
    end = world.clock() + order.seconds
    with world.connect(caller.kubeconfig, caller.context, caller.name) as api:
        pod = pods.first_ready(
            api,
            order.namespace,
            order.label,
            lambda: end - world.clock(),
            world.sleep,
            what="nothing can call from here",
        )

        def batch() -> list[answers.Answer]:
            found: list[answers.Answer] = []
            for _go in range(_GIVE_UP_AFTER):
                calls = order.requests - len(found)
                words = answers.burst(split.url, calls=calls, call_seconds=_CALL_SECONDS)
                left = max(1.0, end - world.clock())
                done = api.exec(order.namespace, pod["metadata"]["name"], order.container, words, timeout=left)
                found += answers.parse(done.stdout)
                if done.rc == 0 or len(found) >= order.requests:
                    break
            return found

        def judge(rounds: list[list[answers.Answer]]) -> Finding:
            errors = [answer.error for found in rounds for answer in found if answer.site is None]
            sites = [[answer.site for answer in found] for found in rounds]
            return proportions.split(sites, errors, split.shares[caller.name], order.tolerance)

        return [("traffic.split", _until_fair(batch, judge, lambda answer: answer.site is not None, order.requests))]


def _plain_text(caller: Caller, order: Order, world: World) -> _Found:
    """The API server reads the proxy's health port in plain text, and must not get at helloworld's."""
    end = world.clock() + order.seconds
    with world.connect(caller.kubeconfig, caller.context, caller.name) as api:
        pod = pods.first_ready(
            api,
            order.namespace,
            "app=helloworld",
            lambda: end - world.clock(),
            world.sleep,
            what="nothing can be called",
        )
        where = f"/api/v1/namespaces/{order.namespace}/pods/{pod['metadata']['name']}"
        # Without this the refusal could be the network's.
        api.text(f"{where}:{_PLAIN}/proxy/healthz/ready")
        try:
            answer = api.text(f"{where}:{order.strict_port}/proxy/hello")
        except ApiError as error:
            if error.status not in _NO_CONNECTION:
                raise
            evidence = {"seen": f"port {order.strict_port} refused it, port {_PLAIN} didn't", "answer": error.why or ""}
            return [("traffic.plain-text", Finding("ok", evidence))]
    seen = f"helloworld answered in plain text: {' '.join(answer.split())[:80]}"
    return [("traffic.plain-text", Finding("failed", {"seen": seen}, "look at the PeerAuthentication objects"))]
