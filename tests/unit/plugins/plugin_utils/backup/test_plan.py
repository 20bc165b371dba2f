# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a restore: what is written, what stays, and what is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.archive import Snapshot, Stored
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.plan import Plan, plan_restore


def stored(content: str, modified: int = 100, mode: int = 0o600) -> Stored:
    return Stored(content.encode(), mode, modified)


ARCHIVED = {
    "artifacts.lock": stored("lock", mode=0o644),
    "ca/root/root-cert.pem": stored("root"),
    "kubeconfig/shop.yaml": stored("shop"),
    "reports/run.json": stored("run"),
}


def plan(present: dict[str, Stored], root: str | None = "R", replace: bool = False) -> Plan:
    return plan_restore(Snapshot("m", "T", "R", ARCHIVED), present, root, replace=replace, where="/state")


def test_an_empty_directory_gets_everything_the_ca_first() -> None:
    made = plan({}, None)
    assert (made.write, made.keep) == (ARCHIVED, frozenset())
    assert made.entries == ("ca", "artifacts.lock", "kubeconfig", "reports")


def test_the_same_state_is_no_change() -> None:
    assert not plan(ARCHIVED).changed
    assert not plan(ARCHIVED, replace=True).changed


def test_files_that_the_archive_does_not_have_stay_and_so_do_reports() -> None:
    present = {**ARCHIVED, "kubeconfig/new.yaml": stored("new", 999), "reports/run.json": stored("younger", 999)}
    made = plan(present)
    assert made.keep == {"kubeconfig/new.yaml", "reports/run.json"}
    assert not made.changed


def test_an_older_file_is_replaced() -> None:
    made = plan({**ARCHIVED, "kubeconfig/shop.yaml": stored("older", 99)})
    assert made.entries == ("kubeconfig",)


def test_a_mode_alone_is_mended_and_is_no_newer_state() -> None:
    assert plan({**ARCHIVED, "artifacts.lock": stored("lock", 999, 0o600)}).entries == ("artifacts.lock",)


def test_another_root_is_refused_with_both_fingerprints() -> None:
    with pytest.raises(MeshError) as caught:
        plan(ARCHIVED, "OTHER")
    assert caught.value.message == (
        "/state holds another root than the archive of T; nothing was touched: there it is OTHER, in the archive R "
        "(is it the right archive? -e edge_mesh_restore_replace=true restores it all the same, and puts aside what is "
        "there)"
    )


def test_newer_state_is_refused_by_name() -> None:
    newer = {name: stored("newer", 101) for name in ARCHIVED}
    with pytest.raises(MeshError) as caught:
        plan({**newer, "kubeconfig/new.yaml": stored("n", 999)})
    assert caught.value.message == (
        "/state holds newer state than the archive of T; nothing was touched: changed since: artifacts.lock, "
        "ca/root/root-cert.pem, kubeconfig/shop.yaml (-e edge_mesh_restore_replace=true restores the archive all the "
        "same, and puts aside what is there)"
    )


def test_a_file_in_the_place_of_a_directory_is_refused() -> None:
    for present in ({"ca": stored("x")}, {"artifacts.lock/x": stored("x")}):
        with pytest.raises(MeshError, match=r"/state/(ca|artifacts\.lock) can't be restored; nothing was touched"):
            plan(present)


def test_replace_makes_it_what_the_archive_says() -> None:
    present = {**ARCHIVED, "ca/root/root-cert.pem": stored("other", 999), "notes/x": stored("x")}
    made = plan(present, "OTHER", replace=True)
    assert (made.write, made.keep, made.entries) == (ARCHIVED, frozenset(), ("ca", "notes"))


files = st.dictionaries(
    st.text(string.ascii_lowercase, min_size=1, max_size=2),
    st.builds(Stored, st.binary(max_size=1), st.just(0o600), st.integers(0, 2)),
    max_size=6,
)


@given(files, files)
def test_without_replace_no_newer_content_is_ever_overwritten(
    archived: dict[str, Stored], there: dict[str, Stored]
) -> None:
    snapshot = Snapshot("m", "T", "R", archived)
    try:
        made = plan_restore(snapshot, there, None, replace=False, where="/state")
    except MeshError:
        assert any(there[name].modified > archived[name].modified for name in there.keys() & archived.keys())
        return
    after = {**{name: there[name] for name in made.keep}, **made.write}
    assert after.keys() == there.keys() | archived.keys()
    for name in there:
        assert after[name].content == there[name].content or after[name].modified >= there[name].modified
    assert made.changed is any(not there[name].is_like(after[name]) if name in there else True for name in after)
