#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: manifests
short_description: Apply many Kubernetes objects to one cluster in one call
version_added: 0.1.0
description:
  - Makes objects as they are written, by server-side apply as field manager C(edge.mesh), in parallel over one set of
    connections. Namespaces and CustomResourceDefinitions come first, webhooks last.
  - What is there is read and compared field by field, with the server's own record of the fields that this module
    applied before. Only objects that differ are patched. A field that was changed by hand is mended, a field that is no
    longer written is removed, and fields that others set are left alone.
  - Each object carries the labels C(edge.mesh/origin) (C(created) or C(adopted)) and, with O(set), C(edge.mesh/set).
    Objects that were there before and that this module adopted are never deleted.
  - Fields that a controller of O(respect_managers) holds are left to it, even if the objects name them.
    Fields that anyone else I(updates) by hand are taken back, except on objects that are adopted in this very call. A
    field that another tool I(applies) is an error that names the tool and the field, unless O(force_conflicts=true).
  - Check mode asks the server by dry runs. What can't be asked, because a namespace, a definition or an object that an
    earlier task would make isn't there yet, is predicted, and the object's reasons say so.
  - A difference of more than 40 lines is cut, and says how many more there are. Values of Secrets are shown as digests.
author: edge.mesh contributors (@edge-mesh)
extends_documentation_fragment:
  - edge.mesh.kubeconfig
  - edge.mesh.attributes
options:
  objects:
    description:
      - The objects, as a list of mappings or as YAML text of one or several documents.
      - With O(state=absent) only C(apiVersion), C(kind), C(metadata.name) and C(metadata.namespace) matter.
      - Values of Secrets are better given by O(secret_files), which keeps them out of the task's arguments.
    type: raw
  src:
    description: Path of a YAML file on the controller with the objects.
    type: path
  secret_files:
    description: Secrets whose values are read from files on the controller.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace of the Secret.
        type: str
        required: true
      name:
        description: Name of the Secret.
        type: str
        required: true
      type:
        description: Type of the Secret.
        type: str
        default: Opaque
      labels:
        description: Labels of the Secret.
        type: dict
        default: {}
      annotations:
        description: Annotations of the Secret.
        type: dict
        default: {}
      files:
        description: Path on the controller for each key of the Secret.
        type: dict
        default: {}
  set:
    description:
      - Name of the set that the objects belong to. An object belongs to one set at most; one of another set is refused.
      - Required by O(prune=true), and by O(state=absent) without objects.
    type: str
  prune:
    description:
      - Delete the objects of the set that are not among the given ones, if this module made them; release the adopted
        ones, which takes away only what this module applied.
    type: bool
    default: false
  prune_kinds:
    description:
      - Kinds that O(prune) looks for, with their groups, such as V(Deployment.apps) or V(Service); those of the given
        objects come on top. Unless given, the API is asked for every kind that it has, which is a request each.
      - Name every kind that the set ever held. What is left out here stays if it is no longer among the objects.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  adopt:
    description: Take over objects that are there already without being ours; otherwise they are an error.
    type: bool
    default: false
  keep_items:
    description:
      - Lists of text, such as V(spec.loadBalancerSourceRanges), to which others add, too. What is in them already
        stays, and the objects' own items are added, sorted. Who writes to the object at the same time loses nothing;
        an object that isn't there yet begins with the items of one of those who make it.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  force_conflicts:
    description: Take over fields that another manager holds, whoever it is.
    type: bool
    default: false
  respect_managers:
    description: Field managers (controllers) whose fields are left to them.
    type: list
    elements: str
    default:
      - pilot-discovery
      - istiod
      - kube-controller-manager
      - cloud-controller-manager
      - kubelet
      - cainjector
      - cert-manager-cainjector
      - vpa-admission-controller
  subresource:
    description:
      - Apply only this part of the objects, through its own path. The objects must be there, and get no labels.
    type: str
    choices: [status]
  status:
    description:
      - Objects whose C(status) is applied, too, through its own path, as O(subresource=status) does in a call of its
        own. It comes after O(objects), which may hold the same ones, and before anything is waited for. YAML text, an
        object, or a list of objects.
    type: raw
    version_added: 0.1.0
  wait:
    description:
      - Wait until Deployments, StatefulSets, DaemonSets and Pods are ready, Jobs complete, definitions established, and
        everything else is there; with O(state=absent) until the objects are gone.
      - V(true), or a mapping whose C(timeout) is the number of seconds to wait, which is O(timeout) unless given.
    type: raw
    default: false
  state:
    description:
      - V(present) makes the objects as given.
      - V(absent) deletes the given objects, or the whole set if none are given. Adopted objects are released, others'
        objects are left alone. A definition that this module made stays while others' custom resources use it. A
        namespace that it made goes, but with others' objects in it it stays and is released.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Apply what a rendered file holds, and remove what it no longer holds
  edge.mesh.manifests:
    kubeconfig: "{{ edge_mesh_state_dir }}/kubeconfig/shop.yaml"
    site: shop
    src: "{{ edge_mesh_state_dir }}/render/shop.yaml"
    set: site-enrollment
    prune: true
    adopt: true
    wait: {timeout: 120}
  delegate_to: localhost

- name: Put a certificate bundle into a Secret without passing it through a variable
  edge.mesh.manifests:
    kubeconfig: /etc/edge/centre.yaml
    set: mesh-trust
    secret_files:
      - namespace: istio-system
        name: cacerts
        files:
          ca-cert.pem: /etc/edge/ca/centre/ca-cert.pem
          ca-key.pem: /etc/edge/ca/centre/ca-key.pem
  delegate_to: localhost

- name: Publish the address of a gateway
  edge.mesh.manifests:
    kubeconfig: /etc/edge/shop.yaml
    subresource: status
    objects:
      - apiVersion: v1
        kind: Service
        metadata: {namespace: istio-system, name: istio-eastwestgateway}
        status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}
  delegate_to: localhost

- name: Remove a whole set
  edge.mesh.manifests:
    kubeconfig: /etc/edge/shop.yaml
    set: site-enrollment
    state: absent
    wait: true
  delegate_to: localhost
"""

RETURN = r"""
objects:
  description:
    - What was done to each object, or would be in check mode. One that O(objects) and O(status) both hold is listed
      for each.
  returned: success
  type: list
  elements: dict
  contains:
    kind: {description: Kind of the object., type: str, sample: Service}
    namespace: {description: Its namespace; null for cluster-scoped objects., type: str, sample: istio-system}
    name: {description: Its name., type: str, sample: istiod}
    action:
      description:
        - V(created), V(configured), V(adopted), V(unchanged), V(deleted), or V(pruned) for one that is no longer in the
          set. Released objects are V(configured).
      type: str
      sample: configured
    reasons:
      description: What made the action necessary, or what was left to whom.
      type: list
      elements: str
      sample: [".spec.ports[name=https-dns].port changed"]
requests:
  description: Number of HTTP requests that were sent.
  returned: success
  type: int
  sample: 8
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import kubeconfig, secretfiles
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.converge import Report, Request, converge
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object, flatten, from_yaml
from ansible_collections.edge.mesh.plugins.module_utils._k8s.ownership import RESPECTED, check_set_name
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import Rules
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import Clock
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run

ARGUMENTS: Mapping[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "allow_proxy": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
    "site": {"type": "str"},
    "objects": {"type": "raw"},
    "src": {"type": "path"},
    "secret_files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,  # paths, no secrets
        "options": {
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "default": "Opaque"},
            "labels": {"type": "dict", "default": {}},
            "annotations": {"type": "dict", "default": {}},
            "files": {"type": "dict", "default": {}},
        },
    },
    "set": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_kinds": {"type": "list", "elements": "str", "default": []},
    "adopt": {"type": "bool", "default": False},
    "keep_items": {"type": "list", "elements": "str", "default": []},
    "force_conflicts": {"type": "bool", "default": False},
    "respect_managers": {"type": "list", "elements": "str", "default": list(RESPECTED)},
    "subresource": {"type": "str", "choices": ["status"]},
    "status": {"type": "raw"},
    "wait": {"type": "raw", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def handle(call: Call) -> Outcome:
    """Read the objects, make the cluster as they say, and tell what was done."""
    params = call.params
    clock = Clock(time.monotonic, time.sleep)
    timeout = float(params["timeout"])
    wait = wait_seconds(params["wait"], timeout)
    until = clock.now() + timeout + (wait or 0)
    endpoint = kubeconfig.load(params["kubeconfig"], params["context"], allow_proxy=params["allow_proxy"])
    request = Request(
        objects=objects_of(params),
        rules=Rules(
            set_name=check_set_name(params["set"]),
            adopt=params["adopt"],
            force_conflicts=params["force_conflicts"],
            respected=tuple(params["respect_managers"]),
            keep_items=tuple(params["keep_items"]),
        ),
        present=params["state"] == "present",
        prune=params["prune"],
        prune_kinds=tuple(params["prune_kinds"]),
        check_mode=call.check_mode,
        until=until,
        wait_seconds=wait,
        subresource=params["subresource"] or "",
        statuses=_documents(params["status"], "status"),
    )
    with Client(endpoint, timeout=min(timeout, 30), site=params["site"], deadline=until) as client:
        report = converge(client, request, clock)
        requests = client.requests
    return _outcome(report, requests, call)


def objects_of(params: Mapping[str, Any]) -> list[Object]:
    """The objects that the options name; raises MeshError if there are none where there must be some."""
    given, src = params["objects"], params["src"]
    present = params["state"] == "present"
    if (params["subresource"] or params["status"]) and not present:
        raise MeshError("a subresource can't be deleted", hint="delete its object, or apply another status")
    objects = _documents(given, "objects") if src is None else flatten(from_yaml(_text(src), src), src)
    objects += [secretfiles.secret(entry, read=present) for entry in params["secret_files"]]
    if objects:
        return objects
    if present:
        hint = "use state: absent to remove a whole set"
        raise MeshError("there is nothing to apply", why="no object is given", hint=hint)
    if given is not None or src is not None or not params["set"]:
        raise MeshError("there is nothing to delete", why="no object is given", hint="name objects, or only the set")
    return []


def _documents(given: Any, option: str) -> list[Object]:
    """The objects of an option: YAML text, one object or a list; raises MeshError for anything else."""
    documents: list[Any] = []
    if isinstance(given, str):
        documents = from_yaml(given, option)
    elif isinstance(given, Mapping):
        documents = [given]
    elif isinstance(given, list):
        documents = given
    elif given is not None:
        raise MeshError(f"{option} can't be read", why="it is neither a list nor YAML text")
    return flatten(documents, option)


def wait_seconds(value: Any, timeout: float) -> float | None:
    """How long to wait, None for not at all; raises MeshError for anything but a truth value or a mapping."""
    if isinstance(value, Mapping):
        unknown = set(value) - {"timeout"}
        try:
            seconds = float(value.get("timeout", timeout))
        except (TypeError, ValueError):
            seconds = -1.0
        if unknown or seconds < 0:
            raise MeshError("wait can't be read", why="it takes a timeout in seconds and nothing else")
        return seconds
    word = str(value).lower()  # a templated value may come as text
    if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise MeshError("wait can't be read", why="it is neither a truth value nor a mapping")
    return timeout if word in ("true", "yes", "on", "1") else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it isn't UTF-8 text"
        raise MeshError(f"{path} can't be read", why=why) from error


def _outcome(report: Report, requests: int, call: Call) -> Outcome:
    # the objects may be megabytes and may hold Secrets: they aren't sent back with the answer
    arguments = {name: value for name, value in call.params.items() if name not in ("objects", "status")}
    return Outcome(
        changed=report.changed,
        result={
            "objects": [item.as_dict() for item in report.items],
            "requests": requests,
            "invocation": {"module_args": arguments},
        },
        # spelling out large objects takes time: only where somebody looks
        diff=[item.diff() for item in report.items if item.changed] if call.diff_mode else None,
        warnings=tuple(report.warnings),
    )


MODULE = Module(
    ARGUMENTS,
    handle,
    {
        "mutually_exclusive": [("objects", "src"), ("subresource", "set"), ("subresource", "status")],
        "required_if": [("prune", True, ("set",))],
    },
)


def main() -> None:
    """Run the module."""
    run(MODULE)


if __name__ == "__main__":
    main()
