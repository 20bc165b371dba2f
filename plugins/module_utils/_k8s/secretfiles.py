# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets whose values stand in files on the controller, so that none is an argument (used by ``manifests``)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object

__all__ = ["secret"]

_MAX_BYTES = 1 << 20


def secret(entry: Mapping[str, Any], *, read: bool) -> Object:
    """The Secret that an entry of ``secret_files`` describes; ``read`` False leaves the values out (for deletion).

    Raises MeshError for a file that is missing, unreadable or larger than a Secret can be.
    """
    metadata: dict[str, Any] = {"name": entry["name"], "namespace": entry["namespace"]}
    for part in ("labels", "annotations"):
        if entry.get(part):
            metadata[part] = dict(entry[part])
    data = {}
    if read:
        data = {key: _value(str(path), entry["name"]) for key, path in (entry.get("files") or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": entry.get("type") or "Opaque",
        "data": data,
    }


def _value(path: str, name: str) -> str:
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise MeshError(f"Secret {name} can't be made", why=f"{path}: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise MeshError(f"Secret {name} can't be made", why=f"{path} is larger than {_MAX_BYTES} bytes")
    return base64.b64encode(content).decode()
