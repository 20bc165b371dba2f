# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateway-only sites of the inventory: what they show to the mesh and what they call of it (used by the site model).

Pure: sites' entries in, problems out. An entry's ``gateway_only`` is what playbooks need: ``shown`` and ``called``
as `_istio.gateway_only` has them, the same as ``probe`` for `verify`, the gateways' ports, and the ``identity`` that
callers meet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import gateway_only
from ansible_collections.edge.mesh.plugins.module_utils._istio.gateway_only import PROBE_IN, PROBE_OUT, Called, Shown
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import samples
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["arrange", "is_gateway_only"]

SHOWS, CALLS = "edge_mesh_gateway_only_services", "edge_mesh_gateway_only_calls"
_FIRST_IN, _FIRST_OUT, _MOST = 15500, 15600, 99
_PORTS = range(1, 65536)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST = 63
_HELLOWORLD: dict[str, Any] = {
    "service": "helloworld",
    "namespace": samples.NAMESPACE,
    "port": 5000,
    "protocol": "http",
}


def is_gateway_only(site: Mapping[str, Any]) -> bool:
    """Whether no workload of the site has a sidecar."""
    return bool(site["mode"] == "gateway_only")


def arrange(
    sites: Mapping[str, dict[str, Any]], trust_domain: str, versions: Mapping[str, str], *, sample_apps: bool
) -> list[Problem]:
    """Give each site's entry its ``gateway_only``; what is wrong is returned.

    ``versions`` are those of helloworld by site, as a sample app or, without sample apps, as a probe.
    """
    problems: list[Problem] = []
    for name, site in sites.items():
        shown, wrong = _read(site, SHOWS, "gateway_only_services", _FIRST_IN)
        called, more = _read(site, CALLS, "gateway_only_calls", _FIRST_OUT)
        wrong += more
        probe: dict[str, Any] = {"shown": [], "called": []}
        if is_gateway_only(site):
            wrong += _impossible(site)
            labels = {"version": versions[name]}
            if sample_apps:
                shown, called = [*shown, {**_HELLOWORLD, "labels": labels}], [*called, _HELLOWORLD]
            else:
                there = {**_HELLOWORLD, "namespace": samples.PROBES}
                probe = _entry(
                    [{**there, "labels": labels, "gateway_port": PROBE_IN}], [{**there, "gateway_port": PROBE_OUT}]
                )
        elif shown or called:
            wrong.append(f"{SHOWS} and {CALLS} are for sites with edge_mesh_mode: gateway_only")
        shown = _numbered(shown, _FIRST_IN, wrong, SHOWS)
        called = _numbered(called, _FIRST_OUT, wrong, CALLS)
        wrong += _twice(shown, SHOWS) + _twice(called, CALLS) + _too_long(name, called)
        entry = _entry(shown, called)
        site["gateway_only"] = {
            **entry,
            "probe": probe,
            "identity": gateway_only.in_identity(trust_domain),
            "shown_ports": [each["gateway_port"] for each in (*entry["shown"], *probe["shown"])],
            "called_ports": [each["gateway_port"] for each in (*entry["called"], *probe["called"])],
        }
        problems += [Problem(name, message) for message in wrong]
    return problems


def _entry(shown: list[dict[str, Any]], called: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "shown": [asdict(Shown(**each)) for each in shown], "called": [asdict(Called(**each)) for each in called],
    }  # fmt: skip


def _impossible(site: Mapping[str, Any]) -> list[str]:
    """What a site without sidecars can't be or have."""
    wrong = []
    if site["role"] == "primary":
        wrong.append("a primary runs istiod and can't be gateway_only; use edge_mesh_mode: sidecar")
    if site["sample_parts"]:
        wrong.append(
            "edge_mesh_sample_parts lists apps that call one another across the mesh by their own names, which a site "
            "with edge_mesh_mode: gateway_only can't; let them run elsewhere"
        )
    if site["wan_rules"]:
        wrong.append("edge_mesh_wan_rules are kept by sidecars, and a gateway_only site has none; drop the rules")
    if site.get("exports") is not None:
        wrong.append(f"edge_mesh_exports can't say what a gateway_only site shows; {SHOWS} does, to the whole mesh")
    for address in site["gateway_addresses"] if isinstance(site["gateway_addresses"], list) else []:
        try:
            ipaddress.ip_address(str(address))
        except ValueError:
            wrong.append(
                f"edge_mesh_gateway_addresses holds {address!r}; the mesh calls a gateway_only site at IPs only"
            )
    return wrong


def _read(site: Mapping[str, Any], variable: str, key: str, first: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of a list that can be used, and what is wrong with the others."""
    found, wrong = [], []
    given = site[key] if isinstance(site[key], list) else []
    for number, entry in enumerate(given, 1):
        complaints = _bad_entry(entry, first)
        wrong += [f"entry {number} of {variable} {complaint}" for complaint in complaints]
        if complaints:
            continue
        service, namespace = str(entry["host"]).removesuffix(SERVICE_SUFFIX).split(".")
        one = {"service": service, "namespace": namespace, "port": int(entry["port"])}
        one |= {name: entry[name] for name in ("gateway_port", "protocol") if name in entry}
        if first == _FIRST_IN:
            one["labels"] = {str(name): str(value) for name, value in (entry.get("labels") or {}).items()}
        found.append(one)
    return found, wrong


def _bad_entry(entry: Any, first: int) -> list[str]:
    if not isinstance(entry, Mapping):
        return ["is no mapping"]
    known = {"host", "port", "protocol", "gateway_port"} | ({"labels"} if first == _FIRST_IN else set())
    wrong = [f"has {name!r}; it can have {', '.join(sorted(known))}" for name in entry if name not in known]
    parts = str(entry.get("host") or "").removesuffix(SERVICE_SUFFIX).split(".")
    if len(parts) != 2 or not all(_LABEL.fullmatch(part) for part in parts):
        wrong.append(f"names the host {entry.get('host')!r}; write <service>.<namespace>")
    if _number(entry.get("port")) not in _PORTS:
        wrong.append(f"has port {entry.get('port')!r}; write the Service's own port")
    if entry.get("protocol", "http") not in ("http", "tcp"):
        wrong.append(f"has protocol {entry.get('protocol')!r}; it can be http or tcp")
    if "gateway_port" in entry and _number(entry["gateway_port"]) not in range(first, first + _MOST):
        wrong.append(f"has gateway_port {entry['gateway_port']!r}; it can be {first} to {first + _MOST - 1}")
    if not isinstance(entry.get("labels") or {}, Mapping):
        wrong.append("has labels that are no mapping")
    return wrong


def _number(value: Any) -> int:
    return int(value) if not isinstance(value, bool) and str(value).isdigit() else -1


def _numbered(entries: list[dict[str, Any]], first: int, wrong: list[str], variable: str) -> list[dict[str, Any]]:
    """The entries, each with a port of the gateway: its own, or the first that nobody names, in their order."""
    if len(entries) > _MOST:
        wrong.append(f"{variable} has {len(entries)} ports; a gateway has room for {_MOST}")
        entries = entries[:_MOST]
    named = {int(each["gateway_port"]) for each in entries if "gateway_port" in each}
    free = iter(port for port in range(first, first + _MOST) if port not in named)
    return [{**each, "gateway_port": int(each.get("gateway_port") or next(free))} for each in entries]


def _twice(entries: list[dict[str, Any]], variable: str) -> list[str]:
    """Ports that stand twice: of a host, and of the gateway."""
    hosts = [f"port {each['port']} of {each['service']}.{each['namespace']}" for each in entries]
    ports = [f"gateway_port {each['gateway_port']}" for each in entries]
    return [
        f"{variable} has {what} twice" for listed in (hosts, ports) for what in dict.fromkeys(listed)
        if listed.count(what) > 1
    ]  # fmt: skip


def _too_long(site: str, called: list[dict[str, Any]]) -> list[str]:
    hosts = dict.fromkeys((each["service"], each["namespace"]) for each in called)
    wrong = [
        f"{CALLS}: a Service {name} would be needed, over {_LONGEST} characters"
        for service, namespace in hosts
        for name in (gateway_only.helper(service, namespace), gateway_only.alias(service))
        if len(name) > _LONGEST
    ]
    if called and len(gateway_only.set_of(site, probe=True)) > _LONGEST:
        wrong.append(
            "the site's name is too long for a gateway_only site: its objects are labelled with it; shorten it"
        )
    return wrong
