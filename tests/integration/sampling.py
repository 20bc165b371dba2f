# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks for markers where they may show for a moment only: command lines, environments, temporary files."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

__all__ = ["Sampler", "spellings"]

_LARGEST = 8 << 20


def spellings(markers: Mapping[str, bytes]) -> dict[str, bytes]:
    """The markers, and each as it looks base64-encoded at any offset (the part that is the same for all contexts)."""
    found = {}
    for name, marker in markers.items():
        found[name] = marker
        for offset in range(3):
            encoded = base64.b64encode(b"x" * offset + marker)
            found[f"{name}, base64 at {offset}"] = encoded[(offset * 8 + 5) // 6 + 1 : len(encoded) - 4]
    return found


class Sampler:
    """A context manager that looks again and again; ``found`` says what was seen where, ``programs`` what ran."""

    def __init__(self, markers: Mapping[str, bytes], directories: Iterable[Path], interval: float = 0.1) -> None:
        self._markers = dict(markers)
        self._directories = list(directories)
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.found: set[str] = set()
        self.programs: set[str] = set()
        self.files: set[str] = set()
        self.rounds = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self._files()

    def _work(self) -> None:
        while not self._stop.wait(self._interval):
            self.rounds += 1
            self._processes()
            self._files()

    def _processes(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            line = _read(process / "cmdline")
            if b"ansible" in line:
                self.programs.add(line.replace(b"\0", b" ").decode(errors="replace"))
            self._look(line, f"command line {line[:80]!r}")
            self._look(_read(process / "environ"), f"environment of {line[:80]!r}")

    def _files(self) -> None:
        for directory in self._directories:
            for path in directory.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    self.files.add(path.name)
                    self._look(_read(path), f"file {path.relative_to(directory)}")

    def _look(self, content: bytes, where: str) -> None:
        for name, marker in self._markers.items():
            if marker in content:
                self.found.add(f"{name} in {where}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST)
    except OSError:
        return b""
