# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's ``daemon.json`` with our runtime merged in, and as it was before (pure: bytes in, bytes out).

Shape that we care for: ``{"default-runtime": str, "runtimes": {name: {"path": str}}}``; all other keys are somebody
else's.
"""

from __future__ import annotations

import json
from typing import Any

from tools.lab_host.errors import LabHostError

__all__ = ["RUNTIME", "merged", "restored", "uses"]

RUNTIME = "edge-mesh"


def _parse(content: bytes | None) -> dict[str, Any]:
    """The file's object; an absent or empty file is an empty one. Raises LabHostError for anything else."""
    if content is None or not content.strip():
        return {}
    try:
        document = json.loads(content)
    except ValueError as error:
        raise LabHostError(f"Docker's daemon.json is not JSON: {error}", hint="mend or remove it") from error
    if not isinstance(document, dict) or not isinstance(document.get("runtimes", {}), dict):
        raise LabHostError("Docker's daemon.json has another shape than Docker documents", hint="mend or remove it")
    return document


def _render(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()


def uses(content: bytes | None, path: str) -> bool:
    """Whether the default runtime of this file is ours, at ``path``."""
    document = _parse(content)
    entry = document.get("runtimes", {}).get(RUNTIME, {})
    return document.get("default-runtime") == RUNTIME and entry.get("path") == path


def merged(content: bytes | None, path: str) -> bytes:
    """The file with our runtime as the default and all foreign keys kept; the very same bytes if it is there."""
    if content is not None and uses(content, path):
        return content
    document = _parse(content)
    document["runtimes"] = {**document.get("runtimes", {}), RUNTIME: {"path": path}}
    document["default-runtime"] = RUNTIME
    return _render(document)


def restored(content: bytes | None, *, before: bytes | None, written: bytes | None) -> bytes | None:
    """The file without our runtime; None means that it is to be removed.

    ``before`` is what the file held before our change (None: it didn't exist) and ``written`` what we wrote. If nobody
    changed it since, ``before`` comes back byte for byte. Otherwise only our two entries go.
    """
    if content is None:
        return None
    if written is not None and content == written:
        return before
    document = _parse(content)
    runtimes = {name: value for name, value in document.get("runtimes", {}).items() if name != RUNTIME}
    if len(runtimes) == len(document.get("runtimes", {})) and document.get("default-runtime") != RUNTIME:
        return content
    document.pop("runtimes", None)
    if runtimes:
        document["runtimes"] = runtimes
    if document.get("default-runtime") == RUNTIME:
        del document["default-runtime"]
        earlier = _parse(before).get("default-runtime")
        if earlier is not None:
            document["default-runtime"] = earlier
    return _render(document) if document or before is not None else None
