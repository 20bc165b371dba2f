# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directions of imports: modules -> _istio, _pki, _xds -> _k8s, and one place for each library."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.tree import Import, below, imports

# What each part of module_utils may import of the others, beside FOUNDATION. A new part gets a line here.
FOUNDATION = {"_checks", "_errors", "_files"}
MAY_IMPORT: dict[str, set[str]] = {
    **{name: set() for name in FOUNDATION},
    "_module": set(),
    "_k3s": set(),  # runs on machines that have nothing but Python
    "_k8s": set(),
    "_pki": set(),
    "_site": {"_k8s"},
    "_kind": {"_k8s", "_site"},
    "_istio": {"_k8s", "_site"},
    "_remote": {"_k8s", "_istio", "_site"},
    "_xds": {"_k8s", "_istio", "_pki", "_site"},
    "_verify": {"_k8s", "_istio", "_pki", "_site", "_xds", "_wan"},
    "_measure": {"_k8s", "_istio", "_verify"},
    "_wan": {"_istio"},
}

# The only places (prefixes of paths) that import a library.
HOME_OF = {
    "cryptography": ["plugins/module_utils/_pki/"],
    "envoy": ["plugins/module_utils/_xds/transport.py"],
    "google": ["plugins/module_utils/_xds/transport.py"],
    "grpc": ["plugins/module_utils/_xds/transport.py"],
    "jmespath": ["plugins/module_utils/_xds/expect.py"],
    "urllib3": ["plugins/module_utils/_k8s/", "plugins/plugin_utils/artifacts/fetch.py"],
    "websocket": ["plugins/module_utils/_k8s/"],
    "xds": ["plugins/module_utils/_xds/transport.py"],
    "kubernetes": [],  # importing it costs most of a second
    "requests": [],
}

TOUCHES_THE_WORLD = {"fcntl", "requests", "shutil", "socket", "ssl", "subprocess", "tempfile", "urllib3", "websocket"}

MODULE_UTILS = below("plugins/module_utils", suffix=".py")
PLUGINS = below("plugins", suffix=".py")


def part_of(path: Path) -> str:
    """``_k8s`` for plugins/module_utils/_k8s/client.py, ``_errors`` for plugins/module_utils/_errors.py."""
    return path.parts[2].removesuffix(".py")


def wrong(path: Path, found: list[Import], rule: str) -> str:
    return "\n".join(f"{path}:{each.line}: imports {each.target}; {rule}" for each in found)


@pytest.mark.parametrize("path", MODULE_UTILS, ids=str)
def test_parts_of_module_utils_import_in_one_direction(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} is a new part of module_utils: give it a line in MAY_IMPORT"
    allowed = {part, *MAY_IMPORT[part], *(FOUNDATION - {part})}
    found = [
        each
        for each in imports(path)
        if each.ours is not None
        and (each.ours.split(".")[0] != "module_utils" or each.ours.split(".")[1] not in allowed)
    ]
    assert not found, wrong(path, found, f"{part} may import {', '.join(sorted(allowed))} only")


@pytest.mark.parametrize("path", below("plugins/modules", suffix=".py"), ids=str)
def test_a_module_imports_module_utils_only(path: Path) -> None:
    found = [each for each in imports(path) if each.ours is not None and not each.ours.startswith("module_utils.")]
    assert not found, wrong(path, found, "Ansible ships module_utils with a module, and nothing else")


@pytest.mark.parametrize("path", [*MODULE_UTILS, *below("plugins/modules", suffix=".py")], ids=str)
def test_only_one_file_knows_ansible_module(path: Path) -> None:
    if path == Path("plugins/module_utils/_module.py"):
        return
    found = [each for each in imports(path) if each.target.startswith("ansible.module_utils.basic")]
    assert not found, wrong(path, found, "plugins/module_utils/_module.py is the one file that knows AnsibleModule")


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_each_library_has_one_home(path: Path) -> None:
    found = [
        each
        for each in imports(path)
        if each.top in HOME_OF and not any(str(path).startswith(home) for home in HOME_OF[each.top])
    ]
    assert not found, "\n".join(
        f"{path}:{each.line}: imports {each.top}, whose home is {' '.join(HOME_OF[each.top]) or 'nowhere'}"
        for each in found
    )


@pytest.mark.parametrize("path", below("plugins/module_utils/_istio", suffix=".py"), ids=str)
def test_istio_touches_the_world_through_what_it_is_given_only(path: Path) -> None:
    pure_of_k8s = ("module_utils._k8s.errors", "module_utils._k8s.libraries", "module_utils._k8s.ownership")
    found = [
        each
        for each in imports(path)
        if each.top in TOUCHES_THE_WORLD | {"os", "pathlib"}
        or each.target.startswith("urllib.request")
        or ((each.ours or "").startswith("module_utils._k8s") and not (each.ours or "").startswith(pure_of_k8s))
    ]
    assert not found, wrong(path, found, "_istio gets its API and its clock handed in")


@pytest.mark.parametrize("path", below("plugins/module_utils/_pki", suffix=".py"), ids=str)
def test_one_file_of_pki_touches_files(path: Path) -> None:
    if path.name == "store.py":
        return
    found = [each for each in imports(path) if each.top in TOUCHES_THE_WORLD | {"ctypes", "pathlib"}]
    assert not found, wrong(path, found, "plugins/module_utils/_pki/store.py is the one file that does")


@pytest.mark.parametrize("path", PLUGINS, ids=str)
def test_imports_are_absolute(path: Path) -> None:
    found = [each for each in imports(path) if each.target.startswith(".")]
    assert not found, wrong(path, found, "spell it from ansible_collections on")
