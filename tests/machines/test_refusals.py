# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of a machine that can't become a site's cluster, before it touches it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab import wait_until
from tests.machines.conftest import MACHINE, Bench


def test_a_wrong_key_leaves_the_site_out_and_says_whose_answer_is_missing(clean: Bench, tmp_path: Path) -> None:
    other = tmp_path / "key"
    other.write_text("no key\n")
    other.chmod(0o600)
    found = clean.row(clean.play(connection={"ansible_ssh_private_key_file": str(other)}))
    assert found["result"] == "unreachable"
    assert MACHINE in found["reason"]
    assert "ansible_user and the key" in found["reason"]
    assert clean.bare()


def test_a_user_without_sudo_is_refused_with_what_to_do(clean: Bench) -> None:
    found = clean.row(clean.play(connection={"ansible_user": "guest"}))
    assert found["result"] == "failed"
    assert "ansible_become_password" in found["reason"]
    assert clean.bare()


@pytest.fixture
def spoiled(clean: Bench) -> Iterator[Bench]:
    """The machine with its clock ten minutes ahead, as its Python sees it, and somebody on the API's port."""
    place = "/usr/lib/python3/dist-packages/ahead.pth"
    clean.sh(f"echo 'import time; time.time = lambda now=time.time: now() + 600' > {place}")
    clean.sh("nohup python3 -m http.server 6443 >/dev/null 2>&1 & echo $! > /tmp/listener")
    try:
        wait_until(lambda: ":192B " in clean.sh("cat /proc/net/tcp"), "a listener")
        yield clean
    finally:
        clean.sh(f"rm {place}; kill $(cat /tmp/listener)")


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_touched(spoiled: Bench) -> None:
    found = spoiled.row(spoiled.play(min_memory_server=10**6))
    assert found["result"] == "failed"
    for words in ("a server needs 1000000", "port 6443 is taken by python3", "s ahead of the controller's", "NTP"):
        assert words in found["reason"], found["reason"]
    assert spoiled.bare()


def test_check_mode_on_a_clean_machine_names_the_work_and_touches_nothing(clean: Bench) -> None:
    played = clean.play("--check", "--diff")
    said = " ".join(played.output.split())
    assert "install K3s v1.36.3+k3s1" in said
    assert "write /etc/rancher/k3s/config.yaml" in said
    assert clean.bare()
