# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The synthetic proxy: walks a site's whole way into the mesh, from the controller, without a pod.

Used by `_xds.health`. Each stage is one check; a stage that needs another that failed is `unknown` and says which. The
site's API gives the root and the token, istiod the rest. Nothing is changed, and no key or token leaves memory.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from ansible_collections.edge.mesh.plugins.module_utils._checks import Record, Source, record, timed
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import ROOT_CERT_CONFIGMAP
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._xds import (
    checks,
    diagnosis,
    identity,
    injection,
    parse,
    reach,
    tokens,
    transport,
)
from ansible_collections.edge.mesh.plugins.module_utils._xds.deadline import Deadline
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import (
    Finding,
    Mesh,
    NetworkGateway,
    ServiceEndpoint,
    Site,
)

__all__ = ["STAGES", "SiteApi", "Walk"]

# each stage with the stages that it needs, in order
STAGES: Mapping[str, tuple[str, ...]] = {
    "join.address": (),
    "join.tls": ("join.address",),
    "join.token": (),
    "join.ads": ("join.tls", "join.token"),
    "join.endpoints": ("join.ads",),
    "join.csr": ("join.tls", "join.token"),
    # beside the others, for a webhook that hangs takes ten seconds
    "join.injection": (),
}
_INJECTION = "join.injection"
_FROM_SITE = ("join.token", _INJECTION)
_CONNECT_SECONDS = 5.0
_Left = TypeVar("_Left")
_NOTHING = "istiod knows no services for this site: look at istiod.cluster-synced"


def _got(value: _Left | None) -> _Left:
    """The value that an earlier stage left; STAGES says which stages come first."""
    if value is None:
        raise MeshError("a stage ran before one that it needs")
    return value


class SiteApi(Protocol):
    """The part of a Kubernetes client that a walk needs."""

    def get(self, path: str, **query: Any) -> dict[str, Any] | None: ...
    def list(self, path: str, **query: Any) -> list[dict[str, Any]]: ...
    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]: ...


class Walk:
    """One site's walk; :meth:`records` may be taken at any time, also while a stage hangs.

    ``connect`` gives the site's API or raises MeshError. ``forward`` (of the primary) opens a way to istiod where no
    address is given. ``witness`` is asked why istiod refuses a token, if it does.
    """

    def __init__(
        self,
        site: Site,
        mesh: Mesh,
        *,
        connect: Callable[[Deadline], SiteApi],
        forward: Callable[[], AbstractContextManager[tuple[str, int]]] | None,
        witness: diagnosis.Witness,
        seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.site = site
        self.mesh = mesh
        self._connect = connect
        self._forward = forward
        self._witness = witness
        self._seconds = seconds
        self._now = now
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._running: dict[str, Callable[[], int]] = {}
        self._opening = threading.Lock()
        self._api: SiteApi | None = None
        self._api_error: MeshError | None = None
        self._address: reach.Address | None = None
        self._token: tokens.Token | None = None
        self._roots = ""
        self._connection: transport.Connection | None = None
        self._facts: Mapping[str, Any] | None = None
        self._endpoints: list[ServiceEndpoint] = []
        self._gateways: list[NetworkGateway] = []

    def run(self) -> None:
        """Walk all stages; never raises."""
        self._deadline = Deadline(self._seconds)
        stages: Mapping[str, Callable[[], Finding]] = {
            "join.address": self._reach,
            "join.tls": self._handshake,
            "join.token": self._get_token,
            "join.ads": self._discover,
            "join.endpoints": self._compare_endpoints,
            "join.csr": self._get_certificate,
        }
        beside = threading.Thread(target=self._beside, daemon=True)
        beside.start()
        with ExitStack() as self._open:
            for check, stage in stages.items():
                self._stage(check, STAGES[check], stage)
        beside.join(self._deadline.left())

    def records(self) -> list[Record]:
        """A record for every stage; what hasn't ended by now is `unknown`."""
        with self._lock:
            done, running = dict(self._records), dict(self._running)
        wanted = [check for check in STAGES if self.site.injects or check != _INJECTION]
        for check in wanted:
            if check not in done:
                hung = check in running
                evidence = {"error": f"no answer in {self._seconds:g} s" if hung else "not asked: the time was up"}
                finding = Finding("unknown", evidence, "see the stage that took the time")
                done[check] = self._record(check, finding, running[check]() if hung else 0)
        return [done[check] for check in wanted]

    def _beside(self) -> None:
        if self.site.injects:
            self._stage(_INJECTION, STAGES[_INJECTION], self._inject)

    # -- running stages -----------------------------------------------------------------------------------------------

    def _stage(self, check: str, needs: tuple[str, ...], stage: Callable[[], Finding]) -> None:
        watch = timed()
        with self._lock:
            self._running[check] = watch
            missing = [need for need in needs if self._records[need].verdict not in ("ok", "warning")]
        if missing:
            finding = Finding("unknown", {"needs": missing}, f"mend {missing[0]} first")
        elif self._deadline.passed:
            finding = Finding("unknown", {"error": "not asked: the time was up"}, "see the stage that took the time")
        else:
            finding = self._guarded(stage)
        with self._lock:
            self._records[check] = self._record(check, finding, watch())
            del self._running[check]

    def _guarded(self, stage: Callable[[], Finding]) -> Finding:
        try:
            return stage()
        except MeshError as error:
            return Finding("unknown", {"error": error.message}, "this couldn't be asked")
        except Exception as error:  # a bug of ours must not end the other stages, and must not look healthy
            return Finding("unknown", {"error": f"unexpected {type(error).__name__}: {error}"}, "please report this")

    def _record(self, check: str, finding: Finding, took_ms: int) -> Record:
        origin: Source = "site-api" if check in _FROM_SITE else "controller"
        return record(
            check,
            self.site.cluster,
            finding.verdict,
            origin=origin,
            evidence=finding.evidence,
            hint=finding.hint,
            took_ms=took_ms,
        )

    # -- the site's API -----------------------------------------------------------------------------------------------

    def _site_api(self) -> SiteApi:
        """The site's API; one that didn't answer once isn't asked again, for each try may cost the whole deadline."""
        with self._opening:
            if self._api_error is not None:
                raise self._api_error
            if self._api is None:
                try:
                    self._api = self._connect(self._deadline)
                except MeshError as error:
                    self._api_error = error
                    raise
            return self._api

    def _silent(self, error: ApiError) -> None:
        if error.status == 0:
            self._api_error = error

    def _get_token(self) -> Finding:
        try:
            self._token = tokens.request(self._site_api(), self.mesh.namespace, self.mesh.service_account)
        except ApiError as error:
            self._silent(error)
            if error.status not in (400, 404, 422):
                raise
            hint = "the namespace, its service account or its audience isn't there: is the site enrolled?"
            return Finding("failed", {"error": error.message}, hint)
        evidence = self._token.evidence(self._now())
        if not self._token.is_for_the_mesh:
            return Finding("failed", evidence, f"the API doesn't issue tokens for {tokens.AUDIENCE}: see its audiences")
        if abs(evidence.get("clock_ahead", 0)) > tokens.CLOCK_SECONDS:
            return Finding("warning", evidence, "the site's clock and the controller's differ by more than a minute")
        return Finding("ok", evidence)

    def _inject(self) -> Finding:
        namespace = self.site.probe_namespace or self.mesh.namespace
        try:
            pod = self._site_api().create(
                f"/api/v1/namespaces/{namespace}/pods", injection.probe_pod(self.mesh), dryRun="All"
            )
        except ApiError as error:
            self._silent(error)
            finding = injection.refusal(error.status, error.why or error.what, self.site)
        else:
            finding = injection.judge(pod, self.site)
        return self._with_webhook(finding) if finding.verdict == "failed" else finding

    def _with_webhook(self, finding: Finding) -> Finding:
        """Beside a refusal, what the webhook's own configuration says; asked only then."""
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        try:
            webhook = injection.webhook_facts(self._site_api().list(path), self.mesh, self.site, self._site_roots())
        except MeshError as error:
            return Finding(finding.verdict, {**finding.evidence, "webhook": f"unknown: {error.message}"}, finding.hint)
        return injection.with_webhook(finding, webhook, self.site)

    def _site_roots(self) -> str:
        """The root certificates that the site's proxies trust; empty if istiod hasn't written them there."""
        path = f"/api/v1/namespaces/{self.mesh.namespace}/configmaps/{ROOT_CERT_CONFIGMAP}"
        try:
            found = self._site_api().get(path) or {}
        except ApiError as error:
            self._silent(error)
            raise
        return str((found.get("data") or {}).get("root-cert.pem") or "")

    # -- istiod -------------------------------------------------------------------------------------------------------

    def _reach(self) -> Finding:
        source, address = self._locate()
        if address is None:
            return Finding("failed", {"source": source}, "the site's istiod Service has no endpoint: run site.yml")
        finding, self._address = reach.connect(*address, self._connect_seconds())
        found = Finding(finding.verdict, {**finding.evidence, "source": source}, finding.hint)
        return self._beside_the_sites_own(found) if source == "given" and not self.site.is_primary else found

    def _beside_the_sites_own(self, finding: Finding) -> Finding:
        """A given address is the controller's way; the site's own Service must lead somewhere too."""
        try:
            own = self._own_addresses()
        except MeshError as error:
            return Finding(finding.verdict, {**finding.evidence, "site": f"unknown: {error.message}"}, finding.hint)
        return reach.beside(finding, own)

    def _connect_seconds(self) -> float:
        """What one connection may take: an address that swallows packets mustn't eat the time of the other stages."""
        return self._deadline.left(min(_CONNECT_SECONDS, self._seconds / 4))

    def _locate(self) -> tuple[str, reach.Address | None]:
        """Where the address comes from, and istiod's address as the controller reaches it."""
        if self.site.istiod_address:
            return "given", reach.split_address(self.site.istiod_address)
        if self._forward is not None:
            return "port-forward", self._open.enter_context(self._forward())
        own = self._own_addresses()
        return ("endpointslice", (own[0], reach.XDS_PORT)) if own else ("endpointslice", None)

    def _own_addresses(self) -> list[str]:
        """Where the site's own Service for istiod leads: its endpoints, or the name that stands in for them."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.mesh.namespace}/endpointslices"
        service = f"/api/v1/namespaces/{self.mesh.namespace}/services/{self.mesh.istiod_name}"
        try:
            slices = self._site_api().list(path, labelSelector=f"kubernetes.io/service-name={self.mesh.istiod_name}")
            own = reach.endpoint_addresses(slices)
            name = None if own else ((self._site_api().get(service) or {}).get("spec") or {}).get("externalName")
        except ApiError as error:
            self._silent(error)
            raise
        return own or ([str(name)] if name else [])

    def _handshake(self) -> Finding:
        self._roots = self._site_roots()
        if not self._roots:
            hint = f"istiod hasn't written {ROOT_CERT_CONFIGMAP} at the site: is it allowed to, and is it told to?"
            return Finding("failed", {"error": f"no {ROOT_CERT_CONFIGMAP} in {self.mesh.namespace}"}, hint)
        address, seconds = _got(self._address), self._connect_seconds()
        finding = reach.handshake(address, self.mesh.server_name, self._roots, seconds, self._now())
        if finding.verdict in ("ok", "warning"):
            self._connection = self._open.enter_context(
                transport.Connection(address, server_name=self.mesh.server_name, root_pem=self._roots)
            )
        return finding

    def _ads(self, kind: str) -> transport.Ads:
        name = f"edge-mesh-check-{secrets.token_hex(3)}.{self.mesh.namespace}"
        return _got(self._connection).ads(
            {
                "id": f"{kind}~192.0.2.1~{name}~{self.mesh.namespace}.svc.cluster.local",
                "metadata": {
                    "CLUSTER_ID": self.site.cluster,
                    "NETWORK": self.site.network,
                    "NAMESPACE": self.mesh.namespace,
                    "MESH_ID": self.mesh.mesh_id,
                    "SERVICE_ACCOUNT": self.mesh.service_account,
                    "ISTIO_VERSION": transport.ISTIO_VERSION,
                    # addresses of documentation, of both families: no pod has them, so nothing is taken for it
                    "INSTANCE_IPS": "192.0.2.1,2001:db8::1",
                },
            },
            token=_got(self._token).text,
            cluster=self.site.cluster,
            # half of what is left: the certificate is asked for afterwards
            timeout=self._deadline.left() / 2,
        )

    def _discover(self) -> Finding:
        """Clusters as a gateway gets them, listeners as a sidecar does: a gateway without a Gateway has none."""
        try:
            with self._ads("router") as stream:
                clusters = stream.ask(transport.CLUSTER)
                names = transport.eds_names(clusters)
                if not names:
                    return Finding("failed", {"clusters": len(clusters.resources), "services": 0}, _NOTHING)
                self._endpoints = transport.endpoints(stream.ask(transport.CLUSTER_LOAD_ASSIGNMENT, names))
                networkz = stream.ask(transport.DEBUG, ["networkz"]).resources
                self._gateways = parse.network_gateways(b"".join(networkz[:1]))
            with self._ads("sidecar") as stream:
                listeners = len(stream.ask(transport.LISTENER).resources)
        except transport.RpcError as error:
            return self._refused(error)
        evidence = {
            "clusters": len(clusters.resources),
            "listeners": listeners,
            "services": len(names),
            "endpoints": len(self._endpoints),
        }
        if not listeners:
            return Finding("failed", evidence, _NOTHING)
        return Finding("ok", evidence)

    def _compare_endpoints(self) -> Finding:
        return checks.endpoints_of_other_networks(self.site, self.mesh, self._endpoints, self._gateways)

    def _get_certificate(self) -> Finding:
        connection, token = _got(self._connection), _got(self._token)
        # the rest is for the diagnosis, if there must be one
        seconds = self._deadline.left() * 0.8
        try:
            return identity.request_certificate(
                connection, token, self.site, self.mesh, self._roots, self._now(), seconds
            )
        except transport.RpcError as error:
            return self._refused(error)

    def _refused(self, error: transport.RpcError) -> Finding:
        return diagnosis.explain(error, self.site, self._known)

    def _known(self) -> Mapping[str, Any]:
        """The facts that explain a refusal, gathered once for all stages."""
        if self._facts is None:
            self._facts = diagnosis.facts(
                _got(self._token),
                self.site,
                self._now(),
                accepted=lambda token: tokens.is_accepted(self._site_api(), token),
                witness=self._witness,
                left=self._deadline.left,
            )
        return self._facts
