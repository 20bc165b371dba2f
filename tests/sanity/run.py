# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ``ansible-test sanity`` on a copy of the checkout, in virtual environments that ansible-test makes itself.

``ansible-test`` wants the tree at ``ansible_collections/edge/mesh``, and a home directory for its virtual environments.
Both are ours: the copy is temporary, the home is kept in the user's cache, so a second run starts at once. It also
wants to download its pip installer from a host of its own; networks that reach package registries only don't have that
host, so the installer it looks for is put there beforehand: one that uses the pip that comes with Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests import checkout

GET_PIP = "import ensurepip\n\nensurepip.bootstrap(upgrade=True)\n"


def home_for_ansible_test() -> Path:
    """A home for ansible-test that holds its virtual environments and the pip installer it looks for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "edge-mesh" / "ansible-test"
    installers = home / ".ansible" / "test" / "cache"
    installers.mkdir(parents=True, exist_ok=True)
    for version in pip_versions():
        installer = installers / f"get_pip_{version.replace('.', '_')}.py"
        if not installer.exists():
            installer.write_text(GET_PIP, encoding="utf-8")
    return home


def pip_versions() -> set[str]:
    """The versions of pip that this ansible-test bootstraps, read from its own source."""
    import ansible_test

    source = Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    return set(re.findall(r"'(\d+\.\d+(?:\.\d+)?)'", source))


def environment(home: Path) -> dict[str, str]:
    """The environment of ansible-test: its own home, but pip's settings and caches of the person who runs it."""
    own = Path.home()
    values = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    values.setdefault("XDG_CONFIG_HOME", str(own / ".config"))
    values.setdefault("XDG_CACHE_HOME", str(own / ".cache"))
    values.setdefault("NETRC", str(own / ".netrc"))
    values["HOME"] = str(home)
    values["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), values.get("PATH", os.defpath)])
    return values


def collect_junit(source: Path, target: Path) -> None:
    """Join ansible-test's JUnit files (one per sanity test) into one."""
    suites = ElementTree.Element("testsuites")
    for part in sorted(source.glob("*.xml")):
        root = ElementTree.parse(part).getroot()
        suites.extend(root.iter("testsuite"))
    target.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suites).write(target, encoding="utf-8", xml_declaration=True)


def main(arguments: list[str]) -> int:
    """``run.py [--junit FILE] [options of ansible-test sanity]``; returns its exit code."""
    junit = None
    if arguments[:1] == ["--junit"]:
        junit, arguments = Path(arguments[1]).resolve(), arguments[2:]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"  # one is enough: modules run on the controller
    environ = environment(home_for_ansible_test())
    with tempfile.TemporaryDirectory(prefix="edge-mesh-sanity-") as scratch:
        collection = Path(scratch, "ansible_collections", "edge", "mesh")
        checkout.copy(collection)
        command = ["ansible-test", "sanity", "--python", python, "--junit", "--color", "no", *arguments]
        done = subprocess.run(command, cwd=collection, env=environ, stdin=subprocess.DEVNULL, check=False)
        if junit:
            collect_junit(collection / "tests" / "output" / "junit", junit)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
