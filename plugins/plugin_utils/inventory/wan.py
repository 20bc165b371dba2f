# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WAN links and rules of the inventory, judged and put in order (used by the site model).

Pure: sites' entries in, problems out. Entries keep what playbooks need: ``wan_links`` and ``wan_rules`` as
`_wan.model` carries them.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._wan.model import (
    MOST_LINKS,
    Link,
    Rule,
    read_link,
    read_rule,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["arrange"]


def arrange(sites: Mapping[str, dict[str, Any]], routed: Collection[str] = ()) -> list[Problem]:
    """Replace what the sites' entries say of WAN links by values that playbooks can use; what is wrong is returned.

    ``routed`` are hosts (full names) for which the run makes a VirtualService for another reason.
    """
    problems: list[Problem] = []
    links: dict[str, list[Link]] = {}
    for name, site in sites.items():
        links[name], wrong = _links(site)
        rules, more = _rules(site, links[name])
        problems += [Problem(name, message) for message in (*wrong, *more)]
        site["wan_rules"] = [rule.as_dict() for rule in rules]
        both = dict.fromkeys(rule.host for rule in rules if rule.host in routed)
        problems += [
            Problem(name, f"{host} has a route and a WAN rule, which can't be joined yet; drop one") for host in both
        ]
    for name, site in sites.items():
        site["wan_links"] = [{**link.as_dict(), **_made(name, link, sites, links)} for link in links[name]]
    return problems + _between_sites(sites, links)


def _is_made(site: Mapping[str, Any], link: Link) -> bool:
    """Whether the run itself makes a link: one of a KinD site that names no way of its own."""
    return site["provider"] == "kind" and not link.default and not link.interface and not link.next_hop


def _made(
    name: str, link: Link, sites: Mapping[str, Mapping[str, Any]], links: Mapping[str, list[Link]]
) -> dict[str, Any]:
    """Whether the run makes a link, and the sites at its other ends."""
    if not _is_made(sites[name], link):
        return {"made": False, "ends": []}
    ends = [
        other for other, found in links.items()
        if other != name and any(each.name == link.name and _is_made(sites[other], each) for each in found)
    ]  # fmt: skip
    return {"made": True, "ends": ends}


def _links(site: Mapping[str, Any]) -> tuple[list[Link], list[str]]:
    given = site["wan_links"] if isinstance(site["wan_links"], list) else []
    found: list[Link] = []
    wrong: list[str] = []
    for number, entry in enumerate(given, 1):
        link, complaints = read_link(entry, f"entry {number} of edge_mesh_wan_links")
        wrong += complaints
        if link is not None:
            found.append(link)
            wrong += _bad_for_provider(site["provider"], link) if not complaints else []
    wrong += _twice("are called", (link.name for link in found))
    wrong += _twice("have the dscp", (link.dscp for link in found if link.dscp))
    defaults = [link.name for link in found if link.default]
    if found and len(defaults) != 1:
        how = f"{' and '.join(defaults)} are both the default one" if defaults else "none is the default one"
        wrong.append(f"edge_mesh_wan_links: {how}; set default: true at exactly one")
    if len(found) > MOST_LINKS + 1:
        wrong.append(
            f"edge_mesh_wan_links has {len(found)} entries; a site can have {MOST_LINKS} beside the default one"
        )
    return found, wrong


def _bad_for_provider(provider: str, link: Link) -> list[str]:
    named = link.interface or link.next_hop or link.to
    if provider == "existing" and named:
        hint = "leave interface, next_hop and to out, and let the site's router choose by DSCP"
        return [f"the WAN link {link.name} names a way, but nothing connects to machines of provider existing; {hint}"]
    if provider == "k3s" and not link.default and not (link.interface or link.next_hop):
        return [f"the WAN link {link.name} needs an interface or a next_hop"]
    if link.to and not (link.interface or link.next_hop):
        return [f"the WAN link {link.name} has to, but neither interface nor next_hop"]
    return []


def _rules(site: Mapping[str, Any], links: Iterable[Link]) -> tuple[list[Rule], list[str]]:
    given = site["wan_rules"] if isinstance(site["wan_rules"], list) else []
    names = [link.name for link in links]
    found: list[tuple[int, Rule]] = []
    wrong: list[str] = []
    for number, entry in enumerate(given, 1):
        rule, complaints = read_rule(entry, f"entry {number} of edge_mesh_wan_rules")
        wrong += complaints
        if rule is None or complaints:
            continue
        if rule.link not in names:
            near = difflib.get_close_matches(rule.link, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the site has {', '.join(names) or 'no links'}"
            wrong.append(f"entry {number} of edge_mesh_wan_rules names the link {rule.link}, which isn't there; {hint}")
        for earlier, other in found:
            if other.host == rule.host and other.link != rule.link and other.conditions <= rule.conditions:
                wrong.append(
                    f"entries {earlier} and {number} of edge_mesh_wan_rules contradict each other: {other.link} has "
                    f"all of {rule.host} that {rule.link} should get; put the narrower one first, or drop one"
                )
        found.append((number, rule))
    return [rule for _number, rule in found], wrong


def _between_sites(sites: Mapping[str, dict[str, Any]], links: Mapping[str, list[Link]]) -> list[Problem]:
    """Links of one name belong together: at all sites the default one or at none, and a made one has another end."""
    problems = []
    by_name: dict[str, list[tuple[str, Link]]] = {}
    for name, found in links.items():
        for link in found:
            by_name.setdefault(link.name, []).append((name, link))
    for name, ends in by_name.items():
        defaults = [site for site, link in ends if link.default]
        if 0 < len(defaults) < len(ends):
            others = ", ".join(site for site, link in ends if not link.default)
            message = f"the WAN link {name} is the default one at {', '.join(defaults)}, but not at {others}"
            problems.append(Problem(None, f"{message}; give them different names"))
        made = [site for site, link in ends if _is_made(sites[site], link)]
        if len(made) == 1:
            message = f"the WAN link {name} has no other end: no other site of provider kind has it"
            problems.append(Problem(made[0], message))
    return problems


def _twice(what: str, values: Iterable[Any]) -> list[str]:
    seen: list[Any] = list(values)
    return [f"edge_mesh_wan_links: two links {what} {value}" for value in dict.fromkeys(seen) if seen.count(value) > 1]
