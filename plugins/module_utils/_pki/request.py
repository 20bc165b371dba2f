# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From module options to a request, each bad option refused by name (used by the module `mesh_ca`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.durations import parse_duration
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import Evidence, IntermediateSpec, Request, RootSpec

__all__ = ["check_name", "fingerprint", "request_from"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_RESERVED = ("root", "requests")
# X.520 allows 64 characters for both, and libraries count bytes.
_LONGEST_NAME = 64


def request_from(params: Mapping[str, Any]) -> Request:
    """The request that the options of `mesh_ca` (validated by Ansible) spell; raises MeshError."""
    root = _root(params.get("root") or {})
    intermediates = tuple(_intermediate(entry, params, root) for entry in params.get("intermediates") or ())
    _unique([spec.name for spec in intermediates])
    existing = tuple(
        Evidence(entry["name"], fingerprint(entry["fingerprint"], f"existing, {entry['name']}"))
        for entry in params.get("existing") or ()
    )
    return Request(
        path=params["path"],
        root=root,
        root_key_type=root.key_type or params.get("key_type") or "ecdsa-p256",
        intermediates=intermediates,
        passphrase=params.get("passphrase") or None,
        allow_new_root=bool(params.get("allow_new_root")),
        existing=existing,
    )


def check_name(name: str) -> str:
    """A primary's name, which becomes a directory; MeshError unless it is a DNS-1123 label that isn't taken."""
    if _LABEL.fullmatch(name) is None:
        raise MeshError(f"'{name}' can't be an intermediate's name", why="it has to be a DNS-1123 label")
    if name in _RESERVED:
        raise MeshError(f"'{name}' can't be an intermediate's name", why="the directory of that name has another use")
    return name


def fingerprint(text: str, where: str) -> str:
    """A SHA-256 fingerprint in the one spelling used here, from hex with or without colons; raises MeshError."""
    digits = text.replace(":", "").strip().upper()
    if re.fullmatch(r"[0-9A-F]{64}", digits) is None:
        raise MeshError(f"the fingerprint of {where} isn't one", why=f"got '{text}', wanted SHA-256 in hexadecimal")
    return ":".join(digits[index : index + 2] for index in range(0, 64, 2))


def _unique(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise MeshError("intermediates names a primary twice", why=", ".join(twice))


def _window(validity: timedelta, given: object, option: str) -> timedelta:
    """How long before its end a certificate is renewed: a third of its life unless ``given``."""
    if given in (None, ""):
        return validity / 3
    window = parse_duration(given, option)
    if window >= validity:
        raise MeshError(
            f"{option} has to be shorter than the validity", why=f"got {window.days} of {validity.days} days"
        )
    return window


def _text(value: object, option: str) -> str | None:
    text = str(value or "").strip()
    size = len(text.encode())
    if size > _LONGEST_NAME:
        raise MeshError(f"{option} is too long for a certificate", why=f"{size} bytes in UTF-8, 64 is the most")
    if not text.isprintable():
        raise MeshError(f"{option} holds characters that can't be printed")
    return text or None


def _root(options: Mapping[str, Any]) -> RootSpec:
    certificate, key, offline = options.get("certificate"), options.get("key"), bool(options.get("offline"))
    if key and not certificate:
        raise MeshError("root.key needs root.certificate")
    if offline and key:
        raise MeshError("root.offline and root.key exclude each other", why="offline means that somebody else signs")
    validity = parse_duration(options.get("validity") or "3650d", "root.validity")
    return RootSpec(
        common_name=_text(options.get("common_name"), "root.common_name"),
        organization=_text(options.get("organization"), "root.organization"),
        key_type=options.get("key_type"),
        validity=validity,
        renew_before=_window(validity, options.get("renew_before") or validity.days // 10 or "", "root.renew_before"),
        certificate=certificate or None,
        key=key or None,
        passphrase=options.get("passphrase") or None,
        offline=offline,
    )


def _intermediate(entry: Mapping[str, Any], params: Mapping[str, Any], root: RootSpec) -> IntermediateSpec:
    name = check_name(entry["name"])
    where = f"intermediates, {name}"
    if entry.get("certificate") and not root.offline:
        raise MeshError(f"{where}: certificate needs root.offline", why="else the intermediate is issued here")
    validity = parse_duration(entry.get("validity") or params.get("validity") or "730d", f"{where}: validity")
    return IntermediateSpec(
        name=name,
        common_name=_text(entry.get("common_name"), f"{where}: common_name")
        or f"{name} intermediate CA"[:_LONGEST_NAME],
        organization=_text(entry.get("organization"), f"{where}: organization") or root.organization or "",
        key_type=entry.get("key_type") or params.get("key_type") or "ecdsa-p256",
        validity=validity,
        renew_before=_window(
            validity, entry.get("renew_before") or params.get("renew_before"), f"{where}: renew_before"
        ),
        certificate=entry.get("certificate") or None,
    )
