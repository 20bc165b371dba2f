# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures a mesh: an idle while of all sites at once, and latencies, a site at a time (used by `mesh_measure`).

What can't be measured is a figure without values that says why; a site that gives no answer holds up no other.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._measure import footprint, latency, wire
from ansible_collections.edge.mesh.plugins.module_utils._measure.figures import Figure
from ansible_collections.edge.mesh.plugins.module_utils._measure.wire import Counts
from ansible_collections.edge.mesh.plugins.module_utils._verify import parallel, pods
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import Api

__all__ = ["Order", "Place", "World", "machine", "run", "while_it_joins"]

_CLIENT = "app=sleep"
_CONTAINER = "sleep"
_SERVICE = "helloworld"
_PORT = 5000
_PAUSE = 0.2


@dataclass(frozen=True)
class Place:
    """A site: ``node`` is the container that its node is, if it is one, and ``address`` the node's.

    ``through`` is the Service by which pods without sidecars call helloworld; empty at a site with sidecars.
    """

    name: str
    kubeconfig: str
    context: str | None
    primary: str
    node: str
    address: str
    through: str = ""


@dataclass(frozen=True)
class Order:
    """What to measure: ``idle`` seconds of doing nothing, ``requests`` for each latency; 0 leaves either out.

    helloworld and sleep run in ``namespace`` with sidecars and in ``bare_namespace`` (empty: nowhere) without; there
    helloworld can be reached at a port of the nodes.
    """

    namespace: str
    bare_namespace: str
    requests: int
    idle: float
    seconds: float


@dataclass(frozen=True)
class World:
    """Everything outside: connected APIs, a watched link (container, peer's address), and the clock."""

    connect: Callable[[Place], AbstractContextManager[Api]]
    watch: Callable[[str, str], AbstractContextManager[Any]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def run(places: Sequence[Place], order: Order, world: World) -> list[Figure]:
    """All figures that are ordered, site by site."""
    links: dict[str, list[Figure]] = {}
    spent: dict[str, list[Figure]] = {}
    late: dict[str, list[Figure]] = {}
    if order.idle:
        links, spent = _idle(places, order, world)
    if order.requests:
        ports = {place.name: _node_port(place, order, world) for place in places}
        late = {place.name: _latencies(place, places, ports, order, world) for place in places}
    return [figure for place in places for found in (spent, links, late) for figure in found.get(place.name, [])]


def while_it_joins(place: Place, primary: Place, stop: Path, seconds: float, world: World) -> list[Figure]:
    """Bytes on a site's link until the file ``stop`` is there; raises MeshError where they can't be counted."""
    end = world.clock() + seconds
    with world.watch(place.node, primary.address) as watched:
        while not stop.exists() and world.clock() < end:
            world.sleep(_PAUSE)
    return wire.figures(place.name, primary.name, watched.counts, "joining")


# -- latency -----------------------------------------------------------------------------------------------------------


def _node_port(place: Place, order: Order, world: World) -> int:
    """The port of the nodes at which helloworld is reached without a mesh; 0 where it isn't."""
    if not order.bare_namespace:
        return 0
    try:
        with world.connect(place) as api:
            service = api.get(f"/api/v1/namespaces/{order.bare_namespace}/services/{_SERVICE}") or {}
    except MeshError:
        return 0
    listed = (service.get("spec") or {}).get("ports") or [{}]
    return int(listed[0].get("nodePort") or 0)


def _latencies(
    place: Place, places: Sequence[Place], ports: Mapping[str, int], order: Order, world: World
) -> list[Figure]:
    names = [each.name for each in places]
    try:
        with world.connect(place) as api:
            # helloworld's answers come from all sites in turn
            target = f"{place.through or _SERVICE}.{order.namespace}:{_PORT}"
            meshed = _called(api, order.namespace, target, order.requests * len(names), order, world)
            bare: dict[str, list[float]] = {}
            for peer in places if order.bare_namespace else []:
                target = f"{peer.address}:{ports[peer.name]}" if peer.name != place.name else f"{_SERVICE}:{_PORT}"
                if ports[peer.name] and peer.address:
                    bare.update(_called(api, order.bare_namespace, target, order.requests, order, world))
    except MeshError as error:
        return [Figure(place.name, "", "latency", {}, "ms", f"not measured: {error.message}")]
    how = "through gateways" if place.through else "with sidecars"
    return latency.figures(place.name, meshed, bare, names, how)


def _called(api: Api, namespace: str, target: str, calls: int, order: Order, world: World) -> dict[str, list[float]]:
    end = world.clock() + order.seconds
    pod = pods.first_ready(
        api, namespace, _CLIENT, lambda: end - world.clock(), world.sleep, what="nothing can call from here"
    )
    words = latency.command(f"http://{target}/hello", calls)
    done = api.exec(namespace, pod["metadata"]["name"], _CONTAINER, words, timeout=order.seconds)
    return latency.times(done.stdout)


# -- an idle while -----------------------------------------------------------------------------------------------------


def _idle(
    places: Sequence[Place], order: Order, world: World
) -> tuple[dict[str, list[Figure]], dict[str, list[Figure]]]:
    """Figures of the links and of the parts' memory and CPU, by site."""
    addresses = {place.name: place.address for place in places}
    links: dict[str, list[Figure]] = {}
    watched: dict[str, Any] = {}
    begin = world.clock()
    before = _summaries(places, order, world)
    what = f"idle for {order.idle:g} s"
    with ExitStack() as stack:
        for place in places:
            if place.primary == place.name:
                continue
            try:
                if not place.node or not addresses.get(place.primary):
                    raise MeshError("the link can't be watched", why="its node is no container on this machine")
                watched[place.name] = stack.enter_context(world.watch(place.node, addresses[place.primary]))
            except MeshError as error:
                links[place.name] = [Figure(place.name, place.primary, what, {}, "B", f"not measured: {error.why}")]
        world.sleep(order.idle)
    after = _summaries(places, order, world)
    passed = world.clock() - begin
    for place in places:
        if place.name in watched:
            counts: Counts = watched[place.name].counts
            links[place.name] = wire.figures(place.name, place.primary, counts, what)
    spent = {place.name: _footprint(place.name, before, after, passed) for place in places}
    return links, spent


def _footprint(site: str, before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> list[Figure]:
    for each in (before[site], after[site]):
        if isinstance(each, MeshError):
            return [Figure(site, "", "memory and CPU", {}, "MiB", f"not measured: {each.message}")]
    return footprint.figures(site, before[site], after[site], seconds)


def _summaries(places: Sequence[Place], order: Order, world: World) -> dict[str, Any]:
    """The kubelets' summaries of each site, or the MeshError that says why there are none."""

    def ask(place: Place) -> Any:
        try:
            with world.connect(place) as api:
                nodes = [node["metadata"]["name"] for node in api.list("/api/v1/nodes")]
                return [api.get(f"/api/v1/nodes/{node}/proxy/stats/summary") or {} for node in nodes]
        except MeshError as error:
            return error

    def late(name: str) -> Any:
        return MeshError("its kubelets gave no answer", site=name, why=f"{order.seconds:g} s weren't enough")

    return parallel.each({place.name: partial(ask, place) for place in places}, order.seconds, late)


def machine() -> str:
    """The machine that this runs on, in words: processor, cores, memory, kernel."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    kilobytes = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    cores = os.cpu_count() or 0
    return (
        f"{names[0] if names else platform.machine()}, {cores} cores, {kilobytes >> 20} GiB, Linux {platform.release()}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
