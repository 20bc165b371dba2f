# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gateway-only sites build on in istiod: whom proxies of the mesh are sent to for a Service without sidecars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import Called, Shown
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import EAST_WEST
from ansible_collections.edge.mesh.plugins.module_utils._xds import transport
from tests.integration import rendered
from tests.reader.sites import SYSTEM, Given, Sites, until

SITE, NETWORK = "plain", "net-shop"
POD, GATEWAY = "192.0.2.41", "198.51.100.7"
TILL = Shown("till", "sales", 80, 15500, labels={"version": "v2"})
STOCK = Called("till", "sales", 80, 15600)
IDENTITY = gateway_only.in_identity("cluster.local")
KINDS = {
    "WorkloadEntry": "/apis/networking.istio.io/v1/namespaces/{namespace}/workloadentries",
    "Service": "/api/v1/namespaces/{namespace}/services",
}
CONFIG = "/apis/networking.istio.io/v1/namespaces/istio-system/{kind}s"
Json = dict[str, Any]


def put(sites: Sites, *objects: Json) -> None:
    for each in objects:
        where = KINDS[each["kind"]].format(namespace=each["metadata"]["namespace"])
        sites.site.apply(f"{where}/{each['metadata']['name']}", each)


def add_service(sites: Sites, name: str, namespace: str, labels: Json, port: Json) -> None:
    """A Service of somebody else, which has an address."""
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [port]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels}, "spec": spec}
    sites.site.create(KINDS["Service"].format(namespace=namespace), body, fieldManager="somebody")


def asked(sites: Sites, network: str, type_url: str, *names: str, istio: str = "", view: str = "") -> transport.Answer:
    """What istiod sends a gateway of the site in ``network``, which has the label ``istio`` and asks for a ``view``."""
    metadata = {
        "CLUSTER_ID": SITE, "NAMESPACE": SYSTEM, "NETWORK": network, "SERVICE_ACCOUNT": "default",
        "ISTIO_VERSION": "1.29.0", "LABELS": {"istio": istio}, **({"REQUESTED_NETWORK_VIEW": view} if view else {}),
    }  # fmt: skip
    node = {"id": f"router~192.0.2.60~gateway.{SYSTEM}~{SYSTEM}.svc.cluster.local", "metadata": metadata}
    name = "istiod.istio-system.svc"
    with (
        transport.Connection(sites.istiod.address, server_name=name, root_pem=sites.roots) as line,
        line.ads(node, token=sites.workload_token(), cluster=SITE, timeout=10) as stream,
    ):
        stream.ask(transport.CLUSTER)
        return stream.ask(type_url, list(names))


def endpoints(sites: Sites, network: str, *, view: str = "") -> set[tuple[str, int]]:
    """Where a gateway is sent to for the Service."""
    answer = asked(sites, network, transport.CLUSTER_LOAD_ASSIGNMENT, f"outbound|80||{TILL.host}", view=view)
    return {(each.address, each.port) for each in transport.endpoints(answer)}


def listeners(sites: Sites, istio: str) -> dict[int, bytes]:
    """Port -> the listener of a gateway with that label, as istiod writes it."""
    found = asked(sites, NETWORK, transport.LISTENER, istio=istio).resources
    return {port: each for each in found for port in (15500, 15600) if f"0.0.0.0_{port}".encode() in each}


@pytest.fixture(scope="module")
def shown(sites: Sites) -> Iterator[Sites]:
    """A site with an east-west gateway and a Service without sidecars that is shown through it."""
    sites.let_istiod_write()
    sites.add(Given(SITE, ()))
    assert until(lambda: sites.states().get(SITE) == "synced", 60), sites.states()
    sites.add_namespace("sales")
    sites.add_pod("till", "sales", POD, {"app": "till"})
    east_west = {"topology.istio.io/network": NETWORK, "app": EAST_WEST}
    add_service(sites, "till", "sales", {"app": "till"}, {"name": "http", "port": 80})
    add_service(sites, EAST_WEST, SYSTEM, east_west, {"name": "tls", "port": 15443})
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": GATEWAY}]}}}
    sites.site.patch(f"/api/v1/namespaces/{SYSTEM}/services/{EAST_WEST}/status", ingress)
    spec = {"selector": {"app": "till"}, "ports": [{"name": "http", "port": 80, "targetPort": 80}], "set": ""}
    put(sites, *gateway_only.at_site([TILL], [], {TILL.host: spec}, [GATEWAY], IDENTITY))
    assert until(lambda: len(sites.endpoints(TILL.host).get(SITE, [])) == 2, 30), sites.endpoints(TILL.host)
    for body in yaml.safe_load_all(rendered.remote_site()):
        if body and body["kind"] == "CustomResourceDefinition":
            sites.primary.apply(
                f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{body['metadata']['name']}", body
            )
    for each in gateway_only.at_primary("ports", SITE, [TILL], [STOCK]):
        where = CONFIG.format(kind=each["kind"].lower())
        assert until(lambda where=where, each=each: _applied(sites, where, each), 20), each
    yield sites
    sites.remove(Given(SITE, ()))


def _applied(sites: Sites, where: str, body: Json) -> bool:
    """Whether an object could be applied; a definition needs a moment."""
    try:
        sites.primary.apply(f"{where}/{body['metadata']['name']}", body)
    except MeshError:
        return False
    return True


def test_a_service_is_an_instance_of_its_own_site_at_the_gateways_port(shown: Sites) -> None:
    found = {each["Addresses"][0]: each for each in shown.endpoints(TILL.host)[SITE]}
    assert set(found) == {POD, GATEWAY}
    entry = found[GATEWAY]
    assert (entry["EndpointPort"], entry["TLSMode"], entry["Network"]) == (15500, "istio", gateway_only.NETWORK)
    # what subsets choose by: the site, and the version
    assert entry["Labels"]["topology.istio.io/cluster"] == SITE
    assert entry["Labels"]["version"] == "v2"


def test_callers_elsewhere_are_sent_to_the_gateways_port_and_to_no_pod(shown: Sites) -> None:
    assert until(lambda: endpoints(shown, "net-elsewhere") == {(GATEWAY, 15500)}, 20), endpoints(shown, "net-elsewhere")


def test_the_gateway_itself_is_sent_to_the_pod_and_not_to_itself(shown: Sites) -> None:
    assert until(lambda: endpoints(shown, NETWORK, view=NETWORK) == {(POD, 80)}, 20)


def test_a_gateway_of_the_site_that_calls_the_mesh_sees_both(shown: Sites) -> None:
    assert until(lambda: endpoints(shown, NETWORK) == {(POD, 80), (GATEWAY, 15500)}, 20)


def test_each_gateway_of_the_site_listens_for_what_is_its_own(shown: Sites) -> None:
    assert until(lambda: set(listeners(shown, "eastwestgateway")) == {15500}, 20), listeners(shown, "eastwestgateway")
    assert set(listeners(shown, "egressgateway")) == {15600}
    # the certificate that mutual TLS shows, and the root that it asks callers for
    inner, outer = listeners(shown, "eastwestgateway")[15500], listeners(shown, "egressgateway")[15600]
    for word in (b"ROOTCA", b"DownstreamTlsContext"):
        assert word in inner
        assert word not in outer
    assert listeners(shown, "ingressgateway") == {}


def test_the_annotation_makes_callers_accept_the_gateways_identity(shown: Sites) -> None:
    def accounts() -> list[str]:
        found = {each["hostname"]: each for each in shown.istiod.debug("registryz")}
        return list(found.get(TILL.host, {}).get("serviceAccounts") or [])

    assert until(lambda: accounts() == [IDENTITY], 20), accounts()
