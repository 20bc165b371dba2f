# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults: what is broken, the checks that turn, and what mends it.

`test_fault_table.py` breaks each one on the lab and wants exactly these checks to turn; the troubleshooting page of the
documentation is made of the same table (`fault_page.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.lab import faults
from tests.lab.faults import Place, Undo

# what depends on istiod's address, on its certificate, and on its belief in a token
_AFTER_ADDRESS = {"join.tls": "unknown", "join.ads": "unknown", "join.endpoints": "unknown", "join.csr": "unknown"}
_AFTER_TLS = {check: verdict for check, verdict in _AFTER_ADDRESS.items() if check != "join.tls"}
_REFUSED = {"join.ads": "failed", "join.csr": "failed", "join.endpoints": "unknown"}
_WITHOUT_ISTIOD = {
    **_AFTER_TLS,
    "join.tls": "failed",
    "join.injection": "failed",
    "istiod.cluster-synced": "unknown",
    "proxy.synced": "unknown",
}
# all that only the site's own API can tell
_WITHOUT_API = dict.fromkeys(
    (
        "site.no-control-plane",
        "input.namespace",
        "input.webhook",
        "input.reader",
        "input.trust",
        "input.istiod-address",
        "join.tls",
        "join.token",
        "join.ads",
        "join.endpoints",
        "join.csr",
        "join.injection",
        "gateway.ready",
        "gateway.address",
    ),
    "unknown",
)
_RERUN = "Run ``site.yml`` again"


@dataclass(frozen=True)
class Fault:
    """One row: ``broken`` and ``mend`` are for people, ``make`` breaks it.

    ``turns`` are the verdicts at the site, ``elsewhere`` those at every other site of the mesh; ``may`` are checks at
    the site that turn or don't (a connection that was open before may go on for a while). All others must stay ok.
    """

    broken: str
    make: Callable[[Place], Undo]
    turns: Mapping[str, str]
    mend: str
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    may: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Its name, that of the function that breaks it."""
        return self.make.__name__


_MESH = (
    Fault(
        "The remote secret is deleted.",
        faults.remote_secret_deleted,
        {**_REFUSED, "istiod.cluster-synced": "failed", "input.reader": "failed", "proxy.synced": "failed"},
        f"{_RERUN}: it makes a new one.",
        elsewhere={"join.endpoints": "failed"},
    ),
    Fault(
        "The remote secret's key is another name than the site's cluster name.",
        faults.cluster_name_mismatch,
        {**_REFUSED, "istiod.cluster-synced": "failed", "input.reader": "failed", "proxy.synced": "failed"},
        f"{_RERUN}. If istiod still lists the other name afterwards, restart it.",
    ),
    Fault(
        "The API address in the remote secret is wrong.",
        faults.api_address_wrong,
        {**_REFUSED, "istiod.cluster-synced": "failed", "input.reader": "warning"},
        "Set ``edge_mesh_api_server`` to where the primary reaches the site's API, and run ``site.yml`` again.",
    ),
    Fault(
        "The primary's token is revoked at the site.",
        faults.token_revoked,
        {**_REFUSED, "input.reader": "failed"},
        f"{_RERUN}: it gives the primary a new token.",
    ),
    Fault(
        "The reader's rights at the site are gone, that to review tokens among them.",
        faults.rights_taken,
        {**_REFUSED, "input.reader": "failed"},
        f"{_RERUN}.",
    ),
    Fault(
        "The site's API gives no answer.",
        faults.api_cut_off,
        _WITHOUT_API,
        "Look at the site's API server and at the way to it; nothing of the mesh is known to be wrong.",
    ),
    Fault(
        "``istio-system`` at the site has lost its network label.",
        faults.network_label_missing,
        {"input.namespace": "failed"},
        f"{_RERUN}.",
    ),
    Fault(
        "``istio-system`` at the site has lost the annotation that names its control plane.",
        faults.annotation_missing,
        {"input.namespace": "failed"},
        f"{_RERUN}. istiod reads it when it adds the cluster: until then nothing else looks wrong.",
    ),
    Fault(
        "The injection webhook has no CA bundle, and istiod may not write it.",
        faults.webhook_without_ca_bundle,
        {"input.webhook": "failed", "input.reader": "failed", "join.injection": "failed"},
        f"{_RERUN}: it gives the reader its rights back, and istiod writes the bundle.",
    ),
    Fault(
        "The injection webhook calls the path of another cluster.",
        faults.injection_path_wrong,
        {"input.webhook": "failed", "join.injection": "failed"},
        f"{_RERUN}.",
    ),
    Fault(
        "The site trusts another root than the mesh's, and istiod may not write it.",
        faults.root_wrong,
        {
            **_AFTER_TLS,
            "join.tls": "failed",
            "input.trust": "failed",
            "input.webhook": "failed",
            "input.reader": "failed",
        },
        f"{_RERUN}: it gives the reader its rights back, and istiod writes the root.",
    ),
    Fault(
        "The EndpointSlice of the site's ``istiod`` Service is gone.",
        faults.endpoint_slice_gone,
        {**_AFTER_ADDRESS, "join.address": "failed", "input.istiod-address": "failed"},
        f"{_RERUN}.",
        may=frozenset({"join.injection"}),
    ),
    Fault(
        "The site's ``istiod`` Service leads to a wrong address.",
        faults.istiod_address_wrong,
        {"join.address": "warning", "input.istiod-address": "failed"},
        f"{_RERUN}.",
        may=frozenset({"join.injection"}),
    ),
    Fault(
        "The site's east-west gateway doesn't run.",
        faults.gateway_down,
        {"gateway.ready": "failed", "proxy.synced": "failed"},
        f"Look at the gateway's pods, then {_RERUN[0].lower()}{_RERUN[1:]}.",
        elsewhere={"traffic.reach": "failed", "traffic.mtls": "unknown", "traffic.ingress": "failed"},
    ),
    Fault(
        "The site's east-west gateway has no address, as with a load balancer that is pending.",
        faults.gateway_without_address,
        {"gateway.address": "failed"},
        "Look at the load balancer, or give ``edge_mesh_gateway_addresses``, and run ``site.yml`` again.",
        elsewhere={"join.endpoints": "failed"},
    ),
    Fault(
        "The proxies of the site reject a configuration.",
        faults.configuration_rejected,
        {"proxy.synced": "failed"},
        "The evidence quotes Envoy: mend or delete the EnvoyFilter (or whatever else it names).",
    ),
    Fault(
        "Something runs istiod at an edge.",
        faults.control_plane_at_the_edge,
        {"site.no-control-plane": "failed"},
        "Remove the pods that the evidence names.",
    ),
    Fault(
        "A PeerAuthentication lets plain text in.",
        faults.plain_text_allowed,
        {"traffic.plain-text": "failed"},
        "Delete the object, or set ``edge_mesh_mtls: permissive`` if that is what you want.",
        elsewhere={"traffic.plain-text": "failed"},
    ),
    Fault(
        "A service that bookinfo's page needs runs nowhere.",
        faults.details_down,
        {"traffic.bookinfo": "failed", "traffic.header": "failed"},
        f"Look at its pods, then {_RERUN[0].lower()}{_RERUN[1:]}.",
        elsewhere={"traffic.bookinfo": "failed", "traffic.header": "failed"},
    ),
    Fault(
        "A route's DestinationRule is gone, so its sites mean nothing any more.",
        faults.subsets_gone,
        {"traffic.split": "failed"},
        f"{_RERUN}.",
        elsewhere={"traffic.split": "failed"},
    ),
    Fault(
        "istiod is down.",
        faults.istiod_down,
        _WITHOUT_ISTIOD,
        "Look at istiod's pods on the primary.",
        elsewhere=_WITHOUT_ISTIOD,
    ),
)

# Made on a mesh that has WAN links, by `test_wan_association.py`.
WAN = (
    Fault(
        "The EnvoyFilter of a WAN rule is deleted.",
        faults.wan_marks_gone,
        {"wan.marking": "failed"},
        f"{_RERUN}: it is applied again.",
        elsewhere={"wan.marking": "failed"},
    ),
    Fault(
        "The node's ruleset for WAN links is another one.",
        faults.wan_ruleset_changed,
        {"wan.routing": "failed"},
        f"{_RERUN}: the ruleset is loaded again.",
    ),
    Fault(
        "Nobody watches the next hops of the WAN links, and the node routes nothing by link.",
        faults.wan_watch_stopped,
        {"wan.routing": "failed", "wan.fallback": "failed"},
        f"{_RERUN}: the service ``edge-mesh-wan`` is started again.",
    ),
    Fault(
        "A WAN link is down.",
        faults.wan_link_down,
        {"wan.fallback": "warning"},
        elsewhere={"wan.fallback": "warning"},
        mend="Mend the link; until then its traffic takes the default one.",
    ),
)
# Made at a site without sidecars, by `tests/edge/test_gateway_only.py`.
GATEWAY_ONLY = (
    Fault(
        "At a ``gateway_only`` site, a namespace is labelled for injection.",
        faults.sidecar_demanded,
        {"site.gateway-only": "failed"},
        "Take the label away, or set ``edge_mesh_mode: sidecar`` for the site and run ``site.yml`` again.",
    ),
)
FAULTS = (*_MESH, *WAN, *GATEWAY_ONLY)
BY_NAME = {fault.name: fault for fault in FAULTS}


@dataclass(frozen=True)
class Round:
    """Faults that are made at the same time, each at a site of its own: ``first`` and ``second`` edge, or ``primary``.

    What turns can then still be told apart by site. ``traffic`` makes calls too, which take their time, and
    ``routes`` those that follow routes. ``fresh``: the
    primary's fault (istiod is down) is seen first; then the others are made, and istiod starts with what it finds. The
    worker that takes remote secrets away can hang in a running one (see `_remote/istiod.py`).
    """

    first: str = ""
    second: str = ""
    primary: str = ""
    traffic: bool = False
    routes: bool = False
    fresh: bool = False

    def __str__(self) -> str:
        return "+".join(name for name in (self.first, self.second, self.primary) if name)


ROUNDS = (
    Round("injection_path_wrong", "configuration_rejected"),
    Round("gateway_down", "endpoint_slice_gone", traffic=True),
    Round("gateway_without_address", "rights_taken"),
    Round("plain_text_allowed", "details_down", "subsets_gone", routes=True),
    Round("webhook_without_ca_bundle", "root_wrong"),
    Round("network_label_missing", "annotation_missing"),
    Round("istiod_address_wrong", "control_plane_at_the_edge"),
    Round("api_address_wrong", "token_revoked"),
    Round("api_cut_off"),
    Round("remote_secret_deleted", "cluster_name_mismatch", "istiod_down", fresh=True),
)
