# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations of the user: JMESPath expressions over the result of `xds_health` (used by `_xds.health`).

An expression that can't be read is an input error with its position; one that can't be applied to the result is an
expectation that isn't met, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

try:
    import jmespath
    from jmespath import exceptions, functions

    MISSING: str | None = None
except ImportError as error:
    MISSING = str(error)

__all__ = ["Expectation", "evaluate", "read"]

_CALL = "function_expression"


@dataclass(frozen=True)
class Expectation:
    """One readable expectation; ``compiled`` is jmespath's own object."""

    that: str
    message: str
    compiled: Any


def read(expect: Sequence[Mapping[str, Any]]) -> tuple[Expectation, ...]:
    """The expectations ``{that, message}``, each with its expression compiled; ``message`` may be missing.

    Raises MeshError for a missing jmespath, for another key or a missing ``that``, and for an expression that can't be
    read: its position and what is wrong.
    """
    if not expect:
        return ()
    if MISSING is not None:
        raise MeshError(
            "'expect' can't be used",
            why=f"the Python library jmespath can't be imported ({MISSING})",
            hint="install it for the Python that runs Ansible on the controller",
        )
    return tuple(_read(number, item) for number, item in enumerate(expect, start=1))


def _read(number: int, item: Mapping[str, Any]) -> Expectation:
    unknown = sorted(set(item) - {"that", "message"})
    if unknown or not isinstance(item.get("that"), str):
        why = f"it has the key {unknown[0]!r}" if unknown else "it has no expression 'that'"
        raise MeshError(f"expect number {number} can't be read", why=why, hint="give 'that' and 'message'")
    that = item["that"]
    try:
        compiled = jmespath.compile(that)
    except exceptions.LexerError as error:
        raise _broken(number, that, error.lex_position, str(error.message)) from None
    except exceptions.IncompleteExpressionError:
        raise _broken(number, that, len(that), "it ends too early") from None
    except exceptions.ParseError as error:
        raise _broken(number, that, error.lex_position, f"{error.token_value!r} isn't expected here") from None
    except exceptions.JMESPathError:
        raise _broken(number, that, 0, "it is empty") from None
    for name, given in _calls(compiled.parsed):
        why = _bad_call(name, given)
        if why:
            raise _broken(number, that, _place_of(name, that), why)
    return Expectation(that, str(item.get("message") or ""), compiled)


def _broken(number: int, that: str, position: int, why: str) -> MeshError:
    return MeshError(f"expect number {number} can't be read", why=f"{why}, at character {position + 1} of {that!r}")


def _calls(node: object) -> list[tuple[str, int]]:
    """All functions that a parsed expression calls, each with the number of its arguments."""
    if not isinstance(node, dict):
        return []
    children = node.get("children") or []
    own = [(str(node["value"]), len(children))] if node.get("type") == _CALL else []
    return own + [call for child in children for call in _calls(child)]


def _bad_call(name: str, given: int) -> str:
    """What is wrong with a call, whatever it is applied to; empty if nothing is."""
    known = functions.Functions.FUNCTION_TABLE.get(name)
    if known is None:
        return f"there is no function {name}()"
    wanted = len(known["signature"])
    if any(argument.get("variadic") for argument in known["signature"]):
        return "" if given >= wanted else f"{name}() takes at least {wanted} arguments, not {given}"
    return "" if given == wanted else f"{name}() takes {wanted} argument{'s' * (wanted != 1)}, not {given}"


def _place_of(name: str, that: str) -> int:
    """Where the function is called; its name may also be that of a field."""
    found = re.search(rf"\b{re.escape(name)}\s*\(", that)
    return found.start() if found else 0


def evaluate(expectations: Sequence[Expectation], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each expectation ``{that, message, met, value, error}``, in order.

    ``met`` is JMESPath's truth: null, false, "", [] and {} are false. ``value`` is what the expression gave.
    """
    return [_evaluate(expectation, result) for expectation in expectations]


def _evaluate(expectation: Expectation, result: Mapping[str, Any]) -> dict[str, Any]:
    said = {"that": expectation.that, "message": expectation.message}
    try:
        value = expectation.compiled.search(result)
    except exceptions.JMESPathError as error:
        return {**said, "met": False, "value": None, "error": " ".join(str(error).split())}
    met = not (value is None or value is False or value in ("", [], {}))
    return {**said, "met": met, "value": value, "error": ""}
