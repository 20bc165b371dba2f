# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian root file systems for the images, made by mmdebstrap under apt's signatures (recipes).

``rootfs-node`` boots systemd and becomes the node image; ``rootfs-base`` lies below the images that need more than one
static program. Packages come from where this machine's own apt gets Debian from, or from Debian's default mirror.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.context import BuildContext

__all__ = ["COMPONENTS", "TAR", "package_labels", "sources"]

SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TAR, PACKAGES = "rootfs.tar", "packages.txt"

# Makes the root file system with /usr merged from the start: the package usrmerge would bring all of Perl.
MERGED_USR = Path("/usr/share/mmdebstrap/hooks/merged-usr")
COMMON = (
    "ca-certificates",
    "conntrack",
    "curl",
    "iproute2",
    "iptables",
    "netbase",
    "nftables",
    "procps",
)
BASE = (*COMMON, "catatonit", "python3")
NODE = (
    *COMMON,
    "dbus",
    "ebtables",
    "ethtool",
    "hostname",
    "ipset",
    "kmod",
    "mount",
    "runc",
    "socat",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "util-linux",
)
# Nobody reads documentation in there, and none of the programs is translated.
LEFT_OUT = ("doc", "info", "lintian", "locale", "man", "i18n", "bash-completion", "zsh")


def sources(targets: Sequence[str], suite: str = SUITE) -> list[str]:
    """One-line apt sources for ``suite`` on the mirrors that a machine uses for Debian; empty when it uses none.

    ``targets`` are lines of ``apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)'``.
    """
    lines: dict[str, None] = {}
    for target in targets:
        origin, label, uri = [*target.split("|"), "", ""][:3]
        if origin != "Debian" or not uri:
            continue
        if label == "Debian-Security":
            suites = [f"{suite}-security"]
        elif label == "Debian":
            suites = [suite, f"{suite}-updates"]
        else:
            continue
        for name in suites:
            lines[f"deb [signed-by={KEYRING}] {uri} {name} main"] = None
    main = any(line.split()[3] == suite for line in lines)
    return list(lines) if main else []


def package_labels(rootfs: Path) -> dict[str, str]:
    """The OCI label that names every Debian package and version of a root file system (a component's directory)."""
    return {"edge.mesh.packages": " ".join((rootfs / PACKAGES).read_text(encoding="utf-8").split())}


def _host_sources() -> list[str]:
    """What this machine's apt knows; without apt, or if it never fetched its lists, mmdebstrap's default serves."""
    words = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Identifier: Packages"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return []
    return sources(answer.stdout.splitlines())


def _build(packages: Sequence[str]) -> Callable[[BuildContext], None]:
    def build(ctx: BuildContext) -> None:
        shown = r"${Package}=${Version}\n"
        listing = shlex.quote(str(ctx.out / PACKAGES))
        list_packages = f"dpkg-query --admindir=\"$1/var/lib/dpkg\" -W -f '{shown}' >{listing}"
        words: list[str | Path] = [
            "mmdebstrap",
            "--mode=root",
            "--variant=essential",
            f"--architectures={ctx.arch}",
            f"--include={','.join(packages)}",
            *([f"--hook-dir={MERGED_USR}"] if MERGED_USR.is_dir() else []),
            *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in LEFT_OUT),
            '--aptopt=APT::Install-Recommends "false"',
            # The build host's name and resolver are nobody's business.
            '--customize-hook=: >"$1/etc/resolv.conf"; : >"$1/etc/hostname"',
            '--customize-hook=cd "$1/var" && rm -rf cache/debconf cache/ldconfig log/apt log/dpkg.log',
            f"--customize-hook={list_packages}",
            SUITE,
            ctx.out / TAR,
        ]
        if mirrors := _host_sources():
            listed = ctx.work / "sources.list"
            listed.write_text("".join(f"{line}\n" for line in mirrors), encoding="utf-8")
            words.append(listed)
        ctx.run(words, env={"LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "0"})

    return build


def _component(name: str, packages: Sequence[str], cost: int) -> Component:
    return Component(
        name=name,
        kind="rootfs",
        build=_build(packages),
        params={"version": SUITE, "source": f"Debian {SUITE}", "packages": " ".join(packages)},
        outputs=(TAR, PACKAGES),
        cost=cost,
    )


COMPONENTS = (_component("rootfs-base", BASE, 40), _component("rootfs-node", NODE, 50))
