# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before and after of an object as short YAML, without noise and without secrets; pure (used by ``converge``)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._k8s.libraries import yaml

__all__ = ["as_yaml", "changes", "paths", "shown", "texts"]

_NOISE = ("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
          "resourceVersion", "selfLink", "uid")  # fmt: skip
_NOISY_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")
_MOST_LINES = 40
_LONGEST_LINE = 200
_TOO_MANY_TO_MATCH = 4000
_CONTEXT = 3

# tag, and from where to where in the one and in the other: difflib's opcodes
Block = tuple[str, int, int, int, int]


def shown(item: Mapping[str, Any] | None, *, status: bool = False) -> dict[str, Any]:
    """What of an object may be shown: no server-set metadata, no status (``status``: keep it), digests for Secrets."""
    if item is None:
        return {}
    metadata = {name: value for name, value in item["metadata"].items() if name not in _NOISE}
    annotations = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name not in _NOISY_ANNOTATIONS
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    result = {**item, "metadata": metadata}
    if not status:
        result.pop("status", None)
    if item.get("kind") == "Secret" and str(item.get("apiVersion")) == "v1":
        for part in ("data", "stringData"):
            if isinstance(result.get(part), dict):
                result[part] = {name: digest(value) for name, value in result[part].items()}
    return result


def digest(value: Any) -> str:
    """``sha256:`` and twelve digits for a Secret's value (base64 as in ``data``, or any text)."""
    try:
        content = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        content = str(value).encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()[:12]}"


def changes(before: Any, after: Any) -> tuple[Any, Any]:
    """Only what differs between two trees: maps are cut to differing entries, other values stay whole.

    Lists whose items all have one name each are compared item by item.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        left: dict[str, Any] = {}
        right: dict[str, Any] = {}
        for name in [*before, *(name for name in after if name not in before)]:
            if name in before and name in after:
                if before[name] != after[name]:
                    left[name], right[name] = changes(before[name], after[name])
            elif name in before:
                left[name] = before[name]
            else:
                right[name] = after[name]
        return left, right
    if isinstance(before, list) and isinstance(after, list):
        one, other = _by_name(before), _by_name(after)
        if one is not None and other is not None and [n for n in one if n in other] == [n for n in other if n in one]:
            left, right = changes(one, other)
            return _as_list(left), _as_list(right)
    return before, after


def paths(before: Any, after: Any, prefix: str = "") -> list[str]:
    """The paths at which two trees differ, in the order of the trees."""
    found: list[str] = []
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            if name not in before or name not in after:
                found.append(f"{prefix}.{name}")
            elif before[name] != after[name]:
                found += paths(before[name], after[name], f"{prefix}.{name}")
        return found
    if isinstance(before, list) and isinstance(after, list):
        one, other = _by_name(before), _by_name(after)
        if one is not None and other is not None and [n for n in one if n in other] == [n for n in other if n in one]:
            for name in [*one, *(name for name in other if name not in one)]:
                if name not in one or name not in other:
                    found.append(f"{prefix}[name={name}]")
                elif one[name] != other[name]:
                    found += paths(one[name], other[name], f"{prefix}[name={name}]")
            return found
    return [prefix] if before != after else []


def texts(before: Any, after: Any) -> tuple[str, str]:
    """Two trees as YAML whose difference fits on a screen.

    Of a longer difference the first 40 lines stay, and a last line tells how many more there are.
    """
    one, other = _lines(before), _lines(after)
    room, total = _MOST_LINES, 0
    cut: tuple[int, int] | None = None
    for tag, start, end, other_start, other_end in _blocks(one, other):
        gone, come = end - start, 0 if tag == "equal" else other_end - other_start
        if cut is None and gone + come > room:
            first = min(gone, max(room // 2, room - come))
            cut = start + first, other_start + (first if tag == "equal" else min(come, room - first))
        room -= gone + come
        total += gone + come
    if cut is not None:
        more = f"# ... and {total - _MOST_LINES} more lines"
        one, other = ([*lines[:end], more] if lines else [] for lines, end in zip((one, other), cut, strict=True))
    return "".join(f"{line}\n" for line in one), "".join(f"{line}\n" for line in other)


def as_yaml(tree: Any) -> str:
    """A tree as YAML, texts of several lines as such."""
    if not tree:
        return ""
    return str(yaml.dump(tree, Dumper=_dumper(), default_flow_style=False, sort_keys=False, width=120))


@cache
def _dumper() -> Any:
    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # chosen at run time
        def ignore_aliases(self, _data: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


def _lines(tree: Any) -> list[str]:
    return [
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}... ({len(line)} characters, {digest(line)})"
        for line in as_yaml(tree).rstrip("\n").split("\n")
        if tree
    ]


def _blocks(one: Sequence[str], other: Sequence[str]) -> Iterable[Block]:
    """What a unified diff of the two would show, block by block."""
    if not one or not other or len(one) + len(other) > _TOO_MANY_TO_MATCH:
        same = next(
            (at for at, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other))
        )
        start = max(0, same - _CONTEXT)
        return [("equal", start, same, start, same), ("replace", same, len(one), same, len(other))]
    groups = SequenceMatcher(None, one, other, autojunk=False).get_grouped_opcodes(_CONTEXT)
    return [block for group in groups for block in group]


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return None
    named = {item["name"]: item for item in items}
    return named if len(named) == len(items) else None


def _as_list(named: dict[str, Any]) -> list[Any]:
    return [{"name": name, **value} for name, value in named.items()]
