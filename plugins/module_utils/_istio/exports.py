# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explicit export: Istio's and Kubernetes' objects that keep a service of one site out of the proxies of others.

Pure; used by the filter `edge.mesh.export_plan`. Two mechanisms, read in istiod's code (1.32 development tree):

* ServiceExport. With ``ENABLE_MCS_SERVICE_DISCOVERY`` an endpoint is sent to proxies of other clusters only if its own
  cluster has a ServiceExport of the service's name (`serviceexportcache.go`, `filterIstioEndpoint`). So what nobody
  names is hidden from the moment that it exists. It knows all other clusters or none.
* EnvoyFilter with ``REMOVE``, matched by a proxy's ``CLUSTER_ID``: takes a service's clusters and virtual hosts out of
  the proxies of one site, all of it. So it can hide a name, but not some endpoints of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX, SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import ACCOUNT, PEER_ACCOUNT

__all__ = ["Export", "Member", "at_site", "hidden", "ruled_out", "split_names", "view"]

Json = dict[str, Any]

_GROUP, _VERSION = "multicluster.x-k8s.io", "v1alpha1"
_READER = "edge-mesh-export-reader"
_SYSTEM = re.compile(rf"\.(kube-[a-z]+|{SYSTEM_NAMESPACE})$|^kubernetes\.default$")  # nobody calls these over sites


@dataclass(frozen=True)
class Export:
    """A service (``<service>.<namespace>``) that a site shows; ``to`` are the sites that see it, empty for all."""

    host: str
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """A site: what it shows (``exports``, None for everything), and what was seen there (None if nothing could be)."""

    name: str
    exports: tuple[Export, ...] | None
    services: frozenset[str] | None
    namespaces: frozenset[str] = frozenset()

    def shows(self, host: str, to: str) -> bool:
        """Whether a site may see a service of this one."""
        if self.exports is None:
            return True
        return any(each.host == host and (not each.to or to in each.to) for each in self.exports)

    def hides(self, host: str, to: str) -> bool:
        """Whether a service is shown to others, but not to this site."""
        return any(each.host == host and each.to and to not in each.to for each in self.exports or ())

    def has(self, host: str) -> bool:
        """Whether there is, or shall be, a service of that name."""
        return host in (self.services or ()) or any(each.host == host for each in self.exports or ())


def at_site(site: Member) -> list[Json]:
    """What a site's cluster gets: the definition, the readers' right to it, and a ServiceExport of each shown service.

    A ServiceExport needs its namespace, not its Service. Without ``exports`` all services are shown that are there now.
    """
    everything = sorted(host for host in site.services or () if not _SYSTEM.search(host))
    shown = everything if site.exports is None else [each.host for each in site.exports]
    there = [host for host in shown if _namespace(host) in site.namespaces]
    return [_definition(), *_rights(), *(_service_export(host) for host in there)]


def ruled_out(consumer: str, sites: Iterable[Member]) -> list[str]:
    """Services that some site shows to others and nobody shows to this one: known from the rules alone."""
    others = [site for site in sites if site.name != consumer]
    named = {each.host for site in others for each in site.exports or () if site.hides(each.host, consumer)}
    return sorted(host for host in named if not any(site.has(host) and site.shows(host, consumer) for site in others))


def hidden(consumer: Member, sites: Iterable[Member]) -> list[str]:
    """Services of other sites that the consumer must not know even by name, of those that were seen."""
    others = [site for site in sites if site.name != consumer.name]
    seen = {host for site in others for host in site.services or ()} - (consumer.services or frozenset())
    return sorted(
        host for host in seen if not any(site.has(host) and site.shows(host, consumer.name) for site in others)
    )


def split_names(consumer: Member, sites: Iterable[Member]) -> list[str]:
    """Why a site can't be kept from seeing what others hide from it, a clause each: Istio joins equal names."""
    others = [site for site in sites if site.name != consumer.name]
    found = []
    for site in others:
        for each in site.exports or ():
            if not site.hides(each.host, consumer.name):
                continue
            shown = [other.name for other in others if other.has(each.host) and other.shows(each.host, consumer.name)]
            own = (
                [f"{consumer.name} has a service of that name itself"] if each.host in (consumer.services or ()) else []
            )
            why = [*own, *(f"{name} shows {consumer.name} its own" for name in shown)]
            if why:
                found.append(
                    f"{each.host} of {site.name} can't be hidden from {consumer.name} alone: {' and '.join(why)}"
                )
    return found


def view(consumer: str, kind: str, hosts: Iterable[str]) -> Json:
    """The EnvoyFilter that takes services out of a site's proxies; ``kind`` tells its two from one another."""
    proxy = {"metadata": {"CLUSTER_ID": consumer}}
    patches: list[Json] = []
    for host in hosts:
        full = f"{host}{SERVICE_SUFFIX}"
        patches.append(_removal("CLUSTER", proxy, {"cluster": {"service": full}}))
        patches.append(_removal("VIRTUAL_HOST", proxy, {"routeConfiguration": {"vhost": {"domainName": full}}}))
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        # only one in Istio's root namespace applies to proxies of every namespace
        "metadata": {"name": f"edge-mesh-{kind}-{consumer}", "namespace": SYSTEM_NAMESPACE},
        "spec": {"configPatches": patches},
    }


def _removal(what: str, proxy: Json, match: Json) -> Json:
    return {
        "applyTo": what,
        "match": {"context": "ANY", "proxy": proxy, **match},
        "patch": {"operation": "REMOVE"},
    }


def _namespace(host: str) -> str:
    return host.partition(".")[2]


def _service_export(host: str) -> Json:
    name, _dot, namespace = host.partition(".")
    return {
        "apiVersion": f"{_GROUP}/{_VERSION}",
        "kind": "ServiceExport",
        "metadata": {"name": name, "namespace": namespace},
    }


def _definition() -> Json:
    """ServiceExport of the Multi-Cluster Services API (KEP-1645), as far as it is used here."""
    anything: Mapping[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"serviceexports.{_GROUP}",
            # Kubernetes wants to see where a definition in one of its groups was agreed on
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements/pull/1646"},
        },
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "ServiceExport",
                "listKind": "ServiceExportList",
                "plural": "serviceexports",
                "singular": "serviceexport",
                "shortNames": ["svcex"],
            },
            "versions": [
                {
                    "name": _VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": dict(anything)},
                }
            ],
        },
    }


def _rights() -> list[Json]:
    """The primaries' readers see ServiceExports; those of a site's own istiod have a role of Istio's chart."""
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [_GROUP], "resources": ["serviceexports"], "verbs": ["list", "watch"]}
    accounts = [
        {"kind": "ServiceAccount", "name": name, "namespace": SYSTEM_NAMESPACE} for name in (ACCOUNT, PEER_ACCOUNT)
    ]
    return [
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": _READER}, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _READER},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": _READER},
            "subjects": accounts,
        },
    ]
