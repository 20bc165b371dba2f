#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: remote_secret
short_description: Give primaries a bounded, revocable credential with which they read a site
version_added: 0.1.0
description:
  - Makes a reader with the least rights at the site, issues a token for it, and puts a kubeconfig with that token into
    the remote secret on each primary. The kubeconfig exists in memory and in that Secret only.
  - A token is bound to a Secret at the site, so that deleting this Secret revokes it. Each primary has a token of its
    own.
  - A credential is renewed when it comes near its end, when the site rejects it, or when address, CA or reader have
    changed. The remote secret is patched in place, and the former token is revoked only after every replica of istiod
    was seen with the new one and with all endpoints that it had of the site. If istiod doesn't come to terms with it,
    the former remote secret is put back. A replica that hangs, or that lost endpoints (istio#61043), is named with what
    cures it; there the new remote secret stays, because putting the former one back would cure nothing.
  - What the reader may do is checked with its token before a primary gets it, and missing rights are named.
  - The namespace of the reader must exist, with its network label and its controlPlaneClusters annotation, before a
    remote secret is made; istiod reads the annotation only when it gets to know the cluster.
  - Runs on the controller; it needs kubeconfigs of both sides and reads no C(K8S_AUTH_*) variables.
author: edge.mesh contributors (@edge-mesh)
options:
  cluster:
    description: Name of the site's cluster in the mesh.
    type: str
    required: true
  site:
    description: The site's API, as the controller reaches it.
    type: dict
    required: true
    suboptions:
      kubeconfig:
        description: Kubeconfig on the controller.
        type: path
        required: true
      context:
        description: Context in it; the only one unless given.
        type: str
  primaries:
    description: The primaries that get a credential.
    type: list
    elements: dict
    required: true
    suboptions:
      kubeconfig:
        description: Kubeconfig on the controller.
        type: path
        required: true
      context:
        description: Context in it; the only one unless given.
        type: str
      name:
        description:
          - Name of the primary; the name of the context unless given.
          - The tokens at the site are told apart by it, so it must stay the same.
        type: str
  api_server:
    description:
      - URL of the site's API as the primaries reach it; the one in the site's kubeconfig unless given.
      - An address that means the machine itself is refused, with the address that would do if it can be found.
    type: str
  tls_server_name:
    description: Name to expect in the certificate of O(api_server), if it isn't the host in the URL.
    type: str
  proxy_url:
    description: Proxy through which the primaries reach the site's API (http, https or socks5).
    type: str
  token_type:
    description:
      - V(bound) is a token that ends after O(token_ttl) and is renewed.
      - V(static) is a token that never ends by itself; it still dies with its Secret.
    type: str
    choices: [bound, static]
    default: bound
  token_ttl:
    description:
      - Life of a bound token, in seconds or as V(36h), V(90d), V(6w); at least 10 minutes.
      - The site's API may give less; then what it gave counts.
    type: str
    default: 90d
  renew_before:
    description: How long before its end a token is renewed, spelled as O(token_ttl); a third of its life unless given.
    type: str
  reader:
    description: Who reads the site.
    type: dict
    suboptions:
      namespace:
        description: Namespace of the reader, which istiod takes for the site's own system namespace.
        type: str
        default: istio-system
      service_account:
        description:
          - Name of the ServiceAccount; the roles and the tokens' Secrets are named after it. C(istio-reader-edge-mesh)
            by default, and C(istio-reader-edge-mesh-peer) for the level V(peer).
        type: str
      level:
        description:
          - The rights. V(full) is what istiod needs to serve a remote cluster and to look after it, so it is for the
            site's own primary.
          - V(peer) is what another primary of the mesh needs to send calls there. It reads, but can neither write nor
            have tokens reviewed, so it can't serve the site's proxies.
        type: str
        choices: [full, peer]
        default: full
  recreate:
    description:
      - Make a new credential even if the one there is good, so that istiod reads the site's annotations again; for a
        site whose controlPlaneClusters annotation came late. Traffic isn't interrupted.
    type: bool
    default: false
  wait:
    description:
      - Wait until every ready replica of istiod reports the cluster as synced, or fail with the reason.
      - Where istiod isn't installed yet there is nobody to wait for.
    type: bool
    default: true
  timeout:
    description: Seconds for each API request, and for each primary's istiod to sync the cluster.
    type: int
    default: 60
  state:
    description:
      - V(absent) takes the remote secret from the primaries, revokes their tokens, and removes the reader if no token
        of another primary hangs on it. A side that doesn't answer doesn't stop the other from being cleaned.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - edge.mesh.attributes
attributes:
  diff_mode:
    details: Secrets are shown as digests.
seealso:
  - module: edge.mesh.remote_secret_info
"""

EXAMPLES = r"""
- name: Let the centre read the site shop
  edge.mesh.remote_secret:
    cluster: shop
    site:
      kubeconfig: state/kubeconfig/shop.yaml
    primaries:
      - name: centre
        kubeconfig: state/kubeconfig/centre.yaml
    api_server: https://192.0.2.20:6443
    token_ttl: 90d
    renew_before: 30d

- name: Read the annotations of a site again that were set too late
  edge.mesh.remote_secret:
    cluster: shop
    site:
      kubeconfig: state/kubeconfig/shop.yaml
    primaries:
      - name: centre
        kubeconfig: state/kubeconfig/centre.yaml
    recreate: true

- name: Take the site away from the centre
  edge.mesh.remote_secret:
    cluster: shop
    site:
      kubeconfig: state/kubeconfig/shop.yaml
    primaries:
      - name: centre
        kubeconfig: state/kubeconfig/centre.yaml
    state: absent
"""

RETURN = r"""
reasons:
  description: Why something was (or would be) changed, a line each; empty if nothing was.
  returned: success
  type: list
  elements: str
  sample: ["centre: the token expires in 29 d, inside the renewal window of 30 d", "centre: 1 former token revoked"]
expires_at:
  description: End of the token that ends first, as the site's API granted it; null if none ends or none is there yet.
  returned: success
  type: str
  sample: "2026-02-19T12:00:00Z"
token_digest:
  description: Digest of that token; null where there is none yet.
  returned: success
  type: str
  sample: "sha256:8d969eef6eca"
primaries:
  description: What was done for each primary.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the primary., type: str, sample: centre}
    action:
      description:
        - What was (or would be) done with its remote secret, one of V(kept), V(repaired), V(created), V(renewed).
        - With O(state=absent) one of V(deleted), V(absent), V(foreign) (made by others, so it stays), V(unreachable).
      type: str
      sample: renewed
    reasons: {description: Why., type: list, elements: str, sample: ["the site's API rejects the token"]}
    istiod:
      description: What istiod was seen to make of it, one of V(synced), V(not installed), V(not asked).
      type: str
      sample: synced
    endpoints:
      description:
        - How many endpoints of the site istiod knew after the change (the replica that knew fewest). Where a credential
          was replaced, none of a service may have got lost; null where nothing was changed or istiod wasn't asked.
      type: int
      sample: 12
    expires_at: {description: End of its token., type: str, sample: "2026-02-19T12:00:00Z"}
    token_digest: {description: Digest of its token., type: str, sample: "sha256:8d969eef6eca"}
remaining:
  description: What couldn't be removed, with O(state=absent).
  returned: success
  type: list
  elements: str
  sample: ["the reader and its tokens at the site shop"]
revoked:
  description:
    - Digests of the tokens that the site's API was seen to reject, with O(state=absent) and O(wait=true). One that is
      still taken after half a minute is in RV(remaining).
  returned: success
  type: list
  elements: str
  sample: ["sha256:8d969eef6eca"]
requests:
  description: HTTP requests sent to all APIs.
  returned: success
  type: int
  sample: 11
"""

from ansible_collections.edge.mesh.plugins.module_utils._module import Call, Module, Outcome, run
from ansible_collections.edge.mesh.plugins.module_utils._remote import serve

_CLUSTER = {"kubeconfig": {"type": "path", "required": True}, "context": {"type": "str"}}
_PRIMARY = {**_CLUSTER, "name": {"type": "str"}}
ARGUMENTS = {
    "cluster": {"type": "str", "required": True},
    "site": {"type": "dict", "required": True, "options": _CLUSTER},
    "primaries": {"type": "list", "elements": "dict", "required": True, "options": _PRIMARY},
    "api_server": {"type": "str"},
    "tls_server_name": {"type": "str"},
    "proxy_url": {"type": "str"},
    "token_type": {"type": "str", "choices": ["bound", "static"], "default": "bound", "no_log": False},
    "token_ttl": {"type": "str", "default": "90d", "no_log": False},
    "renew_before": {"type": "str"},
    "reader": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "namespace": {"type": "str", "default": "istio-system"},
            "service_account": {"type": "str"},
            "level": {"type": "str", "choices": ["full", "peer"], "default": "full"},
        },
    },
    "recreate": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 60},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def handle(call: Call) -> Outcome:
    """Serve one call; raises MeshError."""
    served = serve.serve(serve.Request.of(call.params, check_mode=call.check_mode))
    return Outcome(served.changed, served.result, served.diff, served.warnings)


MODULE = Module(ARGUMENTS, handle)


def main() -> None:
    """Entry point."""
    run(MODULE)


if __name__ == "__main__":
    main()
