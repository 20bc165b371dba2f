# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address under which a primary reaches a site's API: judged before anything is written (used by `remote_secret`).

What can be seen is seen from the controller, and messages say so: the primary may see something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Api
from ansible_collections.edge.mesh.plugins.module_utils._site import facts

__all__ = ["check_from_here", "refuse_unreachable", "refuse_unusable"]

Json = Mapping[str, Any]


def refuse_unusable(server: str, proxy_url: str | None, site: str) -> None:
    """Raise MeshError unless ``server`` is an https URL of a host and ``proxy_url`` one that istiod takes."""
    try:
        url = urlsplit(server)
        usable = url.scheme == "https" and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise MeshError("api_server can't be used", site=site, why=f"got '{server}'", hint="write https://host:port")
    if proxy_url and urlsplit(proxy_url).scheme not in ("http", "https", "socks5"):
        raise MeshError("proxy_url can't be used", site=site, why="istiod takes http, https and socks5 URLs only")


def refuse_unreachable(server: str, api: Api, site: str) -> None:
    """Raise MeshError for an address that only its own machine can reach, naming one that would do if there is one."""
    if not facts.is_loopback(server):
        return
    better = _better(server, api)
    raise MeshError(
        f"the primary can't reach the site's API at {server}",
        site=site,
        why="that address means the machine itself",
        hint=f"set api_server: {better}" if better else "set api_server to the address by which the primary reaches it",
    )


def check_from_here(api: Api, server: str, site: str) -> str | None:
    """Connect to ``server`` without a credential: None if name and TLS are right, a warning if it can't be reached.

    Raises MeshError if it answers with a certificate that the CA or the name doesn't fit.
    """
    try:
        api.get("/version")
    except ApiError as error:
        if error.status:
            return None  # an answer of any kind came over verified TLS
        if error.reason == "TLS":
            raise MeshError(
                f"{server} can't be trusted (seen from the controller)", site=site, why=error.why,
                hint="set api_server to a name that its certificate holds, or tls_server_name",
            ) from error  # fmt: skip
        return f"{site}: {server} couldn't be checked from the controller ({error.why}); a primary may reach it"
    return None


def _better(server: str, api: Api) -> str | None:
    try:
        slices: Iterable[Json] = api.list(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            labelSelector="kubernetes.io/service-name=kubernetes",
        )
    except MeshError:
        return None
    found = facts.api_server(slices, server)
    return None if facts.is_loopback(found) else found
