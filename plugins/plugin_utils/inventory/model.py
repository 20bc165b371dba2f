# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site model: what the inventory says, checked, as one structure (used by the action `edge.mesh.sites`).

Pure: groups and variables in, a model and a list of problems out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import injection_path, names
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory import gateway_only
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.addresses import bad_addresses, bad_sources
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.exports import arrange_exports
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.injectors import bad_injector
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.k3s_settings import bad_settings
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.machines import machines_of
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.settings import bad_mesh, bad_site
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.traffic import helloworld_versions, read_traffic
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.values import cast, problem_of
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.wan import arrange
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.waves import bad_waves

__all__ = ["Inventory", "Problem", "load_schema", "read"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_GROUPS = {"mesh_primary": "primary", "mesh_edge": "edge"}
_PREFIX = "edge_mesh_"
_HELLOWORLD = "sample_apps_helloworld_version"
_K3S = "edge_mesh_k3s_"
_LONGEST_NAME = 63


@dataclass(frozen=True)
class Inventory:
    """What Ansible knows: group name -> hosts, host -> variables (templated), and the inventory's directory."""

    groups: Mapping[str, list[str]]
    hostvars: Mapping[str, Mapping[str, Any]]
    directory: str | None


def load_schema() -> Mapping[str, Mapping[str, Any]]:
    """The variables by name, from ``schema.yml`` beside this file."""
    text = Path(__file__).with_name("schema.yml").read_text(encoding="utf-8")
    variables: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)["variables"]
    return variables


def read(inventory: Inventory) -> tuple[dict[str, Any], list[Problem]]:
    """The model ``{mesh, sites, primaries, edges, traffic, wan, exports}`` and all that is wrong with the inventory.

    ``sites`` maps a site's name to its entry, ``traffic`` is what `traffic.py` makes. The model is complete only if
    there are no problems.
    """
    schema = load_schema()
    problems: list[Problem] = []
    members = _members(inventory, problems)
    hosts = [host for member in members.values() for host in member[1]]
    problems += _unknown_names(inventory, hosts, schema)
    mesh = _mesh_values(inventory, hosts, schema, problems)
    sites: dict[str, Any] = {}
    for group, (role, role_hosts) in members.items():
        site = _site(group, role, role_hosts, inventory, schema, mesh, problems)
        if site["name"] in sites:
            problems.append(
                Problem(site["name"], f"two groups name this site: {sites[site['name']]['group']} and {group}")
            )
        sites[site["name"]] = site
    _check_hosts(members, inventory, schema, problems)
    _check_clusters(sites, mesh, problems)
    _link_primaries(sites, problems)
    _check_networks(sites, mesh, problems)
    problems += [
        problem for site in sites.values() for problem in (*bad_site(site), *bad_addresses(site), *bad_injector(site))
    ]
    greeters = {name: inventory.hostvars[site["host"]].get(_HELLOWORLD) for name, site in sites.items()}
    traffic, wrong = read_traffic(mesh, sites, greeters)
    problems += wrong
    versions = helloworld_versions(sites, greeters)
    problems += gateway_only.arrange(sites, mesh["trust_domain"], versions, sample_apps=mesh["sample_apps"])
    problems += arrange(sites, traffic["hosts"])
    problems += arrange_exports(mesh, sites, traffic["hosts"])
    model = {
        "mesh": mesh,
        "sites": sites,
        "primaries": [name for name, site in sites.items() if site["role"] == "primary"],
        "edges": [name for name, site in sites.items() if site["role"] == "edge"],
        "traffic": traffic,
        "wan": any(site["wan_links"] for site in sites.values()),
        "exports": any(site["exports"] is not None for site in sites.values()),
    }
    return model, problems


def _members(inventory: Inventory, problems: list[Problem]) -> dict[str, tuple[str, list[str]]]:
    """Group `site_*` -> (role, hosts), in the inventory's order."""
    found: dict[str, tuple[str, list[str]]] = {}
    in_role = {role: set(inventory.groups.get(group, [])) for group, role in _GROUPS.items()}
    for group, hosts in inventory.groups.items():
        if not group.startswith("site_") or not hosts:
            continue
        roles = [role for role, members in in_role.items() if set(hosts) & members]
        if len(roles) == 1:
            found[group] = (roles[0], list(hosts))
        else:
            wanted = "in both mesh_primary and mesh_edge" if roles else "neither in mesh_primary nor in mesh_edge"
            problems.append(Problem(None, f"group {group} is {wanted}; put it under exactly one of them"))
    grouped = {host for member in found.values() for host in member[1]}
    for group in _GROUPS:
        for host in inventory.groups.get(group, []):
            if host not in grouped:
                problems.append(
                    Problem(None, f"host {host} in {group} belongs to no group site_<name>; add one for its site")
                )
    if "primary" not in {member[0] for member in found.values()}:
        problems.append(Problem(None, "no primary: put at least one group site_<name> under mesh_primary"))
    return found


def _unknown_names(
    inventory: Inventory, hosts: Iterable[str], schema: Mapping[str, Mapping[str, Any]]
) -> list[Problem]:
    unknown: dict[str, str] = {}
    for host in hosts:
        for name in inventory.hostvars[host]:
            if name.startswith(_PREFIX) and name not in schema:
                unknown.setdefault(name, host)
    problems = []
    for name, host in sorted(unknown.items()):
        near = difflib.get_close_matches(name, schema, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        problems.append(Problem(None, f"unknown variable {name} (seen at host {host}){hint}"))
    return problems


def _value(variables: Mapping[str, Any], name: str, schema: Mapping[str, Mapping[str, Any]]) -> Any:
    value = variables.get(name)
    return schema[name]["default"] if value is None else value


def _mesh_values(
    inventory: Inventory, hosts: list[str], schema: Mapping[str, Mapping[str, Any]], problems: list[Problem]
) -> dict[str, Any]:
    """The values of scope `mesh` and `run`: they must be the same at every host."""
    mesh: dict[str, Any] = {}
    for name, entry in schema.items():
        if entry["scope"] in ("site", "host") or entry.get("secret"):
            continue
        seen: list[tuple[str, Any]] = []
        for host in hosts:
            value = _value(inventory.hostvars[host], name, schema)
            if value not in [other[1] for other in seen]:
                seen.append((host, value))
        if len(seen) > 1:
            listed = ", ".join(f"{value!r} at {host}" for host, value in seen)
            problems.append(Problem(None, f"{name} must be the same for the whole mesh, but is {listed}"))
        value = seen[0][1] if seen else entry["default"]
        wrong = problem_of(name, value, entry)
        if wrong:
            problems.append(Problem(None, wrong))
        mesh[name.removeprefix(_PREFIX)] = cast(entry["default"] if wrong else value, entry)
    if mesh["id"] is not None and not _LABEL.fullmatch(mesh["id"]):
        problems.append(Problem(None, f"edge_mesh_id {mesh['id']!r} is not a DNS-1123 label"))
    for name, parts in (("slice", [mesh["slice"]] if mesh["slice"] else []), ("slices", mesh["slices"])):
        unfit = [part for part in parts if not _LABEL.fullmatch(str(part))] if isinstance(parts, list) else []
        problems += [Problem(None, f"edge_mesh_{name} holds {part!r}, which is not a DNS-1123 label") for part in unfit]
    problems += bad_mesh(mesh)
    problems += bad_sources(mesh["istiod_allowed_sources"])
    problems += bad_waves(mesh["waves"], mesh["max_failed"])
    if mesh["state_dir"] is None:
        if inventory.directory is None:
            problems.append(Problem(None, "edge_mesh_state_dir is required where the inventory has no directory"))
        else:
            mesh["state_dir"] = str(Path(inventory.directory) / ".state")
    mesh["names"] = dict(names(mesh["revision"]))
    return mesh


def _site(
    group: str,
    role: str,
    hosts: list[str],
    inventory: Inventory,
    schema: Mapping[str, Mapping[str, Any]],
    mesh: Mapping[str, Any],
    problems: list[Problem],
) -> dict[str, Any]:
    """One site's entry, from its first host's variables."""
    variables = inventory.hostvars[hosts[0]]
    name = str(variables.get("edge_mesh_site") or group.removeprefix("site_").replace("_", "-"))
    if not _LABEL.fullmatch(name):
        wanted = "a DNS-1123 label (up to 63 lower case letters, digits and -, none of those at an end)"
        cure = f"rename the group {group}, or set its edge_mesh_site"
        problems.append(Problem(None, f"the site's name {name!r} is not {wanted}; {cure}"))
    site: dict[str, Any] = {"name": name, "role": role, "group": group, "hosts": hosts, "host": hosts[0]}
    site |= {"k3s": {}, "machines": []}
    for variable, entry in schema.items():
        if entry["scope"] != "site" or entry.get("secret") or variable == "edge_mesh_site":
            continue
        value = _value(variables, variable, schema)
        wrong = problem_of(variable, value, entry)
        if wrong:
            problems.append(Problem(name, wrong))
        taken = cast(entry["default"] if wrong else value, entry)
        if variable.startswith(_K3S):
            site["k3s"][variable.removeprefix(_K3S)] = taken
        else:
            site[variable.removeprefix(_PREFIX)] = taken
    if site["provider"] == "k3s":
        if site["k3s"]["tunnel_port"] is not None and site["k3s"]["controller_api"] is None:
            site["k3s"]["controller_api"] = f"https://127.0.0.1:{site['k3s']['tunnel_port']}"
        site["machines"] = machines_of(site, inventory.hostvars, schema, problems)
        problems += bad_settings(site)
    site["network"] = site["network"] or f"net-{name}"
    site["injection_path"] = injection_path(name, site["network"])
    if site["kubeconfig"] is None:
        site["kubeconfig"] = f"{mesh['state_dir']}/kubeconfig/{name}.yaml"
    return site


def _check_hosts(
    members: Mapping[str, tuple[str, list[str]]],
    inventory: Inventory,
    schema: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
) -> None:
    """A host belongs to one site, and the hosts of a site agree about it: only the first one's values are read."""
    owner: dict[str, str] = {}
    for group, (_role, hosts) in members.items():
        for host in hosts:
            if host in owner:
                problems.append(
                    Problem(None, f"host {host} is in {owner[host]} and in {group}; give each site its own")
                )
            owner.setdefault(host, group)
        for variable, entry in schema.items():
            if entry.get("secret"):  # the model never holds one, and a lookup may cost something
                continue
            values = [_value(inventory.hostvars[host], variable, schema) for host in hosts]
            if entry["scope"] == "site" and any(value != values[0] for value in values):
                problems.append(Problem(None, f"{variable} differs between the hosts of {group}; set it for the group"))


def _check_clusters(sites: Mapping[str, dict[str, Any]], mesh: Mapping[str, Any], problems: list[Problem]) -> None:
    clusters: dict[tuple[str, str | None], str] = {}
    ports: dict[int, str] = {}
    for name, site in sites.items():
        cluster = (site["kubeconfig"], site["context"])
        if cluster in clusters:
            problems.append(Problem(name, f"its cluster is {clusters[cluster]}'s too: both use {site['kubeconfig']}"))
        clusters.setdefault(cluster, name)
        port = site["k3s"].get("tunnel_port")
        if port is not None and ports.setdefault(port, name) != name:
            message = f"edge_mesh_k3s_tunnel_port {port} is {ports[port]}'s too; give each site its own"
            problems.append(Problem(name, message))
        node = f"{mesh['id']}-{name}-control-plane"
        if site["provider"] == "kind" and len(node) > _LONGEST_NAME:
            message = f"its node would be called {node}, over {_LONGEST_NAME} characters; shorten the site's name"
            problems.append(Problem(name, message))


def _link_primaries(sites: Mapping[str, dict[str, Any]], problems: list[Problem]) -> None:
    primaries = [name for name, site in sites.items() if site["role"] == "primary"]
    for name, site in sites.items():
        if site["role"] == "primary":
            site["primary"] = name
        elif site["primary"] is None and len(primaries) == 1:
            site["primary"] = primaries[0]
        elif site["primary"] is None and primaries:
            problems.append(
                Problem(name, f"edge_mesh_primary is required with several primaries ({', '.join(primaries)})")
            )
        elif site["primary"] is not None and site["primary"] not in primaries:
            near = difflib.get_close_matches(site["primary"], primaries, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(primaries) or 'none'}"
            problems.append(Problem(name, f"edge_mesh_primary names {site['primary']!r}, which is no primary{hint}"))


def _check_networks(sites: Mapping[str, dict[str, Any]], mesh: Mapping[str, Any], problems: list[Problem]) -> None:
    if mesh["shared_network"]:
        return
    by_network: dict[str, list[str]] = {}
    for name, site in sites.items():
        by_network.setdefault(site["network"], []).append(name)
    for network, members in by_network.items():
        if len(members) > 1:
            listed = ", ".join(members)
            message = f"{listed} share the network {network}; name one each, or set edge_mesh_shared_network: true"
            problems.append(Problem(None, message))
