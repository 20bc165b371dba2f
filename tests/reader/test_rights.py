# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each right of the reader taken away from a real istiod, and what stops: no right is there for nothing.

`list` and `watch` of a kind go together: istiod's client gets along with either for a while (it asks again and again
instead of being told), so that what stops depends on luck. The table of docs/reader_rights.md is what is seen here;
with EDGE_MESH_WRITE_RIGHTS=1 it is written anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._istio import reader
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import ROOT_CERT_CONFIGMAP, ROOT_CRL_CONFIGMAP
from ansible_collections.edge.mesh.plugins.module_utils._istio.reader import Right
from benchmarks.measure import write_section
from tests.integration.control_plane import ROOT
from tests.reader.sites import SYSTEM, Given, Sites, until

PAGE = ROOT / "docs" / "reader_rights.md"
NEVER_SYNCED = "the cluster is never synced"
NO_CERTIFICATE = "no workload of the site gets a certificate"
NO_TLS = "gateways get no certificates of `credentialName`"
NO_ENDPOINT = "a new workload isn't seen"
NO_BUNDLE = "the webhook's CA bundle stays empty"
NO_ROOT = "a new namespace gets no root certificate"
NO_LIST = "a new namespace gets no revocation list"
ROOT_SPOILT = "a root certificate that somebody changed stays so"
LIST_SPOILT = "a revocation list that somebody changed stays so"
_UPKEEP = ("configmaps", "mutatingwebhookconfigurations", "namespaces")
_SECONDS = 6.0  # istiod needs well below one second for each of these
_SYNC_SECONDS = 25.0

Lost = Mapping[str, frozenset[str]]


def cases() -> dict[str, tuple[Right, ...]]:
    """What is taken away, by its name in the table."""
    found: dict[str, tuple[Right, ...]] = {"nothing": ()}
    for right in reader.rights(SYSTEM):
        if right.verb == "list":
            watch = replace(right, verb="watch")
            found[f"list and {watch}"] = (right, watch)
        elif right.verb != "watch":
            found[str(right)] = (right,)
    return found


CASES = cases()


@pytest.fixture(scope="module")
def lost(sites: Sites) -> Lost:
    """What stops in each case: first what all sites can show at the same time, then what needs the site for itself."""
    found = {name: set(stopped) for name, stopped in _side_by_side(sites).items()}
    sites.let_istiod_write()
    for index, (name, rights) in enumerate(CASES.items()):
        concerned = not rights or rights[0].resource in _UPKEEP
        if concerned and NEVER_SYNCED not in found[name]:
            found[name] |= _upkeep(sites, Given(f"kept-{index}", rights))
    return {name: frozenset(stopped) for name, stopped in found.items()}


def _side_by_side(sites: Sites) -> dict[str, set[str]]:
    """Every case as a cluster of its own, all at once."""
    given = {name: Given(f"site-{index}", rights) for index, (name, rights) in enumerate(CASES.items())}
    for each in given.values():
        sites.add(each)
    names = {each.cluster for each in given.values()}
    until(lambda: all(sites.states().get(each) in ("synced", "timeout") for each in names), _SYNC_SECONDS)
    host, gateway = sites.add_workload("fresh"), sites.add_tls_secret("fresh")
    token = sites.workload_token()
    found: dict[str, set[str]] = {name: set() for name in CASES}
    states = sites.states()
    good = [name for name, each in given.items() if states.get(each.cluster) == "synced"]
    until(lambda: all(sites.endpoints(host).get(given[name].cluster) for name in good), _SECONDS)
    endpoints = sites.endpoints(host)
    with ThreadPoolExecutor(len(given)) as pool:
        tls = {name: pool.submit(sites.serves_tls, each.cluster, "fresh", gateway) for name, each in given.items()}
    for name, each in given.items():
        if name not in good:
            found[name].add(NEVER_SYNCED)
        elif not endpoints.get(each.cluster):
            found[name].add(NO_ENDPOINT)
        if not sites.signs(each.cluster, token):
            found[name].add(NO_CERTIFICATE)
        elif name in good and not tls[name].result():  # who isn't known gets nothing at all
            found[name].add(NO_TLS)
    return found  # the clusters stay: taking one away that never synced can hang istiod's worker


def _upkeep(sites: Sites, given: Given) -> set[str]:
    """What istiod doesn't do at a site that it looks after."""
    space = f"{given.cluster}-new"
    sites.clear_bundle()
    sites.add(given)
    sites.add_namespace(space)
    things: dict[str, Callable[[], bool]] = {
        NO_BUNDLE: sites.bundle,
        NO_ROOT: lambda: sites.written(space, ROOT_CERT_CONFIGMAP),
        NO_LIST: lambda: sites.written(space, ROOT_CRL_CONFIGMAP),
    }
    until(lambda: all(done() for done in things.values()), _SECONDS)
    missing = {what for what, done in things.items() if not done()}
    spoilt = {NO_ROOT: (ROOT_SPOILT, ROOT_CERT_CONFIGMAP), NO_LIST: (LIST_SPOILT, ROOT_CRL_CONFIGMAP)}
    again = {words: name for what, (words, name) in spoilt.items() if what not in missing}
    for name in again.values():
        sites.spoil(space, name)
    until(lambda: all(sites.written(space, name) for name in again.values()), _SECONDS)
    missing |= {words for words, name in again.items() if not sites.written(space, name)}
    sites.remove(given)
    return missing


def test_the_rights_of_the_roles_are_enough(lost: Lost) -> None:
    assert lost["nothing"] == frozenset()


@pytest.mark.parametrize("name", [name for name in CASES if name != "nothing"])
def test_each_right_is_needed(lost: Lost, name: str) -> None:
    assert lost[name], f"istiod does all it should without the right to {name}"


def test_the_table_of_the_documentation_is_what_was_seen(lost: Lost, tmp_path: Path) -> None:
    lines = ["| without the right to | this stops |", "| --- | --- |"]
    lines += [f"| {name} | {'; '.join(sorted(stopped)) or 'nothing'} |" for name, stopped in lost.items()]
    if os.environ.get("EDGE_MESH_WRITE_RIGHTS"):
        write_section(PAGE, "rights", lines)
    copy = tmp_path / PAGE.name
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_section(copy, "rights", lines)
    assert PAGE.read_text(encoding="utf-8") == copy.read_text(encoding="utf-8")
