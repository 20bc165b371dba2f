# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``artifacts.lock`` in the state directory: which source a mesh uses, and what came from it (used by the sources).

JSON: ``{schema, source, istio_version, toolchain, files: {url: {sha256, checksum_from}}, images: {name: digest}}``. The
checksums were the publishers' word at the first fetch; another word later is refused, never taken over.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._files import UNWRITTEN, read_text, write_text

__all__ = ["NAME", "LockFile"]

NAME = "artifacts.lock"
_SCHEMA = 1


class LockFile:
    """The file at ``path``; every change is written at once unless ``dry``. May be used from several threads."""

    def __init__(self, path: Path, *, dry: bool = False) -> None:
        self.path = path
        self.changed = False
        self._dry = dry
        self._guard = threading.Lock()
        self._data = _read(path)

    @property
    def source(self) -> str:
        """The artifact source that was chosen before; empty if none was."""
        return str(self._data.get("source", ""))

    @property
    def istio_version(self) -> str:
        """The Istio version of that source."""
        return str(self._data.get("istio_version", ""))

    @property
    def toolchain(self) -> str:
        """The Go that source ``build`` used; empty for another source."""
        return str(self._data.get("toolchain", ""))

    def choose(self, source: str, istio_version: str, toolchain: str = "") -> None:
        """Record the source, the version, and for source ``build`` the Go that is part of the content keys."""
        self._set({"source": source, "istio_version": istio_version, "toolchain": toolchain})

    def sha256(self, url: str) -> str:
        """The recorded checksum of a file; empty if there is none."""
        return str(self._data.get("files", {}).get(url, {}).get("sha256", ""))

    def record_file(self, url: str, sha256: str, checksum_from: str) -> None:
        """Record the publisher's checksum of a file, and where it was said."""
        self._add("files", url, {"sha256": sha256, "checksum_from": checksum_from})

    def digest(self, image: str) -> str:
        """The recorded registry digest of an image; empty if there is none."""
        return str(self._data.get("images", {}).get(image, ""))

    def record_image(self, image: str, digest: str) -> None:
        """Record the registry digest of an image."""
        self._add("images", image, digest)

    def _add(self, part: str, name: str, value: object) -> None:
        with self._guard:
            entries = {**self._data.get(part, {}), name: value}
            self._write({**self._data, part: entries})

    def _set(self, values: dict[str, Any]) -> None:
        with self._guard:
            self._write({**self._data, **values})

    def _write(self, data: dict[str, Any]) -> None:
        if data == self._data:
            return
        self._data = data
        self.changed = True
        if not self._dry:
            text = json.dumps({"schema": _SCHEMA, **data}, indent=2, sort_keys=True) + "\n"
            try:
                write_text(self.path, text, 0o644)
            except OSError as error:
                raise MeshError(f"{self.path} can't be written", why=error.strerror, hint=UNWRITTEN) from error


def _read(path: Path) -> dict[str, Any]:
    hint = "restore the file, or move it away to fetch everything again"
    try:
        text = read_text(path)
        data = json.loads(text) if text is not None else {"schema": _SCHEMA}
    except (OSError, ValueError) as error:
        raise MeshError(f"{path} can't be read", why=str(error), hint=hint) from error
    if not isinstance(data, dict) or data.pop("schema", None) != _SCHEMA:
        raise MeshError(f"{path} can't be read", why="it isn't a lock file of this version", hint=hint)
    return data
