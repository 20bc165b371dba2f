# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a survey of a mesh is asked and what a check finds (used by the rest of `_verify`).

Plain values and one Protocol; nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.edge.mesh.plugins.module_utils._checks import Verdict
from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError

__all__ = ["RERUN", "Api", "Command", "Finding", "Json", "Primary", "Site", "unknown"]

Json = Mapping[str, Any]
Words = list[str]  # inside `Api`, `list` is a method

RERUN = "run site.yml again for this site"


@dataclass(frozen=True)
class Finding:
    """What one check found out; ``evidence`` is JSON and its key ``seen`` one short clause for people."""

    verdict: Verdict
    evidence: Json
    hint: str = ""


@dataclass(frozen=True)
class Site:
    """A site to look at: ``role`` is ``primary`` or ``edge``, ``primary`` the name of its primary.

    Empty ``istiod_address`` and ``gateway_addresses`` aren't compared; ``unread`` names those of them that are empty
    only because they couldn't be read. ``namespaces`` are injected ones to look at beside those that carry an injection
    label. ``mode`` is ``sidecar``, or ``gateway_only`` for a site without any. ``local_injector`` says that the site
    injects by itself.
    """

    name: str
    role: str
    network: str
    primary: str
    kubeconfig: str
    context: str | None = None
    istiod_address: str = ""
    gateway_addresses: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    mode: str = "sidecar"
    local_injector: bool = False


@dataclass(frozen=True)
class Primary:
    """A cluster that runs istiod."""

    name: str
    kubeconfig: str
    context: str | None = None


class Command(Protocol):
    """What a command in a container did."""

    @property
    def rc(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...


class Api(Protocol):
    """The part of `_k8s.client.Client` that is used here; every method raises ApiError."""

    def get(self, path: str, **query: Any) -> dict[str, Any] | None: ...
    def list(self, path: str, **query: Any) -> list[dict[str, Any]]: ...
    def text(self, path: str, **query: Any) -> str: ...
    def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]: ...
    def exec(self, namespace: str, pod: str, container: str, command: Words, *, timeout: float) -> Command: ...


def unknown(error: MeshError, **evidence: Any) -> Finding:
    """What couldn't be asked, and why; a request's own path and status say little to people, so they come second."""
    short = (error.why if isinstance(error, ApiError) else f"{error.what}: {error.why}") if error.why else error.what
    return Finding("unknown", {"seen": short, "reason": error.message, **evidence}, error.hint or "")
