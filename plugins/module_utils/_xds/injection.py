# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Would a pod get its sidecar? Asked without a pod: a dry-run create, and a look at the answer (pure builders).

Used by `_xds.synthetic`. The webhook's path decides the cluster and network of a proxy (`/inject/cluster/<c>/net/<n>`),
so the injected container is read for them: a wrong path gives a sidecar that can never get a certificate.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    LOCAL_INJECTOR,
    PROXY_CONTAINER,
    injection_path,
)
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Finding, Mesh, Site

__all__ = ["judge", "probe_pod", "refusal", "webhook_facts", "with_webhook"]


def probe_pod(mesh: Mesh) -> dict[str, Any]:
    """A pod that asks for a sidecar and that the strictest Pod Security level admits; it is never created."""
    labels = {"app": "edge-mesh-probe", "sidecar.istio.io/inject": "true"}
    if mesh.revision_label != "default":
        labels["istio.io/rev"] = mesh.revision_label
    container = {
        "name": "probe",
        "image": "edge-mesh-probe",
        "imagePullPolicy": "Never",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "edge-mesh-probe-", "labels": labels},
        "spec": {
            "containers": [container],
            "serviceAccountName": "default",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }


def judge(pod: Mapping[str, Any], site: Site) -> Finding:
    """What the API answered: is the proxy's container in it (native sidecar or not), with the site's own settings?"""
    spec = pod.get("spec") or {}
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or []:
            if container.get("name") == PROXY_CONTAINER:
                return _settings(container, kind, site)
    names = [container.get("name") for container in spec.get("containers") or []]
    hint = "no webhook took the pod: check the site's injection webhook, its selectors and the revision"
    return Finding("failed", {"containers": names}, hint)


def _settings(container: Mapping[str, Any], kind: str, site: Site) -> Finding:
    values = {item.get("name"): item.get("value") for item in container.get("env") or []}
    found = {"cluster": values.get("ISTIO_META_CLUSTER_ID"), "network": values.get("ISTIO_META_NETWORK")}
    evidence = {"image": container.get("image"), "container": kind, **found}
    if found["cluster"] != site.cluster or (found["network"] or "") != site.network:
        evidence["expected"] = {"cluster": site.cluster, "network": site.network}
        hint = f"the webhook's path must be /inject/cluster/{site.cluster}/net/{site.network}"
        return Finding("failed", evidence, hint)
    return Finding("ok", evidence)


def refusal(status: int, why: str, site: Site) -> Finding:
    """What it means that the API refused the dry run: the pod's own refusal is a fact, a lack of rights isn't."""
    evidence = {"status": status, "error": why[:500]}
    if status in (0, 401, 429, 503, 504) or (status == 403 and "cannot create resource" in why):
        return Finding("unknown", evidence, "the site's API couldn't be asked for a dry run")
    if site.local_injector and "webhook" in why:
        hint = f"the site's API can't call the site's own injector: look at the Deployment {LOCAL_INJECTOR} there"
        return Finding("failed", evidence, hint)
    if "x509" in why or "certificate" in why:
        return Finding("failed", evidence, "the webhook has no or a wrong CA bundle: is istiod allowed to write it?")
    if "webhook" in why:
        return Finding(
            "failed", evidence, "the site's API can't call the primary's webhook: check 15017 on the gateway"
        )
    return Finding("failed", evidence, "a pod with a sidecar would be refused at this site")


def webhook_facts(
    configurations: Iterable[Mapping[str, Any]], mesh: Mesh, site: Site, roots_pem: str
) -> dict[str, Any]:
    """What the injector's webhooks at a site say: ``{configuration, paths, ca_bundle}``.

    ``ca_bundle`` is ``none``, ``the site's root``, ``another root``, or ``not compared`` where the site's isn't known.
    An injector of the site's own has a certificate of its own, which input.webhook compares.
    """
    name = LOCAL_INJECTOR if site.local_injector else mesh.injector
    ours = [item for item in configurations if item["metadata"]["name"] == name]
    clients = [hook.get("clientConfig") or {} for item in ours for hook in item.get("webhooks") or []]
    paths = {str((client.get("service") or {}).get("path") or client.get("url") or "") for client in clients}
    bundles = {_compared(client.get("caBundle"), "" if site.local_injector else roots_pem) for client in clients}
    worst = [word for word in ("none", "another root", "not compared", "the site's root") if word in bundles]
    return {
        "configuration": name if ours else None,
        "paths": sorted(paths),
        "ca_bundle": worst[0] if worst else "none",
    }


def _compared(bundle: Any, roots_pem: str) -> str:
    try:
        text = base64.b64decode(str(bundle or "")).decode("ascii", "replace")
        shown = {item.fingerprint for item in workload.inspect(text)}
    except (MeshError, binascii.Error, ValueError):
        return "none"
    try:
        trusted = {item.fingerprint for item in workload.inspect(roots_pem)}
    except MeshError:
        return "not compared"
    return "the site's root" if shown & trusted else "another root"


def with_webhook(finding: Finding, webhook: Mapping[str, Any], site: Site) -> Finding:
    """The finding with what the webhook's configuration says beside it, and the hint that follows from that."""
    wanted = injection_path(site.cluster, site.network)
    paths = [path for path in webhook["paths"] if not path.endswith(wanted)]
    hint = finding.hint
    if webhook["configuration"] is None:
        hint = "the site has no injection webhook of this revision: run site.yml for this site"
    elif site.local_injector:
        pass  # what is said below holds for the primary's istiod
    elif webhook["ca_bundle"] == "none":
        hint = (
            "the webhook has no CA bundle: istiod writes it where istio-system carried the annotation "
            "topology.istio.io/controlPlaneClusters before the remote secret came; run site.yml for this site"
        )
    elif webhook["ca_bundle"] == "another root":
        hint = "the webhook's CA bundle is another root than the site's: istiod mends it if it can reach the site's API"
    elif paths and not site.is_primary:
        hint = f"the webhook's path must be {wanted}, not {paths[0]}"
    return Finding(finding.verdict, {**finding.evidence, "webhook": dict(webhook)}, hint)
