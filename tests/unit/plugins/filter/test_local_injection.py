# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that takes the webhook out of a site's manifest."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.filter.local_injection import FilterModule, local_injection
from tests.unit.plugins.filter.test_gateway_only import Tagged

HOOK = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "x"}}
NAMESPACE = {"kind": "Namespace"}


def test_the_webhook_is_apart_and_empty_documents_are_gone() -> None:
    found = FilterModule().filters()["local_injection"](Tagged(yaml.safe_dump_all([NAMESPACE, None, HOOK])))
    assert found == {"objects": [NAMESPACE], "webhook": HOOK}


@pytest.mark.parametrize("hooks", [[], [HOOK, HOOK]])
def test_a_manifest_with_another_number_of_webhooks_isnt_guessed_at(hooks: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="unpack"):
        local_injection(yaml.safe_dump_all([NAMESPACE, *hooks]))
