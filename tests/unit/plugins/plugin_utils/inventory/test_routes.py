# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`edge_mesh_routes`: what is read of it, and each way in which it can be wrong, with the words that a person gets."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._istio.routing import Match, Outlier, Route, Rule, Target
from ansible_collections.edge.mesh.plugins.plugin_utils.inventory.routes import read_routes


def read(text: str) -> tuple[list[Route], list[str]]:
    routes, problems = read_routes(yaml.safe_load(text))
    return routes, [str(problem) for problem in problems]


def said(rules: str, more: str = "") -> list[str]:
    """The problems of one host's rules."""
    return read(f"[{{host: stock.shop, rules: {rules}{more}}}]")[1]


def test_a_route_is_read_whole() -> None:
    routes, problems = read("""
        - host: stock.shop.svc.cluster.local
          outlier: {errors: 5}
          rules:
            - match: [{headers: {End-User: banzai, x: {prefix: a}}, path: /x, source: {site: paris, namespace: n}}]
              to: [{version: v2}]
              timeout: 3s
            - to: [{site: local, weight: 50}, {site: centre, failover: any, weight: 50}]
    """)
    assert problems == []
    match = Match({"end-user": {"exact": "banzai"}, "x": {"prefix": "a"}}, {"exact": "/x"}, "paris", "n")
    split = [Target(50, site="local"), Target(50, site="centre", failover="any")]
    rules = [Rule([Target(version="v2")], [match], "3s"), Rule(split, [])]
    assert routes == [Route("stock.shop.svc.cluster.local", rules, Outlier(5))]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("[{to: [{version: v1, weight: 50}, {version: v2, weight: 40}]}]", "the weights make 90 (50 + 40), not 100"),
        ("[{to: [{version: v1, weight: 50}]}]", "the weights make 50 (50), not 100"),
        ("[{to: [{version: v1}, {version: v2, weight: 0}]}]", "each of several targets needs a weight"),
        ("[{to: [{version: v1, weight: 150}]}]", "weight is 150; it must be a whole number from 0 to 100"),
        ("[{to: [{version: v1, weight: true}]}]", "weight is True; it must be a whole number from 0 to 100"),
        ("[{to: [{site: hub, failover: hub}]}]", "hub fails over to itself; name another site, or any"),
        ("[{to: [{version: v1, failover: hub}]}]", "failover needs a site that fails over"),
        ("[{to: [{version: v1, weight: 50}, {version: v1, weight: 50}]}]", "two targets mean the same instances (v1)"),
        ("[{to: []}]", "to is empty"),
        ("[{}]", "to must be a list"),
        ("[]", "rules is empty"),
        ("[{to: [{verison: v1}]}]", "unknown key 'verison'; did you mean version?"),
        ("[{to: [{}], timeout: soon}]", "timeout is 'soon'; write a duration such as 500ms, 2s or 1m"),
        ("[{match: [{path: /a}], to: [{}]}]", "every rule has a match, so other requests get no answer"),
        ("[{to: [{}]}, {match: [{path: /a}], to: [{}]}]", "rule 1 has no match, so the rules after it"),
        ("[{match: [{}], to: [{}]}, {to: [{}]}]", "an empty match fits every request; leave match out"),
        ("[{match: [{headers: {a: {suffix: b}}}], to: [{}]}, {to: [{}]}]", "one of exact, prefix, regex"),
        ("[{match: [{source: hub}], to: [{}]}, {to: [{}]}]", "source must be a mapping, not str"),
        ("[{match: [{source: {sites: hub}}], to: [{}]}, {to: [{}]}]", "unknown key 'sites'; did you mean site?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_said(rules: str, expected: str) -> None:
    problems = said(rules)
    assert any(expected in problem for problem in problems), problems
    assert all(problem.startswith("edge_mesh_routes, stock.shop") for problem in problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[{host: stock, rules: [{to: [{}]}]}]", "host 'stock' isn't <service>.<namespace>"),
        ("[{host: a.b, rules: [{to: [{}]}]}, {host: a.b, rules: [{to: [{}]}]}]", "has 2 entries for a.b"),
        ("[nothing]", "must be a mapping, not str"),
        ("{host: a.b}", "edge_mesh_routes must be a list, not dict"),
        ("[{host: a.b, rules: [{to: [{}]}], outlier: {errors: 0}}]", "errors is 0; it must be a whole number from 1"),
        ("[{host: a.b, rules: [{to: [{}]}], outlier: 7}]", "outlier must be a mapping, not int"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(text: str, expected: str) -> None:
    problems = read(text)[1]
    assert any(expected in problem for problem in problems), problems


def test_all_problems_are_found_at_once() -> None:
    problems = said("[{to: [{version: v1, weight: 60}, {site: hub, failover: hub, weight: 60}], timeout: x}]")
    assert len(problems) == 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["host", "rules", "to", "match", "weight", "site", "version", "failover", "headers", "path", "source",
             "labels", "outlier", "errors", "interval", "timeout", "x"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(ANYTHING)
def test_whatever_stands_there_ends_in_routes_or_in_words(given_value: Any) -> None:
    routes, problems = read_routes(given_value)
    assert routes or problems or given_value == []
    assert all(str(problem) for problem in problems)
