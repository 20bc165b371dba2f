# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call of the module `remote_secret`: its parameters, the sides that take part, and what is returned.

The APIs are opened here and closed at the end, whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import reader as readers
from ansible_collections.edge.mesh.plugins.module_utils._istio import tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Reader
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import Wanted
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint, load
from ansible_collections.edge.mesh.plugins.module_utils._k8s.libraries import yaml
from ansible_collections.edge.mesh.plugins.module_utils._remote import address, credential
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time
from ansible_collections.edge.mesh.plugins.module_utils._remote.credential import Primary, Report, Settings
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import Istiod, IstiodPods
from ansible_collections.edge.mesh.plugins.module_utils._remote.site import SiteSide

__all__ = ["Request", "Served", "Side", "World", "serve"]

Json = Mapping[str, Any]

_SHORTEST_TTL = 600.0  # seconds; the shortest life that the TokenRequest API grants
_ADDRESS_SECONDS = 5.0


@dataclass(frozen=True)
class Side:
    """One cluster as the parameters name it; ``name`` is empty if it isn't given."""

    kubeconfig: str
    context: str | None
    name: str = ""


@dataclass(frozen=True)
class Request:
    """What is asked for: the module's parameters, judged; spans in seconds."""

    cluster: str
    site: Side
    primaries: tuple[Side, ...]
    reader: Reader
    api_server: str | None
    tls_server_name: str | None
    proxy_url: str | None
    static: bool
    ttl: float
    renew_before: float | None
    present: bool
    recreate: bool
    wait: bool
    timeout: float
    check_mode: bool

    @staticmethod
    def of(params: Json, *, check_mode: bool) -> Request:
        """The request that the module's parameters make; raises MeshError for those that don't fit together."""
        ttl = tokens.seconds_of(params["token_ttl"], "token_ttl")
        early = tokens.seconds_of(params["renew_before"], "renew_before") if params["renew_before"] else None
        if ttl < _SHORTEST_TTL:
            raise MeshError("token_ttl is too short", why=f"got '{params['token_ttl']}'", hint="at least 10 minutes")
        if early is not None and early >= ttl:
            raise MeshError("renew_before must be shorter than token_ttl", why="every run would renew the token")
        primaries = tuple(_side(each) for each in params["primaries"])
        names = [each.name for each in primaries if each.name]
        if not primaries or len(set(names)) < len(names):
            what = "two primaries have one name" if primaries else "no primaries are given"
            raise MeshError(what, site=params["cluster"])
        return Request(
            cluster=params["cluster"],
            site=_side(params["site"]),
            primaries=primaries,
            reader=_reader(params["reader"]),
            api_server=(params["api_server"] or "").rstrip("/") or None,
            tls_server_name=params["tls_server_name"] or None,
            proxy_url=params["proxy_url"] or None,
            static="static" in params["token_type"],
            ttl=ttl,
            renew_before=early,
            present=params["state"] == "present",
            recreate=params["recreate"],
            wait=params["wait"],
            timeout=float(params["timeout"]),
            check_mode=check_mode,
        )


@dataclass(frozen=True)
class World:
    """What the work touches; tests hand in another one."""

    connect: Callable[..., Client] = Client
    istiod: Callable[[Client], Istiod] = IstiodPods
    time: Time = field(default_factory=Time)


@dataclass(frozen=True)
class Served:
    """What the module returns: ``result`` are its documented values beside ``changed``; no secret in any of it."""

    changed: bool
    result: dict[str, Any]
    diff: dict[str, str]
    warnings: tuple[str, ...]


def serve(request: Request, world: World | None = None) -> Served:
    """Do what is asked; raises MeshError."""
    with ExitStack() as opened:
        work = _Work(request, world or World(), opened)
        return work.present() if request.present else work.absent()


class _Work:
    def __init__(self, request: Request, world: World, opened: ExitStack) -> None:
        self.request = request
        self.world = world
        self._opened = opened
        self._apis: list[Client] = []

    def present(self) -> Served:
        request = self.request
        endpoint = load(request.site.kubeconfig, request.site.context)
        wanted = self._wanted(endpoint)
        access = wanted.access
        address.refuse_unusable(access.server, access.proxy_url, request.cluster)
        site_api = self._open(endpoint, request.cluster)
        if not access.proxy_url:
            address.refuse_unreachable(access.server, site_api, request.cluster)
        site = self._site(endpoint, site_api)
        settings = Settings(
            seconds=request.timeout,
            wait=request.wait,
            recreate=request.recreate,
            check_mode=request.check_mode,
            check_address=lambda: self._check_address(access, endpoint),
        )
        primaries = [self._primary(each) for each in request.primaries]
        report = credential.present(wanted, settings, site, primaries, self.world.time)
        return self._served(report, site)

    def absent(self) -> Served:
        from ansible_collections.edge.mesh.plugins.module_utils._remote import (
            removal,
        )  # compiled only where it's needed

        request = self.request
        sides: list[Primary | tuple[str, MeshError]] = []
        for given in request.primaries:
            try:
                sides.append(self._primary(given))
            except MeshError as error:
                sides.append((given.name or given.kubeconfig, error))
        site: SiteSide | MeshError
        try:
            endpoint = load(request.site.kubeconfig, request.site.context)
            site = self._site(endpoint, self._open(endpoint, request.cluster))
        except MeshError as error:
            site = error
        gone = removal.absent(
            request.cluster, site, sides, self.world.time, wait=request.wait, check_mode=request.check_mode
        )
        primaries = [_status(each["name"], each["action"]) for each in gone.primaries]
        result = {
            "reasons": gone.done,
            "expires_at": None,
            "token_digest": None,
            "primaries": primaries,
            "remaining": gone.remaining,
            "revoked": gone.revoked,
            "requests": self._requests(site),
        }
        diff = {"before": "".join(f"{line}\n" for line in gone.done), "after": ""}
        return Served(bool(gone.done), result, diff, tuple(gone.warnings))

    def _served(self, report: Report, site: SiteSide) -> Served:
        first = report.first_to_expire()
        result = {
            "reasons": report.reasons,
            "expires_at": tokens.rfc3339(first.expires) if first else None,
            "token_digest": first.digest if first else None,
            "primaries": [
                _status(each.name, each.action, each.reasons, each.istiod, each.endpoints, each.expires, each.digest)
                for each in report.primaries
            ],
            "remaining": [],
            "revoked": [],
            "requests": self._requests(site),
        }
        before = {each.name: each.before for each in report.primaries}
        after: dict[str, Any] = {each.name: each.after for each in report.primaries}
        if report.reader:
            after["reader"] = report.reader
        diff = {"before": yaml.safe_dump(before, sort_keys=False), "after": yaml.safe_dump(after, sort_keys=False)}
        return Served(report.changed, result, diff, tuple(report.warnings))

    # -- who takes part ------------------------------------------------------------------------------------------------

    def _primary(self, given: Side) -> Primary:
        endpoint = load(given.kubeconfig, given.context)
        name = given.name or endpoint.context
        api = self._open(endpoint, name)
        return Primary(name, api, self.world.istiod(api))

    def _site(self, endpoint: Endpoint, api: Client) -> SiteSide:
        def as_holder(token: str) -> Client:
            holder = replace(endpoint, token=token, client_cert_pem=None, client_key_pem=None)
            return self.world.connect(holder, timeout=self.request.timeout, site=self.request.cluster)

        return SiteSide(api, as_holder, self.request.reader, self.world.time)

    def _open(self, endpoint: Endpoint, name: str) -> Client:
        api = self.world.connect(endpoint, timeout=self.request.timeout, site=name)
        self._apis.append(api)
        return self._opened.enter_context(api)

    def _requests(self, site: SiteSide | MeshError) -> int:
        return sum(api.requests for api in self._apis) + (site.requests if isinstance(site, SiteSide) else 0)

    # -- what is wished ------------------------------------------------------------------------------------------------

    def _wanted(self, endpoint: Endpoint) -> Wanted:
        request = self.request
        own_name = None if request.api_server else endpoint.tls_server_name
        access = Access(
            server=request.api_server or endpoint.server,
            ca_pem=endpoint.ca_pem,
            tls_server_name=request.tls_server_name or own_name,
            proxy_url=request.proxy_url,
        )
        subject = request.reader.subject
        return Wanted(request.cluster, access, subject, request.static, request.ttl, request.renew_before)

    def _check_address(self, access: Access, endpoint: Endpoint) -> str | None:
        """Judge the address that a primary will use, unless the site's kubeconfig has just proven it."""
        if access.proxy_url or (access.server, access.tls_server_name) == (endpoint.server, endpoint.tls_server_name):
            return None
        anonymous = Endpoint(access.server, "", ca_pem=access.ca_pem, tls_server_name=access.tls_server_name)
        with self.world.connect(anonymous, timeout=_ADDRESS_SECONDS, site=self.request.cluster) as api:
            self._apis.append(api)
            return address.check_from_here(api, access.server, self.request.cluster)


def _side(given: Json) -> Side:
    return Side(given["kubeconfig"], given["context"] or None, given.get("name") or "")


def _reader(given: Json) -> Reader:
    peer = given["level"] == "peer"
    account = given["service_account"] or (readers.PEER_ACCOUNT if peer else readers.ACCOUNT)
    return Reader(given["namespace"], account, peer=peer)


def _status(
    name: str,
    action: str,
    reasons: list[str] | None = None,
    istiod: str = "not asked",
    endpoints: int | None = None,
    expires: float | None = None,
    digest: str | None = None,
) -> dict[str, Any]:
    """One entry of the returned ``primaries``."""
    return {
        "name": name,
        "action": action,
        "reasons": reasons or [],
        "istiod": istiod,
        "endpoints": endpoints,
        "expires_at": tokens.rfc3339(expires),
        "token_digest": digest,
    }
