# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kubeconfig inside a remote secret: built, and judged as istiod does; in memory only (used by `remote_secret`).

What istiod accepts: client-go's validation, then `sanitizeKubeConfig` of Istio's `pkg/kube/util.go`, which looks at
every user of the file, not only at the chosen one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

try:
    import yaml
except ImportError:  # `_k8s` says so in one line before anything here is called
    if not TYPE_CHECKING:
        yaml = None

__all__ = ["Access", "Judged", "Kind", "build", "judge", "same_ca"]

Kind = Literal["token", "client certificate", "password", "oidc", "auth provider", "exec", "files", "none", "malformed"]

_FILES = ("tokenFile", "client-key", "client-certificate")


@dataclass(frozen=True)
class Access:
    """How a primary reaches and proves itself to a site's API; ``repr`` shows no secret."""

    server: str
    ca_pem: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    proxy_url: str | None = None


@dataclass(frozen=True)
class Judged:
    """One kubeconfig of a remote secret: what kind of credential it holds and whether istiod would take it.

    ``refused`` says why istiod wouldn't, None if it would. ``access`` is None if the text couldn't be read that far.
    ``risks`` are things that istiod takes but shouldn't.
    """

    kind: Kind
    access: Access | None = None
    refused: str | None = None
    risks: tuple[str, ...] = ()


def build(cluster: str, access: Access) -> str:
    """The kubeconfig text for ``cluster``; the same input gives the same bytes, on which istiod's comparison rests."""
    where: dict[str, str] = {"server": access.server}
    if access.ca_pem:
        where["certificate-authority-data"] = base64.b64encode(access.ca_pem.encode()).decode()
    if access.tls_server_name:
        where["tls-server-name"] = access.tls_server_name
    if access.proxy_url:
        where["proxy-url"] = access.proxy_url
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": where}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
        "users": [{"name": cluster, "user": {"token": access.token or ""}}],
    }
    return str(yaml.safe_dump(config, sort_keys=False))


def judge(text: str) -> Judged:
    """What a kubeconfig text holds and whether istiod would accept it; never raises, never quotes a secret."""
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return Judged("malformed", refused="it isn't YAML")
    if not isinstance(config, Mapping):
        return Judged("malformed", refused="it isn't a kubeconfig")
    try:
        return _judge(config)
    except _Malformed as error:
        return Judged("malformed", refused=str(error))


def same_ca(one: str | None, other: str | None) -> bool:
    """Whether two PEM texts hold the same certificates, whatever their order, line ends and comments."""
    return _blocks(one) == _blocks(other)


class _Malformed(Exception):
    """The text isn't the kubeconfig that it should be; the message says where."""


def _judge(config: Mapping[str, Any]) -> Judged:
    clusters = _named(config, "clusters", "cluster")
    users = _named(config, "users", "user")
    contexts = _named(config, "contexts", "context")
    chosen = contexts.get(str(config.get("current-context") or ""))
    if chosen is None:
        raise _Malformed("its current-context is missing or unknown")
    cluster = clusters.get(str(chosen.get("cluster")))
    user = users.get(str(chosen.get("user")))
    if cluster is None or user is None:
        raise _Malformed("its context names a cluster or user that it doesn't hold")
    server = cluster.get("server")
    if not isinstance(server, str) or not server:
        raise _Malformed("its cluster has no server")
    access = Access(
        server=server,
        ca_pem=_pem(cluster.get("certificate-authority-data")),
        token=_text(user.get("token")),
        tls_server_name=_text(cluster.get("tls-server-name")),
        proxy_url=_text(cluster.get("proxy-url")),
    )
    return Judged(_kind(user), access, _refusal(users.values(), cluster, user), _risks(cluster, access))


def _kind(user: Mapping[str, Any]) -> Kind:
    provider = user.get("auth-provider")
    if user.get("exec"):
        return "exec"
    if provider:
        return "oidc" if isinstance(provider, Mapping) and provider.get("name") == "oidc" else "auth provider"
    if any(user.get(name) for name in _FILES):
        return "files"
    if user.get("token"):
        return "token"
    if user.get("client-certificate-data"):
        return "client certificate"
    return "password" if user.get("username") else "none"


def _refusal(users: Iterable[Mapping[str, Any]], cluster: Mapping[str, Any], user: Mapping[str, Any]) -> str | None:
    for each in users:
        provider = each.get("auth-provider")
        if provider and not (isinstance(provider, Mapping) and provider.get("name") == "oidc"):
            name = provider.get("name") if isinstance(provider, Mapping) else "?"
            return f"auth provider {name} is not allowed"
        if each.get("exec"):
            return "exec is not allowed"
        for name in _FILES:
            if each.get(name):
                return f"{name} points at a file, which is not allowed"
    if cluster.get("certificate-authority"):
        return "certificate-authority points at a file that istiod doesn't have"
    if cluster.get("insecure-skip-tls-verify") is True and cluster.get("certificate-authority-data"):
        return "insecure-skip-tls-verify together with a CA is not valid"
    if bool(user.get("client-certificate-data")) != bool(user.get("client-key-data")):
        return "only one of client-certificate-data and client-key-data is set"
    if user.get("token") and user.get("username"):
        return "both a token and a user name are set"
    return _proxy_refusal(cluster.get("proxy-url"))


def _proxy_refusal(value: Any) -> str | None:
    if not value:
        return None
    try:
        scheme = urlsplit(str(value)).scheme
    except ValueError:
        scheme = ""
    return None if scheme in ("http", "https", "socks5") else "proxy-url isn't an http, https or socks5 URL"


def _risks(cluster: Mapping[str, Any], access: Access) -> tuple[str, ...]:
    found = []
    if cluster.get("insecure-skip-tls-verify") is True:
        found.append("the server's certificate isn't verified")
    if not access.server.startswith("https://"):
        found.append("the server is reached without TLS")
    return tuple(found)


def _named(config: Mapping[str, Any], section: str, key: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    listed = config.get(section) or []
    if not isinstance(listed, list):
        raise _Malformed(f"its {section} aren't a list")
    for item in listed:
        value = item.get(key) if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(value or {}, Mapping):
            raise _Malformed(f"an entry of its {section} is malformed")
        found[str(item.get("name"))] = value or {}
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _pem(value: Any) -> str | None:
    if not value:
        return None
    try:
        return base64.b64decode("".join(str(value).split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _Malformed("its certificate-authority-data isn't base64 of PEM text") from None


def _blocks(pem: str | None) -> frozenset[str]:
    """The certificates of a PEM text, without white space."""
    found = set()
    for part in (pem or "").split("-----BEGIN CERTIFICATE-----")[1:]:
        found.add("".join(part.split("-----END CERTIFICATE-----")[0].split()))
    return frozenset(found)
