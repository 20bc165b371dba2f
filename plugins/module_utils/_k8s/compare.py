# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wished for against what is there, field by field; pure (used by ``plan``).

The server's record of our fields (FieldsV1) says how each list and map is merged, so no schema is needed: a branch
with children is granular, a leaf is owned as a whole. Where the two look alike but not equal (a default filled into a
list, a rewritten number), :func:`compare` reports a difference and the server decides by applying: a difference here
means "ask", no difference means "certainly nothing to do".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from ansible_collections.edge.mesh.plugins.module_utils._k8s.ownership import Fields, item_key

__all__ = ["Difference", "compare", "same", "without_fields_of"]

_IDENTITY = ("apiVersion", "kind")
# values that the server fills into lists and maps that are owned as a whole: (the holder's key, key) -> value
_FILLED_IN: Mapping[tuple[str, str], Any] = {
    ("rules", "scope"): "*",
    ("ports", "protocol"): "TCP",
    ("ports", "name"): "",
    ("fieldRef", "apiVersion"): "v1",
    ("endpoints", "conditions"): {},
}
_QUANTITIES = frozenset({"limits", "requests", "hard", "capacity", "sizeLimit", "divisor"})
_QUANTITY = re.compile(r"^([+-]?[0-9.]+)(?:[eE]([+-]?[0-9]+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$")
_SCALE = {"": Decimal(1)}
_SCALE |= {
    unit: Decimal(1000) ** power for unit, power in zip("numkMGTPE", (-3, -2, -1, 1, 2, 3, 4, 5, 6), strict=True)
}
_SCALE |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


@dataclass(frozen=True)
class Difference:
    """One field that isn't as wished.

    ``value``: there, but other; ``missing``: not there; ``unowned``: as wished, but the server doesn't know it as ours;
    ``dropped``: ours by the server's record, but no longer wished for.
    """

    kind: Literal["value", "missing", "unowned", "dropped"]
    path: str

    def __str__(self) -> str:
        words = {"value": "differs", "missing": "is missing", "unowned": "isn't ours yet", "dropped": "is not wanted"}
        return f"{self.path} {words[self.kind]}"


def compare(desired: Mapping[str, Any], live: Mapping[str, Any], fields: Fields | None) -> list[Difference]:
    """The differences between ``desired`` and ``live``, where ``fields`` are those the server knows as ours."""
    wanted = {name: value for name, value in desired.items() if name not in _IDENTITY}
    wanted["metadata"] = {
        name: value for name, value in desired["metadata"].items() if name not in ("name", "namespace")
    }
    return list(_walk(wanted, live, fields or {}, (), top=True))


def _walk(
    desired: Any, live: Any, fields: Fields | None, path: tuple[str, ...], *, top: bool = False
) -> Iterator[Difference]:
    if fields is None:
        yield _unowned(desired, live, path)
    elif isinstance(desired, dict) and (top or _granular(fields)):
        yield from _walk_map(desired, live, fields, path)
    elif isinstance(desired, list) and any(field.startswith(("k:", "v:")) for field in fields):
        yield from _walk_list(desired, live, fields, path)
    elif live is None:
        # the server leaves out zero values but remembers that they are ours
        if desired not in ("", 0, [], {}):
            yield Difference("missing", _spell(path))
    elif not same(desired, live, path):
        yield Difference("value", _spell(path))


def _walk_map(desired: dict[str, Any], live: Any, fields: Fields, path: tuple[str, ...]) -> Iterator[Difference]:
    if live is not None and not isinstance(live, dict):
        yield Difference("value", _spell(path))
        return
    present = live or {}
    for name, value in desired.items():
        child = (*path, name)
        if not path and name == "metadata" and not value:
            continue
        yield from _walk(value, present.get(name), fields.get(f"f:{name}"), child)
    for field in fields:
        if field.startswith("f:") and field[2:] not in desired:
            yield Difference("dropped", _spell((*path, field[2:])))


def _walk_list(desired: list[Any], live: Any, fields: Fields, path: tuple[str, ...]) -> Iterator[Difference]:
    present = live if isinstance(live, list) else []
    left = [field for field in fields if field != "."]
    for item in desired:
        field = next((field for field in left if _is_item(field, item)), None)
        if field is None:
            yield _unowned(
                item, next((other for other in present if same(item, other, path)), None), (*path, _label(item))
            )
            continue
        left.remove(field)
        other = next((other for other in present if _is_item(field, other)), None)
        if field.startswith("k:"):
            yield from _walk(item, other, fields[field], (*path, _label(item)))
        elif other is None:
            yield Difference("missing", _spell((*path, _label(item))))
    for field in left:
        key = item_key(field)
        yield Difference("dropped", _spell((*path, _label(key) if key is not None else f"[{field[2:]}]")))


def _granular(fields: Fields) -> bool:
    return any(field != "." for field in fields)


def _unowned(desired: Any, live: Any, path: tuple[str, ...]) -> Difference:
    if live is None:
        return Difference("missing", _spell(path))
    return Difference("unowned" if _covers(live, desired, path) else "value", _spell(path))


def _covers(live: Any, desired: Any, path: tuple[str, ...]) -> bool:
    """Whether ``live`` holds all that is wished for, whatever else it holds; only for the words of a reason."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return all(name in live and _covers(live[name], value, (*path, name)) for name, value in desired.items())
    return same(desired, live, path)


def _is_item(field: str, item: Any) -> bool:
    """Whether a list item is the one that ``field`` names; a key that the item leaves out has its default there."""
    key = item_key(field)
    if key is None:
        return field.startswith("v:") and bool(json.loads(field[2:]) == item)
    if not isinstance(item, dict):
        return False
    return any(name in item for name in key) and all(item.get(name, value) == value for name, value in key.items())


def _label(item: Any) -> str:
    if isinstance(item, dict):
        for name in ("name", "key", "type", "containerPort", "port", "ip", "uid"):
            if name in item:
                return f"[{name}={item[name]}]"
        return "[]"
    return f"[{item}]"


def _spell(path: tuple[str, ...]) -> str:
    return "".join(part if part.startswith("[") else f".{part}" for part in path)


def same(desired: Any, live: Any, path: tuple[str, ...] = ()) -> bool:
    """Whether two values are one to the server; a known default that it filled in makes no difference."""
    if isinstance(desired, dict) and isinstance(live, dict):
        holder = next((part for part in reversed(path) if not part.startswith("[")), "")
        extra = (name for name in live if name not in desired)
        return all(name in live and same(value, live[name], (*path, name)) for name, value in desired.items()) and all(
            _FILLED_IN.get((holder, name)) == live[name] for name in extra
        )
    if isinstance(desired, list) and isinstance(live, list):
        return len(desired) == len(live) and all(
            same(one, other, path) for one, other in zip(desired, live, strict=True)
        )
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    if desired == live:
        return True
    return not _QUANTITIES.isdisjoint(path) and _quantity(desired) is not None and _quantity(desired) == _quantity(live)


def _quantity(value: Any) -> Decimal | None:
    """The number that a resource quantity ("500m", "1Gi", 2) stands for."""
    match = _QUANTITY.match(str(value))
    if not match or match[1].count(".") > 1 or not any(sign.isdigit() for sign in match[1]):
        return None
    return Decimal(match[1]) * (Decimal(10) ** int(match[2]) if match[2] else _SCALE[match[3] or ""])


def without_fields_of(
    desired: Mapping[str, Any], ours: Fields | None, theirs: Fields
) -> tuple[dict[str, Any], list[str]]:
    """``desired`` without the fields that ``theirs`` holds and ``ours`` doesn't, and the paths that were left out.

    This is how a controller keeps what it set: a field that isn't claimed is neither fought over nor taken.
    """
    left: list[str] = []
    result = _leave(desired, ours or {}, theirs, (), left)
    return (dict(result) if left else dict(desired)), left


def _leave(desired: Any, ours: Fields, theirs: Fields, path: tuple[str, ...], left: list[str]) -> Any:
    if isinstance(desired, dict):
        result = {}
        for name, value in desired.items():
            field = f"f:{name}"
            if (not path and name in _IDENTITY) or field not in theirs:
                result[name] = value
            elif _granular(theirs[field]):
                result[name] = _leave(value, ours.get(field, {}), theirs[field], (*path, name), left)
            elif field in ours:
                result[name] = value
            else:
                left.append(_spell((*path, name)))
        return result
    if isinstance(desired, list):
        items = []
        for item in desired:
            key = next((name for name in theirs if name.startswith("k:") and _is_item(name, item)), None)
            if key is None:
                items.append(item)
            else:
                items.append(_leave(item, ours.get(key, {}), theirs[key], (*path, _label(item)), left))
        return items
    return desired
