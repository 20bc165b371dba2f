# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of text to which several runs add without knowing of one another (used by ``converge``). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object

__all__ = ["joined"]


def joined(desired: Object, live: Mapping[str, Any] | None, paths: Sequence[str]) -> Object:
    """``desired`` with what its lists at ``paths`` (dotted) hold in ``live`` added to them, sorted.

    An object without any of the lists is returned as it is. Raises MeshError for a list of anything but text.
    """
    result = desired
    for path in paths:
        names = path.split(".")
        wanted = _at(desired, names)
        if wanted is None or live is None:
            continue
        there = _at(live, names) or []
        for value in (wanted, there):
            if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
                raise MeshError(f"the items of {path} can't be kept", why="it isn't a list of text")
        result = _with(result, names, sorted({*wanted, *there}))
    return result


def _at(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    value: Any = item
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _with(item: Mapping[str, Any], names: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = names
    return {**item, first: _with(item[first], rest, value) if rest else value}
