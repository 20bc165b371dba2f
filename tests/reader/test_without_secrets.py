# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reader that can't read the site's secrets: which istiod could live with it."""

from __future__ import annotations

import dataclasses

from ansible_collections.edge.mesh.plugins.module_utils._istio import reader
from tests.reader.sites import SYSTEM, Given, Sites

SWITCH = "PILOT_ENABLE_REMOTE_CREDENTIALS_CONTROLLER"


def test_the_level_without_secrets_isnt_offered_because_istiod_dies_of_its_own_switch(sites: Sites) -> None:
    """The day this fails, `reader.level` gets a second choice, for the versions with which it works."""
    secrets = [right for right in reader.rights(SYSTEM) if right.resource == "secrets"]
    watch = dataclasses.replace(secrets[0], verb="watch")
    sites.add(Given("secretive", (secrets[0], watch)))
    with sites.another({SWITCH: "false"}) as istiod:
        log = istiod.ended()
    assert "invalid memory address or nil pointer dereference" in log
    assert "CredentialsController" in log
