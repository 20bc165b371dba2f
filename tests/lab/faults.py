# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a mesh is broken for real: each function breaks one thing at a site and returns how it is put back.

`fault_table.py` says which checks must turn, `test_fault_table.py` breaks and asks. kubectl does the breaking, which
shares no code with the collection.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lab import wan_links
from tests.lab.asking import Mesh
from tests.lab.lab import docker
from tests.lab.outage import DROP

SYSTEM = "istio-system"
_INJECTOR = ("mutatingwebhookconfiguration", "istio-sidecar-injector")
_ROLE = ("clusterrole", "istio-reader-edge-mesh-istio-system")
_BINDING = ("clusterrolebinding", "istio-reader-edge-mesh-istio-system")
_ROOT = ("configmap", "istio-ca-root-cert", "-n", SYSTEM)
_EAST_WEST = ("istio-eastwestgateway", "-n", SYSTEM)
# an address of documentation, where nobody answers
_NOWHERE = "192.0.2.9"

Undo = Callable[[], object]


@dataclass(frozen=True)
class Place:
    """Where a fault is made: a site of a mesh."""

    mesh: Mesh
    site: str

    @property
    def primary(self) -> str:
        """The site's primary."""
        return self.mesh.primary

    def kubectl(self, *arguments: str, at: str | None = None, stdin: str | None = None) -> str:
        """kubectl at the site, or ``at`` another."""
        return self.mesh.lab.kubectl(at or self.site, *arguments, stdin=stdin)

    def patch(self, *what: str, at: str | None = None, kind: str = "json", **patch: Any) -> None:
        """A change by hand: ``ops`` of a JSON patch, or ``merge`` with ``kind="merge"``."""
        body = patch["ops"] if kind == "json" else patch["merge"]
        self.kubectl("patch", *what, f"--type={kind}", "-p", json.dumps(body), at=at)

    def read(self, *what: str, at: str | None = None) -> dict[str, Any]:
        """An object as JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *what, "-o", "json", at=at))
        return found

    @property
    def remote_secret(self) -> tuple[str, ...]:
        """The site's remote secret, at its primary."""
        return ("secret", f"istio-remote-secret-{self.site}", "-n", SYSTEM)


def _without_server_fields(item: dict[str, Any]) -> str:
    for name in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        item["metadata"].pop(name, None)
    return json.dumps(item)


def _deleted(place: Place, *what: str, at: str | None = None) -> Undo:
    """Delete an object; put back it is created as it was."""
    text = _without_server_fields(place.read(*what, at=at))
    place.kubectl("delete", *what, "--wait=true", at=at)
    return lambda: place.kubectl("create", "-f", "-", at=at, stdin=text)


def remote_secret_deleted(place: Place) -> Undo:
    return _deleted(place, *place.remote_secret, at=place.primary)


def cluster_name_mismatch(place: Place) -> Undo:
    value = place.read(*place.remote_secret, at=place.primary)["data"][place.site]
    there, back = {"elsewhere": value, place.site: None}, {"elsewhere": None, place.site: value}
    place.patch(*place.remote_secret, at=place.primary, kind="merge", merge={"data": there})
    return lambda: place.patch(*place.remote_secret, at=place.primary, kind="merge", merge={"data": back})


def api_address_wrong(place: Place) -> Undo:
    value = place.read(*place.remote_secret, at=place.primary)["data"][place.site]
    text = base64.b64decode(value).decode()
    server = next(line for line in text.splitlines() if "server:" in line)
    wrong = text.replace(server, f"{server.partition('server:')[0]}server: https://{_NOWHERE}:6443")
    new = base64.b64encode(wrong.encode()).decode()
    place.patch(*place.remote_secret, at=place.primary, kind="merge", merge={"data": {place.site: new}})
    return lambda: place.patch(
        *place.remote_secret, at=place.primary, kind="merge", merge={"data": {place.site: value}}
    )


def token_revoked(place: Place) -> Undo:
    secret = place.read(*place.remote_secret, at=place.primary)["data"][place.site]
    text = base64.b64decode(secret).decode()
    token = next(line for line in text.splitlines() if "token:" in line).split()[-1]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    bound = claims["kubernetes.io"]["secret"]
    place.kubectl("delete", "secret", bound["name"], "-n", SYSTEM, "--wait=true")
    return lambda: place.mesh.renew(place.site)


def rights_taken(place: Place) -> Undo:
    return _deleted(place, *_BINDING)


def _without_update(place: Place, resource: str) -> Undo:
    """Take istiod's right to update a resource at the site, so that it can't mend what is broken next."""
    rules = place.read(*_ROLE)["rules"]
    less = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "update"]}
        if resource in rule["resources"]
        else rule
        for rule in rules
    ]
    place.patch(*_ROLE, kind="merge", merge={"rules": less})
    return lambda: place.patch(*_ROLE, kind="merge", merge={"rules": rules})


def webhook_without_ca_bundle(place: Place) -> Undo:
    rights = _without_update(place, "mutatingwebhookconfigurations")
    hooks = place.read(*_INJECTOR)["webhooks"]
    place.patch(
        *_INJECTOR, ops=[{"op": "remove", "path": f"/webhooks/{n}/clientConfig/caBundle"} for n in range(len(hooks))]
    )

    def undo() -> None:
        rights()
        ops = [
            {"op": "add", "path": f"/webhooks/{n}/clientConfig/caBundle", "value": hook["clientConfig"]["caBundle"]}
            for n, hook in enumerate(hooks)
        ]
        place.patch(*_INJECTOR, ops=ops)

    return undo


def injection_path_wrong(place: Place) -> Undo:
    hooks = place.read(*_INJECTOR)["webhooks"]
    paths = [hook["clientConfig"]["service"]["path"] for hook in hooks]

    def put(wanted: list[str]) -> None:
        where = "/webhooks/{}/clientConfig/service/path"
        ops = [{"op": "replace", "path": where.format(n), "value": path} for n, path in enumerate(wanted)]
        place.patch(*_INJECTOR, ops=ops)

    put(["/inject/cluster/elsewhere/net/elsewhere"] * len(hooks))
    return lambda: put(paths)


def root_wrong(place: Place) -> Undo:
    rights = _without_update(place, "configmaps")
    root = place.read(*_ROOT)["data"]["root-cert.pem"]
    other = place.read("configmap", "kube-root-ca.crt", "-n", SYSTEM)["data"]["ca.crt"]
    place.patch(*_ROOT, kind="merge", merge={"data": {"root-cert.pem": other}})

    def undo() -> None:
        place.patch(*_ROOT, kind="merge", merge={"data": {"root-cert.pem": root}})
        rights()

    return undo


def endpoint_slice_gone(place: Place) -> Undo:
    return _deleted(place, "endpointslice", "istiod", "-n", SYSTEM)


def istiod_address_wrong(place: Place) -> Undo:
    what = ("endpointslice", "istiod", "-n", SYSTEM)
    old = place.read(*what)["endpoints"][0]["addresses"][0]
    where = "/endpoints/0/addresses/0"
    place.patch(*what, ops=[{"op": "replace", "path": where, "value": _NOWHERE}])
    return lambda: place.patch(*what, ops=[{"op": "replace", "path": where, "value": old}])


def gateway_down(place: Place) -> Undo:
    place.kubectl("scale", "deployment", *_EAST_WEST, "--replicas=0")
    return lambda: place.kubectl("scale", "deployment", *_EAST_WEST, "--replicas=1")


def gateway_without_address(place: Place) -> Undo:
    # made anew, as a load balancer that is pending leaves it: istiod forgets no address that it has only lost
    what = ("service", *_EAST_WEST)
    status = place.read(*what)["status"]
    create = _deleted(place, *what)
    create()
    return lambda: place.patch(*what, "--subresource=status", kind="merge", merge={"status": status})


def network_label_missing(place: Place) -> Undo:
    key = "topology.istio.io/network"
    old = place.read("namespace", SYSTEM)["metadata"]["labels"][key]
    place.kubectl("label", "namespace", SYSTEM, f"{key}-")
    return lambda: place.kubectl("label", "namespace", SYSTEM, f"{key}={old}")


def annotation_missing(place: Place) -> Undo:
    key = "topology.istio.io/controlPlaneClusters"
    old = place.read("namespace", SYSTEM)["metadata"]["annotations"][key]
    place.kubectl("annotate", "namespace", SYSTEM, f"{key}-")
    return lambda: place.kubectl("annotate", "namespace", SYSTEM, f"{key}={old}")


def configuration_rejected(place: Place) -> Undo:
    # istiod lets it through; Envoy's own rules want a timeout above zero
    broken = {"name": "edge-mesh-broken", "type": "STATIC", "connect_timeout": "0s"}
    network = place.read("namespace", SYSTEM)["metadata"]["labels"]["topology.istio.io/network"]
    item = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "edge-mesh-broken", "namespace": SYSTEM},
        "spec": {
            "workloadSelector": {"labels": {"topology.istio.io/network": network}},
            "configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "ADD", "value": broken}}],
        },
    }
    place.kubectl("create", "-f", "-", at=place.primary, stdin=json.dumps(item))
    return lambda: place.kubectl("delete", "envoyfilter", "edge-mesh-broken", "-n", SYSTEM, at=place.primary)


def control_plane_at_the_edge(place: Place) -> Undo:
    labels = {"app": "istiod"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "edge-mesh-stray", "namespace": "default", "labels": labels},
        # it is never started: what counts is that it was asked for
        "spec": {"containers": [{"name": "x", "image": "edge-mesh-nowhere", "imagePullPolicy": "Never"}]},
    }
    place.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    return lambda: place.kubectl("delete", "pod", "edge-mesh-stray", "-n", "default", "--now")


def api_cut_off(place: Place) -> Undo:
    node = f"{place.mesh.name}-{place.site}-control-plane"
    docker("exec", node, "iptables", "-I", *DROP)
    return lambda: docker("exec", node, "iptables", "-D", *DROP)


def plain_text_allowed(place: Place) -> Undo:
    metadata = {"name": "fault", "namespace": "sample"}
    spec = {"selector": {"matchLabels": {"app": "helloworld"}}, "mtls": {"mode": "PERMISSIVE"}}
    policy = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": metadata, "spec": spec}
    place.kubectl("create", "-f", "-", at=place.primary, stdin=json.dumps(policy))
    return lambda: place.kubectl("delete", "peerauthentication", "fault", "-n", "sample", at=place.primary)


def details_down(place: Place) -> Undo:
    what = ("deployment", "details-v1", "-n", "sample")
    place.kubectl("scale", *what, "--replicas=0", at=place.primary)
    return lambda: place.kubectl("scale", *what, "--replicas=1", at=place.primary)


def subsets_gone(place: Place) -> Undo:
    return _deleted(place, "destinationrule", "route-stock-sample", "-n", SYSTEM, at=place.primary)


def istiod_down(place: Place) -> Undo:
    place.kubectl("scale", "deployment", "istiod", "-n", SYSTEM, "--replicas=0")
    return lambda: place.kubectl("scale", "deployment", "istiod", "-n", SYSTEM, "--replicas=1")


def sidecar_demanded(place: Place) -> Undo:
    namespace = ("label", "namespace", "default")
    place.kubectl(*namespace, "istio-injection=enabled")
    return lambda: place.kubectl(*namespace, "istio-injection-")


def wan_marks_gone(place: Place) -> Undo:
    name = "edge-mesh-wan-helloworld.sample"
    place.kubectl("delete", "envoyfilter", name, "-n", SYSTEM, "--wait=true", at=place.primary)
    return _by_the_next_run


def wan_ruleset_changed(place: Place) -> Undo:
    rules = "/etc/edge-mesh-wan/rules.nft"
    wan_links.in_node(place.site, f"sed -i s/0x2e/0x22/ {rules} && nft -f {rules}")
    return _by_the_next_run


def wan_watch_stopped(place: Place) -> Undo:
    wan_links.in_node(place.site, "systemctl disable --now --quiet edge-mesh-wan")
    return _by_the_next_run


def wan_link_down(place: Place) -> Undo:
    """Pulled at the far end: the site's own interface stays up, and only its next hop doesn't answer any more."""
    far = wan_links.device(place.primary, wan_links.LINK_NETWORK)
    wan_links.in_node(place.primary, f"ip link set {far} down")
    return lambda: wan_links.in_node(place.primary, f"ip link set {far} up")


def _by_the_next_run() -> None:
    """What the role puts back needs no other hand."""
