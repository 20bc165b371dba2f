# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many proxies without Envoy: streams to a real istiod that ask for clusters, listeners and endpoints and acknowledge.

``python -m benchmarks.fake_proxies ADDRESS ROOT TOKEN CLUSTER COUNT`` (ROOT and TOKEN are files). Says ``ready`` when
each one has acknowledged everything, and goes on acknowledging until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
from envoy.config.cluster.v3 import cluster_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

SERVER_NAME = "istiod.istio-system.svc"
_TYPE = "type.googleapis.com/envoy.config."
CLUSTERS = f"{_TYPE}cluster.v3.Cluster"
LISTENERS = f"{_TYPE}listener.v3.Listener"
ENDPOINTS = f"{_TYPE}endpoint.v3.ClusterLoadAssignment"
_STREAMS_A_CONNECTION = 100
# istiod takes in only so many new streams a second (PILOT_MAX_REQUESTS_PER_SECOND)
_A_SECOND = 20


def node(number: int, cluster: str) -> Any:
    """What a gateway pod of istio-system says of itself; istiod lists proxies that have a PROXY_CONFIG."""
    name = f"router~192.0.2.{number % 250 + 1}~edge-mesh-bench-{number}.istio-system~istio-system.svc.cluster.local"
    found: Any = discovery_pb2.DiscoveryRequest().node
    found.id = name
    found.metadata.update(
        {
            "CLUSTER_ID": cluster,
            "NAMESPACE": "istio-system",
            "SERVICE_ACCOUNT": "default",
            "ISTIO_VERSION": "1.29.0",
            "PROXY_CONFIG": {"discoveryAddress": f"{SERVER_NAME}:15012"},
            "LABELS": {"app": "edge-mesh-bench"},
        }
    )
    return found


async def proxy(channel: Any, number: int, cluster: str, token: str, ready: Any) -> None:
    """One proxy, which comes in its turn and comes again if istiod has no time for it."""
    await asyncio.sleep(number / _A_SECOND)
    while True:
        try:
            return await stay(channel, number, cluster, token, ready)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        await asyncio.sleep(1)


async def stay(channel: Any, number: int, cluster: str, token: str, ready: Any) -> None:
    """One proxy's stream; ``ready`` is called when it has acknowledged each type once."""
    metadata = (("authorization", f"Bearer {token}"), ("clusterid", cluster))
    stream = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources(metadata=metadata)
    await stream.write(discovery_pb2.DiscoveryRequest(node=node(number, cluster), type_url=CLUSTERS))
    await stream.write(discovery_pb2.DiscoveryRequest(type_url=LISTENERS))
    asked: dict[str, list[str]] = {CLUSTERS: [], LISTENERS: []}
    seen: set[str] = set()
    async for answer in stream:
        kind = answer.type_url
        await stream.write(
            discovery_pb2.DiscoveryRequest(
                type_url=kind,
                version_info=answer.version_info,
                response_nonce=answer.nonce,
                resource_names=asked.get(kind, []),
            )
        )
        if kind == CLUSTERS and ENDPOINTS not in asked:
            listed = [cluster_pb2.Cluster.FromString(item.value) for item in answer.resources]
            asked[ENDPOINTS] = [item.name for item in listed if item.type == cluster_pb2.Cluster.EDS]
            await stream.write(discovery_pb2.DiscoveryRequest(type_url=ENDPOINTS, resource_names=asked[ENDPOINTS]))
        if kind not in seen:
            seen.add(kind)
            if len(seen) == len(asked) == 3:
                ready()


async def run(address: str, root: bytes, token: str, cluster: str, count: int) -> None:
    """All proxies, until standard input ends."""
    done, all_ready = 0, asyncio.Event()

    def ready() -> None:
        nonlocal done
        done += 1
        if done == count:
            all_ready.set()

    credentials = grpc.ssl_channel_credentials(root_certificates=root)
    options = [
        ("grpc.ssl_target_name_override", SERVER_NAME),
        ("grpc.default_authority", SERVER_NAME),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    channels = [
        grpc.aio.secure_channel(address, credentials, options) for _each in range(0, count, _STREAMS_A_CONNECTION)
    ]
    tasks = [
        asyncio.create_task(proxy(channels[number // _STREAMS_A_CONNECTION], number, cluster, token, ready))
        for number in range(count)
    ]
    waiting = asyncio.create_task(all_ready.wait())
    ended, _pending = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in ended - {waiting}:
        task.result()  # a stream that ends before all are ready is a failure
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()


if __name__ == "__main__":
    _where, _root, _token, _cluster, _count = sys.argv[1:]
    asyncio.run(run(_where, Path(_root).read_bytes(), Path(_token).read_text(), _cluster, int(_count)))
