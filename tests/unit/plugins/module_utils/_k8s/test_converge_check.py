# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode where something isn't there yet: what can't be asked is predicted, and told.

These tests run against the fake API, and against a real one if EDGE_MESH_TEST_KUBECONFIG names it.
"""

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError


def test_check_mode_predicts_what_stands_on_an_earlier_dry_run(world):
    """As in a whole playbook on a bare cluster: no namespace, no definition, and a status of what isn't there."""
    status = {**world.map(), "status": {"x": "y"}}
    for objects, options, action, words in (
        ([world.map()], {}, "created", f'namespaces "{world.name}" not found'),
        ([world.custom()], {}, "created", f"the cluster doesn't serve {world.name}.test/v1 Foo yet"),
        ([world.custom()], {"prune": True}, "created", "doesn't serve"),
        ([status], {"subresource": "status"}, "configured", "the object isn't there yet"),
        ([{**world.custom(), **status}], {"subresource": "status"}, "configured", "the object isn't there yet"),
    ):
        report = world.run(*objects, check=True, **options)
        assert report.changed
        assert [item.action for item in report.items] == [action]
        assert report.items[0].reasons[0].startswith("predicted: ")
        assert words in report.items[0].reasons[0]
        with pytest.raises(MeshError):
            world.run(*objects, **options)


def test_check_mode_says_why_it_predicts_within_a_call(world):
    report = world.run(world.namespace, world.definition(), world.custom(), world.map(), check=True)
    assert [item.reasons for item in report.items] == [
        (),
        (),
        (f"predicted: its namespace {world.name} isn't there yet",),
        (f"predicted: its namespace {world.name} isn't there yet",),
    ]
    world.run(world.namespace)
    report = world.run(world.definition(), world.custom(), check=True)
    assert report.items[1].reasons == (f"predicted: the cluster doesn't serve {world.name}.test/v1 Foo yet",)
