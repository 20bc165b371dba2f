# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey of all sites at once: what each site's own API says of it (used by `site_checks`).

Primaries and sites are asked at the same time, each with a deadline of its own. What couldn't be asked is `unknown`.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    LOCAL_INJECTOR,
    ROOT_CERT_CONFIGMAP,
    SYSTEM_NAMESPACE,
    injection_path,
    names,
)
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from ansible_collections.edge.mesh.plugins.module_utils._verify import (
    injectors,
    inputs,
    parallel,
    reader,
    running,
    sidecars,
)
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Api, Finding, Primary, Site, unknown

__all__ = ["CHECKS_OF", "World", "checks_of", "resolve", "survey"]

CHECKS_OF: Mapping[str, tuple[str, ...]] = {
    "edge": (
        "site.no-control-plane",
        "input.namespace",
        "input.webhook",
        "input.reader",
        "input.trust",
        "input.istiod-address",
        "gateway.ready",
        "gateway.address",
    ),
    "primary": ("input.namespace", "input.trust", "gateway.ready", "gateway.address"),
}

_READER = "input.reader"
_GATEWAY_ONLY = "site.gateway-only"
_SYSTEM = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}"
_ROOTS = {"fieldSelector": f"metadata.name={ROOT_CERT_CONFIGMAP}"}
_PAUSE = 0.5
_LATE = "look at the site's API and the way to it, or give it a longer timeout"


def checks_of(site: Site) -> tuple[str, ...]:
    """The checks that apply at a site."""
    found = CHECKS_OF[site.role]
    return (*found, _GATEWAY_ONLY) if site.mode == "gateway_only" else found


@dataclass(frozen=True)
class World:
    """Everything outside: how to read a kubeconfig, open an endpoint, resolve a name, and the clocks."""

    load: Callable[[str, str | None], Endpoint]
    connect: Callable[[Endpoint, str], Any]
    resolve: Callable[[str], list[str]]
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class _Lead:
    """What a site's checks need of its primary; filled by the primary's own job, awaited by its sites'."""

    root: str = ""
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: MeshError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> _Lead:
        """This, once the primary has answered; raises MeshError if it hasn't or can't."""
        if not self.done.wait(max(0.0, seconds)):
            raise MeshError("the primary couldn't be asked", why="it didn't answer in time", hint="is it up?")
        if self.error is not None:
            raise self.error
        return self


class _View:
    """One site's API with a memory: an answer is asked for once, and after a failed connection nothing more is."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Any] = {}
        self._dead: ApiError | None = None

    def get(self, path: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._once(path, lambda: self._api.get(path))
        return found

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._once(f"{path}?{query}", lambda: self._api.list(path, **query))
        return found

    def _once(self, key: str, ask: Callable[[], Any]) -> Any:
        if self._dead is not None:
            raise self._dead
        if key not in self._known:
            try:
                self._known[key] = ask()
            except ApiError as error:
                if error.status == 0:
                    self._dead = error
                raise
        return self._known[key]


def survey(
    sites: Iterable[Site], primaries: Iterable[Primary], revision: str, *, world: World, seconds: float,
    only: frozenset[str] = frozenset(), wait: float = 0,
) -> list[Record]:  # fmt: skip
    """The records of all sites, in the order given, within ``seconds`` a site.

    ``only`` names the checks to make (empty: all). ``wait`` gives sites that aren't well that many seconds to become
    so: they are asked again every half second.
    """
    asked = list(sites)
    leads = list(primaries)
    end = world.clock() + wait
    records = _round(asked, leads, revision, world, seconds, only)
    while world.clock() < end:
        ill = {item.site for items in records.values() for item in items if item.verdict != "ok"}
        if not ill:
            break
        world.sleep(_PAUSE)
        records |= _round([site for site in asked if site.name in ill], leads, revision, world, seconds, only)
    return [item for site in asked for item in records[site.name]]


def _round(
    sites: list[Site], primaries: list[Primary], revision: str, world: World, seconds: float, only: frozenset[str]
) -> dict[str, list[Record]]:
    leads = {primary.name: _Lead() for primary in primaries}
    for primary in primaries:
        arguments = (primary, leads[primary.name], world)
        threading.Thread(target=_ask_primary, args=arguments, daemon=True).start()

    def wanted(site: Site) -> list[str]:
        return [check for check in checks_of(site) if not only or check in only]

    def job(site: Site) -> Callable[[], list[Record]]:
        return lambda: _ask_site(site, wanted(site), leads, revision, world, seconds, peers=not only or _READER in only)

    def late(name: str) -> list[Record]:
        site = next(each for each in sites if each.name == name)
        error = MeshError("its API wasn't asked to the end", site=name, why=f"{seconds:g} s weren't enough", hint=_LATE)
        return _all_unknown(site, wanted(site), error)

    return parallel.each({site.name: job(site) for site in sites}, seconds, late)


def _ask_primary(primary: Primary, lead: _Lead, world: World) -> None:
    try:
        with world.connect(world.load(primary.kubeconfig, primary.context), primary.name) as api:
            found = api.get(f"{_SYSTEM}/configmaps/{ROOT_CERT_CONFIGMAP}")
            lead.root = inputs.roots([found])[SYSTEM_NAMESPACE] if found else ""
            listed = api.list(f"{_SYSTEM}/secrets", labelSelector=f"{remote_secret.MULTICLUSTER_LABEL}=true")
            lead.secrets = {secret["metadata"]["name"]: secret for secret in listed}
    except MeshError as error:
        lead.error = error.at(primary.name)
    except Exception as error:  # a bug of ours: told by every site that needs this primary
        lead.error = MeshError(
            "the primary couldn't be asked", site=primary.name, why=f"{type(error).__name__}: {error}"
        )
    finally:
        lead.done.set()


def _ask_site(
    site: Site, checks: list[str], leads: Mapping[str, _Lead], revision: str, world: World, seconds: float,
    *, peers: bool,
) -> list[Record]:  # fmt: skip
    end = world.clock() + seconds
    try:
        endpoint = world.load(site.kubeconfig, site.context)
        connection = world.connect(endpoint, site.name)
    except MeshError as error:
        return _all_unknown(site, checks, error)
    with connection as api:
        asker = _Asker(site, _View(api), endpoint, leads.get(site.primary), revision, world, end)
        others = {name: lead for name, lead in leads.items() if peers and name not in (site.primary, site.name)}
        return [*(asker.ask(check) for check in checks), *asker.ask_peers(others)]


def _all_unknown(site: Site, checks: Iterable[str], error: MeshError) -> list[Record]:
    finding = unknown(error)
    return [_record(check, site, finding, 0) for check in checks]


def _record(check: str, site: Site, finding: Finding, took_ms: int, peer: str | None = None) -> Record:
    origin: Literal["controller", "site-api"] = "controller" if check == _READER else "site-api"
    return record(
        check, site.name, finding.verdict, peer=peer, origin=origin, evidence=finding.evidence, hint=finding.hint,
        took_ms=took_ms,
    )  # fmt: skip


class _Asker:
    """The checks of one site: each reads what it needs and hands it to a pure judge."""

    def __init__(
        self, site: Site, view: _View, endpoint: Endpoint, lead: _Lead | None, revision: str, world: World, end: float
    ) -> None:
        self._site = site
        self._view = view
        self._endpoint = endpoint
        self._lead = lead
        self._revision = revision
        self._world = world
        self._end = end
        self._checks: Mapping[str, Callable[[], Finding]] = {
            "site.no-control-plane": self._no_control_plane,
            "input.namespace": self._namespace,
            "input.webhook": self._webhook,
            "input.reader": self._reader,
            "input.trust": self._trust,
            "input.istiod-address": self._istiod_address,
            "gateway.ready": self._gateways_ready,
            "gateway.address": self._gateway_address,
            _GATEWAY_ONLY: self._gateway_only,
        }

    def ask(self, check: str) -> Record:
        """The record of one check; what couldn't be asked is `unknown`."""
        took = timed(self._world.clock)
        try:
            finding = self._checks[check]()
        except MeshError as error:
            finding = unknown(error)
        return _record(check, self._site, finding, took())

    def ask_peers(self, others: Mapping[str, _Lead]) -> list[Record]:
        """What the credentials of primaries that aren't the site's own are worth.

        One that gives no answer is left out here: its own records say so, and nothing is wrong with this site.
        """
        found = []
        for name, lead in others.items():
            took = timed(self._world.clock)
            with suppress(MeshError):
                finding = self._credential(lead.wait(self._end - self._world.clock()), peer=True)
                found.append(_record(_READER, self._site, finding, took(), peer=name))
        return found

    def _no_control_plane(self) -> Finding:
        return running.no_control_plane(self._view.list("/api/v1/pods"), injects=self._site.local_injector)

    def _namespace(self) -> Finding:
        listed = self._view.list("/api/v1/namespaces")
        own = next((item for item in listed if item["metadata"]["name"] == SYSTEM_NAMESPACE), None)
        primary = self._site.primary if self._site.role == "edge" else None
        return inputs.namespace(own, network=self._site.network, primary=primary)

    def _webhook(self) -> Finding:
        listed = self._view.list("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")
        if self._site.local_injector:
            own = self._view.get(f"/api/v1/namespaces/{LOCAL_INJECTOR}/configmaps/{LOCAL_INJECTOR}")
            running_one = self._view.get(f"/apis/apps/v1/namespaces/{LOCAL_INJECTOR}/deployments/{LOCAL_INJECTOR}")
            centre = inputs.injectors(listed, self._revision)
            now = datetime.fromtimestamp(self._world.now(), UTC)
            wanted = injection_path(self._site.name, self._site.network)
            return injectors.webhook(listed, centre, own, running_one, wanted=wanted, now=now)
        if injectors.left_over(listed):
            seen = f"{LOCAL_INJECTOR} still calls an injector at the site, and the inventory wants the primary's"
            return Finding("failed", {"seen": seen}, RERUN)
        return inputs.webhook(
            listed,
            site=self._site.name,
            network=self._site.network,
            revision=self._revision,
            root=self._roots().get(SYSTEM_NAMESPACE),
        )

    def _reader(self) -> Finding:
        return self._credential(self._primary())

    def _credential(self, lead: _Lead, *, peer: bool = False) -> Finding:
        secret = lead.secrets.get(remote_secret.name_of(self._site.name))
        world = self._world
        return reader.check(
            secret, self._site.name, self._endpoint, lambda end: world.connect(end, self._site.name), world.now(),
            peer=peer,
        )  # fmt: skip

    def _trust(self) -> Finding:
        injected = inputs.injected_namespaces(self._view.list("/api/v1/namespaces"), self._revision)
        wanted = [SYSTEM_NAMESPACE, *self._site.namespaces, *injected]
        return inputs.trust(self._roots(), wanted, self._primary().root)

    def _istiod_address(self) -> Finding:
        service = self._view.get(f"{_SYSTEM}/services/{names(self._revision)['istiod']}")
        slices = self._view.list(f"/apis/discovery.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/endpointslices")
        address = self._site.istiod_address
        expected = self._world.resolve(address) if address else []
        finding = inputs.istiod_address(service, slices, expected, self._revision)
        if "istiod_address" in self._site.unread:
            return _uncompared(finding, f"it couldn't be read at {self._site.primary}")
        return _uncompared(finding, f"{address} has no IP") if address and not expected else finding

    def _gateways_ready(self) -> Finding:
        deployments = self._view.list(f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments")
        pods = self._view.list(f"{_SYSTEM}/pods")
        return running.gateways_ready(deployments, pods, running.gateway_names(self._site.role, self._site.mode))

    def _gateway_address(self) -> Finding:
        finding = running.gateway_address(
            self._view.list(f"{_SYSTEM}/services"),
            network=self._site.network,
            expected=self._site.gateway_addresses,
            wanted=running.gateway_names(self._site.role),
        )
        if "gateway_addresses" in self._site.unread:
            return _uncompared(finding, f"it couldn't be read at {self._site.name}")
        return finding

    def _gateway_only(self) -> Finding:
        hooks = self._view.list("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")
        workloads = [
            {**item, "kind": kind}
            for kind in ("Deployment", "StatefulSet", "DaemonSet")
            for item in self._view.list(f"/apis/apps/v1/{kind.lower()}s")
        ]
        return sidecars.gateway_only(
            self._view.list("/api/v1/namespaces"),
            workloads,
            self._view.list("/api/v1/pods"),
            inputs.injectors(hooks, self._revision),
        )

    def _roots(self) -> dict[str, str]:
        return inputs.roots(self._view.list("/api/v1/configmaps", **_ROOTS))

    def _primary(self) -> _Lead:
        if self._lead is None:
            raise MeshError(
                "its primary isn't known", why=f"no primary is named {self._site.primary or '(empty)'}",
                hint="name the primary in the option primaries",
            )  # fmt: skip
        return self._lead.wait(self._end - self._world.clock())


def _uncompared(finding: Finding, why: str) -> Finding:
    """The finding; `unknown` if it is well only for want of a value to compare with."""
    if finding.verdict != "ok":
        return finding
    seen = f"{finding.evidence['seen']}; what it should be isn't known: {why}"
    return Finding("unknown", {**finding.evidence, "seen": seen}, RERUN)


def resolve(name: str) -> list[str]:
    """The IP addresses of a name, itself if it is one; empty if it can't be resolved."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(name))]
    try:
        return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, socket.AF_INET)))
    except OSError:
        return []
