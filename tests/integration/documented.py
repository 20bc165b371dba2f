# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's documentation as data, and an answer compared with its RETURN block."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

__all__ = ["differences", "examples", "returned"]

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "bool": bool, "dict": dict, "float": (int, float), "int": int, "list": list, "str": str, "path": str,
}  # fmt: skip
# Ansible's own, and those of a diff
_COMMON = frozenset({"ansible_facts", "changed", "diff", "failed", "invocation", "warnings", "deprecations"})


def _block(module: str, name: str) -> Any:
    return yaml.safe_load(
        getattr(importlib.import_module(f"ansible_collections.edge.mesh.plugins.modules.{module}"), name)
    )


def examples(module: str) -> list[dict[str, Any]]:
    """The tasks of EXAMPLES."""
    found: list[dict[str, Any]] = _block(module, "EXAMPLES")
    return found


def returned(module: str) -> dict[str, Any]:
    """The RETURN block."""
    found: dict[str, Any] = _block(module, "RETURN")
    return found


def differences(documented: Mapping[str, Any], answer: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """What isn't as documented: keys that nobody told of, promised ones that are missing, values of another type."""
    for key in answer.keys() - documented.keys() - (_COMMON if not where else set()):
        yield f"{where}{key} isn't documented"
    for key, entry in documented.items():
        if key not in answer:
            # a key without a condition of its own is there whenever what holds it is
            if entry.get("returned", "always") in ("always", "success"):
                yield f"{where}{key} is missing"
            continue
        value = answer[key]
        if value is None:
            continue
        if not isinstance(value, _TYPES.get(entry["type"], object)):
            yield f"{where}{key} is a {type(value).__name__}, not a {entry['type']}"
            continue
        inner = entry.get("contains")
        if inner and isinstance(value, dict):
            yield from differences(inner, value, f"{where}{key}.")
        elif inner and isinstance(value, list):
            for item in value:
                yield from differences(inner, item, f"{where}{key}[].")
