# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet as it is, a line a site (used by the action `edge.mesh.report`).

Pure: facts of clusters, check records and what `xds_health`, `remote_secret_info` and `mesh_ca_info` returned in, rows
out. Times are strings as Kubernetes writes them, and ``now`` is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import renewal_window
from ansible_collections.edge.mesh.plugins.module_utils._istio.tokens import seconds_of
from ansible_collections.edge.mesh.plugins.plugin_utils.report.records import in_order, seen

__all__ = ["moment", "rows", "short", "written"]

Json = Mapping[str, Any]

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_MAINTAIN = "run maintain.yml"
_CLIENT_CERTIFICATE = timedelta(days=30)  # kubeadm's last for a year, and are renewed in their last month


def rows(
    sites: Iterable[Json], records: Sequence[Json], proxies: Iterable[Json], secrets: Iterable[Json],
    authorities: Mapping[str, Json], now: datetime,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row a site: ``site, role, status, reason, gateways, istio, *_expires_at, joined_at``.

    ``status`` is ``healthy``, ``warning`` (something is due), ``failed``, ``unreachable`` or ``unknown``. ``sites`` are
    ``{name, role, primary, token_ttl, token_renew_before, facts}``; ``secrets`` carry the primary's name as
    ``primary``; ``authorities`` are what `mesh_ca_info` said of each primary's ``cacerts``.
    """
    versions: dict[str, set[str]] = {}
    for proxy in proxies:
        versions.setdefault(proxy["cluster"], set()).add(proxy["version"])
    known = list(secrets)
    return [
        _row(
            site,
            [record for record in in_order(records) if record["site"] == site["name"]],
            versions.get(site["name"], set()),
            # every primary that reads the site has a token of its own
            [each for each in known if each["cluster"] == site["name"]],
            authorities.get(site["primary"]) or {},
            now,
        )
        for site in sites
    ]


def moment(text: str) -> datetime:
    """A time as Kubernetes writes it."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)


def written(time: datetime) -> str:
    """A time as Kubernetes writes it."""
    return time.strftime(_FORMAT)


def short(text: str | None, now: datetime) -> str:
    """``89d``, ``5h`` or ``12m`` from or since now, ``-3d`` for an end that has passed, ``-`` for none."""
    if text is None:
        return "-"
    seconds = (moment(text) - now).total_seconds()
    sign, span = ("-" if seconds < 0 else ""), abs(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if span >= 2 * size or unit == "m":
            return f"{sign}{int(span // size)}{unit}"
    raise AssertionError("minutes are the last unit")


def _row(
    site: Json, records: Sequence[Json], versions: set[str], secrets: Sequence[Json], authority: Json, now: datetime
) -> dict[str, Any]:
    facts = site["facts"]
    ends = {
        "certificate": _first([each.get("not_after") for each in _chain(authority)]),
        "token": _first([secret.get("expires_at") for secret in secrets]),
        "credential": facts.get("credential_expires_at"),
    }
    status, reason = _judged(site, records, secrets, authority, ends, now)
    return {
        "site": site["name"],
        "role": site["role"],
        "status": status,
        "reason": reason,
        "gateways": _gateways(records),
        "istio": ", ".join(sorted(versions)) or ((facts.get("mesh_record") or {}).get("istio_version") or "-"),
        **{f"{name}_expires_at": end for name, end in ends.items()},
        "joined_at": facts.get("joined_at"),
        "kubernetes": facts.get("kubernetes_version"),
    }


def _judged(
    site: Json, records: Sequence[Json], secrets: Sequence[Json], authority: Json, ends: Json, now: datetime
) -> tuple[str, str]:  # fmt: skip
    facts = site["facts"]
    if not facts["known"]:
        return "unreachable" if facts.get("unanswered") else "unknown", facts.get("why") or "there is no cluster yet"
    for verdict in ("failed", "unknown"):
        bad = [record for record in records if record["verdict"] == verdict]
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            return verdict, f"{bad[0]['id']}: {seen(bad[0])}{more}"
    if not records:
        return "unknown", "nothing was checked"
    due = _due(site, secrets, authority, ends, now)
    warned = [f"{record['id']}: {seen(record)}" for record in records if record["verdict"] == "warning"]
    if due or warned:
        return "warning", "; ".join([*due, *warned])
    return "healthy", ""


def _due(site: Json, secrets: Sequence[Json], authority: Json, ends: Json, now: datetime) -> list[str]:
    """What is to be renewed now, and what has passed."""
    found = []
    for each in _chain(authority):
        if each.get("not_after") and each.get("not_before"):
            third = (moment(each["not_after"]) - moment(each["not_before"])) / 3
            found += _late("the primary's certificate", each["not_after"], third, now)
    tokens = [late for each in secrets for late in _late("its token", each.get("expires_at"), _window(site, each), now)]
    found += dict.fromkeys(tokens)
    found += _late("the kubeconfig's client certificate", ends["credential"], _CLIENT_CERTIFICATE, now)
    return found


def _late(what: str, end: str | None, window: timedelta, now: datetime) -> list[str]:
    if end is None or moment(end) - now >= window:
        return []
    verb = "ended" if moment(end) <= now else "ends"
    return [f"{what} {verb} on {end[:10]}: {_MAINTAIN}"]


def _window(site: Json, secret: Json) -> timedelta:
    """How long before its end a token is renewed: by the same words and the same rule as `remote_secret` has."""
    issued, end, early = secret.get("issued_at"), secret.get("expires_at"), site.get("token_renew_before")
    try:
        lifetime = seconds_of(site["token_ttl"], "edge_mesh_token_ttl")
        if issued and end:
            lifetime = (moment(end) - moment(issued)).total_seconds()
        before = seconds_of(early, "edge_mesh_token_renew_before") if early else None
    except MeshError:
        return timedelta(0)
    return timedelta(seconds=renewal_window(before, lifetime))


def _chain(authority: Json) -> list[Json]:
    """What signs a site's workloads: the primary's intermediate, and the root above it."""
    return [each for each in [*(authority.get("intermediates") or []), authority.get("root")] if each]


def _gateways(records: Iterable[Json]) -> str:
    """``2/2``: pods that are ready, of those asked for."""
    evidence = next((record["evidence"] for record in records if record["id"] == "gateway.ready"), None) or {}
    counts = list((evidence.get("gateways") or {}).values())
    return f"{sum(each['ready'] for each in counts)}/{sum(each['replicas'] for each in counts)}" if counts else "-"


def _first(moments: Iterable[str | None]) -> str | None:
    return min((each for each in moments if each), default=None)
