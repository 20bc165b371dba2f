# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restore does, decided before it touches anything (used by ``service``).

Pure: the archive and what the state directory holds in, a plan out, or the reason why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.backup.archive import Snapshot, Stored

__all__ = ["REPLACE", "Plan", "plan_restore"]

REPLACE = "edge_mesh_restore_replace"
_REPORTS = "reports"  # say what was once; younger ones are never given up for older ones, and stop nobody
_SHOWN = 3


@dataclass(frozen=True)
class Plan:
    """What the state directory is to hold: the archive's files in ``write``, those that stay as they are in ``keep``.

    ``entries`` are the names directly below it (``ca``, ``artifacts.lock``) in which something changes.
    """

    write: Mapping[str, Stored]
    keep: frozenset[str]
    entries: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.entries)


def plan_restore(
    snapshot: Snapshot, present: Mapping[str, Stored], present_root: str | None, *, replace: bool, where: str
) -> Plan:
    """The plan for the state directory ``where``; MeshError if it holds what a restore must not overwrite.

    Files that the archive doesn't have stay, and so do reports that are there. With ``replace`` the directory becomes
    what the archive says, whatever it holds.
    """
    if replace:
        return _plan(snapshot.files, present, frozenset())
    _refuse_another_root(snapshot, present_root, where)
    keep = {name for name in present if name not in snapshot.files or name.split("/")[0] == _REPORTS}
    _refuse_clashes(snapshot.files, keep, where)
    write = {name: stored for name, stored in snapshot.files.items() if name not in keep}
    newer = sorted(
        name
        for name, stored in write.items()
        if name in present and present[name].content != stored.content and present[name].modified > stored.modified
    )
    if newer:
        more = f" and {len(newer) - _SHOWN} more" if len(newer) > _SHOWN else ""
        raise MeshError(
            f"{where} holds newer state than the archive of {snapshot.made_at}; nothing was touched",
            why=f"changed since: {', '.join(newer[:_SHOWN])}{more}",
            hint=f"-e {REPLACE}=true restores the archive all the same, and puts aside what is there",
        )
    return _plan(write, present, frozenset(keep))


def _plan(write: Mapping[str, Stored], present: Mapping[str, Stored], keep: frozenset[str]) -> Plan:
    touched = {name for name, stored in write.items() if name not in present or not present[name].is_like(stored)}
    touched |= present.keys() - write.keys() - keep
    # the CA first: a run that finds it missing is refused, one that finds only kubeconfigs missing is not
    entries = sorted({name.split("/")[0] for name in touched}, key=lambda entry: (entry != "ca", entry))
    return Plan(write, keep, tuple(entries))


def _refuse_another_root(snapshot: Snapshot, present_root: str | None, where: str) -> None:
    if present_root is not None and present_root != snapshot.root:
        raise MeshError(
            f"{where} holds another root than the archive of {snapshot.made_at}; nothing was touched",
            why=f"there it is {present_root}, in the archive {snapshot.root}",
            hint=f"is it the right archive? -e {REPLACE}=true restores it all the same, and puts aside what is there",
        )


def _refuse_clashes(files: Mapping[str, Stored], keep: set[str], where: str) -> None:
    """No path is a file here and a directory there."""
    for one, others in ((files, keep), (keep, files)):
        for name in one:
            above = (name[:index] for index, letter in enumerate(name) if letter == "/")
            if clash := next((path for path in above if path in others), None):
                raise MeshError(
                    f"{where}/{clash} can't be restored; nothing was touched",
                    why="it is a file in one of archive and state directory, and a directory in the other",
                    hint="move it away",
                )
