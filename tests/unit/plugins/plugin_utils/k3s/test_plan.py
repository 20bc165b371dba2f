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


THREE = (("one", "server"), ("two", "server"), ("three", "server"))


def without(looked: dict[str, Looked], *hosts: str) -> dict[str, Looked]:
    """The same, with machines that give no answer."""
    return {**looked, **{host: Looked(host, None, "no route", unreachable=True) for host in hosts}}


def test_a_lost_first_server_hands_the_api_to_the_next_one_and_nobody_is_touched() -> None:
    wanted = sites.site(*THREE, ("four", "agent"))
    found = plan(wanted, without(sites.running(wanted), "one"))
    assert (found["seed"], found["api"]) == ("two", "https://192.0.2.2:6443")
    assert found["findings"] == []
    assert todo(found) == {"two": [], "three": [], "four": []}


def test_servers_are_changed_one_at_a_time_the_first_one_first_and_agents_last() -> None:
    looked = sites.running(sites.site(*THREE, ("zero", "agent")))
    found = plan(sites.site(("zero", "agent"), *THREE, log_files=5), looked)
    assert [work["host"] for work in found["machines"]] == ["one", "two", "three", "zero"]
    assert all(work["restart"] and work["needed_by"] == "" for work in found["machines"])


def test_no_server_is_restarted_while_etcd_would_stand_still_without_it() -> None:
    looked = without(sites.running(sites.site(*THREE, ("four", "agent"))), "two")
    found = plan(sites.site(*THREE, ("four", "agent"), log_files=5), looked)
    assert found["machines"] == []
    assert [line.partition(":")[0] for line in found["findings"]] == ["one", "three"]
    for words in (f"change {paths.CONFIG}", "etcd would stand still", "two gives no answer", "delete its node"):
        assert words in found["findings"][0]


def test_of_five_servers_one_may_be_lost_while_others_are_restarted() -> None:
    five = (*THREE, ("four", "server"), ("five", "server"))
    looked = sites.running(sites.site(*five))
    wanted = sites.site(*five, log_files=5)
    assert plan(wanted, without(looked, "five"))["findings"] == []
    assert len(plan(wanted, without(looked, "four", "five"))["findings"]) == 3


def test_while_a_server_is_lost_agents_are_changed_and_servers_join() -> None:
    wanted = sites.site(*THREE, ("four", "agent"))
    looked = without(sites.running(wanted), "three")
    looked["two"] = Looked("two", sites.clean(2))  # its disk was replaced
    looked["four"].facts["k3s"]["digests"][paths.CONFIG] = "another"
    found = plan(wanted, looked)
    assert found["findings"] == []
    assert config(work_of(found, "two"))["server"] == "https://192.0.2.1:6443"
    assert work_of(found, "four")["restart"]


def test_servers_that_are_all_down_are_started_together() -> None:
    wanted = sites.site(*THREE)
    looked = sites.running(wanted)
    for host in ("one", "two"):
        looked[host].facts["k3s"]["units"]["server"] |= {"active": "inactive"}
    found = plan(wanted, looked)
    assert found["cold"] == ["one", "two"]
    assert todo(found) == {host: ["start k3s, which is inactive"] for host in ("one", "two")} | {"three": []}
    assert not any(work["restart"] for work in found["machines"])
    # with files of this run they need another start
    assert [work["restart"] for work in plan(sites.site(*THREE, log_files=5), looked)["machines"]] == [True] * 3


def test_a_server_that_is_down_alone_is_started_by_itself() -> None:
    for machines in (THREE, (("one", "server"), ("two", "agent"))):
        wanted = sites.site(*machines)
        looked = sites.running(wanted)
        looked["one"].facts["k3s"]["units"]["server"] |= {"active": "failed"}
        found = plan(wanted, looked)
        assert (found["cold"], todo(found)["one"]) == ([], ["start k3s, which is failed"])


def test_a_server_that_joined_one_which_is_gone_is_not_restarted_for_it() -> None:
    before = sites.site(*THREE, ("four", "agent"))
    after = sites.site(("new", "server"), ("two", "server"), ("three", "server"), ("four", "agent"))
    looked = {host: look for host, look in sites.running(before).items() if host != "one"}
    looked["new"] = Looked("new", sites.clean(9))
    found = plan(after, looked)
    assert found["seed"] == "two"
    assert (todo(found)["two"], todo(found)["three"]) == ([], [])
    # the new one joins, and the agent learns a server that is there
    assert config(work_of(found, "new"))["server"] == "https://192.0.2.2:6443"
    assert config(work_of(found, "four"))["server"] == "https://192.0.2.2:6443"


def test_a_site_grows_from_one_server_to_three_by_giving_the_first_one_etcd() -> None:
    alone = sites.running(sites.site(("one", "server")))
    found = plan(sites.site(*THREE), {**fresh("one", "two", "three"), **alone})
    assert work_of(found, "one")["restart"]
    assert config(work_of(found, "one"))["cluster-init"] is True
    assert config(work_of(found, "three"))["server"] == "https://192.0.2.1:6443"


def test_what_a_cluster_must_have_in_common_is_the_same_at_all_servers() -> None:
    found = plan(
        sites.site(*THREE, pod_subnet="10.1.0.0/16", service_subnet="10.2.0.0/16"), fresh("one", "two", "three")
    )
    words = [config(work_of(found, host)) for host, _role in THREE]
    for each in words:
        for own in ("node-ip", "server", "cluster-init"):
            each.pop(own, None)
    assert words[0] == words[1] == words[2]
    assert {"agent-token-file", "cluster-cidr", "service-cidr", "disable"} <= set(words[0])


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
