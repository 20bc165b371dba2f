# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes objects as people write them: YAML text or mappings in, clean objects out; pure (used by ``converge``)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.libraries import require, yaml

__all__ = ["Object", "Ref", "clean", "flatten", "from_yaml", "objects_in", "ref_of"]

Object = dict[str, Any]

_SERVER_METADATA = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
    "resourceVersion", "selfLink", "uid",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Ref:
    """Which object is meant; ``namespace`` is empty for cluster-scoped objects."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group, empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The object whatever the version it is written in: group, kind, namespace, name."""
        return self.group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


_SCALARS = (
    ("bool", r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO"),
    ("float", r"^(?:[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+|[-+]?[0-9]+\.[0-9]*|[-+]?\.[0-9]+)$",
     "-+0123456789."),
    ("int", r"^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$", "-+0123456789"),
    ("merge", r"^<<$", "<"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN"),
)  # fmt: skip


@cache
def _loader() -> Any:
    """A loader that reads YAML as Kubernetes' own tools do: no dates and no base-60 numbers, both stay strings."""
    require()

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
        yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    for name, pattern, first in _SCALARS:
        # an empty scalar is found under the empty string
        starts = [*first, ""] if name == "null" else list(first)
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(pattern), starts)
    return Loader


def from_yaml(text: str, source: str) -> list[Any]:
    """The non-empty documents of a YAML text; ``source`` names it in the MeshError for what isn't YAML.

    Documents that are JSON, which YAML takes too, are read as that: it takes a fraction of the time.
    """
    parts = text.split("\n---\n")
    if not any(part.lstrip().startswith("{") for part in parts):
        return _documents(text, source)
    found: list[Any] = []
    for part in parts:
        try:
            found.append(json.loads(part))
        except ValueError:
            found += _documents(part, source)
    return found


def _documents(text: str, source: str) -> list[Any]:
    loader = _loader()
    try:
        return [document for document in yaml.load_all(text, Loader=loader) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # only the place is told: the parser's message may quote a secret
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else type(error).__name__
        raise MeshError(f"{source} isn't YAML", why=where) from None


def flatten(documents: Iterable[Any], source: str) -> list[Object]:
    """Every object of ``documents``, those inside Lists too; raises MeshError for what isn't an object."""
    found: list[Object] = []
    for position, document in enumerate(documents, 1):
        where = f"{source}, object {position}"
        if not isinstance(document, dict):
            raise MeshError(f"{where} isn't a Kubernetes object", why=f"it is a {type(document).__name__}")
        kind = document.get("kind")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(document.get("items"), list):
            found += flatten(document["items"], where)
            continue
        metadata = document.get("metadata")
        for name, value in (
            ("apiVersion", document.get("apiVersion")),
            ("kind", kind),
            ("metadata.name", metadata.get("name") if isinstance(metadata, dict) else None),
        ):
            if not isinstance(value, str) or not value:
                raise MeshError(f"{where} isn't a Kubernetes object", why=f"{name} is missing or not a string")
        namespace = document["metadata"].get("namespace")
        if namespace is not None and not isinstance(namespace, str):
            raise MeshError(f"{where} isn't a Kubernetes object", why="metadata.namespace is not a string")
        found.append(document)
    return found


def objects_in(text: str, source: str) -> list[Object]:
    """Every object of a text of YAML or JSON, which ``source`` names; raises MeshError for what isn't one."""
    plain = text.encode().decode()  # libyaml takes no subclass of str, and Ansible's texts are one
    return flatten(from_yaml(plain, source), source)


def ref_of(item: Mapping[str, Any]) -> Ref:
    """The reference to an object that has at least its kind and name."""
    metadata = item["metadata"]
    return Ref(item["apiVersion"], item["kind"], metadata.get("namespace") or "", metadata["name"])


def clean(item: Mapping[str, Any], *, status: bool = False) -> Object:
    """What of an object can be wished for: without nulls, server-set metadata, and status (``status``: only that).

    A Secret's ``stringData`` becomes ``data``, as the server stores it. Raises MeshError for labels or annotations
    that aren't strings, which the server would refuse with a message that names no object.
    """
    result: Object = _without_nulls(item)
    metadata = {name: value for name, value in result.get("metadata", {}).items() if name not in _SERVER_METADATA}
    if status:
        identity = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
        return {
            "apiVersion": result["apiVersion"], "kind": result["kind"], "metadata": identity,
            "status": result.get("status", {}),
        }  # fmt: skip
    for part in ("labels", "annotations"):
        for name, value in (metadata.get(part) or {}).items():
            if not isinstance(value, str):
                why = f"metadata.{part}.{name} is not a string but {type(value).__name__}"
                raise MeshError(f"{ref_of(item)} can't be applied", why=why, hint="put the value in quotes")
    result["metadata"] = metadata
    result.pop("status", None)
    if result["kind"] == "Secret" and result["apiVersion"] == "v1" and "stringData" in result:
        texts = result.pop("stringData")
        result["data"] = {
            **result.get("data", {}),
            **{name: base64.b64encode(str(text).encode()).decode() for name, text in texts.items()},
        }
    return result


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
