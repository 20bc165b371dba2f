# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done at machines: nothing where nothing differs, and each difference for its own reason."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.edge.mesh.plugins.module_utils._k3s import paths
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s import files
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.model import Image, Looked, Machine
from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.plan import plan
from tests.unit.plugins.plugin_utils.k3s import sites


def todo(found: dict[str, Any]) -> dict[str, list[str]]:
    return {work["host"]: work["todo"] for work in found["machines"]}


def work_of(found: dict[str, Any], host: str) -> dict[str, Any]:
    return next(work for work in found["machines"] if work["host"] == host)


def config(work: dict[str, Any]) -> dict[str, Any]:
    text = next(file["text"] for file in work["files"] if file["path"] == paths.CONFIG)
    return dict(yaml.safe_load(text))


def fresh(*hosts: str) -> dict[str, Looked]:
    return {host: Looked(host, sites.clean(number)) for number, host in enumerate(hosts, 1)}


def test_where_nothing_differs_nothing_is_done() -> None:
    wanted = sites.site()
    found = plan(wanted, sites.running(wanted))
    assert found["findings"] == []
    assert todo(found) == {"one": [], "two": []}
    assert not any(work["restart"] for work in found["machines"])


def test_clean_machines_get_everything_and_the_server_comes_first() -> None:
    wanted = sites.site(("b", "agent"), ("a", "server"))
    found = plan(wanted, fresh("b", "a"))
    assert [work["host"] for work in found["machines"]] == ["a", "b"]
    assert found["seed"] == "a"
    assert found["api"] == "https://192.0.2.2:6443"
    assert config(work_of(found, "b"))["server"] == "https://192.0.2.2:6443"
    assert "server" not in config(work_of(found, "a"))
    assert work_of(found, "a")["binary"] == sites.RELEASE["amd64"]
    assert all(work["tokens"] and not work["restart"] for work in found["machines"])


def test_no_token_stands_in_a_plan_or_a_configuration() -> None:
    found = plan(sites.site(), fresh("one", "two"))
    for work in found["machines"]:
        assert {key for key in config(work) if "token" in key} <= {"token-file", "agent-token-file"}
    assert config(work_of(found, "two"))["token-file"] == paths.TOKEN_FILES["agent"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"log_files": 5}, f"change {paths.CONFIG}", id="setting"),
        pytest.param({"units": {"server": "S2", "agent": "A2"}}, "change /etc/systemd/system/k3s.service", id="unit"),
        pytest.param({"registries_digest": "x"}, f"write {paths.REGISTRIES}", id="registries"),
        pytest.param({"images": (Image("i.tar", "/i.tar", "1"),)}, "bring the images i.tar", id="images"),
        pytest.param(
            {"release": {"amd64": {"path": "/p", "sha256": "other"}}, "version": "v1.36.4+k3s1"},
            "upgrade K3s from v1.36.3+k3s1 to v1.36.4+k3s1", id="version",
        ),
        pytest.param(
            {"release": {"amd64": {"path": "/p", "sha256": "other"}}},
            "replace a K3s that isn't the published v1.36.3+k3s1", id="foreign program",
        ),
    ],
)  # fmt: skip
def test_a_difference_is_named_and_restarts_what_runs(changes: dict[str, Any], reason: str) -> None:
    looked = sites.running(sites.site())
    found = plan(sites.site(**changes), looked)
    work = work_of(found, "one")
    assert work["todo"] == [reason]
    assert work["restart"]
    assert work["backup"]


def test_images_of_another_architecture_stay_away() -> None:
    wanted = sites.site(images=(Image("i.tar", "/i.tar", "1", "arm64"),))
    assert todo(plan(wanted, sites.running(sites.site()))) == {"one": [], "two": []}


def test_without_a_release_at_hand_the_version_decides() -> None:
    looked = sites.running(sites.site())
    assert todo(plan(sites.site(release={}), looked))["one"] == []
    found = plan(sites.site(release={}, version="v1.36.4+k3s1"), looked)
    assert todo(found)["one"] == ["upgrade K3s from v1.36.3+k3s1 to v1.36.4+k3s1"]
    assert work_of(found, "one")["binary"] == {}


def test_what_an_earlier_run_began_is_finished_and_the_kept_files_are_not_overwritten() -> None:
    wanted = sites.site()
    looked = sites.running(wanted)
    k3s = looked["two"].facts["k3s"]
    k3s["pending"] = True
    k3s["digests"][paths.BINARY + paths.PREVIOUS] = "old"
    work = work_of(plan(wanted, looked), "two")
    assert work["todo"] == ["finish what an earlier run began"]
    assert (work["restart"], work["backup"], work["back"]) == (True, False, True)


@pytest.mark.parametrize(("state", "enabled", "said"), [
    ("inactive", "enabled", "start k3s-agent, which is inactive"),
    ("failed", "enabled", "start k3s-agent, which is failed"),
    ("active", "disabled", "enable k3s-agent"),
])  # fmt: skip
def test_a_unit_that_does_not_run_is_started_without_a_restart(state: str, enabled: str, said: str) -> None:
    wanted = sites.site()
    looked = sites.running(wanted)
    looked["two"].facts["k3s"]["units"]["agent"] |= {"active": state, "enabled": enabled}
    work = work_of(plan(wanted, looked), "two")
    assert work["todo"] == [said]
    assert not work["restart"]


def test_an_agent_whose_token_is_another_clusters_gets_the_right_one() -> None:
    wanted = sites.site()
    looked = sites.running(wanted)
    looked["two"].facts["k3s"]["digests"][paths.TOKEN_FILES["agent"]] = "an older cluster's"
    assert todo(plan(wanted, looked)) == {"one": [], "two": ["write its token"]}


def test_a_lost_agent_stops_nobody() -> None:
    wanted = sites.site()
    looked = {**sites.running(wanted), "two": Looked("two", None, "no route", unreachable=True)}
    found = plan(wanted, looked)
    assert found["lost"] == {"two": "no route"}
    assert todo(found) == {"one": []}


def test_where_the_server_is_lost_no_other_cluster_is_begun() -> None:
    wanted = sites.site(("one", "server"), ("two", "server"), ("three", "server"))
    looked = {**fresh("one", "two", "three"), "one": Looked("one", None, "no route", unreachable=True)}
    assert plan(wanted, looked)["machines"] == []


def test_several_servers_use_etcd_and_join_the_one_that_began() -> None:
    wanted = sites.site(("one", "server"), ("two", "server"), ("three", "server"))
    found = plan(wanted, fresh("one", "two", "three"))
    assert config(work_of(found, "one"))["cluster-init"] is True
    for host in ("two", "three"):
        assert config(work_of(found, host))["server"] == "https://192.0.2.1:6443"
        assert "cluster-init" not in config(work_of(found, host))


def test_a_first_server_that_was_replaced_joins_and_then_stays_as_it_is() -> None:
    wanted = sites.site(("one", "server"), ("two", "server"), ("three", "server"))
    looked = sites.running(wanted)
    looked["one"] = Looked("one", sites.clean(1))
    found = plan(wanted, looked)
    assert found["seed"] == "two"
    assert config(work_of(found, "one"))["server"] == "https://192.0.2.2:6443"
    # two joined the old one, and nothing of that changes
    looked["one"] = Looked("one", sites.installed(wanted, "one", 1, "https://192.0.2.2:6443"))
    assert todo(plan(wanted, looked)) == {"one": [], "two": [], "three": []}


def test_a_k3s_that_was_there_is_taken_over_on_request_and_marked() -> None:
    wanted = sites.site(("one", "server"), adopt=True)
    facts = sites.installed(wanted, "one", 1)
    facts["k3s"] |= {"owner": {}}
    work = work_of(plan(wanted, {"one": Looked("one", facts)}), "one")
    assert work["todo"] == [f"take over the K3s {sites.VERSION} that is there"]
    marks = [file["text"] for file in work["files"] if file["path"] == paths.MARKER]
    assert marks == ['{"adopted": true, "mesh": "m", "site": "shop"}\n']


def test_nat_shows_in_names_addresses_and_the_api() -> None:
    machine = Machine("one", "server", address="10.0.0.5", external_address="203.0.113.5")
    given = sites.site(("one", "server"), api_names=("api.shop.example",))
    given = type(given)(**{**given.__dict__, "machines": (machine,)})
    found = plan(given, fresh("one"))
    assert found["api"] == "https://203.0.113.5:6443"
    words = config(work_of(found, "one"))
    assert words["node-ip"] == "10.0.0.5"
    assert words["node-external-ip"] == "203.0.113.5"
    assert words["tls-san"] == ["203.0.113.5", "api.shop.example"]


@pytest.mark.parametrize(
    ("until", "due"), [("", False), ("2027-01-01T00:00:00Z", False), ("2027-03-01T00:00:00Z", True)]
)
def test_certificates_are_due_within_their_window(until: str, due: bool) -> None:
    wanted = sites.site(renew_until=until)
    looked = sites.running(wanted)
    looked["one"].facts["k3s"]["certificates_end"] = "2027-02-01T00:00:00Z"
    found = plan(wanted, looked)
    assert [work["certificates_due"] for work in found["machines"]] == [due, False]


def test_own_options_add_to_lists_and_replace_other_values() -> None:
    wanted = sites.site(
        config={"disable": ["metrics-server"], "write-kubeconfig-mode": "0640", "etcd-snapshot-retention": 3}
    )
    words = config(work_of(plan(wanted, fresh("one", "two")), "one"))
    assert words["disable"] == ["traefik", "metrics-server"]
    assert words["write-kubeconfig-mode"] == "0640"
    assert words["etcd-snapshot-retention"] == 3


def test_the_kubeconfig_is_named_for_its_site_and_keeps_nothing_else() -> None:
    cluster = {"server": "https://127.0.0.1:6443", "certificate-authority-data": "CA"}
    user = {"client-certificate-data": "C", "client-key-data": "K", "exec": {"command": "x"}}
    text = yaml.safe_dump({"clusters": [{"cluster": cluster}], "users": [{"user": user}]})
    found = yaml.safe_load(files.kubeconfig(text, "shop", "https://192.0.2.1:6443"))
    assert found["clusters"] == [
        {"name": "shop", "cluster": {"server": "https://192.0.2.1:6443", "certificate-authority-data": "CA"}}
    ]
    assert found["users"] == [{"name": "shop", "user": {"client-certificate-data": "C", "client-key-data": "K"}}]
    assert found["current-context"] == "shop"


@pytest.mark.parametrize("text", ["", "[]", "a: 1", "clusters: []", "{"])
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="isn't a kubeconfig"):
        files.kubeconfig(text, "shop", "https://192.0.2.1:6443")
