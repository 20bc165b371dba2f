# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing that can be built, as data (used by the catalogue and by the recipes that declare components)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext

__all__ = ["Component", "Kind"]

Kind = Literal["go", "file", "wheel", "rootfs", "image", "node-image"]


@dataclass(frozen=True)
class Component:
    """A component and everything that its content key is made of.

    The key covers ``params``, the bytes of ``recipe_files``, the Python file that ``build`` is defined in (unless
    ``build`` is a ``functools.partial``: then ``params`` say it all), the architecture, and the keys of ``needs``.
    """

    name: str
    kind: Kind
    build: Callable[[BuildContext], None]
    needs: tuple[str, ...] = ()
    recipe_files: tuple[str, ...] = ()  # files or whole directories below roles/artifacts/files
    params: Mapping[str, str] = field(default_factory=dict)  # versions, flags, package lists
    outputs: tuple[str, ...] = ()  # file components: the files that the build leaves, relative to its directory
    image: str = ""  # image components: "<repository>:<tag>"
    saved: bool = False  # image components: keep a copy in the cache, for a Docker that was wiped
    cost: int = 10  # seconds of a cold build on two cores; long ones start first
    labels: Mapping[str, str] = field(default_factory=dict)  # OCI labels, besides those every image gets

    @property
    def is_image(self) -> bool:
        """Whether the result lives in Docker rather than in the cache."""
        return bool(self.image)
