#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`xds_health`: asks istiod and every site how the mesh is; changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xds_health
short_description: Ask istiod and every site how the mesh is, with a synthetic proxy instead of a pod
version_added: 0.1.0
author: edge.mesh contributors (@edge-mesh)
description:
  - Asks every ready replica of the primary's istiod over xDS which clusters it has synced, and what state every
    connected proxy is in.
  - Walks the whole way of a proxy into the mesh for every site, from the controller and without a pod. Istiod's
    address, its certificate under the site's own root, a token of the site's API, discovery, the endpoints of other
    networks, a certificate for the site's identity, and sidecar injection by a dry run.
  - All sites are asked at the same time, each with one deadline, so ten sites that don't answer cost one deadline.
  - Never reports a change and never fails because the mesh is sick. It fails for input that can't be used, such as an
    expression that can't be read. Where the primary's kubeconfig can't be used, what istiod would say is C(unknown).
requirements:
  - grpcio >= 1.60
  - xds-protos >= 1.60
  - cryptography >= 42
  - PyYAML
  - urllib3 >= 2
  - websocket-client
  - jmespath (for O(expect))
extends_documentation_fragment:
  - edge.mesh.attributes.read_only
options:
  primary:
    description: The cluster whose istiod is asked.
    type: dict
    required: true
    suboptions:
      kubeconfig:
        description: Path of its kubeconfig on the controller.
        type: path
        required: true
      context:
        description: Context in that kubeconfig. The only one by default.
        type: str
      name:
        description: Its site's name, which the records about O(peers) carry.
        type: str
      address:
        description:
          - Address of istiod's xDS port as the controller reaches it, C(host:port). The port is 15012 by default.
          - Used for every site that names none. Without any, an edge site's own istiod endpoint is taken, and for the
            primary a port-forward through its API.
        type: str
  sites:
    description: The sites to examine, the primary's own among them if it is to be examined too.
    type: list
    elements: dict
    default: []
    suboptions:
      cluster:
        description: Name of the site, which is its cluster name in the mesh.
        type: str
        required: true
      network:
        description: Its Istio network.
        type: str
        required: true
      kubeconfig:
        description: Path of its kubeconfig on the controller.
        type: path
        required: true
      context:
        description: Context in that kubeconfig. The only one by default.
        type: str
      istiod_address:
        description: Address of istiod's xDS port for this site, as the controller reaches it.
        type: str
      gateway_addresses:
        description:
          - Addresses of the site's east-west gateway, as other sites reach it. Where all are IP addresses, endpoints of
            this site must be among them. Otherwise what istiod knows of gateways counts.
        type: list
        elements: str
        default: []
      probe_namespace:
        description: Namespace for the dry run of an injected pod. The mesh's own namespace by default.
        type: str
      injects:
        description: Whether workloads of the site get sidecars. Otherwise C(join.injection) isn't checked.
        type: bool
        default: true
      local_injector:
        description: Whether the site injects by itself, as M(edge.mesh.local_injector) makes it.
        type: bool
        default: false
  peers:
    description:
      - Sites of other primaries of the mesh. This one's istiod must have synced them, too, and calls to them must go
        through their gateways; nothing else of them is examined.
    type: list
    elements: dict
    default: []
    suboptions:
      cluster:
        description: Name of the site.
        type: str
        required: true
      network:
        description: Its Istio network.
        type: str
        required: true
      gateway_addresses:
        description: Addresses of its east-west gateway, as for O(sites).
        type: list
        elements: str
        default: []
  mesh_id:
    description: ID of the mesh, which the synthetic proxy tells istiod.
    type: str
    default: ''
  trust_domain:
    description: Trust domain that identities must have.
    type: str
    default: cluster.local
  certificate_ttl:
    description: Life of the certificates that the mesh's proxies ask for (C(SECRET_TTL)), as C(24h) or C(12h).
    type: str
    default: 24h
  revision:
    description: Revision of istiod. Empty for the default one.
    type: str
    default: ''
  namespace:
    description: Namespace of istiod and of the gateways, on the primary and at the sites.
    type: str
    default: istio-system
  service_account:
    description: Service account in O(namespace) whose tokens are used, on the primary and at the sites.
    type: str
    default: default
  gateway:
    description:
      - Name of the Deployment in O(namespace) of each site whose connection to istiod proves that the site is joined.
    type: str
    default: istio-eastwestgateway
  expect:
    description:
      - Expectations of your own. If one isn't met, the mesh isn't healthy.
      - Each has C(that), a JMESPath expression over what this module returns, and may have C(message), which says what
        it means if it isn't met. It is met unless the expression gives null, false or something empty.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds that each site, and istiod, may take.
    type: float
    default: 20
"""

EXAMPLES = r"""
- name: Ask how the mesh is
  edge.mesh.xds_health:
    primary:
      kubeconfig: "{{ inventory_dir }}/.state/kubeconfig/centre.yaml"
      address: 172.20.0.2:15012
    sites:
      - cluster: lyon
        network: net-lyon
        kubeconfig: "{{ inventory_dir }}/.state/kubeconfig/lyon.yaml"
    mesh_id: mesh1
    expect:
      - that: length(proxies[?cluster=='lyon']) >= `2`
        message: lyon runs two gateways
  delegate_to: localhost
  register: health

- name: Stop if anything is wrong
  ansible.builtin.assert:
    that: health.healthy
    fail_msg: "{{ health.checks | rejectattr('verdict', 'in', ['ok', 'warning']) | list }}"
"""

RETURN = r"""
healthy:
  description:
    - Whether every check is ok, or only a warning, and every expectation is met. What couldn't be asked isn't healthy.
    - Without O(sites) nothing is proven, and it is false.
  returned: success
  type: bool
  sample: true
checks:
  description: One record for each check and site, in the sites' order.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The check's stable name, C(<area>.<thing>).
      type: str
      sample: join.csr
    site:
      description: The site that the check is about.
      type: str
      sample: lyon
    peer:
      description: Another site's name, or null.
      type: str
      sample: null
    title:
      description: What is true if the check is ok.
      type: str
      sample: istiod signs a certificate for the site's identity
    verdict:
      description: One of C(ok), C(warning), C(failed), C(skipped), C(unknown).
      type: str
      sample: ok
    evidence:
      description: What was seen, without secrets. The keys depend on the check.
      type: dict
      sample: {"hours_left": 24.0, "identity": ["spiffe://cluster.local/ns/istio-system/sa/default"]}
    hint:
      description: What to do next, if anything.
      type: str
      sample: ''
    from:
      description: Who was asked, C(controller), C(istiod) or C(site-api).
      type: str
      sample: controller
    took_ms:
      description: Milliseconds that it took.
      type: int
      sample: 17
clusters:
  description: Every cluster that istiod knows, its own included.
  returned: success
  type: list
  elements: dict
  contains:
    cluster:
      description: Name of the cluster.
      type: str
      sample: lyon
    secret:
      description: Namespace and name of its remote secret. Empty for istiod's own cluster.
      type: str
      sample: istio-system/istio-remote-secret-lyon
    status:
      description: C(synced) if every replica says so, or else what one of them says. It tells of the first sync only.
      type: str
      sample: synced
    states:
      description: The status by replica.
      type: dict
      sample: {"istiod-5d9c7b6f4-x7k2p": "synced"}
proxies:
  description: Every proxy that is connected to istiod.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Pod and namespace.
      type: str
      sample: istio-eastwestgateway-6c9f8d7b5-q4w8z.istio-system
    cluster:
      description: Its cluster, which is its site.
      type: str
      sample: lyon
    namespace:
      description: Its namespace.
      type: str
      sample: istio-system
    version:
      description: Its Istio version.
      type: str
      sample: 1.30.3
    istiod:
      description: The replica that it is connected to.
      type: str
      sample: istiod-5d9c7b6f4-x7k2p
    types:
      description: State of each type of configuration, C(acked), C(stale), C(nacked) or C(never-sent).
      type: dict
      sample: {"CDS": "acked", "EDS": "acked", "LDS": "acked", "RDS": "acked"}
    errors:
      description: Why the proxy rejected a type, for those that it did.
      type: dict
      sample: {}
replicas:
  description: Every ready replica of istiod.
  returned: success
  type: list
  elements: dict
  contains:
    pod:
      description: Name of its pod.
      type: str
      sample: istiod-5d9c7b6f4-x7k2p
    via:
      description: How it was asked, C(address) or C(port-forward).
      type: str
      sample: port-forward
    answered:
      description: Whether it answered.
      type: bool
      sample: true
    revision:
      description: Its revision, C(default) for the one without a name.
      type: str
      sample: default
    version:
      description: Its Istio version.
      type: str
      sample: 1.30.3
    error:
      description: Why it didn't answer.
      type: str
      sample: ''
    took_ms:
      description: Milliseconds that its answer took.
      type: int
      sample: 34
gateways:
  description: The gateways between networks that istiod knows.
  returned: success
  type: list
  elements: dict
  contains:
    network:
      description: The network behind it.
      type: str
      sample: net-lyon
    cluster:
      description: Its cluster, empty if istiod doesn't know.
      type: str
      sample: lyon
    address:
      description: Its address.
      type: str
      sample: 172.20.0.3
    port:
      description: Its port.
      type: int
      sample: 15443
expectations:
  description: What became of each of O(expect), in order.
  returned: success
  type: list
  elements: dict
  contains:
    that:
      description: The expression.
      type: str
      sample: length(proxies[?cluster=='lyon']) >= `2`
    message:
      description: The message that was given with it.
      type: str
      sample: lyon runs two gateways
    met:
      description: Whether it is met.
      type: bool
      sample: true
    value:
      description: What the expression gave.
      type: raw
      sample: true
    error:
      description: Why it couldn't be applied to the result. Empty if it could.
      type: str
      sample: ''
requests:
  description: How many HTTP requests were sent to Kubernetes APIs.
  returned: success
  type: int
  sample: 7
"""

from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE, names
from ansible_collections.edge.mesh.plugins.module_utils._istio.tokens import seconds_of
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._xds import expect
from ansible_collections.edge.mesh.plugins.module_utils._xds.health import Access, Request, examine
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Mesh, Site

_ACCESS: dict[str, Any] = {"kubeconfig": {"type": "path", "required": True}, "context": {"type": "str"}}
_PEER: dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "gateway_addresses": {"type": "list", "elements": "str", "default": []},
}
_SITE: dict[str, Any] = {
    **_PEER,
    **_ACCESS,
    "istiod_address": {"type": "str"},
    "probe_namespace": {"type": "str"},
    "injects": {"type": "bool", "default": True},
    "local_injector": {"type": "bool", "default": False},
}
_PRIMARY: dict[str, Any] = {**_ACCESS, "name": {"type": "str"}, "address": {"type": "str"}}
ARGUMENT_SPEC: dict[str, Any] = {
    "primary": {"type": "dict", "required": True, "options": _PRIMARY},
    "sites": {"type": "list", "elements": "dict", "default": [], "options": _SITE},
    "peers": {"type": "list", "elements": "dict", "default": [], "options": _PEER},
    "mesh_id": {"type": "str", "default": ""},
    "trust_domain": {"type": "str", "default": "cluster.local"},
    "certificate_ttl": {"type": "str", "default": "24h"},
    "revision": {"type": "str", "default": ""},
    "namespace": {"type": "str", "default": SYSTEM_NAMESPACE},
    "service_account": {"type": "str", "default": "default"},
    "gateway": {"type": "str", "default": "istio-eastwestgateway"},
    # its keys are checked when it is read: ansible-test refuses an option that is called `message`
    "expect": {"type": "list", "elements": "dict", "default": []},
    "timeout": {"type": "float", "default": 20},
}


def read(params: Any) -> Request:
    """The request that the parameters mean; raises MeshError for what can't be used."""
    everywhere = [*params["sites"], *params["peers"]]
    clusters = [item["cluster"] for item in everywhere]
    twice = sorted({cluster for cluster in clusters if clusters.count(cluster) > 1})
    if twice:
        raise MeshError("'sites' and 'peers' can't be used", why=f"{', '.join(twice)} stands there twice")
    if params["timeout"] <= 0:
        raise MeshError("'timeout' can't be used", why="it isn't positive")
    primary = Access(params["primary"]["kubeconfig"], params["primary"]["context"])
    by_revision = names(params["revision"])
    mesh = Mesh(
        namespace=params["namespace"],
        istiod_name=by_revision["istiod"],
        revision_label=by_revision["revision_label"],
        mesh_id=params["mesh_id"],
        trust_domain=params["trust_domain"],
        service_account=params["service_account"],
        gateway=params["gateway"],
        networks={item["cluster"]: item["network"] for item in everywhere},
        gateway_addresses={item["cluster"]: tuple(item["gateway_addresses"]) for item in everywhere},
        certificate_seconds=round(seconds_of(params["certificate_ttl"], "certificate_ttl")),
    )
    address = params["primary"]["address"] or None
    return Request(
        primary=primary,
        primary_address=address,
        mesh=mesh,
        sites=tuple(_site(item, primary, address) for item in params["sites"]),
        expectations=expect.read(params["expect"]),
        timeout=params["timeout"],
        peers=tuple(Site(item["cluster"], item["network"]) for item in params["peers"]),
        name=params["primary"]["name"],
    )


def _site(item: Any, primary: Access, address: str | None) -> tuple[Site, Access]:
    access = Access(item["kubeconfig"], item["context"])
    site = Site(
        cluster=item["cluster"],
        network=item["network"],
        istiod_address=item["istiod_address"] or address,
        probe_namespace=item["probe_namespace"] or "",
        is_primary=access == primary,
        injects=item["injects"],
        local_injector=item["local_injector"],
    )
    return site, access


def handle(call: Call) -> Outcome:
    """Examine the mesh; never a change."""
    return Outcome(changed=False, result=examine(read(call.params)))


MODULE = Module(ARGUMENT_SPEC, handle)


def main() -> None:
    """Run as a module."""
    run(MODULE)


if __name__ == "__main__":
    main()
