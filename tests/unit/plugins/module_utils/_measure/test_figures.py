# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of a mesh: what is made of summaries, of timed calls and of frames."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._measure import footprint, latency, wire
from ansible_collections.edge.mesh.plugins.module_utils._measure.figures import Figure, percentiles


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentiles([]) == {}
    assert percentiles([7.0]) == {"p50": 7, "p95": 7, "p99": 7}
    assert percentiles([float(number) for number in range(1, 101)]) == {"p50": 50, "p95": 95, "p99": 99}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=300))
def test_percentiles_rise_and_stay_within_what_was_seen(values: list[float]) -> None:
    found = percentiles(values)
    assert found["p50"] <= found["p95"] <= found["p99"] <= round(max(values), 2)
    assert found["p50"] >= round(min(values), 2)


def pod(namespace: str, name: str, **containers: tuple[int, int]) -> dict[str, Any]:
    """A pod of a summary; containers (``_`` read as ``-``) have MiB and milliseconds of CPU."""
    listed = [
        {"name": key.replace("_", "-"), "memory": {"workingSetBytes": memory << 20},
         "cpu": {"usageCoreNanoSeconds": spent * 1_000_000}}
        for key, (memory, spent) in containers.items()
    ]  # fmt: skip
    return {"podRef": {"namespace": namespace, "name": name, "uid": name}, "containers": listed}


def test_parts_are_told_apart_and_apps_are_left_out() -> None:
    before = {"pods": [pod("istio-system", "istio-ingressgateway-1", istio_proxy=(30, 1000))]}
    after = {
        "pods": [
            pod("istio-system", "istio-ingressgateway-1", istio_proxy=(31, 1600)),
            pod("istio-system", "istiod-1", discovery=(80, 300)),
            pod("edge-mesh-injector", "edge-mesh-injector-1", discovery=(40, 600)),
            pod("shop", "discovery-1", discovery=(50, 9000)),
            pod("sample", "sleep-1", sleep=(5, 9000), istio_proxy=(32, 60)),
            pod("sample", "hello-1", hello=(9, 9000), istio_proxy=(33, 60)),
            pod("kube-system", "etcd", etcd=(50, 9000)),
        ]
    }
    found = {
        figure.what: (figure.numbers["sum"], figure.unit) for figure in footprint.figures("x", [before], [after], 60)
    }
    assert found == {
        "istiod: memory": (80.0, "MiB"), "istiod: CPU": (5.0, "m"),
        "injector: memory": (40.0, "MiB"), "injector: CPU": (10.0, "m"),
        "gateways: memory": (31.0, "MiB"), "gateways: CPU": (10.0, "m"),
        "sidecars: memory": (65.0, "MiB"), "sidecars: CPU": (2.0, "m"),
    }  # fmt: skip


@pytest.mark.parametrize("summary", [{}, {"pods": None}, {"pods": [pod("istio-system", "x")]}])
def test_a_summary_without_parts_gives_no_figure(summary: dict[str, Any]) -> None:
    assert footprint.figures("x", [summary], [summary], 60) == []


def block(site: str, seconds: str, status: str = "200") -> str:
    return f"version=v1 site={site} pod=p\n\n{status} {seconds}\n--\n"


def test_calls_are_timed_by_who_answered_and_failures_are_left_out() -> None:
    output = block("hub", "0.001") + block("shop", "0.0025") + block("hub", "0.003") + block("hub", "5.0", "503")
    assert latency.times(output + "curl: (7) refused\n000 0.1\n--\n") == {"hub": [1.0, 3.0], "shop": [2.5]}


def test_what_sidecars_add_is_the_difference() -> None:
    found = latency.figures("hub", {"hub": [4.0] * 10, "shop": [9.0]}, {"hub": [1.5] * 10}, ["hub", "shop"])
    told = {(figure.peer, figure.what): (figure.numbers, figure.about) for figure in found}
    assert told["hub", "latency added"] == ({"p50": 2.5, "p95": 2.5, "p99": 2.5}, "at the own site")
    assert told["shop", "latency without"] == ({}, "not measured: no call was answered, across sites")
    assert ("shop", "latency added") not in told
    assert told["shop", "latency with sidecars"][1] == "1 calls, across sites"


HUB, SHOP = "192.0.2.10", "192.0.2.20"


def frame(source: str, target: str, ports: tuple[int, int], size: int = 100, protocol: int = 6) -> bytes:
    """The head of an Ethernet frame that carries ``size`` bytes of IPv4."""
    head = bytes(12) + struct.pack("!H", 0x0800)
    internet = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, protocol, 0)
    return head + internet + socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", *ports)


@pytest.mark.parametrize(
    ("given_frame", "expected"),
    [
        (frame(HUB, SHOP, (15012, 40000), 500), ("xDS", True, 514)),
        (frame(SHOP, HUB, (40000, 15012), 60), ("xDS", False, 74)),
        (frame(HUB, SHOP, (40000, 6443)), ("the site's API", True, 114)),
        (frame(SHOP, HUB, (40000, 15443)), ("calls", False, 114)),
        (frame(SHOP, HUB, (53, 53), protocol=17), ("other", False, 114)),
        (frame(SHOP, "192.0.2.99", (1, 15012)), None),
        (b"\x00" * 60, None),
        (b"", None),
    ],
)
def test_a_frame_is_told_by_its_peer_and_its_port(given_frame: bytes, expected: tuple[str, bool, int] | None) -> None:
    assert wire.talk_of(given_frame, socket.inet_aton(HUB)) == expected


def test_bytes_are_told_for_each_direction() -> None:
    counts = Counter({("xDS", True): 700, ("xDS", False): 100, ("calls", True): 50})
    assert wire.figures("shop", "hub", counts, "idle for 60 s") == [
        Figure("shop", "hub", "idle for 60 s, from the primary", {"sum": 750}, "B", "calls 50, xDS 700"),
        Figure("shop", "hub", "idle for 60 s, to the primary", {"sum": 100}, "B", "xDS 100"),
    ]


@pytest.mark.parametrize("answer", [(1, "", "no such object"), (0, "0\n", ""), (0, "", "")])
def test_a_node_that_is_no_container_cant_be_watched(answer: tuple[int, str, str]) -> None:
    with pytest.raises(MeshError, match="no container on this machine"), wire.Wire(lambda _words: answer, "node", HUB):
        pass
