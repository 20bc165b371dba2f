# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists to which several runs add: nothing of them is lost, and nothing else of the object changes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.shared_lists import joined

PATHS = ("spec.sources",)


def item(**spec: Any) -> Any:
    return {"kind": "Service", "metadata": {"name": "s", "resourceVersion": "7"}, "spec": spec}


def desired(**spec: Any) -> Any:
    return {"kind": "Service", "metadata": {"name": "s"}, "spec": spec}


def test_what_is_there_stays() -> None:
    wanted = desired(sources=["c", "a"], port=1)
    assert joined(wanted, item(sources=["b", "a"], port=2), PATHS) == desired(sources=["a", "b", "c"], port=1)
    assert wanted == desired(sources=["c", "a"], port=1)


def test_a_list_that_is_not_there_yet_begins_with_ours() -> None:
    assert joined(desired(sources=["b", "a"]), item(), PATHS) == desired(sources=["a", "b"])


@pytest.mark.parametrize("live", [None, item(sources=["b"])])
def test_without_an_object_or_a_list_nothing_is_joined(live: Any) -> None:
    wanted = desired(port=1)
    assert joined(wanted, live, PATHS) is wanted
    assert joined(wanted, live, ()) is wanted


@pytest.mark.parametrize(("mine", "there"), [([1], ["a"]), ("a", ["a"]), (["a"], [{"port": 1}])])
def test_anything_but_lists_of_text_is_refused(mine: Any, there: Any) -> None:
    with pytest.raises(MeshError, match=r"the items of spec\.sources can't be kept: it isn't a list of text"):
        joined(desired(sources=mine), item(sources=there), PATHS)
