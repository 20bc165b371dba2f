# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run for a primary of the fake mesh, and what it leaves."""

from __future__ import annotations

import base64
from dataclasses import replace

import yaml

from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._istio.remote_secret import Wanted
from ansible_collections.edge.mesh.plugins.module_utils._remote import credential
from ansible_collections.edge.mesh.plugins.module_utils._remote.credential import Primary, Settings

__all__ = ["DAY", "present", "token_of", "wish"]

DAY = 86400.0


def present(mesh, wanted=None, primaries=None, **settings):
    """One run for the primary `hub`."""
    primaries = primaries or [Primary("hub", mesh.hub_api, mesh.istiod)]
    return credential.present(
        wanted or wish(mesh), Settings(**{"seconds": 5, **settings}), mesh.side, primaries, mesh.clock.time
    )


def wish(mesh, **changes):
    subject = "system:serviceaccount:istio-system:reader"
    return replace(Wanted("paris", Access(mesh.SITE_URL, mesh.CA), subject, False, 90 * DAY, None), **changes)


def token_of(mesh):
    """The token in the primary's remote secret."""
    secret = mesh.hub.objects[mesh.REMOTE_SECRET]
    return yaml.safe_load(base64.b64decode(secret["data"]["paris"]))["users"][0]["user"]["token"]
