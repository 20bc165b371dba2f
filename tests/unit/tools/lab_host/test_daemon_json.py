# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's daemon.json: our runtime goes in, everything else stays, and it comes out again without a trace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.lab_host.daemon_json import merged, restored, uses
from tools.lab_host.errors import LabHostError

PATH = "/usr/local/lib/edge-mesh/oci-runtime"
OURS = {"runtimes": {"edge-mesh": {"path": PATH}}, "default-runtime": "edge-mesh"}
FOREIGN = {"log-driver": "journald", "default-runtime": "fancy", "runtimes": {"fancy": {"path": "/opt/fancy"}}}


def text(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"{}"])
def test_an_empty_file_gets_our_runtime_only(content: bytes | None) -> None:
    assert json.loads(merged(content, PATH)) == OURS


def test_foreign_keys_and_runtimes_stay() -> None:
    assert json.loads(merged(text(FOREIGN), PATH)) == {
        "log-driver": "journald",
        "default-runtime": "edge-mesh",
        "runtimes": {"fancy": {"path": "/opt/fancy"}, "edge-mesh": {"path": PATH}},
    }


def test_a_file_that_has_it_already_keeps_its_very_bytes() -> None:
    content = b'{"default-runtime":"edge-mesh",\n\t"runtimes":{"edge-mesh":{"path":"' + PATH.encode() + b'"}}}'
    assert merged(content, PATH) is content
    assert uses(content, PATH)


def test_another_path_is_not_ours() -> None:
    assert not uses(merged(None, "/elsewhere"), PATH)
    assert json.loads(merged(merged(None, "/elsewhere"), PATH)) == OURS


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"runtimes": []}', b"\xff"])
def test_a_file_that_docker_would_not_read_is_refused(content: bytes) -> None:
    with pytest.raises(LabHostError, match=r"daemon\.json"):
        merged(content, PATH)


@pytest.mark.parametrize("before", [None, b"", b"{}", b'{ "log-driver":"journald" }\n', text(FOREIGN)])
def test_what_nobody_changed_comes_back_byte_for_byte(before: bytes | None) -> None:
    written = merged(before, PATH)
    assert restored(written, before=before, written=written) == before


def test_what_somebody_added_since_stays_and_only_ours_goes() -> None:
    before = text(FOREIGN)
    written = merged(before, PATH)
    edited = text({**json.loads(written), "debug": True})

    assert json.loads(restored(edited, before=before, written=written) or b"") == {**FOREIGN, "debug": True}


def test_without_our_notes_the_entries_go_all_the_same() -> None:
    assert restored(text(OURS), before=None, written=None) is None
    assert json.loads(restored(text({**OURS, "debug": True}), before=None, written=None) or b"") == {"debug": True}


def test_a_file_without_our_runtime_is_left_alone() -> None:
    content = b'{"debug":  true}'
    assert restored(content, before=None, written=None) is content
    assert restored(None, before=b"{}", written=b"x") is None


names = st.text(min_size=1, max_size=8).filter(lambda name: name != "edge-mesh")
documents = st.fixed_dictionaries(
    {},
    optional={
        "debug": st.booleans(),
        "default-runtime": names,
        "runtimes": st.dictionaries(names, st.fixed_dictionaries({"path": st.text(max_size=8)}), max_size=3),
    },
)


@given(documents, st.booleans())
def test_in_and_out_again_changes_nothing_whatever_was_there(document: dict[str, Any], edited: bool) -> None:
    before = text(document)
    written = merged(before, PATH)
    assert uses(written, PATH)
    # A person's editor may have laid the file out anew: then the content is what has to come back.
    content = text(json.loads(written)) if edited else written
    after = json.loads(restored(content, before=before, written=written) or b"{}")
    document.setdefault("runtimes", {})
    after.setdefault("runtimes", {})
    assert after == document
