#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_remnants
short_description: List what of a mesh is left in a cluster, and remove what istiod wrote there
version_added: 0.1.0
description:
  - Lists what carries this collection's labels, Istio's webhooks, definitions and root certificates, namespaces that
    still name a network or a control plane, and pods with a proxy. The list is the proof that a site has left the mesh.
  - With O(forgotten) the cluster is a primary, and the list says what it still knows of the site that left.
  - With O(clean=true) it removes what istiod itself wrote and nobody else removes, the root certificate and
    revocation list in each namespace and the lock of its election. Root certificates of another root stay.
  - With both, replicas of istiod that still list the site after O(wait) are restarted one after another. A worker of
    istiod that hangs on a site which gives no answer is cured by nothing else, and stale endpoints would be served on.
author: edge.mesh contributors (@edge-mesh)
extends_documentation_fragment:
  - edge.mesh.kubeconfig
  - edge.mesh.attributes
options:
  root:
    description: The mesh's root certificate, as PEM. Only ConfigMaps with this content are removed.
    type: str
    default: ""
  clean:
    description: Whether to remove what istiod wrote.
    type: bool
    default: false
  forgotten:
    description: Name of a site that this cluster, a primary, should know nothing of any more.
    type: str
  wait:
    description: Seconds to wait until what is being deleted is gone, pods of Istio's among it.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: See what is left of the mesh at a site
  edge.mesh.site_remnants:
    kubeconfig: /etc/edge/shop.yaml
    root: "{{ lookup('ansible.builtin.file', '.state/ca/centre/root-cert.pem') }}"
    clean: true
  delegate_to: localhost

- name: See whether the primary has forgotten the site
  edge.mesh.site_remnants:
    kubeconfig: /etc/edge/centre.yaml
    forgotten: shop
  delegate_to: localhost
"""

RETURN = r"""
left:
  description: What should be gone and is there.
  returned: success
  type: list
  elements: dict
  contains: &remnant
    kind: {description: Kind of the object., type: str, sample: ConfigMap}
    namespace: {description: Its namespace; empty for cluster-scoped objects., type: str, sample: shop}
    name: {description: Its name., type: str, sample: istio-ca-root-cert}
    verdict: {description: "V(left), V(kept) or V(workload).", type: str, sample: left}
    why: {description: What is known of it., type: str, sample: "the mesh's root certificate, written by istiod"}
kept:
  description: What is Istio's and stays, because this collection didn't make it.
  returned: success
  type: list
  elements: dict
  contains: *remnant
workloads:
  description: Pods that still run with a proxy, or whose deletion takes longer than O(wait).
  returned: success
  type: list
  elements: dict
  contains: *remnant
removed:
  description: What was (or would be) removed or restarted, as namespace and name.
  returned: success
  type: list
  elements: str
  sample: [shop/istio-ca-root-cert]
"""

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import remnants
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    ROOT_CERT_CONFIGMAP,
    ROOT_CRL_CONFIGMAP,
    SYSTEM_NAMESPACE,
)
from ansible_collections.edge.mesh.plugins.module_utils._istio.remnants import Remnant
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import name_of
from ansible_collections.edge.mesh.plugins.module_utils._k8s import observe, ownership, strangers
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.discovery import Resource
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import ref_of
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import load
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time, until
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import IstiodPods

ARGUMENTS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "allow_proxy": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
    "site": {"type": "str"},
    "root": {"type": "str", "default": ""},
    "clean": {"type": "bool", "default": False},
    "forgotten": {"type": "str"},
    "wait": {"type": "int", "default": 0},
}
_HOOKS = "/apis/admissionregistration.k8s.io/v1"
_APPS = "/apis/apps/v1"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RESTART_SECONDS = 90.0
# What istiod keeps at a site to agree with its other replicas who writes there.
_ELECTION = "istio-namespace-controller-election"


def at_a_site(api: Client, root: str) -> list[Remnant]:
    """Everything of the mesh that a site still has."""
    with observe.Parallel() as work:
        ours = observe.labelled(api, work, ownership.ORIGIN, strict=True)
        asked: list[Callable[[], list[Remnant]]] = [
            lambda: remnants.roots(_roots(api), root),
            lambda: remnants.webhooks(api.list(f"{_HOOKS}/mutatingwebhookconfigurations")),
            lambda: remnants.webhooks(api.list(f"{_HOOKS}/validatingwebhookconfigurations")),
            lambda: remnants.namespaces(api.list("/api/v1/namespaces")),
            lambda: remnants.definitions(api.list(_DEFINITIONS)),
            lambda: _pods(api),
        ]
        others = [found for answer in work.all(lambda ask: ask(), asked) for found in answer]
        used = work.all(lambda entry: _users(api, *entry), ours)
    return [*remnants.made_by_us((item, users) for (_resource, item), users in zip(ours, used, strict=True)), *others]


def _pods(api: Client) -> list[Remnant]:
    """Pods of Istio's; owners are asked for after the pods, so that the owner of each that stays is among them."""
    pods = [pod for pod in api.list("/api/v1/pods") if remnants.runs_istio(pod)]
    owners = [item for kind in ("replicasets", "deployments") for item in api.list(f"{_APPS}/{kind}")] if pods else []
    return remnants.workloads(pods, owners)


def _users(api: Client, resource: Resource, item: observe.Live) -> list[str]:
    """Who keeps a definition of ours alive; empty for other kinds."""
    if resource.kind != "CustomResourceDefinition":
        return []
    return [str(ref) for ref in strangers.living_on(api, ref_of(item), resource, item, frozenset())]


def at_a_primary(api: Client, cluster: str) -> list[Remnant]:
    """What a primary still knows of a site that left."""
    found = []
    name = name_of(cluster)
    if api.get(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/{name}") is not None:
        found.append(Remnant("Secret", SYSTEM_NAMESPACE, name, "left", "the credential for the site is still there"))
    for replica in IstiodPods(api).look().replicas:
        if replica.seen.error:
            found.append(Remnant("Pod", SYSTEM_NAMESPACE, replica.pod, "left", f"not asked: {replica.seen.error}"))
        elif cluster in replica.seen.clusters:
            found.append(Remnant("Pod", SYSTEM_NAMESPACE, replica.pod, "left", f"istiod still lists {cluster}"))
    return found


def _roots(api: Client) -> list[dict[str, Any]]:
    return [
        item
        for name in (ROOT_CERT_CONFIGMAP, ROOT_CRL_CONFIGMAP)
        for item in api.list("/api/v1/configmaps", fieldSelector=f"metadata.name={name}")
    ]


def clean(api: Client, root: str, *, check_mode: bool) -> list[str]:
    """Remove what istiod wrote at the site; what was removed."""
    targets = [(each.namespace, each.name) for each in remnants.roots(_roots(api), root) if each.verdict == "left"]
    election = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/{_ELECTION}"
    if api.get(election) is not None:
        targets.append((SYSTEM_NAMESPACE, _ELECTION))
    for namespace, name in [] if check_mode else targets:
        api.delete(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return [f"{namespace}/{name}" for namespace, name in targets]


def restart(api: Client, cluster: str, clock: Time) -> list[str]:
    """Restart the replicas of istiod that still list ``cluster``, one after another; which ones."""
    istiod = IstiodPods(api)
    stale = [replica.pod for replica in istiod.look().replicas if cluster in replica.seen.clusters]

    def serving() -> bool:
        replicas = [replica for replica in istiod.look().replicas if replica.pod not in done]
        return bool(replicas) and all(replica.ready and not replica.seen.error for replica in replicas)

    done: list[str] = []
    for pod in stale:
        api.delete(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{pod}")
        done.append(pod)
        until(serving, clock, seconds=_RESTART_SECONDS, pause=1.0)
    return [f"{SYSTEM_NAMESPACE}/{pod}" for pod in stale]


def handle(call: Call) -> Outcome:
    """Clean if asked to, then list; raises MeshError if the cluster can't be asked."""
    params = call.params
    endpoint = load(params["kubeconfig"], params["context"], allow_proxy=params["allow_proxy"])
    with Client(endpoint, timeout=min(params["timeout"], 30), site=params["site"]) as api:
        at_site = params["clean"] and not params["forgotten"]
        removed = clean(api, params["root"], check_mode=call.check_mode) if at_site else []
        found: list[Remnant] = []

        def settled() -> bool:
            found[:] = at_a_primary(api, params["forgotten"]) if params["forgotten"] else at_a_site(api, params["root"])
            return not any(each.verdict in ("left", "leaving") for each in found)

        clock = Time(time.time, time.monotonic, time.sleep)
        seconds = 0 if call.check_mode else params["wait"]
        gone = until(settled, clock, seconds=seconds, pause=1.0)
        if params["forgotten"] and params["clean"] and not gone and not call.check_mode:  # in check mode all is there
            removed += restart(api, params["forgotten"], clock)
            settled()
    listed: dict[str, list[dict[str, str]]] = {"left": [], "kept": [], "workload": []}
    for each in found:  # a workload that takes its time isn't ours to end
        verdict = "workload" if each.verdict == "leaving" else each.verdict
        listed[verdict].append({**each.as_dict(), "verdict": verdict})
    result = {
        "left": listed["left"],
        "kept": listed["kept"],
        "workloads": listed["workload"],
        "removed": removed,
    }
    diff = {"before": "".join(f"{line}\n" for line in removed), "after": ""}
    return Outcome(bool(removed), result, diff)


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
