# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image archives, the table of images and the root file systems' sources."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import images, node_image, rootfs
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.image_archive import (
    Entry,
    Settings,
    read_member,
    write_image,
    write_layer,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD

FILES = Path(images.__file__).parents[3] / "roles" / "artifacts" / "files"


def members(layer: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(layer) as archive:
        return {member.name: member for member in archive}


def config_of(archive: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with tarfile.open(archive) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        config = json.load(tar.extractfile(manifest["Config"]) or io.BytesIO())
    return manifest, config


def test_a_layer_brings_the_directories_above_its_entries_first(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    write_layer(
        layer,
        [
            Entry("/usr/bin/z", source=b"z"),
            Entry("/usr/bin/a", source=b"a", mode=0o644, owner=7),
            Entry("/etc/link", link="/dev/null"),
            Entry("/tmp", mode=0o1777),
        ],
    )
    found = members(layer)
    assert list(found) == ["etc", "etc/link", "tmp", "usr", "usr/bin", "usr/bin/a", "usr/bin/z"]
    assert found["usr"].isdir()
    assert found["tmp"].mode == 0o1777
    assert (found["usr/bin/a"].mode, found["usr/bin/a"].uid, found["usr/bin/a"].gid) == (0o644, 7, 7)
    assert found["etc/link"].linkname == "/dev/null"
    assert all(member.mtime == 0 for member in found.values())


def test_equal_content_gives_equal_bytes_whatever_the_files_are_called_and_when_they_were_made(tmp_path: Path) -> None:
    digests = set()
    for name, order in (("one", 1), ("two", -1)):
        source = tmp_path / name
        source.write_bytes(b"content")
        write_layer(tmp_path / "layer.tar", [Entry("/a", source=source), Entry("/b", source=b"b")][::order])
        write_image(
            tmp_path / "image.tar", "x.local/a:1", [tmp_path / "layer.tar"], Settings(labels={"l": "1"}), "amd64"
        )
        digests.add(hashlib.sha256((tmp_path / "image.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_an_image_says_what_it_is_and_names_its_layers_by_content(tmp_path: Path) -> None:
    layers = [tmp_path / "low.tar", tmp_path / "high.tar"]
    for layer in layers:
        write_layer(layer, [Entry(f"/{layer.stem}", source=b"")])
    settings = Settings(
        entrypoint=("/run",),
        environment={"B": "2", "A": "1"},
        user="5:5",
        stop_signal="SIGRTMIN+3",
        labels={"edge.mesh.key": "k"},
    )
    identity = write_image(tmp_path / "image.tar", "x.local/a:1", layers, settings, "arm64")
    manifest, config = config_of(tmp_path / "image.tar")

    digests = [hashlib.sha256(layer.read_bytes()).hexdigest() for layer in layers]
    assert manifest["RepoTags"] == ["x.local/a:1"]
    assert manifest["Layers"] == [f"{digest}.tar" for digest in digests]
    assert f"sha256:{manifest['Config'].removesuffix('.json')}" == identity
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}" for digest in digests]
    assert (config["architecture"], config["os"]) == ("arm64", "linux")
    assert config["config"] == {
        "Entrypoint": ["/run"],
        "Env": ["A=1", "B=2"],
        "User": "5:5",
        "WorkingDir": "/",
        "StopSignal": "SIGRTMIN+3",
        "Labels": {"edge.mesh.key": "k"},
    }


@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_file_is_read_out_of_a_root_file_system(tmp_path: Path, prefix: str) -> None:
    with tarfile.open(tmp_path / "rootfs.tar", "w") as archive:
        header = tarfile.TarInfo(f"{prefix}etc/passwd")
        header.size = 4
        archive.addfile(header, io.BytesIO(b"root"))
    assert read_member(tmp_path / "rootfs.tar", "/etc/passwd") == b"root"
    with pytest.raises(MeshError, match="/etc/group isn't in the root file system"):
        read_member(tmp_path / "rootfs.tar", "/etc/group")


def context(tmp_path: Path, name: str) -> BuildContext:
    """A build of one image, every program a file that holds its own name."""
    component = next(item for item in images.COMPONENTS if item.name == name)
    image = images.IMAGES[name]
    inputs = {need: tmp_path / "in" / need for need in component.needs}
    for source in image.programs.values():
        (tmp_path / "in" / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / source).write_text(source)
    if images.BASE in inputs:
        base = inputs[images.BASE]
        base.mkdir(parents=True, exist_ok=True)
        (base / "packages.txt").write_text("libc6=2.36-9\nzlib1g=1:1.2\n")
        files = ("etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt", "usr/bin/catatonit")
        write_layer(base / "rootfs.tar", [Entry(f"/{file}", source=f"{file}\n".encode()) for file in files])
    for directory in ("work", "out"):
        (tmp_path / directory).mkdir()
    return BuildContext(
        name=name,
        key="0" * 64,
        work=tmp_path / "work",
        out=tmp_path / "out",
        inputs=inputs,
        images={},
        files=FILES,
        log=io.StringIO(),
        labels={"edge.mesh.key": "0" * 64},
        params=component.params,
    )


@pytest.mark.parametrize("name", images.IMAGES)
def test_every_image_is_built_from_what_it_needs_and_never_poses_as_upstreams(tmp_path: Path, name: str) -> None:
    ctx = context(tmp_path, name)
    next(item for item in images.COMPONENTS if item.name == name).build(ctx)

    manifest, config = config_of(tmp_path / "out" / images.ARCHIVE)
    image = images.IMAGES[name]
    assert manifest["RepoTags"] == [image.name]
    assert image.name.startswith("edge-mesh.local/")
    labels = config["config"]["Labels"]
    assert labels["edge.mesh.key"] == "0" * 64
    assert "edge.mesh" in labels["org.opencontainers.image.title"]
    assert labels["org.opencontainers.image.version"] == image.version
    if images.BASE in image.needs:
        assert labels["edge.mesh.packages"] == "libc6=2.36-9 zlib1g=1:1.2"
    assert len(manifest["Layers"]) == (2 if image.base else 1)
    with tarfile.open(tmp_path / "out" / images.ARCHIVE) as tar:
        layer = tmp_path / "own.tar"
        layer.write_bytes((tar.extractfile(manifest["Layers"][-1]) or io.BytesIO()).read())
    found = members(layer)
    for path in image.programs:
        expected = 0o644 if path.endswith((".json", ".crt")) else 0o755
        assert found[path.lstrip("/")].mode == expected, path


def test_the_proxys_user_stands_behind_those_of_debian(tmp_path: Path) -> None:
    ctx = context(tmp_path, "image-proxyv2")
    next(item for item in images.COMPONENTS if item.name == "image-proxyv2").build(ctx)
    _manifest, config = config_of(tmp_path / "out" / images.ARCHIVE)
    assert config["config"]["User"] == "1337:1337"
    assert read_member(ctx.work / "own.tar", "/etc/passwd").decode().splitlines() == [
        "etc/passwd",
        "istio-proxy:x:1337:1337::/nonexistent:/usr/sbin/nologin",
    ]


def test_the_node_image_holds_every_image_and_what_kind_asks_for() -> None:
    (component,) = node_image.COMPONENTS
    assert set(images.IMAGES) <= set(component.needs)
    assert component.image == BUILD.node
    entries = {entry.path: entry for entry in node_image.recipe_entries(FILES / node_image.RECIPE)}
    for path in ("/kind/manifests/default-storage.yaml", "/kind/manifests/default-cni.yaml"):
        assert path in entries
    config = entries["/etc/containerd/config.toml"].source
    assert isinstance(config, bytes)
    assert f"sandbox = '{images.PAUSE}'".encode() in config
    assert b"@" not in config
    assert entries["/kind/bin/prepare-cgroup-v2"].mode == 0o755


MIRROR = "http://mirror.test/debian/"
SECURITY = "http://mirror.test/debian-security/"


def test_packages_come_from_where_the_machine_gets_debian_from() -> None:
    targets = [
        f"Debian|Debian|{MIRROR}",
        f"Debian|Debian|{MIRROR}",
        f"Debian|Debian-Security|{SECURITY}",
        "Somebody|Tools|http://tools.test/",
        "",
    ]
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert rootfs.sources(targets, "suite") == [
        f"deb {key} {MIRROR} suite main",
        f"deb {key} {MIRROR} suite-updates main",
        f"deb {key} {SECURITY} suite-security main",
    ]


@pytest.mark.parametrize(
    "targets", [[], ["Ubuntu|Ubuntu|http://mirror.test/ubuntu/"], [f"Debian|Debian-Security|{SECURITY}"], ["|||"]]
)
def test_a_machine_that_has_no_debian_leaves_the_choice_to_mmdebstrap(targets: list[str]) -> None:
    assert rootfs.sources(targets) == []
