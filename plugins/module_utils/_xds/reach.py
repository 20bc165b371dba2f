# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to istiod: its address resolves and connects, and its certificate is good (used by `_xds.synthetic`).

The standard library's TLS is used, for it tells exactly what it doesn't like about a certificate; gRPC doesn't.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._xds.model import Finding

__all__ = ["XDS_PORT", "beside", "connect", "endpoint_addresses", "handshake", "split_address"]

XDS_PORT = 15012
_SOON_DAYS = 1.0
_ROOT_SOON_DAYS = 30.0

Address = tuple[str, int]


def split_address(text: str, default_port: int = XDS_PORT) -> Address:
    """Host and port of ``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address; raises MeshError otherwise."""
    host, colon, port = text.rpartition(":")
    bare_v6 = text.count(":") > 1 and not text.startswith("[")
    if bare_v6 or not colon or text.endswith("]"):
        host, colon, port = text, "", ""
    host = host.strip("[]")
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not host or (colon and not 0 < number < 65536):
        raise MeshError(f"{text!r} isn't an address", hint="give host:port, [IPv6]:port or a host")
    return host, number if colon else default_port


def connect(host: str, port: int, timeout: float) -> tuple[Finding, Address | None]:
    """Resolve and connect; returns the finding and the IP address and port that answered."""
    evidence = {"address": f"{host}:{port}"}
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Finding("failed", {**evidence, "error": f"can't be resolved: {error.strerror or error}"}, _HINT), None
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    evidence["resolved"] = ", ".join(addresses)
    errors = []
    for address in addresses:
        try:
            with socket.create_connection((address, port), timeout=timeout / len(addresses)):
                return Finding("ok", {**evidence, "connected": address}), (address, port)
        except TimeoutError:
            errors.append(f"{address}: no answer in {timeout / len(addresses):.1f} s")
        except OSError as error:
            errors.append(f"{address}: {error.strerror or error}")
    return Finding("failed", {**evidence, "error": "; ".join(errors)}, _HINT), None


_HINT = "check the address of the primary's istiod gateway, its port 15012, and the sources that it allows"


def endpoint_addresses(slices: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ready addresses of a Service's EndpointSlices, in order."""
    return [
        str(address)
        for item in slices
        for endpoint in item.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or []
    ]


def beside(finding: Finding, own: Sequence[str]) -> Finding:
    """The finding about the controller's address for istiod, beside where the site's own Service leads (``own``).

    Another address is right where the site reaches istiod by another way (address translation), so it is only told.
    """
    evidence = {**finding.evidence, "site": list(own)}
    if not own:
        hint = "the site's istiod Service has no endpoint: run site.yml for this site"
        return Finding("failed", {**evidence, "error": "no endpoint at the site"}, hint)
    known = {str(finding.evidence["address"]).rpartition(":")[0].strip("[]")}
    known |= set(str(finding.evidence.get("resolved", "")).split(", "))
    if finding.verdict == "ok" and not known & set(own):
        hint = f"the site's istiod Service leads to {', '.join(own)}: right only if the site reaches istiod there"
        return Finding("warning", evidence, hint)
    return Finding(finding.verdict, evidence, finding.hint)


def handshake(address: Address, server_name: str, roots_pem: str, timeout: float, now: datetime) -> Finding:
    """Connect with TLS as a proxy does: istiod's certificate under ``roots_pem``, for ``server_name``, and its life."""
    evidence: dict[str, object] = {"server_name": server_name}
    try:
        roots = workload.inspect(roots_pem)
        evidence["roots"] = [{"subject": r.subject, "sha256": r.fingerprint, "ends": _iso(r.not_after)} for r in roots]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=roots_pem)
    except (MeshError, ssl.SSLError) as error:
        evidence["error"] = f"the site's root certificate can't be read: {error}"
        return Finding("failed", evidence, "istiod writes istio-ca-root-cert itself: delete the ConfigMap")
    try:
        der = _certificate(context, address, server_name, timeout)
    except ssl.SSLCertVerificationError as error:
        evidence["error"] = error.verify_message
        with suppress(OSError, MeshError):
            blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            blind.check_hostname = False
            blind.verify_mode = ssl.CERT_NONE  # only to tell what was shown; nothing is sent over it
            shown = workload.inspect_der(_certificate(blind, address, server_name, timeout))
            evidence |= {"issuer": shown.issuer, "names": list(shown.dns_names), "ends": _iso(shown.not_after)}
        return Finding("failed", evidence, _verification_hint(error.verify_message))
    except TimeoutError:
        evidence["error"] = f"no TLS answer in {timeout:.1f} s"
        return Finding("failed", evidence, "is it istiod that listens there, and is it overloaded?")
    except OSError as error:
        evidence["error"] = getattr(error, "reason", None) or error.strerror or str(error)
        return Finding(
            "failed", evidence, "is it istiod that listens there? Its gateway must pass TLS through on 15012"
        )
    shown = workload.inspect_der(der)
    days = (shown.not_after - now).total_seconds() / 86400
    evidence |= {"issuer": shown.issuer, "names": list(shown.dns_names), "ends": _iso(shown.not_after)}
    evidence["days_left"] = round(days, 1)
    if days < _SOON_DAYS:
        return Finding("warning", evidence, "istiod's certificate ends soon and wasn't renewed: restart istiod")
    if all((root.not_after - now).total_seconds() / 86400 < _ROOT_SOON_DAYS for root in roots):
        return Finding("warning", evidence, "the mesh's root ends within 30 days: renew it now")
    return Finding("ok", evidence)


def _certificate(context: ssl.SSLContext, address: Address, server_name: str, timeout: float) -> bytes:
    """The server's certificate (DER) after a handshake; raises OSError (ssl's errors are)."""
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(address, timeout=timeout) as raw,
        context.wrap_socket(raw, server_hostname=server_name) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def _verification_hint(message: str) -> str:
    if "ostname mismatch" in message:
        return "istiod's certificate has other names: check its revision and namespace"
    if "expired" in message or "not yet valid" in message:
        return "check the clocks; restart istiod if its certificate wasn't renewed"
    return "istiod's certificate comes from another root than the site's: the site holds an old istio-ca-root-cert"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
