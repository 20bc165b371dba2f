# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inputs that a site needs from the mesh: webhook, trust, istiod's address (used by `_verify.survey`).

Pure: JSON of the API in, findings out. Names and shapes as in Istio's `remote` profile; the reader's credential, the
fourth input, is in `reader`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import (
    CONTROL_PLANE_CLUSTERS,
    NETWORK_LABEL,
    SYSTEM_NAMESPACE,
    injection_path,
    names,
)
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Finding, Json

__all__ = [
    "bundle_of",
    "fingerprints",
    "injected_namespaces",
    "injectors",
    "istiod_address",
    "namespace",
    "path_of",
    "roots",
    "trust",
    "webhook",
]

ISTIOD_PORTS = (15012, 15017)
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_ANNOTATION_HINT = (
    "istiod fills it in only where istio-system carries topology.istio.io/controlPlaneClusters from before the remote "
    "secret; " + RERUN
)


def fingerprints(pem: str) -> frozenset[str]:
    """``sha256:<hex>`` of every certificate in a PEM text; what isn't a certificate is left out."""
    found = set()
    for part in pem.split(_BEGIN)[1:]:
        body, end, _rest = part.partition(_END)
        if end:
            try:
                der = ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{body}{_END}")
            except (binascii.Error, ValueError):
                continue
            found.add("sha256:" + hashlib.sha256(der).hexdigest())
    return frozenset(found)


def roots(configmaps: Iterable[Json]) -> dict[str, str]:
    """Namespace -> the PEM text of its ConfigMap `istio-ca-root-cert`."""
    return {item["metadata"]["namespace"]: (item.get("data") or {}).get("root-cert.pem", "") for item in configmaps}


def injected_namespaces(namespaces: Iterable[Json], revision: str) -> list[str]:
    """The namespaces whose pods get a sidecar from the control plane ``revision``, by their labels."""
    found = []
    for item in namespaces:
        labels: Json = item["metadata"].get("labels") or {}
        by_revision = labels.get("istio.io/rev") == names(revision)["revision_label"]
        if by_revision or (not revision and labels.get("istio-injection") == "enabled"):
            found.append(item["metadata"]["name"])
    return found


def namespace(found: Json | None, *, network: str, primary: str | None) -> Finding:
    """Whether istio-system carries the site's network, and the name of the ``primary`` (None: isn't wanted).

    istiod takes the network of what has no label of its own from here; it reads the annotation when the cluster is
    added, and writes webhook and root only where it finds itself (or `*`) in that list.
    """
    metadata: Json = (found or {}).get("metadata") or {}
    label = (metadata.get("labels") or {}).get(NETWORK_LABEL)
    annotation = (metadata.get("annotations") or {}).get(CONTROL_PLANE_CLUSTERS)
    faults, hint = [], RERUN
    if found is None:
        faults.append(f"there is no namespace {SYSTEM_NAMESPACE}")
    elif label != network:
        faults.append(f"{SYSTEM_NAMESPACE} is labelled with network {label or 'none'}, not {network}")
    clusters = {part.strip() for part in str(annotation or "").split(",")}
    if found is not None and primary is not None and not clusters & {primary, "*"}:
        faults.append(f"{CONTROL_PLANE_CLUSTERS} is {annotation or 'missing'}, not {primary}")
        hint = (
            f"{RERUN}; where webhook or root are missing too, the remote secret is renewed, as istiod reads this once"
        )
    evidence = {
        "seen": "; ".join(faults) or f"network {network}" + (f", control plane {primary}" if primary else ""),
        "network": label,
        "control_plane_clusters": annotation,
    }
    return Finding("failed", {**evidence, "faults": faults}, hint) if faults else Finding("ok", evidence)


def webhook(configurations: Iterable[Json], *, site: str, network: str, revision: str, root: str | None) -> Finding:
    """Whether the injector's webhooks call the path of this site and trust the root that the site's pods trust.

    ``root`` is the PEM text in the site's own `istio-system`, None if it isn't there.
    """
    wanted = injection_path(site, network)
    label = names(revision)["revision_label"]
    ours = injectors(configurations, revision)
    if not ours:
        return Finding("failed", {"seen": "there is no injection webhook", "revision": label}, RERUN)
    faults: list[str] = []
    hint = RERUN
    trusted = fingerprints(root or "")
    hooks = [(item["metadata"]["name"], hook) for item in ours for hook in item.get("webhooks") or []]
    for name, hook in hooks:
        path = path_of(hook)
        if path != wanted:
            faults.append(f"{name} calls {path or 'no path'}, not {wanted}")
        bundle = fingerprints(bundle_of(hook))
        if not bundle:
            faults.append(f"{name} has no CA bundle")
            hint = _ANNOTATION_HINT
        elif trusted and not bundle & trusted:
            faults.append(f"the CA bundle of {name} isn't the root that the site's pods trust")
    if not hooks:
        faults.append(f"{ours[0]['metadata']['name']} holds no webhook")
    if not trusted:
        faults.append("istio-system holds no root certificate to compare the CA bundle with")
        hint = _ANNOTATION_HINT
    evidence = {
        "seen": _unique(faults)[0] if faults else f"calls {wanted}",
        "configurations": sorted(item["metadata"]["name"] for item in ours),
        "paths": _unique(path_of(hook) for _name, hook in hooks),
        "revision": label,
        "ca": sorted({digest for _name, hook in hooks for digest in fingerprints(bundle_of(hook))}),
    }
    if faults:
        return Finding("failed", {**evidence, "faults": _unique(faults)}, hint)
    return Finding("ok", evidence)


def trust(found: Mapping[str, str], wanted: Iterable[str], root: str) -> Finding:
    """Whether each of the ``wanted`` namespaces holds the primary's root; ``found`` as `roots` gives it."""
    expected = fingerprints(root)
    asked = _unique(wanted)
    missing = [name for name in asked if not fingerprints(found.get(name, ""))]
    different = [name for name in asked if name not in missing and fingerprints(found[name]) != expected]
    evidence: dict[str, Any] = {"namespaces": asked, "root": sorted(expected)}
    if not expected:
        reason = "the primary's istio-system has no istio-ca-root-cert to compare with"
        return Finding("unknown", {"seen": reason, **evidence}, "is istiod running on the primary?")
    if missing:
        evidence |= {"seen": f"no root certificate in {', '.join(missing)}", "missing": missing, "different": different}
        return Finding("failed", evidence, _ANNOTATION_HINT)
    if different:
        evidence |= {"seen": f"another root in {', '.join(different)}", "different": different}
        return Finding("failed", evidence, "istiod brings a new root within about a minute; else " + RERUN)
    return Finding("ok", {"seen": f"the root of the primary in {_count(len(asked), 'namespace')}", **evidence})


def istiod_address(service: Json | None, slices: Iterable[Json], expected: Iterable[str], revision: str) -> Finding:
    """Whether the site's Service for istiod leads to ``expected`` (IP addresses; empty: to any) on both ports."""
    name = names(revision)["istiod"]
    if service is None:
        return Finding("failed", {"seen": f"there is no Service {name}"}, RERUN)
    port_names = {port.get("name", "") for port in service.get("spec", {}).get("ports") or []}
    addresses: dict[int, set[str]] = {port: set() for port in ISTIOD_PORTS}
    for item in slices:
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
            continue
        ready = {
            address
            for endpoint in item.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint.get("addresses") or []
        }
        for port in item.get("ports") or []:
            # a slice serves a Service's port of the same name, whatever its number
            if port.get("port") in addresses and port.get("name", "") in port_names:
                addresses[port["port"]] |= ready
    wanted = set(expected)
    faults = [f"no endpoint for port {port}" for port, found in addresses.items() if not found]
    every = set().union(*addresses.values())
    if wanted and every and not wanted <= every:
        faults.append(f"leads to {', '.join(sorted(every))}, not to {', '.join(sorted(wanted - every))}")
    evidence = {
        "seen": faults[0] if faults else f"{name} leads to {', '.join(sorted(every))}",
        "service": name,
        "addresses": sorted(every),
        "ports": sorted(port for port, found in addresses.items() if found),
        "expected": sorted(wanted),
    }
    return Finding("failed", {**evidence, "faults": faults}, RERUN) if faults else Finding("ok", evidence)


def injectors(configurations: Iterable[Json], revision: str) -> list[Json]:
    """The configurations of the injection webhook among ``configurations``."""
    by_revision = names(revision)
    return [
        item for item in configurations if _is_injector(item, by_revision["injector"], by_revision["revision_label"])
    ]


def _is_injector(item: Json, name: str, revision: str) -> bool:
    labels: Json = item["metadata"].get("labels") or {}
    return item["metadata"]["name"] == name or (
        labels.get("app") == "sidecar-injector" and labels.get("istio.io/rev") == revision
    )


def path_of(hook: Json) -> str:
    """The path that a webhook calls, with a slash in front; empty without one."""
    client: Json = hook.get("clientConfig") or {}
    url = client.get("url")
    if url:
        return "/" + str(url).partition("://")[2].partition("/")[2]
    return str((client.get("service") or {}).get("path") or "")


def bundle_of(hook: Json) -> str:
    """The PEM text of a webhook's CA bundle; empty for what is none."""
    try:
        return base64.b64decode((hook.get("clientConfig") or {}).get("caBundle") or "").decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
