# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS towards one cluster, from memory only: no certificate and no key touches a file system (used by the client)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint

__all__ = ["context_for"]


class _Shared(ssl.SSLContext):
    """A context for connections that several threads open at once.

    urllib3 sets the protocols anew for every connection, which frees the list under the feet of a thread that is just
    copying it (CPython creates connections without its lock): the server then reads a torn hello. So: once.
    """

    _protocols: tuple[str, ...] = ()

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Set the protocols, unless these are set already."""
        if self._protocols != (wanted := tuple(alpn_protocols)):
            self._protocols = wanted
            super().set_alpn_protocols(list(wanted))


def context_for(endpoint: Endpoint, *, site: str | None = None) -> ssl.SSLContext:
    """A context that trusts exactly the endpoint's CA (the system's CAs if it has none) and shows its certificate.

    Raises MeshError if the CA, the certificate or the key can't be used.
    """
    context = _Shared(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])  # while nobody else has it yet
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if endpoint.ca_pem is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=endpoint.ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise _unusable("certificate-authority-data", endpoint, site) from error
    if endpoint.client_cert_pem is not None and endpoint.client_key_pem is not None:
        _show_certificate(context, endpoint, site)
    return context


def _show_certificate(context: ssl.SSLContext, endpoint: Endpoint, site: str | None) -> None:
    """Load certificate and key: Python's ssl takes them from a path only, so the path leads to anonymous memory."""
    if not hasattr(os, "memfd_create"):
        raise MeshError(
            "the client certificate can't be used on this controller",
            site=site,
            why="its operating system has no anonymous memory files",
            hint="use a kubeconfig with a token, or a Linux controller",
        )
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as memory:
            memory.write(f"{endpoint.client_cert_pem}\n{endpoint.client_key_pem}\n".encode("ascii"))
        # an encrypted key would ask on the terminal: an empty password makes it fail instead
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
    except (OSError, ValueError) as error:
        raise _unusable("client certificate and key", endpoint, site) from error
    finally:
        os.close(descriptor)


def _unusable(what: str, endpoint: Endpoint, site: str | None) -> MeshError:
    return MeshError(f"the kubeconfig's {what} can't be used", site=site, why=f"context {endpoint.context}: not valid")
