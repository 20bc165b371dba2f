# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``edge_mesh_routes`` as an inventory has it: read, with everything that is wrong (used by the site model)

Pure. Each reader takes a value, where it stands in words, and the list that gets the problems. What it can't read it
leaves out, so that one call finds them all. What a host has to offer is judged in ``targets.py``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SERVICE_SUFFIX
from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import Match, Outlier, Route, Rule, Target
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.problem import Problem

__all__ = ["read_routes"]

_HOST = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\.[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DURATION = re.compile(r"[0-9]+(\.[0-9]+)?(ms|s|m|h)")
_WAYS = ("exact", "prefix", "regex")
_ALL = 100
_NAME = "edge_mesh_routes"


def read_routes(given: Any) -> tuple[list[Route], list[Problem]]:
    """The routes of ``edge_mesh_routes``, and what is wrong with them; a route with a problem may be left out."""
    problems: list[str] = []
    routes = [route for each in _entries(given, _NAME, problems) if (route := _route(each, problems)) is not None]
    hosts = [route.host for route in routes]
    for host in dict.fromkeys(hosts):
        if hosts.count(host) > 1:
            problems.append(f"{_NAME} has {hosts.count(host)} entries for {_short(host)}; write their rules in one")
    return routes, [Problem(None, message) for message in problems]


def _route(given: Any, problems: list[str]) -> Route | None:
    if not _is_mapping(given, f"an entry of {_NAME}", problems):
        return None
    host = str(given.get("host", ""))
    name = host.removesuffix(SERVICE_SUFFIX)
    if not _HOST.fullmatch(name):
        problems.append(f"{_NAME}: host {host!r} isn't <service>.<namespace>")
        return None
    where = f"{_NAME}, {name}"
    _known(given, ("host", "rules", "outlier"), where, problems)
    rules = [
        rule
        for number, each in enumerate(_entries(given.get("rules"), f"{where}: rules", problems, least=1), 1)
        if (rule := _rule(each, f"{where}, rule {number}", problems)) is not None
    ]
    open_ones = [number for number, rule in enumerate(rules, 1) if not rule.matches]
    if rules and not open_ones:
        problems.append(
            f"{where}: every rule has a match, so other requests get no answer; add a last rule without one"
        )
    elif open_ones and open_ones[0] != len(rules):
        problems.append(f"{where}: rule {open_ones[0]} has no match, so the rules after it are never reached")
    return Route(name + SERVICE_SUFFIX, rules, _outlier(given.get("outlier"), where, problems))


def _rule(given: Any, where: str, problems: list[str]) -> Rule | None:
    if not _is_mapping(given, where, problems):
        return None
    _known(given, ("match", "to", "timeout"), where, problems)
    targets = _each(_entries(given.get("to"), f"{where}: to", problems, least=1), _target, f"{where}: to", problems)
    _check_weights(given.get("to"), targets, where, problems)
    names = [target.subset for target in targets]
    twice = next((target for target in targets if names.count(target.subset) > 1), None)
    if twice is not None:
        problems.append(f"{where}: two targets mean the same instances ({twice.subset or 'all'}); add up their weights")
    matches: list[Match] = []
    if "match" in given:
        matches = _each(_entries(given["match"], f"{where}: match", problems, least=1), _match, where, problems)
    return Rule(targets, matches, _duration(given.get("timeout", ""), f"{where}: timeout", problems))


def _check_weights(given: Any, targets: list[Target], where: str, problems: list[str]) -> None:
    bare = isinstance(given, list) and any(isinstance(each, Mapping) and "weight" not in each for each in given)
    if len(targets) > 1 and bare:
        problems.append(f"{where}: each of several targets needs a weight")
    elif targets and sum(target.weight for target in targets) != _ALL:
        listed = " + ".join(str(target.weight) for target in targets)
        problems.append(f"{where}: the weights make {sum(target.weight for target in targets)} ({listed}), not {_ALL}")


def _target(given: Mapping[str, Any], where: str, problems: list[str]) -> Target:
    _known(given, ("weight", "version", "site", "failover"), where, problems)
    weight = given.get("weight", _ALL)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= _ALL:
        problems.append(f"{where}: weight is {weight!r}; it must be a whole number from 0 to {_ALL}")
        weight = 0
    target = Target(weight, *(str(given.get(name) or "") for name in ("version", "site", "failover")))
    if target.failover and not target.site:
        problems.append(f"{where}: failover needs a site that fails over")
    elif target.failover and target.failover == target.site:
        problems.append(f"{where}: {target.site} fails over to itself; name another site, or any")
    return target


def _match(given: Mapping[str, Any], where: str, problems: list[str]) -> Match:
    _known(given, ("headers", "path", "source"), f"{where}: match", problems)
    if not given:
        problems.append(f"{where}: an empty match fits every request; leave match out")
    source = given.get("source", {})
    headers = given.get("headers", {})
    if not _is_mapping(source, f"{where}: source", problems):
        source = {}
    if not _is_mapping(headers, f"{where}: headers", problems):
        headers = {}
    _known(source, ("site", "namespace", "labels"), f"{where}: source", problems)
    labels = source.get("labels", {})
    if not _is_mapping(labels, f"{where}: source: labels", problems):
        labels = {}
    return Match(
        headers={
            str(name).lower(): _text_match(value, f"{where}: header {name}", problems)
            for name, value in headers.items()
        },
        path=_text_match(given["path"], f"{where}: path", problems) if "path" in given else {},
        site=str(source.get("site") or ""),
        namespace=str(source.get("namespace") or ""),
        labels={str(name): str(value) for name, value in labels.items()},
    )


def _text_match(given: Any, where: str, problems: list[str]) -> dict[str, str]:
    """``{exact|prefix|regex: text}``; a plain text is exact."""
    if isinstance(given, str | int) and not isinstance(given, bool):
        return {"exact": str(given)}
    if isinstance(given, Mapping) and len(given) == 1 and next(iter(given)) in _WAYS:
        way, text = next(iter(given.items()))
        return {way: str(text)}
    problems.append(f"{where} is {given!r}; write a text, or one of {', '.join(_WAYS)} with a text")
    return {}


def _outlier(given: Any, where: str, problems: list[str]) -> Outlier | None:
    """The policy: true for its defaults, or its settings."""
    if given is None or given is False:
        return None
    if given is True:
        return Outlier()
    if not _is_mapping(given, f"{where}: outlier", problems):
        return None
    _known(given, ("errors", "interval", "ejection"), f"{where}: outlier", problems)
    default = Outlier()
    errors = given.get("errors", default.errors)
    if isinstance(errors, bool) or not isinstance(errors, int) or errors < 1:
        problems.append(f"{where}: outlier: errors is {errors!r}; it must be a whole number from 1")
        errors = default.errors
    interval = _duration(given.get("interval", default.interval), f"{where}: outlier: interval", problems)
    ejection = _duration(given.get("ejection", default.ejection), f"{where}: outlier: ejection", problems)
    return Outlier(errors, interval, ejection)


def _duration(given: Any, where: str, problems: list[str]) -> str:
    if given and not _DURATION.fullmatch(str(given)):
        problems.append(f"{where} is {given!r}; write a duration such as 500ms, 2s or 1m")
    return str(given)


def _entries(given: Any, where: str, problems: list[str], least: int = 0) -> list[Any]:
    if not isinstance(given, list):
        problems.append(f"{where} must be a list" + ("" if given is None else f", not {type(given).__name__}"))
        return []
    if len(given) < least:
        problems.append(f"{where} is empty")
    return given


def _each[T](
    entries: Iterable[Any], read: Callable[[Mapping[str, Any], str, list[str]], T], where: str, problems: list[str]
) -> list[T]:
    return [read(each, where, problems) for each in entries if _is_mapping(each, where, problems)]


def _is_mapping(given: Any, where: str, problems: list[str]) -> bool:
    if isinstance(given, Mapping):
        return True
    problems.append(f"{where} must be a mapping, not {type(given).__name__}")
    return False


def _known(given: Mapping[str, Any], names: tuple[str, ...], where: str, problems: list[str]) -> None:
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
            problems.append(f"{where}: unknown key {name!r}{hint}")


def _short(host: str) -> str:
    return host.removesuffix(SERVICE_SUFFIX)
