# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that takes the webhook out of a site's manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.filter.local_injection import FilterModule, local_injection
from tests.unit.plugins.filter.test_gateway_only import Tagged

HOOK = {"apiVersion": "v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "x"}}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
SLICE = {"apiVersion": "v1", "kind": "EndpointSlice", "metadata": {"name": "x"}}


def test_a_list_in_json_behind_yaml_is_read_as_its_items() -> None:
    # as the role puts them together: its own objects, and what istioctl renders
    rendered = json.dumps({"apiVersion": "v1", "kind": "List", "items": [SLICE, HOOK]})
    found = local_injection(f"{yaml.safe_dump(NAMESPACE)}\n---\n{rendered}")
    assert found == {"objects": [NAMESPACE, SLICE], "webhook": HOOK}


def test_the_webhook_is_apart_and_empty_documents_are_gone() -> None:
    found = FilterModule().filters()["local_injection"](Tagged(yaml.safe_dump_all([NAMESPACE, None, HOOK])))
    assert found == {"objects": [NAMESPACE], "webhook": HOOK}


@pytest.mark.parametrize("hooks", [[], [HOOK, HOOK]])
def test_a_manifest_with_another_number_of_webhooks_isnt_guessed_at(hooks: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="unpack"):
        local_injection(yaml.safe_dump_all([NAMESPACE, *hooks]))
