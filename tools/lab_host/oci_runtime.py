# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An OCI runtime in front of runc, for hosts that lack CAP_SYS_RESOURCE (installed by ``tools.lab_host``).

A privileged container asks for every capability, and runc refuses to grant one that the host itself doesn't have
("unable to apply caps"). So this program takes CAP_SYS_RESOURCE out of a bundle's ``config.json`` and of the file
behind ``exec --process``, raises ``oomScoreAdj`` to the host's own (lowering it needs the same capability), and becomes
runc.

It is copied out of the checkout and run by the system's own Python with ``-IS``, maybe an old one, several times for
each container: so it stands alone, imports little, and does nothing at all for the calls that it needn't change.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # what typing's own constant is to a type checker, without the 10 ms that its import takes
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["MISSING", "edit_bundle", "edit_process", "main", "option", "subcommand"]

MISSING = "CAP_SYS_RESOURCE"
RUNC = ("/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc")
# runc's global options that take a value: their value must not be mistaken for the subcommand.
GLOBAL_WITH_VALUE = frozenset({"--root", "--log", "--log-format", "--criu", "--rootless"})


def subcommand(argv: list[str]) -> tuple[str, list[str]]:
    """The subcommand of a runc command line (without the program's name) and what follows; ``("", [])`` without one."""
    index = 0
    while index < len(argv):
        word = argv[index]
        if not word.startswith("-"):
            return word, argv[index + 1 :]
        index += 2 if word in GLOBAL_WITH_VALUE else 1
    return "", []


def option(words: list[str], *names: str) -> str | None:
    """The value of one option, written ``--name value`` or ``--name=value``; None when it isn't there."""
    for index, word in enumerate(words):
        if word in names and index + 1 < len(words):
            return words[index + 1]
        for name in names:
            if word.startswith(name + "="):
                return word[len(name) + 1 :]
    return None


def edit_process(process: dict[str, Any], oom_score_adj: int) -> bool:
    """Change an OCI ``process`` in place: no CAP_SYS_RESOURCE, no ``oomScoreAdj`` below the host's. True if changed."""
    changed = False
    for name, granted in (process.get("capabilities") or {}).items():
        if granted and MISSING in granted:
            process["capabilities"][name] = [capability for capability in granted if capability != MISSING]
            changed = True
    wanted = process.get("oomScoreAdj")
    if wanted is not None and wanted < oom_score_adj:
        process["oomScoreAdj"] = oom_score_adj
        changed = True
    return changed


def edit_bundle(config: dict[str, Any], oom_score_adj: int) -> bool:
    """The same for a whole bundle configuration (``config.json``). True if it was changed."""
    process = config.get("process")
    return process is not None and edit_process(process, oom_score_adj)


def _rewrite(path: str, edit: Callable[[dict[str, Any], int], bool]) -> None:
    """Edit a JSON file in place, atomically and with its mode kept; untouched when there is nothing to change."""
    import json  # here and not above: most calls never need it

    with open(path, encoding="utf-8") as stream:
        document = json.load(stream)
        mode = os.fstat(stream.fileno()).st_mode & 0o777
    with open("/proc/self/oom_score_adj", encoding="ascii") as stream:
        own = int(stream.read())
    if not edit(document, own):
        return
    temporary = f"{path}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
        json.dump(document, stream)
    os.rename(temporary, path)


def main(argv: list[str]) -> int:
    """Edit what the call brings, then become runc. Returns only when that fails."""
    command, words = subcommand(argv)
    try:
        if command in ("create", "run", "restore"):
            bundle = option(words, "--bundle", "-b") or "."
            _rewrite(os.path.join(bundle, "config.json"), edit_bundle)
        elif command == "exec":
            process = option(words, "--process", "-p")
            if process:
                _rewrite(process, edit_process)
    except (OSError, ValueError) as error:
        # runc reads the same file next and says better what is wrong with it.
        sys.stderr.write(f"edge-mesh-runtime: left unchanged: {error}\n")
    for runc in RUNC:
        if os.access(runc, os.X_OK):
            os.execv(runc, [runc, *argv])
    sys.stderr.write(f"edge-mesh-runtime: no runc in {', '.join(RUNC)}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
