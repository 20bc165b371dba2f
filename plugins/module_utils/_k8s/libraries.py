# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libraries that talking to Kubernetes takes (used by the rest of ``_k8s``).

Where one is missing, the names are None and :func:`require` says so in one line: so a module still loads, and its
documentation can be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

try:
    import urllib3
    import yaml

    MISSING: str | None = None
except ImportError as error:
    MISSING = str(error)
    if not TYPE_CHECKING:
        urllib3 = yaml = None

__all__ = ["require", "urllib3", "yaml"]


def require() -> None:
    """Raise MeshError if a library can't be imported."""
    if MISSING is not None:
        raise MeshError(
            "Kubernetes can't be talked to",
            why=f"a Python library can't be imported ({MISSING})",
            hint="install urllib3 and PyYAML for the Python that runs Ansible on the controller",
        )
