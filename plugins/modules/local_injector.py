#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: local_injector
short_description: An edge injects sidecars without its centre
version_added: 0.1.0
description:
  - Runs an istiod at a site that injects and does nothing else, and gives the site a webhook that calls it. It has no
    CA, serves no proxy, and may write nothing.
  - Its image, injection template, values and mesh configuration are those of the primary, read there, so that a pod
    gets the same sidecar as from the primary's istiod. What changes there comes to the site with the next call.
  - Its certificate is self-signed, for its own webhook only, and lies in a Secret of its namespace. A new one is made
    before the old one ends; the webhook trusts both while the old one is valid.
  - The webhook comes when the injector is ready.
author: edge.mesh contributors (@edge-mesh)
extends_documentation_fragment:
  - edge.mesh.kubeconfig
  - edge.mesh.attributes
options:
  primary:
    description: The site's primary. Required by O(state=present).
    type: dict
    suboptions:
      kubeconfig:
        description: Kubeconfig of the primary.
        type: path
        required: true
      context:
        description: Context in the kubeconfig; the only one unless given.
        type: str
      name:
        description: Name of the primary's site, for messages.
        type: str
  revision:
    description: istiod's revision; empty for the default one.
    type: str
    default: ""
  webhook:
    description: >-
      The MutatingWebhookConfiguration that Istio's chart makes for the site, which calls the primary. Required by
      O(state=present).
    type: dict
  validity:
    description: Days that a new certificate is valid.
    type: int
    default: 365
  renew_before:
    description: Days before the end of a certificate from which on a new one is made.
    type: int
    default: 120
  only_due:
    description: Whether nothing is done unless the certificate is due.
    type: bool
    default: false
  wait:
    description: Whether to wait until the injector is ready.
    type: bool
    default: true
  state:
    description: With V(absent), the webhook and then the injector are taken away.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Let a site inject by itself
  edge.mesh.local_injector:
    kubeconfig: /etc/edge/shop.yaml
    site: shop
    primary: {kubeconfig: /etc/edge/centre.yaml, name: centre}
    webhook: "{{ (rendered.manifest | edge.mesh.local_injection).webhook }}"
  delegate_to: localhost

- name: Take the injector away from a site
  edge.mesh.local_injector:
    kubeconfig: /etc/edge/shop.yaml
    site: shop
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
objects:
  description: What was done to each object, or would be in check mode, as by M(edge.mesh.manifests).
  returned: success
  type: list
  elements: dict
  sample:
    - kind: Deployment
      namespace: edge-mesh-injector
      name: edge-mesh-injector
      action: created
      reasons: []
reasons:
  description: Why a new certificate was made.
  returned: success
  type: list
  elements: str
  sample: [there is no certificate]
expires_at:
  description: End of the injector's certificate; null with O(state=absent).
  returned: success
  type: str
  sample: "2027-11-26T02:50:00Z"
"""

import base64
import binascii
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import local_injector
from ansible_collections.edge.mesh.plugins.module_utils._istio.local_injector import TRUSTED, Source
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import LOCAL_INJECTOR, SYSTEM_NAMESPACE, names
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.converge import Report, Request, converge
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import load
from ansible_collections.edge.mesh.plugins.module_utils._k8s.plan import Rules
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import Clock
from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._pki import serving
from ansible_collections.edge.mesh.plugins.module_utils._pki.serving import Serving

ARGUMENTS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "allow_proxy": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
    "site": {"type": "str"},
    "primary": {
        "type": "dict",
        "options": {
            "kubeconfig": {"type": "path", "required": True},
            "context": {"type": "str"},
            "name": {"type": "str"},
        },
    },
    "revision": {"type": "str", "default": ""},
    "webhook": {"type": "dict"},
    "validity": {"type": "int", "default": 365},
    "renew_before": {"type": "int", "default": 120},
    "only_due": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_KEYS = {"certificate": "tls.crt", "key": "tls.key", "trusted": TRUSTED}
_OWN = f"/api/v1/namespaces/{LOCAL_INJECTOR}"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{LOCAL_INJECTOR}/deployments/{LOCAL_INJECTOR}"
# All kinds that the set ever held.
_KINDS = (
    "Namespace", "ServiceAccount", "Secret", "ConfigMap", "Service", "Deployment.apps",
    *(f"{kind}.rbac.authorization.k8s.io" for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")),
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
)  # fmt: skip


def read_source(params: Mapping[str, Any], *, check_mode: bool) -> Source:
    """What the primary injects with; in check mode a stand-in, if it isn't there yet. Raises MeshError."""
    primary, by_revision = params["primary"], names(params["revision"])
    endpoint = load(primary["kubeconfig"], primary["context"])
    maps = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps"
    with Client(endpoint, timeout=min(params["timeout"], 30), site=primary["name"]) as api:
        found = (
            api.get(f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/{by_revision['istiod']}"),
            api.get(f"{maps}/{by_revision['injector_config']}"),
            api.get(f"{maps}/{by_revision['mesh_config']}"),
        )
    if check_mode and None in found:
        return Source(image="not-known-yet")
    try:
        return local_injector.source_of(*found)
    except MeshError as error:
        raise error.at(primary["name"] or params["site"]) from None


def read_serving(api: Client) -> Serving | None:
    """The key and certificate that the injector has, None without any."""
    data = (api.get(f"{_OWN}/secrets/{LOCAL_INJECTOR}") or {}).get("data") or {}
    try:
        parts = {name: base64.b64decode(data[key], validate=True) for name, key in _KEYS.items() if key in data}
    except binascii.Error:
        return None
    return Serving(**parts) if len(parts) == len(_KEYS) else None


def present(call: Call, api: Client, until: float) -> tuple[Report, list[str], datetime | None]:
    """Make injector and webhook as they should be: the report, why there is a new certificate, and when it ends."""
    params = call.params
    now = datetime.now(UTC)
    before = read_serving(api)
    reason = serving.due(before, local_injector.DNS_NAME, now=now, renew_before=timedelta(days=params["renew_before"]))
    held = before
    if held is None or reason:
        held = serving.issue(local_injector.DNS_NAME, before, now=now, validity=timedelta(days=params["validity"]))
    elif params["only_due"]:
        return Report(), [], held.ends()
    source = read_source(params, check_mode=call.check_mode)  # the primary isn't asked where nothing is due
    tls = {key: getattr(held, name) for name, key in _KEYS.items()}
    wanted = local_injector.objects(str(params["site"]), names(params["revision"])["revision_label"], source, tls)
    hook = local_injector.webhook(params["webhook"], held.trusted)
    first = Report()
    if params["wait"] and not call.check_mode and not _is_ready(api):
        first = _converge(call, api, wanted, until, prune=False)
    done = _converge(call, api, [*wanted, hook], until, prune=True)
    return _together(first, done), [reason] if reason else [], held.ends()


def _is_ready(api: Client) -> bool:
    return bool(((api.get(_DEPLOYMENT) or {}).get("status") or {}).get("availableReplicas"))


def _converge(call: Call, api: Client, wanted: Iterable[dict[str, Any]], until: float, *, prune: bool) -> Report:
    is_present = call.params["state"] == "present"
    request = Request(
        objects=list(wanted),
        rules=Rules(set_name=local_injector.SET, adopt=False),
        present=is_present,
        prune=prune,
        prune_kinds=_KINDS,
        check_mode=call.check_mode,
        until=until,
        wait_seconds=float(call.params["timeout"]) if call.params["wait"] else None,
    )
    return converge(api, request, Clock(time.monotonic, time.sleep))


def _together(first: Report, last: Report) -> Report:
    """What both rounds did, object by object."""
    earlier = {item.ref: item for item in first.items if item.changed}
    items = [item if item.changed else earlier.get(item.ref, item) for item in last.items]
    return Report(items, [*first.warnings, *last.warnings])


def handle(call: Call) -> Outcome:
    """Make the injector as it should be, or take it away; raises MeshError for a side that can't be asked."""
    params = call.params
    if params["state"] == "present" and not params["site"]:
        raise MeshError("an injector needs the name of its site", hint="give the option site")
    timeout = float(params["timeout"])
    until = time.monotonic() + 2 * timeout
    endpoint = load(params["kubeconfig"], params["context"], allow_proxy=params["allow_proxy"])
    with Client(endpoint, timeout=min(timeout, 30), site=params["site"], deadline=until) as api:
        if params["state"] == "present":
            report, reasons, ends = present(call, api, until)
        else:
            report, reasons, ends = _converge(call, api, [], until, prune=False), [], None
    return Outcome(
        report.changed,
        {
            "objects": [item.as_dict() for item in report.items],
            "reasons": reasons,
            "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ") if ends else None,
            # the webhook is long, and was given
            "invocation": {"module_args": {name: value for name, value in params.items() if name != "webhook"}},
        },
        [item.diff() for item in report.items if item.changed] if call.diff_mode else None,
        tuple(report.warnings),
    )


MODULE = Module(ARGUMENTS, handle, {"required_if": [("state", "present", ("primary", "webhook"))]})


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
