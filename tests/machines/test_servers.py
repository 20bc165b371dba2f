# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three servers on one etcd: made, changed one at a time with the API up, one lost, all down, and removed.

What runs there is the lab's stand-in, not K3s; the etcd is a real one.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.request
from itertools import pairwise

import pytest
import yaml

from tests.lab.lab import docker
from tests.machines.conftest import SERVERS, Bench

pytestmark = pytest.mark.deep

FIRST, *OTHERS = SERVERS


def test_a_second_run_touches_nobody_and_all_share_one_store(three: Bench) -> None:
    before = three.started()
    assert list(before) == list(SERVERS)
    row = three.row(three.play())
    assert (row["step"], [kind for kind in row["changes"].values() if kind]) == ("enrolment", [])
    assert three.started() == before
    three.sh("k3s kubectl create configmap mark")
    for host in OTHERS:
        assert three.sh("k3s kubectl get configmap mark -o name", host).strip() == "configmap/mark"
    configurations = {host: yaml.safe_load(three.sh("cat /etc/rancher/k3s/config.yaml", host)) for host in SERVERS}
    assert [host for host in SERVERS if configurations[host].get("cluster-init")] == [FIRST]
    joined = f"https://{three.machines.address(FIRST)}:6443"
    assert {configurations[host].get("server") for host in OTHERS} == {joined}


class Watch(threading.Thread):
    """Asks the APIs of all servers in turn, again and again: a caller who is patient while etcd chooses a leader."""

    PATIENCE = 15.0

    def __init__(self, bench: Bench) -> None:
        super().__init__(daemon=True)
        self.urls = [f"https://{bench.machines.address(host)}:6443/readyz" for host in SERVERS]
        self.waits: list[float] = []  # seconds until one of them answered
        self.over = threading.Event()

    def run(self) -> None:
        """Ask until it is over."""
        while not self.over.wait(0.5):
            begun = time.monotonic()
            while not any(map(self._answers, self.urls)) and time.monotonic() < begun + self.PATIENCE:
                time.sleep(0.2)
            self.waits.append(time.monotonic() - begun)

    def _answers(self, url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5, context=ssl._create_unverified_context()) as answer:
                return bool(answer.read() == b"ok")
        except OSError:
            return False


def test_a_change_restarts_one_server_after_the_other_and_the_api_stays(three: Bench) -> None:
    watch = Watch(three)
    watch.start()
    three.works(log_files=5)
    watch.over.set()
    watch.join(30)
    assert len(watch.waits) > 10
    assert max(watch.waits) < watch.PATIENCE, sorted(watch.waits)[-5:]
    print(f"the API was asked {len(watch.waits)} times; the longest answer took {max(watch.waits):.1f} s")
    # All containers have the clock of their host: each began after the one before was up again.
    shown = "systemctl show k3s -p ActiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic --value"
    spans = [sorted(map(int, three.sh(shown, host).split())) for host in SERVERS]
    assert all(up < down for (_down, up), (down, _up) in pairwise(spans)), spans
    three.works()


def test_a_lost_first_server_is_named_the_next_one_serves_and_no_other_is_stopped(three: Bench) -> None:
    before = three.started()
    docker("kill", three.machines.name(FIRST))
    lost = three.play()
    assert three.row(lost)["step"] == "enrolment", lost.output[-3000:]
    assert f"{FIRST} gave no answer" in lost.output
    assert api(three) == f"https://{three.addresses[OTHERS[0]]}:6443"
    assert three.lab.kubectl("isle", "get", "--raw", "/readyz") == "ok"
    said = three.fails(log_files=4)
    for words in (OTHERS[0], OTHERS[1], "etcd would stand still", f"{FIRST} gives no answer", "delete its node"):
        assert words in said, said
    assert three.started() == {host: before[host] for host in OTHERS}
    docker("start", three.machines.name(FIRST))
    three.machines.up(*SERVERS)
    three.works()
    assert api(three) == f"https://{three.addresses[FIRST]}:6443"
    assert three.started().items() >= {host: before[host] for host in OTHERS}.items()


def api(bench: Bench) -> str:
    """Where the controller finds the site's API."""
    return str(yaml.safe_load(bench.lab.kubeconfig("isle").read_text())["clusters"][0]["cluster"]["server"])


def test_servers_that_are_all_down_are_started_together(three: Bench) -> None:
    for host in SERVERS:
        three.sh("systemctl stop k3s", host)
    three.works()
    assert len(json.loads(three.sh("k3s kubectl get nodes -o json"))["items"]) == len(SERVERS)


def test_removal_leaves_nothing_at_any_of_them(three: Bench) -> None:
    removed = three.lab.play("playbooks/destroy.yml", "--limit", "site_isle")
    assert removed.rc == 0, removed.output[-3000:]
    assert three.machines.left() == []
