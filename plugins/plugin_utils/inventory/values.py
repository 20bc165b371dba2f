# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One value of the inventory against its entry in ``schema.yml`` (used by the site model).

Pure: a value and its entry in, a message or the value in its type out. YAML reads ``1.30``, ``on`` and ``{a: b}`` as
something else than a text, and Ansible hands that on: what a person meant can't be told any more, so it is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["cast", "problem_of"]

_INTEGER = re.compile(r"-?[0-9]{1,9}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_TEXTS = ("str", "path")


def problem_of(name: str, value: Any, entry: Mapping[str, Any]) -> str | None:
    """What is wrong with a value, or None; the value of a secret is in no message."""
    if value is None:
        return f"{name} is required ({entry['description']})" if entry.get("required") else None
    if "choices" in entry and value not in entry["choices"]:
        return f"{name} is {value!r}; it can be {', '.join(entry['choices'])}"
    if entry["type"] in _TEXTS and (why := _no_text(value)):
        return f"{name} {why if not entry.get('secret') else 'must be a text'}"
    if entry["type"] == "bool" and not isinstance(value, bool) and str(value).lower() not in _BOOLEANS:
        return f"{name} is {value!r}; it must be true or false"
    if entry["type"] == "int" and (isinstance(value, bool) or not _INTEGER.fullmatch(str(value))):
        return f"{name} is {value!r}; it must be a whole number"
    if entry["type"] == "list" and not isinstance(value, list):
        return f"{name} must be a list, not {_kind(value)}{_as_json(name, '[...]', value)}"
    if entry["type"] == "dict" and not isinstance(value, Mapping):
        return f"{name} must be a dictionary, not {_kind(value)}{_as_json(name, '{...}', value)}"
    if entry.get("elements") == "str" and isinstance(value, list):
        return next((f"{name} holds {each!r}, which {why}" for each in value if (why := _no_entry(each))), None)
    return None


def cast(value: Any, entry: Mapping[str, Any]) -> Any:
    """A value without a problem in its type. An empty path is none."""
    if entry["type"] == "bool" and not isinstance(value, bool):
        return _BOOLEANS.get(str(value).lower(), False)
    if entry["type"] == "int" and value is not None:
        return int(value) if _INTEGER.fullmatch(str(value)) else entry["default"]
    if entry["type"] == "path" and value is not None:
        # as Ansible itself expands the paths of its modules
        return str(Path(os.path.expandvars(str(value))).expanduser()) if str(value) else entry["default"]
    if entry["type"] == "str" and value is not None:
        return str(value)
    if entry.get("elements") == "str" and isinstance(value, list):
        return [str(each) for each in value]
    return value


def _no_text(value: Any) -> str:
    """Why a value isn't a text; empty if it is one, or a whole number, which is written in one way only."""
    if isinstance(value, (bool, float)):
        return f"is read as {value!r}; put it into quotes"
    return "" if isinstance(value, (str, int)) else f"must be a text, not {_kind(value)}"


def _as_json(name: str, shape: str, value: Any) -> str:
    """How to give a list or a dictionary by -e, where ``name=value`` makes a text of it."""
    return f"; on the command line write -e '{{\"{name}\": {shape}}}'" if isinstance(value, str) else ""


def _no_entry(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "is empty"
    return "isn't a text" if _no_text(value) else ""


def _kind(value: Any) -> str:
    """A value's kind in the words of an inventory: Ansible's own classes have other names."""
    for kind, word in ((Mapping, "a dictionary"), (list, "a list"), (str, "a text"), (bool, "true or false")):
        if isinstance(value, kind):
            return word
    return "a number" if isinstance(value, (int, float)) else type(value).__name__
