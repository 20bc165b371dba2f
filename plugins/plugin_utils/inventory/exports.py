# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`edge_mesh_exports` of the inventory, judged and put in order (used by the site model and `edge.mesh.export_plan`).

Pure: sites' entries in, problems out. An entry keeps what playbooks need: ``exports`` (None: everything) and ``hears``,
the sites whose helloworld must answer it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.exports import Export, Member
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import samples
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem, near

__all__ = ["arrange_exports", "member"]

_HOST = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_WORDS = ("service", "to")


def arrange_exports(
    mesh: Mapping[str, Any], sites: Mapping[str, dict[str, Any]], routed: Sequence[str]
) -> list[Problem]:
    """Replace what sites say of exports by ``[{service, to}]``; ``routed`` are hosts (full names) that have a route."""
    problems: list[Problem] = []
    for name, site in sites.items():
        if site["exports"] is None:
            continue
        found, wrong = _read(site["exports"] if isinstance(site["exports"], list) else [], name, list(sites))
        site["exports"] = [{"service": each.host, "to": list(each.to)} for each in found]
        wrong += _unproven(site, found, mesh, routed)
        problems += [Problem(name, f"edge_mesh_exports: {message}") for message in wrong]
    host = f"helloworld.{samples.NAMESPACE if mesh['sample_apps'] else samples.PROBES}"
    members = [member(site) for site in sites.values()]
    for name, site in sites.items():
        site["hears"] = [each.name for each in members if each.name == name or each.shows(host, name)]
    return problems


def member(site: Mapping[str, Any], seen: Mapping[str, Any] | None = None) -> Member:
    """A site of the model, with what `service_info` saw there."""
    given = site["exports"]
    exports = None if given is None else tuple(Export(each["service"], tuple(each["to"])) for each in given)
    known = bool(seen and seen["known"])
    return Member(
        site["name"],
        exports,
        frozenset(seen["services"]) if seen and known else None,
        frozenset(seen["namespaces"]) if seen and known else frozenset(),
    )


def _read(given: Sequence[Any], name: str, sites: Sequence[str]) -> tuple[list[Export], list[str]]:
    found: list[Export] = []
    wrong: list[str] = []
    for number, entry in enumerate(given, 1):
        where = f"entry {number}"
        if not isinstance(entry, Mapping):
            wrong.append(f"{where} is no mapping; write service: <service>.<namespace>")
            continue
        for word in entry:
            if word not in _WORDS:
                meant = difflib.get_close_matches(str(word), _WORDS, n=1)
                wrong.append(f"{where} has {word}, which means nothing{f'; did you mean {meant[0]}?' if meant else ''}")
        host = str(entry.get("service", "")).removesuffix(SERVICE_SUFFIX)
        if not _HOST.fullmatch(host):
            wrong.append(f"{where}: {host or 'no service'} is no <service>.<namespace>; each service is named")
            continue
        to = entry.get("to", [])
        if not isinstance(to, list) or ("to" in entry and not to):
            wrong.append(f"{where}: to is a list of sites; leave it out for all, and the entry out for none")
            continue
        wrong += [f"{where}: {message}" for message in _bad_sites([str(each) for each in to], name, sites)]
        if any(each.host == host for each in found):
            wrong.append(f"{host} stands there twice; give one entry all its sites")
        found.append(Export(host, tuple(str(each) for each in to)))
    return found, wrong


def _bad_sites(to: Sequence[str], name: str, sites: Sequence[str]) -> list[str]:
    found = []
    for each in to:
        if each == name:
            found.append("a site always sees its own services; leave it out of to")
        elif each not in sites:
            found.append(f"there is no site {each!r}{near(each, sites)}")
    return found


def _unproven(
    site: Mapping[str, Any], exports: Sequence[Export], mesh: Mapping[str, Any], routed: Sequence[str]
) -> list[str]:
    """Services whose shares `verify` proves over all sites, or that routes send to: they can't be hidden from any."""
    everywhere = {each.host for each in exports if not each.to}
    parts = {part.rpartition("-")[0] for part in site["sample_parts"]} if mesh["sample_apps"] else set()
    wanted = {f"{part}.{samples.NAMESPACE}": "a sample app whose shares are proven" for part in sorted(parts)}
    wanted |= {host.removesuffix(SERVICE_SUFFIX): "a host with a route" for host in routed}
    return [
        f"{host} must be shown to all sites, because it is {why}"
        for host, why in wanted.items()
        if host not in everywhere and (host in {each.host for each in exports} or why.startswith("a sample"))
    ]
