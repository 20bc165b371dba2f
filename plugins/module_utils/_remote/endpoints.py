# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether istiod still has a site's endpoints after its credential changed (used by `credential`).

istiod builds a second registry beside the old one and switches over. In releases with istio#61043 the old one takes the
site's endpoints along when it goes, for good: `clusterz` says `synced`, and no call reaches the site any more. It shows
in `/debug/endpointShardz`, where each service has a shard of each cluster, `Kubernetes/<cluster>`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time

__all__ = ["Counts", "Lost", "losses", "parse", "total"]

Counts = Mapping[tuple[str, str], int]  # (namespace, host name): how many endpoints

_PROOF = 1.0  # seconds between two good looks: the switch is over when the cluster is synced, its clean-up right after
_PATIENCE = 5.0  # seconds for which a service may be without endpoints: one that is just being changed comes back
_ASKED = 5  # services; losing a registry loses all of them, so a few tell


@dataclass(frozen=True)
class Lost:
    """What a replica has lost: the first of the services, and how many they are."""

    pod: str
    service: str
    count: int


def parse(answer: bytes, cluster: str) -> dict[tuple[str, str], int]:
    """The endpoints of a cluster by service, from `/debug/endpointShardz`; raises ValueError for another answer."""
    hosts = json.loads(answer)
    if not isinstance(hosts, dict):
        raise ValueError("the answer isn't a table of services")
    found = {}
    for host, by_namespace in hosts.items():
        for namespace, shards in by_namespace.items():
            count = len((shards.get("Shards") or {}).get(f"Kubernetes/{cluster}") or [])
            if count:
                found[namespace, host] = count
    return found


def total(replicas: Mapping[str, Counts | None]) -> int | None:
    """The endpoints that the replica with the fewest has; None if none could be asked."""
    return min((sum(counts.values()) for counts in replicas.values() if counts is not None), default=None)


def losses(
    before: Mapping[str, Counts | None],
    look: Callable[[], Mapping[str, Counts | None]],
    still_there: Callable[[str, str], bool],
    time: Time,
) -> tuple[Lost | None, int | None]:
    """The first loss since ``before`` that stays, and how many endpoints are known at last.

    ``look`` reads the counts of every replica by pod, None for one that can't tell; ``still_there`` asks the site
    itself for a service of a namespace. Replicas that weren't there before have nothing to lose.
    """
    good_since: float | None = None
    bad_since: float | None = None
    while True:
        now = look()
        lost = _first(before, now, still_there)
        clock = time.clock()
        if lost is None:
            bad_since = None
            good_since = clock if good_since is None else good_since
            if clock - good_since >= _PROOF or not any(before.values()):
                return None, total(now)
        else:
            good_since = None
            bad_since = clock if bad_since is None else bad_since
            if clock - bad_since >= _PATIENCE:
                return lost, total(now)
        time.sleep(_PROOF / 2)


def _first(
    before: Mapping[str, Counts | None], now: Mapping[str, Counts | None], still_there: Callable[[str, str], bool]
) -> Lost | None:
    for pod, counts in sorted(now.items()):
        known = before.get(pod)
        if not known or counts is None:
            continue
        gone = sorted(set(known) - set(counts))
        for namespace, host in gone[:_ASKED]:
            if still_there(namespace, host.partition(".")[0]):
                return Lost(pod, host, len(gone))
    return None
