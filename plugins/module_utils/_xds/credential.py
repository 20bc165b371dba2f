# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the credential of a remote secret can be tried from the controller (used by `_xds.diagnosis` and `_verify`).

Pure. istiod uses it at the address in the secret; where only the primary can reach that one, the credential can still
be tried at the address that the controller knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.edge.mesh.plugins.module_utils._istio.kubeconfig import Access
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint

__all__ = ["is_elsewhere", "places"]

_ELSEWHERE = frozenset({"Refused", "Timeout", "Name", "Network", "Reset"})


def places(access: Access, site: str, own: Endpoint) -> Sequence[tuple[Endpoint, bool]]:
    """Endpoints with the credential of ``access``, each with whether it is the one that istiod uses, in order.

    ``own`` is the site's API as the controller knows it. A proxy of the secret's is istiod's, not the controller's.
    """
    here = replace(own, client_cert_pem=None, client_key_pem=None, token=access.token)
    if access.proxy_url:
        return [(here, False)]
    there = Endpoint(
        access.server.rstrip("/"), site, access.ca_pem, token=access.token, tls_server_name=access.tls_server_name
    )
    return [(there, True), (here, False)]


def is_elsewhere(error: ApiError) -> bool:
    """Whether nothing answered at an address, which may be one that only the primary can reach."""
    return error.status == 0 and error.reason in _ELSEWHERE
