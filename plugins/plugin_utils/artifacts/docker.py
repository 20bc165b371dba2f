# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker daemon as far as image components need it (the only file here that calls the ``docker`` command
outside a recipe)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError

__all__ = ["KEY_LABEL", "Docker", "Images", "key_name"]

# Every image of ours carries its content key under this label.
KEY_LABEL = "edge.mesh.key"
_QUICK = 60.0
_SLOW = 1800.0


class Images(Protocol):
    """What the engine asks of an image store."""

    def label(self, image: str) -> str | None:
        """The content key on that image; None if there is no such image or it carries none."""

    def tag(self, image: str, name: str) -> None:
        """Give the image another name."""

    def save(self, image: str, names: Sequence[str], path: Path) -> None:
        """Write the image with those names into a tar file."""

    def load(self, path: Path) -> None:
        """Read a tar file that :meth:`save` wrote."""

    def ours(self) -> list[str]:
        """Ids of all images with a content key."""

    def remove(self, image: str) -> bool:
        """Remove an image with all its names; False if a container uses it."""


def key_name(image: str, key: str) -> str:
    """The second name of every image of ours, which tells its key: ``<repository>:<key12>``."""
    repository, _colon, _tag = image.rpartition(":")
    return f"{repository}:{key[:12]}"


def _familiar(repository: str) -> str:
    """A repository as Docker itself writes it: without its default registry and namespace."""
    return repository.removeprefix("docker.io/").removeprefix("library/")


class Docker:
    """:class:`Images` by the ``docker`` command line."""

    def __init__(self, command: str = "docker") -> None:
        self._command = command

    def check(self) -> None:
        """Raise MeshError if no daemon answers."""
        code, text = self._run(["version", "--format", "{{.Server.Version}}"])
        if code:
            raise MeshError(
                "Docker doesn't answer", why=text, hint="start Docker, or on a lab machine run `make lab`, which does"
            )

    def label(self, image: str) -> str | None:
        code, text = self._run(["image", "inspect", "--format", "{{json .Config.Labels}}", image])
        if code:
            if "no such image" in text.lower():
                return None
            raise MeshError("Docker doesn't answer", why=text)
        labels = json.loads(text) or {}
        key = labels.get(KEY_LABEL)
        return key if isinstance(key, str) else None

    def digest(self, image: str) -> str | None:
        """The registry digest ("sha256:...") of a pulled image of that name with a tag; None if it isn't here."""
        code, text = self._run(["image", "inspect", "--format", "{{json .RepoDigests}}", image])
        if code:
            return None
        found = dict(item.split("@", 1) for item in json.loads(text) or [])
        return found.get(_familiar(image.rpartition(":")[0]))

    def pull(self, image: str) -> None:
        """Fetch an image from its registry; raises MeshError."""
        code, text = self._run(["pull", "--quiet", image], _SLOW)
        if code:
            raise MeshError(f"image {image} can't be pulled", why=text)

    def tag(self, image: str, name: str) -> None:
        self._must(["tag", image, name], f"image {image} can't be named {name}")

    def save(self, image: str, names: Sequence[str], path: Path) -> None:
        self._must(["save", "--output", str(path), *names], f"image {image} can't be saved", _SLOW)

    def load(self, path: Path) -> None:
        self._must(["load", "--quiet", "--input", str(path)], f"{path} can't be loaded into Docker", _SLOW)

    def ours(self) -> list[str]:
        code, text = self._run(["images", "--no-trunc", "--quiet", "--filter", f"label={KEY_LABEL}"])
        return [] if code else list(dict.fromkeys(text.split()))

    def remove(self, image: str) -> bool:
        code, names = self._run(["image", "inspect", "--format", "{{range .RepoTags}}{{println .}}{{end}}", image])
        if code:
            return True
        # Asked first: `rmi` would take names from an image in use before it refuses.
        code, users = self._run(["ps", "--all", "--quiet", "--filter", f"ancestor={image}"])
        if code or users:
            return False
        code, _text = self._run(["rmi", *(names.split() or [image])], _SLOW)
        return code == 0

    def _must(self, words: Sequence[str], what: str, timeout: float = _QUICK) -> None:
        code, text = self._run(words, timeout)
        if code:
            raise MeshError(what, why=text)

    def _run(self, words: Sequence[str], timeout: float = _QUICK) -> tuple[int, str]:
        """Exit code, and standard output on success or the last line of standard error."""
        try:
            done = subprocess.run(
                [self._command, *words],
                capture_output=True,
                text=True,
                timeout=timeout,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except FileNotFoundError as error:
            raise MeshError("the docker command is missing", hint="install Docker; `make lab` does") from error
        except subprocess.TimeoutExpired:
            return 1, f"docker {words[0]} took longer than {timeout:.0f} s"
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            return done.returncode, lines[-1] if lines else f"docker {words[0]} ended with {done.returncode}"
        return 0, done.stdout.strip()
