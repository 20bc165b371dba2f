# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubeconfigs as untrusted input: text in, one :class:`Endpoint` out (used by everything that talks to a cluster).

Accepted: an https server, inline certificates, a bearer token, ``tls-server-name``. Whatever would run a program,
read another file, send traffic elsewhere or weaken TLS is refused by name; ``proxy-url`` may be allowed. Only the
chosen context, its cluster and its user are judged: nothing else of the file is ever used.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.libraries import require, yaml

__all__ = ["Endpoint", "contexts", "load", "parse"]

MAX_BYTES = 1 << 20

_MISSING = "put it there (mode 0600), or set edge_mesh_kubeconfig; site.yml writes those of kind and k3s"

_HARMLESS_CLUSTER = frozenset(
    {"server", "certificate-authority-data", "tls-server-name", "disable-compression", "extensions"}
)
_HARMLESS_USER = frozenset({"token", "client-certificate-data", "client-key-data", "extensions"})
_REFUSED = {
    "exec": "it would run a program",
    "auth-provider": "it would run an authentication plugin",
    "certificate-authority": "it points at another file; put the content in certificate-authority-data",
    "client-certificate": "it points at another file; put the content in client-certificate-data",
    "client-key": "it points at another file; put the content in client-key-data",
    "tokenFile": "it points at another file; put the content in token",
    "insecure-skip-tls-verify": "it would accept any server",
    "proxy-url": "it would send the traffic through another host (allow_proxy: true allows it, where a module has it)",
    "username": "basic authentication isn't supported",
    "password": "basic authentication isn't supported",
    "as": "impersonation isn't supported",
    "as-uid": "impersonation isn't supported",
    "as-groups": "impersonation isn't supported",
    "as-user-extra": "impersonation isn't supported",
}


@dataclass(frozen=True)
class Endpoint:
    """How to reach and trust one cluster's API, and as whom; certificates and keys are PEM text.

    ``server`` is a URL without a trailing slash, ``context`` the context's name. ``repr`` shows no secret.
    """

    server: str
    context: str
    ca_pem: str | None = field(default=None, repr=False)
    client_cert_pem: str | None = field(default=None, repr=False)
    client_key_pem: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    proxy_url: str | None = None


def load(path: str, context: str | None, *, allow_proxy: bool = False) -> Endpoint:
    """The endpoint that ``context`` (default: the only one) of the kubeconfig file ``path`` describes.

    Raises MeshError if the file is missing, unreadable, readable by others, or refused by :func:`parse`.
    """
    try:
        with os.fdopen(_open_regular(path), "rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode & 0o077:
                raise _unusable(path, f"others can read it (mode {mode:04o})", hint=f"chmod 600 {path}")
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reasons = {errno.ENOENT: "it doesn't exist", errno.EACCES: "no permission to read it"}
        why = reasons.get(error.errno or 0) or error.strerror or str(error)
        raise _unusable(path, why, hint=_MISSING if error.errno == errno.ENOENT else None) from error
    if len(content) > MAX_BYTES:
        raise _unusable(path, f"it is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unusable(path, "it isn't UTF-8 text") from error
    return parse(text, context, path, allow_proxy=allow_proxy)


def parse(text: str, context: str | None, source: str, *, allow_proxy: bool = False) -> Endpoint:
    """The endpoint of one context of a kubeconfig's text; ``source`` names the text in errors.

    Raises MeshError for what isn't a kubeconfig, for a context that isn't there or isn't chosen, and for every entry
    that is refused (see the module's docstring). No error quotes a value of the file beside names and the server.
    """
    config = _document(text, source)
    name, chosen = _context(config, context, source)
    cluster = _entry(config, "clusters", "cluster", chosen.get("cluster"), source)
    user = _entry(config, "users", "user", chosen.get("user"), source)
    _refuse(cluster, _HARMLESS_CLUSTER | ({"proxy-url"} if allow_proxy else set()), "cluster", source)
    _refuse(user, _HARMLESS_USER, "user", source)
    server = _server(cluster.get("server"), source)
    certificate = _pem(user, "client-certificate-data", source)
    key = _pem(user, "client-key-data", source)
    token = _text(user, "token", source)
    if (certificate is None) != (key is None):
        raise _unusable(source, "the user has only one of client-certificate-data and client-key-data")
    if certificate is None and token is None:
        raise _unusable(source, "the user has neither a token nor a client certificate")
    if key is not None and "ENCRYPTED" in key:
        raise _unusable(source, "client-key-data is encrypted")
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise _unusable(source, "the token isn't one printable word")
    return Endpoint(
        server=server,
        context=name,
        ca_pem=_pem(cluster, "certificate-authority-data", source),
        client_cert_pem=certificate,
        client_key_pem=key,
        token=token,
        tls_server_name=_text(cluster, "tls-server-name", source),
        proxy_url=_proxy(_text(cluster, "proxy-url", source), source),
    )


def contexts(text: str, source: str) -> set[str]:
    """The names of the contexts in a kubeconfig; raises MeshError if it isn't one. Nothing in it is used."""
    return set(_named(_document(text, source), "contexts", "context", source))


def _open_regular(path: str) -> int:
    """A descriptor of a regular file; anything else (a pipe, a directory) is a MeshError, and never blocks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _unusable(path, "it isn't a regular file")


def _unusable(source: str, why: str, *, hint: str | None = None) -> MeshError:
    return MeshError(f"the kubeconfig {source} can't be used", why=why, hint=hint)


def _document(text: str, source: str) -> Mapping[str, Any]:
    require()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # the parser's own message may quote the text, which holds secrets: only the line is told
        mark = getattr(error, "problem_mark", None)
        raise _unusable(source, "it isn't YAML" + (f" (line {mark.line + 1})" if mark else "")) from None
    if not isinstance(config, dict):
        raise _unusable(source, "it isn't a kubeconfig: no mapping at the top")
    if config.get("kind", "Config") != "Config":
        raise _unusable(source, "it isn't a kubeconfig: its kind isn't Config")
    return config


def _named(config: Mapping[str, Any], section: str, key: str, source: str) -> dict[str, Mapping[str, Any]]:
    """The entries of a section by name; raises MeshError for a malformed section or a name that stands twice."""
    entries: dict[str, Mapping[str, Any]] = {}
    listed = config.get(section)
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise _unusable(source, f"'{section}' isn't a list")
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise _unusable(source, f"an entry of '{section}' has no name")
        value = item.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise _unusable(source, f"'{key}' of '{name}' isn't a mapping")
        if name in entries:
            raise _unusable(source, f"'{section}' names '{name}' twice")
        entries[name] = value
    return entries


def _context(config: Mapping[str, Any], wanted: str | None, source: str) -> tuple[str, Mapping[str, Any]]:
    contexts = _named(config, "contexts", "context", source)
    if not contexts:
        raise _unusable(source, "it has no contexts")
    names = ", ".join(sorted(contexts))
    if wanted:
        if wanted not in contexts:
            raise _unusable(source, f"it has no context '{wanted}'", hint=f"it has: {names}")
        return wanted, contexts[wanted]
    if len(contexts) > 1:
        hint = f"set edge_mesh_context (module option context) to one of: {names}"
        raise _unusable(source, "it has several contexts and none is chosen", hint=hint)
    return next(iter(contexts.items()))


def _entry(config: Mapping[str, Any], section: str, key: str, name: object, source: str) -> Mapping[str, Any]:
    if not isinstance(name, str) or not name:
        raise _unusable(source, f"the context names no {key}")
    entries = _named(config, section, key, source)
    if name not in entries:
        raise _unusable(source, f"'{section}' has no entry '{name}', which the context names")
    return entries[name]


def _refuse(entry: Mapping[str, Any], harmless: frozenset[str], what: str, source: str) -> None:
    for name, value in entry.items():
        if name in harmless or (name == "insecure-skip-tls-verify" and value is False) or value in (None, ""):
            continue
        why = _REFUSED.get(str(name), "it isn't known here, and a kubeconfig isn't trusted")
        raise _unusable(source, f"the {what}'s '{name}' is refused: {why}")


def _text(entry: Mapping[str, Any], name: str, source: str) -> str | None:
    value = entry.get(name)
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise _unusable(source, f"'{name}' isn't a string")
    return value


def _server(value: object, source: str) -> str:
    if not isinstance(value, str) or not value:
        raise _unusable(source, "the cluster has no server")
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise _unusable(source, "the server isn't a URL") from None
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise _unusable(source, "the server isn't a URL")
    if url.scheme != "https":
        raise _unusable(source, f"the server's scheme is '{url.scheme}', only https is accepted")
    if not url.hostname or url.username is not None or url.query or url.fragment or port == 0:
        raise _unusable(source, "the server must be https://host[:port][/path] and nothing else")
    return value.rstrip("/")


def _proxy(value: str | None, source: str) -> str | None:
    if value is None:
        return None
    try:
        url = urlsplit(value)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and url.path in ("", "/")
    except ValueError:
        good = False
    if not good or not (value.isascii() and value.isprintable()) or " " in value or url.query or url.fragment:
        raise _unusable(source, "the proxy-url must be http[s]://host[:port] and nothing else")
    if url.username is not None:
        raise _unusable(source, "the proxy-url holds a user name, which isn't supported")
    return value.rstrip("/")


def _pem(entry: Mapping[str, Any], name: str, source: str) -> str | None:
    value = _text(entry, name, source)
    if value is None:
        return None
    try:
        content = base64.b64decode("".join(value.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _unusable(source, f"'{name}' isn't base64 of PEM text") from None
    if "-----BEGIN " not in content:
        raise _unusable(source, f"'{name}' isn't base64 of PEM text")
    return content
